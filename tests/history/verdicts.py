"""The verdict on a whole history: every check, how much it judged, what it found.

`python -m tests.history.verdicts FILE` judges a recorded history again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tests.history import conversation, feeds, keys, orders, topics
from tests.history.events import History, read
from tests.history.findings import Finding
from tests.history.keys import Said

Check = Callable[[Said], Finding]

CHECKS: tuple[Check, ...] = (
    feeds.everything_comes_to_its_end,
    feeds.every_record_has_one_outcome,
    feeds.a_request_has_one_number,
    feeds.numbers_follow_time,
    feeds.only_what_was_asked_is_cancelled,
    feeds.full_feeds_are_decided_as_they_should,
    feeds.rejected_records_are_kept,
    feeds.replays_do_what_they_say,
    feeds.reports_say_what_vendors_are_told,
    feeds.what_operators_do_is_written_down,
    keys.nothing_named_is_lost,
    keys.nothing_withdrawn_returns,
    keys.the_newest_stands,
    topics.nothing_appears_from_nowhere,
    topics.the_last_is_the_highest,
    topics.tables_agree_with_topics,
    topics.a_version_is_always_the_same,
    feeds.programs_end_only_when_ended,
    feeds.what_is_pulled_is_what_is_offered,
)

STORIES = 3
"""Violations of a check that are told in full."""


def verdicts(history: History) -> dict[str, Finding]:
    """What each check found, by its name in words; those of orders where there was a supplier to order from, those of
    contracts and whatever follows an order where something of that was asked.
    """
    said = Said(history)
    found = {check.__name__.replace("_", " "): check(said) for check in CHECKS}
    if history.orders.suppliers:
        found |= orders.verdicts(history.orders)
    return found | conversation.verdicts(history.conversation) if history.conversation.placed else found


def green(found: Mapping[str, Finding]) -> bool:
    """Whether nothing was found."""
    return not any(finding.violations for finding in found.values())


def table(found: Mapping[str, Finding]) -> str:
    """Check, judged, violations, verdict: as a table in Markdown."""
    rows = ["| check | judged | violations | verdict |", "|---|---:|---:|---|"]
    for name, finding in found.items():
        verdict = "red" if finding.violations else "green" if finding.judged else "-"
        rows.append(f"| {name} | {finding.judged} | {len(finding.violations)} | {verdict} |")
    return "\n".join(rows)


def stories(found: Mapping[str, Finding]) -> Iterable[str]:
    """The first violations of each check: those with the shortest stories."""
    for name, finding in found.items():
        for violation in sorted(finding.violations, key=lambda each: len(each.story))[:STORIES]:
            yield f"{name}: {violation.text}"
            yield from (f"    {line}" for line in violation.story)


def main(path: Path) -> int:
    """Judge a recorded history; 1 when something was found."""
    found = verdicts(read(path))
    print(table(found))
    print("\n".join(stories(found)))
    return 0 if green(found) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
