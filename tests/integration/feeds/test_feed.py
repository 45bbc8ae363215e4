"""A feed moves only along the arrows of its table, whoever says so and wherever its row stands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from gateway.feeds import feed
from gateway.feeds.chunk import Lane, Mode, Origin
from gateway.feeds.feed import FeedEnd, FeedMovedError, FeedState, NewFeed
from gateway.store import Connection, transaction
from schemas.catalog import Facet
from tests.integration.feeds.workshop import Workshop

NUMBER = 7
HOUR = timedelta(hours=1)

NEW = NewFeed(
    feed_no=NUMBER,
    supplier="acme",
    facet=Facet.PRICE,
    mode=Mode.FULL,
    revision=1,
    lane=Lane.BULK,
    origin=Origin.SWEEP,
    received_at=datetime(2026, 3, 2, tzinfo=UTC),
)

PUT = "UPDATE feeds SET state = $1, withdrawn = 0, touched_at = now() - 2 * $2::interval"

Move = Callable[[Connection], Awaitable[object]]


def end(state: FeedState) -> Move:
    return lambda connection: feed.end_feed(connection, NUMBER, FeedEnd(state, {}, {}, (), withdrawn=0))


MOVES: dict[str, tuple[Move, str]] = {
    # name: what is done, and the states in which it may find the feed with the one that each becomes
    "resume": (lambda c: feed.resume_feed(c, NUMBER), "admitted>admitted incomplete>admitted"),
    "open run": (lambda c: feed.open_run(c, NEW), "admitted>admitted incomplete>admitted"),
    "restore": (lambda c: feed.restore_feed(c, NEW), ""),
    "touch": (lambda c: feed.touch_feed(c, NUMBER), "incomplete>admitted"),
    "produced": (lambda c: feed.feed_produced(c, NUMBER), "admitted>produced incomplete>produced"),
    "run produced": (
        lambda c: feed.run_produced(c, NUMBER, chunks=1, records=1, flaw=None),
        "admitted>produced incomplete>produced",
    ),
    "incomplete": (lambda c: feed.feed_incomplete(c, NUMBER), "admitted>incomplete"),
    "silent": (lambda c: feed.silent_incomplete(c, HOUR), "admitted>incomplete"),
    "abandon": (lambda c: feed.abandon_run(c, NUMBER, "why"), "admitted>incomplete incomplete>incomplete"),
    "hold": (
        lambda c: feed.hold_feed(c, NUMBER, {"absent": 1}),
        "admitted>held produced>held incomplete>held",
    ),
    "withdraw": (
        lambda c: feed.withdraw_feed(c, NUMBER),
        "admitted>withdrawing produced>withdrawing incomplete>withdrawing",
    ),
    "release": (lambda c: feed.release_feed(c, NUMBER), "held>withdrawing"),
    "add withdrawn": (lambda c: feed.add_withdrawn(c, NUMBER, 1), ""),
    "done": (
        end(FeedState.DONE),
        "admitted>done produced>done incomplete>done held>done withdrawing>done",
    ),
    "cancelled": (
        end(FeedState.CANCELLED),
        "admitted>cancelled produced>cancelled incomplete>cancelled held>cancelled withdrawing>cancelled",
    ),
    "request cancel": (lambda c: feed.request_cancel(c, NUMBER), ""),
}


async def moved(workshop: Workshop, state: str, move: Move) -> str:
    """The state of a silent feed after a move that found it in this state."""
    async with transaction(workshop.pool) as connection:
        await feed.admit_feed(connection, NEW)
        await connection.execute(
            "UPDATE feeds SET state = $1, withdrawn = 0, touched_at = now() - 2 * $2::interval", state, HOUR
        )
    try:
        async with transaction(workshop.pool) as connection:
            await move(connection)
    except FeedMovedError:
        pass
    async with transaction(workshop.pool) as connection:
        after: str = await connection.fetchval("SELECT state FROM feeds WHERE feed_no = $1", NUMBER)
        await connection.execute("DELETE FROM feeds")
    return after


@pytest.mark.parametrize("name", MOVES)
async def test_a_move_takes_a_feed_from_no_state_but_those_of_the_table(workshop: Workshop, name: str) -> None:
    move, arrows = MOVES[name]
    expected = dict(arrow.split(">") for arrow in arrows.split())
    found = {state.value: await moved(workshop, state, move) for state in FeedState}
    assert found == {state.value: expected.get(state, state) for state in FeedState}
    for before, after in expected.items():
        assert after in feed.NEXT_STATES[FeedState(before)]


def test_every_arrow_of_the_table_is_gone_by_some_move() -> None:
    gone = {tuple(arrow.split(">")) for _, arrows in MOVES.values() for arrow in arrows.split()}
    assert gone == {(before, after) for before, following in feed.NEXT_STATES.items() for after in following}


async def test_a_feed_that_has_ended_says_so_to_whoever_ends_it_again(workshop: Workshop) -> None:
    async with transaction(workshop.pool) as connection:
        await feed.admit_feed(connection, NEW)
        await end(FeedState.CANCELLED)(connection)
    with pytest.raises(FeedMovedError):
        async with transaction(workshop.pool) as connection:
            await end(FeedState.DONE)(connection)
    async with transaction(workshop.pool) as connection:
        assert await connection.fetchval("SELECT state FROM feeds") == "cancelled"


async def test_a_run_that_was_given_up_for_good_stays_so(workshop: Workshop) -> None:
    async with transaction(workshop.pool) as connection:
        await feed.admit_feed(connection, NEW)
        await feed.abandon_run(connection, NUMBER, "the list shrank")
        for move in ("open run", "touch", "run produced"):
            await MOVES[move][0](connection)
        [row] = await connection.fetch("SELECT state, flaw FROM feeds")
    assert (row["state"], row["flaw"]) == ("incomplete", "the list shrank")
