"""Evidence on PostgreSQL: what happens to an order is in its chain, nobody forks it, its export shows what was done."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from gateway.admin.app import PREFIX, build_admin
from gateway.admin.audit import FailedLogins
from gateway.admin.evidence import EvidenceRoutes
from gateway.calls.exchange import Exchange
from gateway.evidence import EVIDENCE, Entry, EvidenceExport, NoEvidenceError, append, append_to_all
from gateway.evidence.verification import DamageError, verify
from gateway.evidence.wire import KEPT_BYTES
from gateway.http.server import serve
from gateway.outbound import AdminClient, Prepared, RefusedError
from gateway.relay.decisions import OrderDecisions
from gateway.relay.inbox import Inbox
from gateway.relay.policy import Profile
from gateway.relay.steps import exchange_step, write_steps
from gateway.relay.transitions import Resolution
from gateway.sdk.http import Reply
from gateway.sdk.manifest import Idempotency
from gateway.store import Pool, acquired, transaction
from gateway.suppliers import SecretBox, count_sealed, reseal
from schemas.orders import Kind
from schemas.orders.examples import AT, ORDER_NO, SUPPLIER
from tests.integration.admin.conftest import TOKEN
from tests.integration.relay.desk import DAY, HOUR, Desk
from tests.integration.relay.test_inbox import BOX, PARTITION, identity, inbox, record

__all__ = ["inbox"]

pytestmark = pytest.mark.engines

RECEIVER = "王芳"


@pytest.fixture
def desk(inbox: Inbox, pool: Pool) -> Desk:
    return Desk(pool, inbox)


async def exported(pool: Pool, order_no: str = ORDER_NO, *, redacted: bool = False, box: SecretBox = BOX) -> bytes:
    with await EvidenceExport(pool, box).export(order_no, redacted=redacted, actor="ann") as file:
        return file.read()


def lines_of(content: bytes) -> list[dict[str, Any]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [orjson.loads(line) for line in archive.read("entries-1.jsonl").splitlines()]


def kinds_of(content: bytes) -> list[str]:
    return [line["entry"]["kind"] for line in lines_of(content)]


def of_kind(content: bytes, kind: str) -> dict[str, Any]:
    """The only entry of a kind, with its content."""
    [line] = [line for line in lines_of(content) if line["entry"]["kind"] == kind]
    return {**line["entry"], **(line.get("content") or {})}


async def holds(content: bytes, path: Path, link: tuple[int, str] | None = None) -> str:
    """The head of a file that holds."""
    await asyncio.to_thread(path.write_bytes, content)
    _, [chain] = await asyncio.to_thread(verify, str(path), link)
    return chain.head


async def rows(pool: Pool, query: str, *arguments: object) -> Sequence[Any]:
    async with acquired(pool) as connection:
        return await connection.fetch(query, *arguments)


async def test_all_that_a_vendor_was_given_and_said_is_in_the_chain_of_the_order(
    desk: Desk, pool: Pool, tmp_path: Path
) -> None:
    command = await desk.comes(1)
    await desk.fetch()
    await desk.ack(command)
    await desk.says(Kind.ACCEPTED, key="their-1")
    content = await exported(pool)
    await holds(content, tmp_path / "e.zip")
    assert kinds_of(content) == ["received", "delivered", "acknowledged", "answered", "event"]
    received, answered = of_kind(content, "received"), of_kind(content, "answered")
    assert orjson.loads(received["value"]["value"]["text"])["payload"]["receiver"]["name"] == RECEIVER
    given = orjson.loads(of_kind(content, "delivered")["value"]["message"]["text"])
    assert given["command_id"] == received["command_id"] == command
    assert answered["value"]["key"] == "their-1"
    assert answered["facts"]["receipt"]["answers"] == [command]
    told = orjson.loads(of_kind(content, "event")["value"]["event"]["text"])
    assert (told["event"], told["cause"]["command_id"]) == ("order.accepted", command)


async def test_what_may_be_personal_is_sealed_and_left_out_of_a_redacted_export(
    desk: Desk, pool: Pool, tmp_path: Path
) -> None:
    await desk.comes(1)
    await desk.fetch()
    whole, redacted = await exported(pool), await exported(pool, redacted=True)
    assert RECEIVER in str(lines_of(whole))
    assert RECEIVER not in str(lines_of(redacted))
    assert await holds(redacted, tmp_path / "r.zip") == await holds(whole, tmp_path / "w.zip")
    for row in await rows(pool, "SELECT entry, sealed FROM evidence"):
        assert RECEIVER not in row["entry"]
        assert RECEIVER.encode() not in (row["sealed"] or b"")


async def test_each_order_has_a_chain_of_its_own(desk: Desk, pool: Pool, tmp_path: Path) -> None:
    await desk.comes(1)
    await desk.comes(2, order_no="ANOTHER-1")
    await desk.fetch()
    one, other = await exported(pool), await exported(pool, "ANOTHER-1")
    assert await holds(one, tmp_path / "1.zip") != await holds(other, tmp_path / "2.zip")
    assert kinds_of(one) == kinds_of(other) == ["received", "delivered"]


async def test_writers_at_once_neither_fork_a_chain_nor_wait_for_each_other_in_a_circle(
    pool: Pool, tmp_path: Path
) -> None:
    orders = [f"O-{number}" for number in range(5)]

    async def write(number: int) -> None:
        turned = orders[number % 5 :] + orders[: number % 5]
        async with transaction(pool) as connection:
            entries = [Entry(SUPPLIER, each, "event", facts={"by": number}) for each in turned]
            await append(connection, BOX, entries)

    await asyncio.gather(*(write(number) for number in range(40)))
    for order_no in orders:
        content = await exported(pool, order_no)
        await holds(content, tmp_path / f"{order_no}.zip")
        assert sorted(line["entry"]["facts"]["by"] for line in lines_of(content)) == list(range(40))


async def test_what_is_not_committed_leaves_no_gap(pool: Pool, tmp_path: Path) -> None:
    async def fail() -> None:
        async with transaction(pool) as connection:
            await append(connection, BOX, [Entry(SUPPLIER, ORDER_NO, "event")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with transaction(pool) as connection:
        await append(connection, BOX, [Entry(SUPPLIER, ORDER_NO, kind) for kind in ("attempt", "outcome")])
        await append(connection, BOX, [Entry(SUPPLIER, ORDER_NO, "event")])
    content = await exported(pool)
    await holds(content, tmp_path / "e.zip")
    assert kinds_of(content) == ["attempt", "outcome", "event"]


async def test_another_secret_key_changes_no_hash(desk: Desk, pool: Pool, tmp_path: Path) -> None:
    await desk.comes(1)
    before = await holds(await exported(pool), tmp_path / "before.zip")
    new = SecretBox(b"\x07" * 32, bytes(32))
    assert (await reseal(pool, new, [EVIDENCE], "cli:ann")).resealed == 1
    only_new = SecretBox(b"\x07" * 32)
    assert (await count_sealed(pool, only_new, [EVIDENCE])).current == 1
    after = await exported(pool, box=only_new)
    assert await holds(after, tmp_path / "after.zip") == before
    assert RECEIVER in str(lines_of(after))


async def test_a_lost_key_is_said_and_the_chain_holds_all_the_same(desk: Desk, pool: Pool, tmp_path: Path) -> None:
    await desk.comes(1)
    content = await exported(pool, box=SecretBox(b"\x09" * 32))
    await holds(content, tmp_path / "e.zip")
    assert lines_of(content)[0]["content"] == "unreadable"


@pytest.mark.parametrize(
    ("statement", "damage"),
    [
        ("UPDATE evidence SET entry = replace(entry, 'order.submit', 'order.cancel') WHERE position = 1", 1),
        ("DELETE FROM evidence WHERE position = 2", 2),
        ("DELETE FROM evidence WHERE position = 3", 3),
        ("UPDATE evidence SET hash = sha256('x') WHERE position = 2", 2),
        ("UPDATE evidence SET sealed = NULL WHERE position = 1", 1),
    ],
)
async def test_rows_that_were_changed_in_the_database_are_seen_in_the_export(
    desk: Desk, pool: Pool, tmp_path: Path, statement: str, damage: int
) -> None:
    command = await desk.comes(1)
    await desk.fetch()
    await desk.ack(command)
    await rows(pool, statement)
    content = await exported(pool)
    with pytest.raises(DamageError) as caught:
        await holds(content, tmp_path / "e.zip")
    assert caught.value.position == damage


async def test_sealed_values_of_two_entries_cannot_be_exchanged(desk: Desk, pool: Pool) -> None:
    await desk.comes(1)
    await desk.comes(2, order_no="ANOTHER-1")
    await rows(
        pool,
        "UPDATE evidence e SET sealed = o.sealed FROM evidence o "
        "WHERE o.order_no = 'ANOTHER-1' AND o.position = 1 AND e.order_no = $1 AND e.position = 1",
        ORDER_NO,
    )
    assert lines_of(await exported(pool))[0]["content"] == "unreadable"


async def test_what_went_over_the_wire_is_kept_within_bounds(pool: Pool, tmp_path: Path) -> None:
    long = "狐".encode() * KEPT_BYTES
    request = Prepared("submit_order", "POST", "https://acme.example/orders?x=1", {"Content-Type": "text/x"}, b"a=1")
    reply = Reply("submit_order", 200, {"content-type": "text/x", "x-session": "s3cret"}, long)
    step = exchange_step(SUPPLIER, ORDER_NO, identity(1), Exchange(request, AT, AT + HOUR, reply))
    async with transaction(pool) as connection:
        await write_steps(connection, BOX, [step])
    content = await exported(pool)
    await holds(content, tmp_path / "e.zip")
    entry = of_kind(content, "exchange")
    assert entry["facts"]["status"] == 200
    assert entry["value"]["request"]["body"] == {"bytes": 3, "text": "a=1"}
    body = entry["value"]["reply"]["body"]
    assert (body["bytes"], body["kept"], len(body["text"])) == (3 * KEPT_BYTES, KEPT_BYTES - 1, KEPT_BYTES // 3)
    assert len(bytes.fromhex(body["sha256"])) == 32
    assert "s3cret" not in str(lines_of(content))
    assert [row["count"] for row in await rows(pool, "SELECT count(*) FROM order_steps")] == [0]


async def test_decisions_of_operators_are_in_the_chain_with_who_and_why(desk: Desk, pool: Pool, tmp_path: Path) -> None:
    async def profile(_: str, __: str) -> Profile:
        return Profile(Idempotency.NONE, finds=False, lease_term=HOUR, timeout=HOUR)

    command = await desk.comes(1)
    decisions = OrderDecisions(pool, BOX, profile)
    await decisions.park(ORDER_NO, actor="bootstrap:ann", reason="odd prices")
    await decisions.release(ORDER_NO, actor="bootstrap:ann", reason="prices are right")
    async with transaction(pool) as connection:
        facts = {"operations": ["submit_order"], "seconds": 90.0, "actor": "bootstrap:ben", "reason": "they are away"}
        await append_to_all(connection, BOX, SUPPLIER, "breaker_open", facts)
    await desk.fetch()
    desk.clock.now += 400 * DAY
    await desk.mailbox.end_due(SUPPLIER)
    await decisions.resolve(
        command, Resolution.DONE, actor="bootstrap:ann", reason="seen there", supplier_order_no="V-1"
    )
    content = await exported(pool)
    await holds(content, tmp_path / "e.zip")
    assert kinds_of(content)[:5] == ["received", "stopped", "released", "breaker_open", "delivered"]
    acts = [line["entry"]["facts"] for line in lines_of(content) if "actor" in line["entry"]["facts"]]
    assert [(each["actor"], each["reason"]) for each in acts] == [
        ("bootstrap:ann", "odd prices"),
        ("bootstrap:ann", "prices are right"),
        ("bootstrap:ben", "they are away"),
        ("bootstrap:ann", "seen there"),
    ]


async def test_a_command_that_nobody_can_act_on_is_there_with_the_event_that_ended_it(
    inbox: Inbox, pool: Pool, tmp_path: Path
) -> None:
    await inbox.take(PARTITION, [record(0, command_id=identity(1), supplier="unknown")], stands=0)
    content = await exported(pool)
    await holds(content, tmp_path / "e.zip")
    assert kinds_of(content) == ["received", "event"]
    assert of_kind(content, "event")["facts"]["event"] == "order.unsupported"


async def test_another_command_under_a_known_id_is_there_as_a_conflict(
    inbox: Inbox, pool: Pool, tmp_path: Path
) -> None:
    records = [record(0, command_id=identity(1)), record(1, command_id=identity(1), revision=7)]
    await inbox.take(PARTITION, records, stands=0)
    await inbox.take(PARTITION, records, stands=0)
    content = await exported(pool)
    await holds(content, tmp_path / "e.zip")
    assert kinds_of(content) == ["received", "conflict"]
    assert of_kind(content, "conflict")["facts"]["revision"] == 7


async def test_nothing_is_exported_of_an_order_that_nobody_knows(pool: Pool) -> None:
    with pytest.raises(NoEvidenceError):
        await exported(pool, "NONE")


@pytest.fixture
async def client(pool: Pool) -> AsyncIterator[AdminClient]:
    app = web.Application()
    routes = EvidenceRoutes(EvidenceExport(pool, BOX))
    app.add_subapp(PREFIX, build_admin([routes], TOKEN, FailedLogins(pool)))
    async with (
        serve(app, "127.0.0.1", 0, drain_timeout=1.0) as port,
        AdminClient(f"http://127.0.0.1:{port}", TOKEN, operator="ann") as client,
    ):
        yield client


async def test_an_export_is_noted_in_the_audit_with_the_heads_of_the_chains(
    desk: Desk, pool: Pool, client: AdminClient, tmp_path: Path
) -> None:
    await desk.comes(1)
    file = io.BytesIO()
    await client.download("orders", ORDER_NO, "evidence", into=file)
    head = await holds(file.getvalue(), tmp_path / "e.zip")
    [row] = await rows(pool, "SELECT actor, object, detail FROM audit WHERE action = 'evidence.export'")
    assert (row["actor"], row["object"]) == ("bootstrap:ann", ORDER_NO)
    assert row["detail"] == {"redacted": False, "heads": {SUPPLIER: f"1:{head}"}}
    await desk.fetch()
    await holds(await exported(pool), tmp_path / "later.zip", (1, head))


async def test_an_export_is_for_operators_alone(desk: Desk, pool: Pool, client: AdminClient) -> None:
    await desk.comes(1)
    async with AdminClient(client._base, "another") as stranger:
        with pytest.raises(RefusedError) as caught:
            await stranger.download("orders", ORDER_NO, "evidence", into=io.BytesIO())
    assert caught.value.code == "admin_auth_invalid"
    with pytest.raises(RefusedError) as caught:
        await client.download("orders", "NONE", "evidence", into=io.BytesIO())
    assert caught.value.code == "not_found"
    with pytest.raises(RefusedError) as caught:
        await client.download("orders", ORDER_NO, "evidence", into=io.BytesIO(), redacted="yes")
    assert caught.value.code == "bad_parameter"
