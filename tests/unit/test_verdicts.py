"""The verdicts on a long run find every fault that is put into a good history, and nothing in a good one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.history.events import folded
from tests.history.verdicts import green, table, verdicts

Record = list[Any]


def record(
    sku: str | None, value: int | None, *, ranked: bool = False, doubtful: bool = False, area: str = "*"
) -> Record:
    """One record as a history has it."""
    return [sku, area if sku else "", value, ranked, doubtful, f"{sku} {value}"]


class Run:
    """A good history of prices of one supplier, told event by event.

    Feed 1 says A, B and C and a bad D; full feed 3 names A and, in a bad record, B, so that C goes off sale; feed 4
    says A again. A letter was mended, a slow upload overtaken, a request cut, and a feed of which nobody knows.
    """

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.offset = 0
        self.feed("first", 1, [record("A", 10), record("B", 11), record("C", 12), record("D", None)])
        self.feed("slow", 2, [record("A", 20)], at=20)
        self.feed("full", 3, [record("A", 30), record("B", None)], mode="full", at=30, withdrawn=1)
        self.feed("last", 4, [record("A", 40)], at=40)
        self.feed("ranked", 5, [record("V", 52, ranked=True)], at=50)
        self.feed("ranked late", 6, [record("V", 51, ranked=True)], at=60)
        self.feed("tried", 7, [record("A", 70)], mode="validate", at=70)
        self.feed("cancelled", 8, [record("A", 80), record("B", 81)], at=80, cancelled=True)
        self.feed("cut", None, [record("A", 90)], at=90, status=400)
        self.replay("mended", 1, 3, record("D", 13), "normalized", at=25)
        for name, value, version in (("A", 10, 1 << 24), ("B", 11, (1 << 24) + 1), ("C", 12, (1 << 24) + 2)):
            self.publish(name, value, version)
        self.publish("D", 13, (1 << 24) + 3)
        self.publish("A", 30, 3 << 24)
        self.publish("C", None, (3 << 24) + 0xFFFFFF)
        self.publish("D", None, (3 << 24) + 0xFFFFFF)
        self.publish("A", 40, 4 << 24)
        self.publish("V", 52, 5 << 24)
        self.letter(1, 3, "D None")
        self.letter(3, 1, "B None")
        self.tell("operator.done", action="deadletter.replay", target="letter")
        self.tell("audit", action="deadletter.replay", target="letter")
        self.tell("quiet", reached=True, waiting=[])
        self.tell("program.ended", status=-9, wanted=True, log=[])
        self.tell("pulled", differences=[])
        self.tell("fault", kind="gateway killed")

    def tell(self, event: str, *, at: float = 1_000.0, **fields: Any) -> dict[str, Any]:
        """Add an event."""
        told = {"event": event, "at": at, **fields}
        self.events.append(told)
        return told

    def feed(
        self,
        name: str,
        number: int | None,
        records: list[Record],
        *,
        mode: str = "upsert",
        at: float = 10,
        status: int = 202,
        withdrawn: int | None = None,
        cancelled: bool = False,
    ) -> None:
        """A feed that was sent once and, where it was taken, told and reported."""
        self.tell("feed.sent", at=at, feed=name, supplier="acme", facet="price", mode=mode, keyed=True, records=records)
        self.tell("feed.answered", at=at + 1, feed=name, status=status, number=number)
        if number is None:
            return
        bad = sum(each[2] is None for each in records)
        items = {"cancelled": len(records)} if cancelled else {"normalized": len(records) - bad, "rejected": bad}
        state = "cancelled" if cancelled else "done"
        view = {"state": state, "mode": mode, "items": items, "withdrawn": withdrawn, "flaw": None, "finished_at": "T"}
        if cancelled:
            self.tell("feed.cancel", at=at + 1, feed=name)
        self.tell("feed.told", at=at + 2, feed=name, view=view)
        self.tell("report", number=number, state=state, counts=items, withdrawn=withdrawn)

    def replay(
        self, name: str, number: int, index: int, patch: Record | None, outcome: str | None, *, at: float = 500
    ) -> None:
        """A replay of a letter."""
        self.tell("replay.sent", at=at, replay=name, number=number, index=index, patch=patch)
        self.tell("replay.answered", at=at + 1, replay=name, status=200 if outcome else 0, outcome=outcome)

    def publish(
        self, sku: str, value: int | None, version: int, *, owner: str = "acme", offset: int | None = None
    ) -> None:
        """A record on the topic, and the state that names it."""
        key = ["price", "acme", sku, "*"]
        place, self.offset = self.offset, self.offset + 1
        content = None if value is None else f"{sku} {value} {version}"
        self.tell("published", key=key, record=[0, place, version, f"{sku} {version}", value, content, owner])
        self.events = [each for each in self.events if each["event"] != "state" or each["key"] != key]
        self.tell("state", key=key, partition=0, offset=place, version=version, accepted=value is not None)

    def letter(self, number: int, index: int, original: str) -> None:
        """A dead letter."""
        self.tell("letter", stage="normalise", number=number, index=index, original=original)

    def of(self, event: str, **members: Any) -> dict[str, Any]:
        """The event of that kind that has these members."""
        return next(each for each in self.events if each["event"] == event and members.items() <= each.items())

    def without(self, event: str, **members: Any) -> None:
        """Take such an event out."""
        self.events.remove(self.of(event, **members))

    def view(self, name: str) -> dict[str, Any]:
        """What the vendor was told of a feed."""
        view: dict[str, Any] = self.of("feed.told", feed=name)["view"]
        return view

    def red(self) -> set[str]:
        """The checks that find something."""
        return {name for name, finding in verdicts(folded(self.events)).items() if finding.violations}


def end_no_feed(run: Run) -> None:
    run.view("last")["finished_at"] = None


def never_become_quiet(run: Run) -> None:
    run.of("quiet")["reached"] = False


def leave_a_feed_waiting(run: Run) -> None:
    run.of("quiet")["waiting"] = ["3 acme price full produced"]


def answer_a_full_feed_never(run: Run) -> None:
    run.feed("unanswered", None, [record("A", 95)], mode="full", at=95, status=0)


def lose_an_outcome(run: Run) -> None:
    run.view("first")["items"] = {"normalized": 2, "rejected": 1}


def reject_what_is_good(run: Run) -> None:
    run.view("last")["items"] = {"rejected": 1}


def take_a_repeat_for_another_feed(run: Run) -> None:
    run.tell("feed.answered", at=45, feed="last", status=202, number=9)


def number_against_time(run: Run) -> None:
    run.feed("early number", 0, [record("E", 99)], mode="validate", at=99)


def cancel_what_nobody_cancelled(run: Run) -> None:
    run.without("feed.cancel", feed="cancelled")


def call_done_what_lost_items(run: Run) -> None:
    run.view("cancelled")["state"] = "done"


def withdraw_nothing_without_a_reason(run: Run) -> None:
    run.view("full")["flaw"] = "it was never taken whole"


def withdraw_although_a_record_cannot_be_read(run: Run) -> None:
    run.feed("blind", 11, [record("A", 110), record("B", 111), record(None, None)], mode="full", at=110, withdrawn=1)
    run.publish("A", 110, 11 << 24)


def lose_a_letter(run: Run) -> None:
    run.without("letter", number=3)


def keep_a_letter_twice(run: Run) -> None:
    run.letter(3, 1, "B None")


def keep_other_bytes(run: Run) -> None:
    run.of("letter", number=3)["original"] = "B  None"


def keep_a_letter_of_a_good_record(run: Run) -> None:
    run.letter(1, 0, "A 10")


def bury_a_chunk(run: Run) -> None:
    run.tell("letter", stage="feeds.read", number=None, index=None, original="?")


def write_nothing_down(run: Run) -> None:
    run.without("audit")


def say_that_a_lost_replay_was_taken(run: Run) -> None:
    run.replay("lost", 3, 1, record("B", 31), "normalized")


def say_that_a_replay_was_stale_that_was_taken(run: Run) -> None:
    run.of("replay.answered")["outcome"] = "stale"


def report_other_counts(run: Run) -> None:
    run.of("report", number=4)["counts"] = {"normalized": 2}


def report_nothing(run: Run) -> None:
    run.without("report", number=4)


def withdraw_what_a_bad_record_names(run: Run) -> None:
    run.publish("B", None, (3 << 24) + 0xFFFFFF)


def lose_what_was_accepted(run: Run) -> None:
    run.publish("A", None, 5 << 24)


def let_an_older_feed_return_what_was_withdrawn(run: Run) -> None:
    run.publish("C", 12, (1 << 24) + 2)


def let_a_replay_return_what_was_withdrawn(run: Run) -> None:
    run.replay("late", 1, 3, record("D", 14), "normalized")
    run.publish("D", 14, (1 << 24) + 3)


def adopt_what_was_cancelled(run: Run) -> None:
    run.publish("B", 81, (8 << 24) + 1)


def let_an_older_feed_win(run: Run) -> None:
    run.publish("A", 20, 9 << 24)


def let_a_lower_version_of_the_vendor_win(run: Run) -> None:
    run.publish("V", 51, 6 << 24)


def publish_what_was_never_sent(run: Run) -> None:
    run.publish("A", 41, 4 << 24)


def publish_what_was_only_validated(run: Run) -> None:
    run.publish("A", 70, 7 << 24)


def publish_what_was_cut(run: Run) -> None:
    run.publish("A", 90, 9 << 24)


def publish_for_another_supplier(run: Run) -> None:
    run.publish("A", 40, 4 << 24, owner="bolt")


def append_an_older_version_last(run: Run) -> None:
    run.publish("A", 40, 3 << 24)


def forget_the_state(run: Run) -> None:
    run.without("state", key=["price", "acme", "A", "*"])


def name_another_offset(run: Run) -> None:
    run.of("state", key=["price", "acme", "A", "*"])["offset"] = 0


def hold_for_withdrawn_what_is_on_the_topic(run: Run) -> None:
    run.of("state", key=["price", "acme", "A", "*"])["accepted"] = False


def have_an_older_state(run: Run) -> None:
    run.of("state", key=["price", "acme", "A", "*"])["version"] = 1


def have_a_state_that_was_never_published(run: Run) -> None:
    key = ["price", "acme", "Z", "*"]
    run.tell("state", key=key, partition=0, offset=99, version=1 << 24, accepted=True)


def give_a_version_two_contents(run: Run) -> None:
    run.publish("A", 10, 4 << 24)


def give_two_versions_one_identity(run: Run) -> None:
    run.of("published", key=["price", "acme", "V", "*"])["record"][3] = f"A {4 << 24}"


def end_a_program(run: Run) -> None:
    run.tell("program.ended", status=1, wanted=False, log=["KeyError"])


def pull_something_else(run: Run) -> None:
    run.of("pulled")["differences"] = ["price 100001 is missing"]


FAULTS: list[tuple[Callable[[Run], None], str]] = [
    (end_no_feed, "everything comes to its end"),
    (never_become_quiet, "everything comes to its end"),
    (leave_a_feed_waiting, "everything comes to its end"),
    (answer_a_full_feed_never, "everything comes to its end"),
    (lose_an_outcome, "every record has one outcome"),
    (reject_what_is_good, "every record has one outcome"),
    (take_a_repeat_for_another_feed, "a request has one number"),
    (number_against_time, "numbers follow time"),
    (cancel_what_nobody_cancelled, "only what was asked is cancelled"),
    (call_done_what_lost_items, "only what was asked is cancelled"),
    (withdraw_nothing_without_a_reason, "full feeds are decided as they should"),
    (withdraw_although_a_record_cannot_be_read, "full feeds are decided as they should"),
    (lose_a_letter, "rejected records are kept"),
    (keep_a_letter_twice, "rejected records are kept"),
    (keep_other_bytes, "rejected records are kept"),
    (keep_a_letter_of_a_good_record, "rejected records are kept"),
    (bury_a_chunk, "rejected records are kept"),
    (write_nothing_down, "what operators do is written down"),
    (say_that_a_lost_replay_was_taken, "replays do what they say"),
    (say_that_a_replay_was_stale_that_was_taken, "replays do what they say"),
    (report_other_counts, "reports say what vendors are told"),
    (report_nothing, "reports say what vendors are told"),
    (withdraw_what_a_bad_record_names, "nothing named is lost"),
    (lose_what_was_accepted, "nothing named is lost"),
    (let_an_older_feed_return_what_was_withdrawn, "nothing withdrawn returns"),
    (let_a_replay_return_what_was_withdrawn, "nothing withdrawn returns"),
    (adopt_what_was_cancelled, "the newest stands"),
    (let_an_older_feed_win, "the newest stands"),
    (let_a_lower_version_of_the_vendor_win, "the newest stands"),
    (publish_what_was_never_sent, "nothing appears from nowhere"),
    (publish_what_was_only_validated, "nothing appears from nowhere"),
    (publish_what_was_cut, "nothing appears from nowhere"),
    (publish_for_another_supplier, "nothing appears from nowhere"),
    (append_an_older_version_last, "the last is the highest"),
    (forget_the_state, "tables agree with topics"),
    (name_another_offset, "tables agree with topics"),
    (hold_for_withdrawn_what_is_on_the_topic, "tables agree with topics"),
    (have_an_older_state, "tables agree with topics"),
    (have_a_state_that_was_never_published, "tables agree with topics"),
    (give_a_version_two_contents, "a version is always the same"),
    (give_two_versions_one_identity, "a version is always the same"),
    (end_a_program, "programs end only when ended"),
    (pull_something_else, "what is pulled is what is offered"),
]


def test_nothing_is_found_in_a_good_history() -> None:
    found = verdicts(folded(Run().events))
    assert {name: finding.violations for name, finding in found.items() if finding.violations} == {}
    assert green(found)
    assert all(finding.judged for finding in found.values())


@pytest.mark.parametrize(("fault", "check"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_a_fault_is_found_by_its_check(fault: Callable[[Run], None], check: str) -> None:
    run = Run()
    fault(run)
    assert check in run.red()


def test_every_check_has_a_fault_that_it_must_find() -> None:
    assert {check for _, check in FAULTS} == verdicts(folded(Run().events)).keys()


def test_the_table_names_each_check_with_what_it_judged_and_found() -> None:
    run = Run()
    end_a_program(run)
    rows = table(verdicts(folded(run.events))).splitlines()
    assert "| programs end only when ended | 2 | 1 | red |" in rows
    assert "| numbers follow time | 8 | 0 | green |" in rows
