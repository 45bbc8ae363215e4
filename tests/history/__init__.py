"""Judges of crash tests: `pushes` of a few feeds of prices, and of everything a long run recorded, `verdicts`."""

from tests.history.pushes import (
    BITS,
    Pushed,
    every_item_has_one_outcome,
    highest_accepted_stands,
    judge,
    last_is_newest,
    no_phantoms,
    rejects_are_kept,
    repeats_are_the_same,
)

__all__ = [
    "BITS",
    "Pushed",
    "every_item_has_one_outcome",
    "highest_accepted_stands",
    "judge",
    "last_is_newest",
    "no_phantoms",
    "rejects_are_kept",
    "repeats_are_the_same",
]
