"""The judge of histories finds every fault that is put into a good one, and nothing in a good one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from tests.history import (
    Pushed,
    every_item_has_one_outcome,
    highest_accepted_stands,
    judge,
    last_is_newest,
    no_phantoms,
    rejects_are_kept,
    repeats_are_the_same,
)
from tests.reader import Books, Entry

PRICES = "mall.catalog.prices.v1"
BAD = b'{"sku":"A-2","price":"1e3"}'


def line(sku: str, price: str) -> bytes:
    return orjson.dumps({"sku": sku, "price": price})


def entry(offset: int, sku: str, price: str, version: int, *, ce_id: str = "") -> Entry:
    """One record of the prices topic as the gateway writes it."""
    value = orjson.dumps({"sku": sku, "agreement_price": price, "version": version})
    headers = {"gw-version": b"%d" % version, "ce_id": (ce_id or f"id of {sku} {version}").encode()}
    return Entry(PRICES, 0, offset, f"acme:{sku}:*".encode(), value, headers)


def version(feed_no: int, index: int) -> int:
    return feed_no << 24 | index


class History:
    """Two feeds of one supplier: A-0, A-1 and a bad A-2, then a new price of A-0; A-1 was published twice."""

    def __init__(self) -> None:
        self.pushes = [
            Pushed([line("A-0", "10.00"), line("A-1", "11.00"), BAD], acked=True, feed_no=1),
            Pushed([line("A-0", "20.00")], acked=True, feed_no=2),
            Pushed([line("A-0", "30.00")], acked=False, feed_no=None),
        ]
        self.entries = [
            entry(0, "A-0", "10.00", version(1, 0)),
            entry(1, "A-1", "11.00", version(1, 1)),
            entry(2, "A-1", "11.00", version(1, 1)),
            entry(3, "A-0", "20.00", version(2, 0)),
        ]
        self.feeds: list[dict[str, Any]] = [{"feed_no": 1, "state": "done"}, {"feed_no": 2, "state": "done"}]
        self.chunks: list[dict[str, Any]] = [
            {"feed_no": 1, "chunk_no": 0, "first_record": 0, "records": 2, "outcomes": b"nn"},
            {"feed_no": 1, "chunk_no": 1, "first_record": 2, "records": 1, "outcomes": b"r"},
            {"feed_no": 2, "chunk_no": 0, "first_record": 0, "records": 1, "outcomes": b"n"},
        ]
        self.keys = [self.key("A-0", version(2, 0), 3), self.key("A-1", version(1, 1), 2)]
        self.letters: list[dict[str, Any]] = [{"feed_no": 1, "record_index": 2, "original": BAD}]

    @staticmethod
    def key(sku: str, number: int, offset: int) -> dict[str, Any]:
        return {"facet": "$", "supplier": "acme", "sku": sku, "area": "*", "version": number} | {
            "partition": 0,
            "offset": offset,
            "withdrawn": False,
        }

    def withdraw(self, sku: str, number: int, offset: int) -> None:
        """Withdraw a key: its state says so, and the topic ends on null."""
        self.keys = [key for key in self.keys if key["sku"] != sku]
        self.keys.append(self.key(sku, number, offset) | {"withdrawn": True})
        self.entries.append(replace(entry(offset, sku, "", number), value=None))

    @property
    def books(self) -> Books:
        return Books(self.feeds, self.chunks, self.keys, self.letters)

    def wrong(self) -> set[str]:
        """The names of the checks that find something."""
        checks = {
            every_item_has_one_outcome.__name__: every_item_has_one_outcome(self.pushes, self.books),
            no_phantoms.__name__: no_phantoms(self.pushes, self.entries),
            last_is_newest.__name__: last_is_newest(self.entries, self.books),
            highest_accepted_stands.__name__: highest_accepted_stands(self.pushes, self.entries, self.books),
            repeats_are_the_same.__name__: repeats_are_the_same(self.entries),
            rejects_are_kept.__name__: rejects_are_kept(self.pushes, self.books),
        }
        assert judge(self.pushes, {PRICES: self.entries}, self.books) == [
            each for one in checks.values() for each in one
        ]
        return {name for name, found in checks.items() if found}


def drop_an_outcome(history: History) -> None:
    history.chunks[0]["outcomes"] = b"n"


def add_an_outcome(history: History) -> None:
    history.chunks[2]["outcomes"] = b"nn"


def lose_a_chunk(history: History) -> None:
    del history.chunks[2]


def count_a_chunk_twice(history: History) -> None:
    history.chunks.append(history.chunks[0] | {"chunk_no": 2})


def leave_a_feed_open(history: History) -> None:
    history.feeds[1]["state"] = "produced"


def lose_an_acked_feed(history: History) -> None:
    del history.feeds[1]


def publish_what_nobody_pushed(history: History) -> None:
    """The last word on A-1, so that its key's state agrees with the topic."""
    history.entries[1] = entry(1, "A-1", "99.00", version(1, 1))
    history.entries[2] = entry(2, "A-1", "99.00", version(1, 1))


