"""The reader of the ledger of a simulated vendor without an API; see `contrib.simulators.ledger`.

`python -m contrib.simulators.native.ledger FILE` counts what a file holds.
"""

from __future__ import annotations

from collections.abc import Iterable

from contrib.simulators.ledger import Entry, Summary, print_summary, read, summarise

__all__ = ["main", "read", "summary"]


def summary(entries: Iterable[Entry]) -> Summary:
    """Effects of each kind, orders, and those that were submitted more than once, by the buyer's number."""
    return summarise(entries, "order_no")


def main(arguments: list[str] | None = None) -> None:
    """Print the summary of a ledger, as JSON."""
    print_summary("python -m contrib.simulators.native.ledger", summary, arguments)


if __name__ == "__main__":
    main()
