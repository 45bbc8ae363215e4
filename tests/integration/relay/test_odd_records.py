"""Records of the commands topic that nobody expects: headers without a value, a later release, members unheard of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Any, cast

import orjson
import pytest
from pydantic import Field

from gateway.relay.inbox import Inbox
from gateway.relay.store import due_orders
from gateway.store import Pool, acquired
from schemas.base import Line
from schemas.orders import COMMANDS, Operation, SubmitOrder
from schemas.orders.commands import Submission
from tests.integration.relay.test_inbox import (
    PARTITION,
    RECEIVER,
    SUBMIT,
    identity,
    inbox,
    kept,
    letters,
    record,
)

__all__ = ["inbox"]


@pytest.mark.parametrize("number", [b"1e400", b"9" * 400], ids=["1e400", "400 digits"])
async def test_a_number_that_no_reader_holds_in_an_unknown_member_stops_no_partition(
    inbox: Inbox, pool: Pool, number: bytes
) -> None:
    odd, good = record(0, command_id=identity(1), weight=0), record(1, command_id=identity(2))
    value = (odd.value or b"").replace(b'"weight":0', b'"weight":' + number)
    assert await inbox.take(PARTITION, [odd._replace(value=value), good], stands=0) == 2
    assert identity(2) in [command for command, _, _ in await kept(pool)]


class LaterSubmission(Submission):
    """A submission of a later release, which has one optional member more."""

    project: Annotated[Line | None, Field(description="Project that pays. Source: core.")] = None


class LaterSubmit(SubmitOrder):
    """Its command."""

    payload: LaterSubmission = Field(description="The order. Source: core.")


@pytest.mark.parametrize("more", [{}, {"project": "P-7"}], ids=["as before", "with the new member"])
async def test_what_is_read_again_by_a_later_release_is_the_same_command(
    inbox: Inbox, pool: Pool, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    payload = {**orjson.loads(SUBMIT.model_dump_json())["payload"], **more}
    await inbox.take(PARTITION, [record(0, command_id=identity(1), payload=payload)], stands=0)
    monkeypatch.setitem(cast(dict[Operation, type[SubmitOrder]], COMMANDS), Operation.SUBMIT, LaterSubmit)
    await inbox.take(PARTITION, [record(1, command_id=identity(1), payload=payload)], stands=1)
    assert await letters(pool) == []


TELEPHONE = "13911112222"


@pytest.mark.parametrize("command_id", [None, identity(1)], ids=["nobody can be told", "conflict"])
async def test_people_under_names_that_no_schema_has_are_in_no_dead_letter(
    inbox: Inbox, pool: Pool, command_id: str | None
) -> None:
    payload = orjson.loads(SUBMIT.model_dump_json())["payload"]
    payload["receiver"] = {**RECEIVER, "mobilePhone": TELEPHONE}
    first = record(0, command_id=identity(1))
    await inbox.take(PARTITION, [first, record(1, command_id=command_id, payload=payload, revision=7)], stands=0)
    [(_, original)] = await letters(pool)
    assert TELEPHONE not in original.decode()


AHEAD = timedelta(hours=1)


class Ahead(datetime):
    """The clock of a machine that is an hour ahead."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return datetime.now(tz) + AHEAD


async def test_a_clock_of_the_gateway_that_is_ahead_delays_no_command(
    inbox: Inbox, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of the core is as well, so that neither of the two puts the other right."""
    monkeypatch.setattr("gateway.relay.inbox.datetime", Ahead)
    written = record(0, command_id=identity(1), deadline="2990-01-01T00:00:00Z")
    at = int((datetime.now(UTC) + AHEAD + timedelta(minutes=1)).timestamp() * 1000)
    await inbox.take(PARTITION, [written._replace(timestamp=at)], stands=0)
    async with acquired(pool) as connection:
        now = await connection.fetchval("SELECT clock_timestamp()")
        due = await due_orders(connection, SUBMIT.supplier, now, [], 10)
    assert [each.order_no for each in due] == [SUBMIT.order_no]
