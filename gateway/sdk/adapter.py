"""What an adapter is: a manifest, options of the supplier's row, and capabilities as Protocols.

An adapter translates; the gateway acts. It opens no socket, sleeps, retries, logs and counts nothing. A new capability
is a new Protocol here; a manifest declares it exactly when the class implements it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from schemas.catalog import Facet, Facts


@dataclass(slots=True)  # not frozen: that would make each of millions four times as dear
class Record:
    """One raw row as the supplier pushed it.

    raw: its bytes as received; received_at: when the gateway took the feed, with offset, the same for every row of it.
    """

    facet: Facet
    raw: bytes
    received_at: datetime


@dataclass(slots=True)  # not frozen, as above
class Item:
    """What a record says of one key.

    source_version: the supplier's own version (0 … 2⁵³), a guard only; observed_at: when it was so, None for when the
    gateway received it.
    """

    facts: Facts
    source_version: int | None = None
    observed_at: datetime | None = None


class Options(BaseModel):
    """Facts of one supplier that narrow its adapter, from the supplier's row; unknown names are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Adapter:
    """Base of every adapter: constructed once per supplier and revision, with that supplier's options.

    options_model: what those options are.
    """

    options_model: ClassVar[type[Options]] = Options

    def __init__(self, options: Options) -> None:
        self.options = options


@runtime_checkable
class NormalisesFeeds(Protocol):
    """Turns raw rows into the mall's words."""

    def normalise(self, record: Record) -> Iterable[Item]:
        """The items a record holds, usually one.

        Pure: the same record always yields the same items. Raises InvalidMessageError with every issue found, or
        ContractError when the supplier's reply is not what its interface promises; nothing else.
        """
        ...


CAPABILITIES: Mapping[str, type] = {"normalises_feeds": NormalisesFeeds}
"""Capability names of a manifest and the Protocols behind them."""