def append_an_older_version_last(history: History) -> None:
    history.entries.append(entry(4, "A-0", "10.00", version(1, 0)))


def publish_a_version_that_no_state_knows(history: History) -> None:
    history.entries.append(entry(4, "A-0", "20.00", version(9, 0)))


def publish_a_key_that_no_state_knows(history: History) -> None:
    history.entries.append(entry(4, "A-9", "20.00", version(9, 0)))


def forget_where_a_key_stands(history: History) -> None:
    history.keys[1] = History.key("A-1", version(1, 1), 1)


def accept_without_publishing(history: History) -> None:
    history.keys.append(History.key("A-7", version(2, 0), 9))


def accept_what_never_became_the_state(history: History) -> None:
    history.entries.pop()
    history.keys[0] = History.key("A-0", version(1, 0), 0)


def withdraw_what_a_newer_feed_accepted(history: History) -> None:
    history.withdraw("A-0", version(1, 2**24 - 1), 4)


def withdraw_without_publishing(history: History) -> None:
    history.withdraw("A-1", version(2, 2**24 - 1), 2)
    history.entries.pop()


def change_the_id_of_a_repeat(history: History) -> None:
    history.entries[2] = entry(2, "A-1", "11.00", version(1, 1), ce_id="another")


def change_the_value_of_a_repeat(history: History) -> None:
    history.entries[2] = replace(history.entries[1], offset=2, value=history.entries[1].value + b" ")  # type: ignore[operator]


def give_two_versions_one_id(history: History) -> None:
    history.entries[3] = entry(3, "A-0", "20.00", version(2, 0), ce_id=f"id of A-0 {version(1, 0)}")


def lose_a_dead_letter(history: History) -> None:
    history.letters.clear()


def keep_a_dead_letter_twice(history: History) -> None:
    history.letters.append(history.letters[0])


def change_the_bytes_of_a_dead_letter(history: History) -> None:
    history.letters[0]["original"] = BAD + b" "


def keep_a_dead_letter_of_a_good_record(history: History) -> None:
    history.letters.append({"feed_no": 1, "record_index": 0, "original": line("A-0", "10.00")})


FAULTS: list[tuple[Callable[[History], None], str]] = [
    (drop_an_outcome, "every_item_has_one_outcome"),
    (add_an_outcome, "every_item_has_one_outcome"),
    (lose_a_chunk, "every_item_has_one_outcome"),
    (count_a_chunk_twice, "every_item_has_one_outcome"),
    (leave_a_feed_open, "every_item_has_one_outcome"),
    (lose_an_acked_feed, "every_item_has_one_outcome"),
    (publish_what_nobody_pushed, "no_phantoms"),
    (append_an_older_version_last, "last_is_newest"),
    (publish_a_version_that_no_state_knows, "last_is_newest"),
    (publish_a_key_that_no_state_knows, "last_is_newest"),
    (forget_where_a_key_stands, "last_is_newest"),
    (accept_without_publishing, "last_is_newest"),
    (accept_what_never_became_the_state, "highest_accepted_stands"),
    (withdraw_what_a_newer_feed_accepted, "highest_accepted_stands"),
    (withdraw_without_publishing, "highest_accepted_stands"),
    (change_the_id_of_a_repeat, "repeats_are_the_same"),
    (change_the_value_of_a_repeat, "repeats_are_the_same"),
    (give_two_versions_one_id, "repeats_are_the_same"),
    (lose_a_dead_letter, "rejects_are_kept"),
    (keep_a_dead_letter_twice, "rejects_are_kept"),
    (change_the_bytes_of_a_dead_letter, "rejects_are_kept"),
    (keep_a_dead_letter_of_a_good_record, "rejects_are_kept"),
]


def test_nothing_is_found_in_a_good_history() -> None:
    assert History().wrong() == set()


def test_a_withdrawn_key_is_no_fault() -> None:
    history = History()
    history.withdraw("A-1", version(2, 2**24 - 1), 4)
    assert history.wrong() == set()


@pytest.mark.parametrize(("fault", "check"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_a_fault_is_found_by_its_check(fault: Callable[[History], None], check: str) -> None:
    history = History()
    fault(history)
    assert check in history.wrong()
