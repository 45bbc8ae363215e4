"""Contracts on PostgreSQL: one of an order and supplier, in a lane of its own, each command ended once."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from gateway.kafka import CONTRACT_COMMANDS, ORDER_EVENTS, Partition
from gateway.relay.contract_answer_service import ContractStateError, OtherDocumentError, UnknownContractError
from gateway.relay.decisions import OrderDecisions
from gateway.relay.inbox import Inbox
from gateway.relay.mailbox import Acknowledgement
from gateway.relay.mailbox_lanes import MAILBOX
from gateway.relay.policy import Profile
from gateway.relay.reading import OrderReading
from gateway.relay.transitions import Resolution
from gateway.relay.vendor_keys import KeyReusedError
from gateway.store import Pool
from schemas.contracts.events import ContractKind
from schemas.contracts.examples import CONTRACT_NO, DOCUMENT
from schemas.orders import Operation
from schemas.orders.examples import ORDER_NO, SUPPLIER
from tests.integration.relay.contract_desk import AMEND, ANNOUNCED, FILED, TERMINATE, ContractDesk, contract_record
from tests.integration.relay.desk import DAY
from tests.integration.relay.test_inbox import BOX, identity, inbox

__all__ = ["inbox"]

OTHER_NO = "HT-2"


async def offered(supplier: str) -> tuple[str, ...] | None:
    return {"unknown": None, "calls": tuple(Operation)}.get(supplier, (*Operation, *contract_operations()))


def contract_operations() -> tuple[str, ...]:
    return tuple(f"contract.{name}" for name in ("issue", "amend", "terminate", "announced", "filed"))


@pytest.fixture
async def desk(pool: Pool, inbox: Inbox) -> ContractDesk:
    found = ContractDesk(pool, Inbox(pool, BOX, offered))
    await found.open()
    return found


async def test_a_contract_is_issued_delivered_and_signed(desk: ContractDesk) -> None:
    await desk.confirmed_order()
    issue = await desk.asks(1)
    assert await desk.contract() == ("generated", "pending", "pending", "unsent", 1)
    [message] = await desk.fetch()
    assert (message.id, message.operation) == (issue, "contract.issue")
    assert await desk.ack(issue) == {issue: Acknowledgement.ACKNOWLEDGED}
    assert await desk.contract() == ("generated", "pending", "pending", "delivered", 1)
    taken = await desk.answers(ContractKind.ACKNOWLEDGED)
    assert (taken.event, taken.answer) == (ContractKind.ACKNOWLEDGED, "acknowledged")
    await desk.answers(ContractKind.SIGNED, payload={"signed_by": "李强", "document_sha256": DOCUMENT.sha256})
    assert await desk.contract() == ("generated", "pending", "pending", "signed", 1)
    assert await desk.told_of_contracts() == [
        ("contract.delivered", issue),
        ("contract.acknowledged", None),
        ("contract.signed", None),
    ]
    events = await desk.contract_events()
    assert {(each["order_no"], each["revision"], each["supplier"]) for each in events} == {(ORDER_NO, 1, SUPPLIER)}


async def test_its_steps_and_its_evidence_are_those_of_its_order(desk: ContractDesk) -> None:
    await desk.confirmed_order()
    issue = await desk.asks(1)
    await desk.fetch()
    await desk.ack(issue)
    await desk.answers(ContractKind.SIGNED)
    query = "SELECT kind, facts FROM order_steps WHERE order_no = $1 AND facts ? 'contract_no' ORDER BY id"
    steps = [(row["kind"], row["facts"].get("event")) for row in await desk.rows(query, ORDER_NO)]
    assert steps == [
        ("delivered", None),
        ("acknowledged", None),
        ("event", "contract.delivered"),
        ("event", "contract.signed"),
    ]
    found = await desk.rows("SELECT DISTINCT order_no FROM evidence")
    assert [row["order_no"] for row in found] == [ORDER_NO]
    rows = await desk.rows("SELECT entry FROM evidence ORDER BY position")
    kinds = [each["kind"] for each in map(orjson.loads, (row["entry"] for row in rows)) if "contract_no" in str(each)]
    assert kinds == ["received", "delivered", "acknowledged", "event", "answered", "event"]


async def test_an_order_and_its_contract_run_in_lanes_of_their_own(desk: ContractDesk) -> None:
    await desk.confirmed_order()
    issue = await desk.asks(1)
    cancel = await desk.comes(2, Operation.CANCEL)
    assert set(await desk.fetched()) == {issue, cancel}


async def test_a_contract_with_the_number_of_its_order_is_another_lane_and_no_order(desk: ContractDesk) -> None:
    await desk.confirmed_order()
    issue = await desk.asks(1, contract_no=ORDER_NO)
    confirm = await desk.comes(2, Operation.CONFIRM)
    assert set(await desk.fetched()) == {issue, confirm}
    await desk.ack(issue)
    orders = await desk.rows("SELECT order_no FROM orders")
    assert [row["order_no"] for row in orders] == [ORDER_NO]


@pytest.mark.parametrize(
    ("confirmed", "order_no", "refusal"),
    [
        (False, "NOBODY-1", ("unknown_order", None)),
        (False, ORDER_NO, ("order_not_confirmed", "submitting")),
    ],
    ids=["unknown", "unconfirmed"],
)
async def test_a_contract_needs_an_order_that_is_confirmed(
    desk: ContractDesk, confirmed: bool, order_no: str, refusal: tuple[str, str | None]
) -> None:
    await desk.comes(900)
    await desk.fetch()
    issue = await desk.asks(1, order_no=order_no)
    assert await desk.told_of_contracts() == [("contract.refused", issue)]
    assert await desk.refusals() == [refusal]
    assert await desk.contract() is None
    assert (issue, "refused") in await desk.states()
    assert issue not in await desk.fetched()


async def test_an_order_of_another_supplier_is_no_order_of_this_one(desk: ContractDesk) -> None:
    await desk.confirmed_order()
    await desk.asks(1, supplier="other")
    assert await desk.refusals() == [("unknown_order", None)]


async def test_the_same_issue_again_is_no_second_contract(desk: ContractDesk) -> None:
    await desk.confirmed_order()
    first = await desk.asks(1)
    again = await desk.asks(2, issued_at="2026-11-23T10:00:00+08:00")
    assert await desk.told_of_contracts() == [("contract.repeated", again)]
    assert (await desk.contract_events())[0]["payload"]["first"] == first
    assert await desk.fetched() == [first]
    assert await desk.asks(1) == first  # the very record, read again
    assert await desk.told_of_contracts() == [("contract.repeated", again)]


async def test_an_issue_with_other_content_amends_nothing(desk: ContractDesk) -> None:
    await desk.confirmed_order()
    await desk.asks(1)
    await desk.asks(2, revision=2)
    assert await desk.refusals() == [("other_content", "1")]


async def test_another_contract_of_the_same_order_is_refused(desk: ContractDesk) -> None:
    await desk.confirmed_order()
    await desk.asks(1)
    await desk.asks(2, contract_no=OTHER_NO)
    assert await desk.refusals() == [("other_contract", CONTRACT_NO)]
    assert await desk.contract(OTHER_NO) is None


async def test_of_two_contracts_of_one_order_that_come_at_once_one_is_made(desk: ContractDesk) -> None:
    await desk.confirmed_order()
    elsewhere = Partition(CONTRACT_COMMANDS, 6)
    await asyncio.gather(
        desk.inbox.take(Partition(CONTRACT_COMMANDS, 5), [contract_record(0, 1)], stands=0),
        desk.inbox.take(elsewhere, [contract_record(0, 2, contract_no=OTHER_NO, partition=elsewhere)], stands=0),
    )
    assert [each[0] for each in await desk.told_of_contracts()] == ["contract.refused"]
    assert [each[0] for each in await desk.refusals()] == ["other_contract"]
    assert len(await desk.rows("SELECT FROM contracts")) == 1


async def test_an_amendment_before_the_issue_is_refused(desk: ContractDesk) -> None:
    await desk.confirmed_order()
    for number, operation in enumerate((AMEND, TERMINATE, ANNOUNCED, FILED), start=1):
        await desk.asks(number, operation)
    assert await desk.refusals() == [("not_issued", None)] * 4


async def test_of_two_amendments_of_one_revision_the_first_counts(desk: ContractDesk) -> None:
    await desk.confirmed_order()
    issue, first, second = await desk.asks(1), await desk.asks(2, AMEND), await desk.asks(3, AMEND)
    assert await desk.told_of_contracts() == [("contract.refused", second)]
    assert await desk.refusals() == [("stale_revision", "2")]
    assert await desk.fetched() == [issue]
    await desk.ack(issue)
    assert await desk.contract() == ("generated", "pending", "pending", "unsent", 2)
    assert await desk.fetched() == [first]
    await desk.ack(first)
    assert await desk.contract() == ("generated", "pending", "pending", "delivered", 2)


async def test_one_that_is_terminated_before_it_is_delivered_ends_without_a_delivery(desk: ContractDesk) -> None:
    await desk.confirmed_order()
    issue, terminate = await desk.asks(1), await desk.asks(2, TERMINATE, revision=1)
    await desk.mailbox.end_due(SUPPLIER)
    assert await desk.told_of_contracts() == [("contract.withdrawn", issue), ("contract.withdrawn", terminate)]
    assert await desk.fetched() == []
    assert (await desk.contract() or ("",))[0] == "voided"
    another = await desk.asks(3, contract_no=OTHER_NO)
    assert await desk.fetched() == [another]


async def test_one_that_is_terminated_later_is_told_to_its_vendor(desk: ContractDesk) -> None:
    await desk.confirmed_order()
    await desk.ack(*await desk.fetched(), await desk.asks(1), *await desk.fetched())
    notice = await desk.asks(2, ANNOUNCED)
    await desk.fetch()
    await desk.ack(notice)
    terminate = await desk.asks(3, TERMINATE, revision=1)
    assert await desk.fetched() == [terminate]
    await desk.ack(terminate)
    assert (await desk.contract() or ("",))[0] == "terminated"
    assert (await desk.told_of_contracts())[-1] == ("contract.delivered", terminate)
    await desk.asks(4, AMEND)
    assert await desk.refusals() == [("contract_over", "terminated")]


async def test_receipts_travel_as_notices_and_move_their_own_parts(desk: ContractDesk) -> None:
    await desk.confirmed_order()
    issue, filed, announced = await desk.asks(1), await desk.asks(2, FILED), await desk.asks(3, ANNOUNCED)
    assert await desk.contract() == ("generated", "done", "done", "unsent", 1)
    for expected in (issue, filed, announced):
        assert await desk.fetched() == [expected]
        await desk.ack(expected)
    await desk.asks(4, AMEND)
    assert await desk.contract() == ("generated", "pending", "pending", "unsent", 2)
    await desk.asks(5, FILED)  # of the text before: it is true, and says nothing of this one
    assert await desk.contract() == ("generated", "pending", "pending", "unsent", 2)


async def test_past_its_deadline_an_issue_expires_and_leaves_room_for_another(desk: ContractDesk) -> None:
    await desk.confirmed_order()
    issue = await desk.asks(1)
    desk.clock.now += 8 * DAY
    await desk.mailbox.end_due(SUPPLIER)
    assert await desk.told_of_contracts() == [("contract.expired", issue)]
    assert (await desk.contract() or ("",))[0] == "none"
    await desk.asks(2, contract_no=OTHER_NO, deadline="2026-12-31T00:00:00+08:00")
    assert (await desk.contract(OTHER_NO) or ("",))[0] == "generated"


@pytest.mark.parametrize(("supplier", "reason"), [("unknown", "unknown_supplier"), ("calls", "unknown_operation")])
async def test_a_supplier_without_contracts_gets_none_and_the_core_is_told(
    desk: ContractDesk, supplier: str, reason: str
) -> None:
    issue = await desk.asks(1, supplier=supplier)
    assert await desk.told_of_contracts() == [("contract.unsupported", issue)]
    assert (await desk.contract_events())[0]["payload"]["reason"] == reason


async def test_what_is_no_contract_is_told_with_what_is_wrong_and_without_people(desk: ContractDesk) -> None:
    issue = await desk.asks(1, revision=0)
    [event] = await desk.contract_events()
    assert (event["event"], event["cause"]["command_id"], event["payload"]["reason"]) == (
        "contract.unsupported",
        issue,
        "invalid",
    )
    assert event["payload"]["problems"][0].startswith("/revision")
    await desk.asks(2, contract_no="HT/1")
    [letter] = await desk.rows("SELECT code, original FROM dead_letters")
    assert letter["code"] == "poison_pill"
    assert b"0371-60000000" not in letter["original"]
    assert not await desk.rows("SELECT FROM outbox WHERE topic = $1", ORDER_EVENTS)


async def test_an_answer_counts_as_the_delivery_that_was_not_acknowledged(desk: ContractDesk) -> None:
    await desk.confirmed_order()
    issue = await desk.asks(1)
    await desk.fetch()
    taken = await desk.answers(ContractKind.REFUSED, payload={"code_class": "terms", "reason": "交货期无法满足"})
    assert (taken.event, taken.answers) == (ContractKind.REFUSED, (issue,))
    assert await desk.told_of_contracts() == [("contract.delivered", issue), ("contract.refused", None)]
    last = (await desk.contract_events())[-1]["payload"]
    assert (last["by"], last["code_class"], last["operation"]) == ("supplier", "terms", None)
    assert await desk.ack(issue) == {issue: Acknowledgement.ACKNOWLEDGED}
    assert len(await desk.told_of_contracts()) == 2


async def test_an_answer_is_taken_once_and_its_key_is_good_for_nothing_else(desk: ContractDesk) -> None:
    await desk.confirmed_order()
    await desk.asks(1)
    await desk.fetch()
    first = await desk.answers(ContractKind.SIGNED, "k")
    again = await desk.answers(ContractKind.SIGNED, "k")
    assert (again.repeated, again.event, again.answers) == (True, first.event, first.answers)
    with pytest.raises(KeyReusedError):
        await desk.answers(ContractKind.ACKNOWLEDGED, "k")
    known = await desk.answers(ContractKind.SIGNED, "another")
    assert (known.event, known.repeated) == (None, False)
    assert len(await desk.told_of_contracts()) == 2


async def test_an_answer_out_of_state_is_refused_with_what_is_allowed(desk: ContractDesk) -> None:
    await desk.confirmed_order()
    await desk.asks(1)
    await desk.fetch()
    await desk.answers(ContractKind.ACKNOWLEDGED)
    await desk.answers(ContractKind.REFUSED, payload={"code_class": "amount"})
    with pytest.raises(ContractStateError) as refused:
        await desk.answers(ContractKind.SIGNED)
    assert (refused.value.stands, refused.value.allowed) == ("refused", [])
    await desk.asks(2, AMEND)
    with pytest.raises(ContractStateError) as other:
        await desk.answers(ContractKind.SIGNED)
    assert other.value.stands == "of revision 2"
    await desk.fetch()
    assert (await desk.answers(ContractKind.SIGNED, revision=2)).event is ContractKind.SIGNED


async def test_a_contract_that_the_vendor_was_never_given_is_unknown_to_him(desk: ContractDesk) -> None:
    await desk.confirmed_order()
    await desk.asks(1)
    for supplier, contract_no in ((SUPPLIER, CONTRACT_NO), ("other", CONTRACT_NO), (SUPPLIER, OTHER_NO)):
        with pytest.raises(UnknownContractError):
            await desk.answers(ContractKind.SIGNED, supplier=supplier, contract_no=contract_no)
    assert await desk.told_of_contracts() == []


async def test_whoever_signed_another_document_signed_nothing(desk: ContractDesk) -> None:
    await desk.confirmed_order()
    await desk.asks(1)
    await desk.fetch()
    with pytest.raises(OtherDocumentError) as refused:
        await desk.answers(ContractKind.SIGNED, payload={"document_sha256": "0" * 64})
    assert refused.value.expected == DOCUMENT.sha256
    assert await desk.contract() == ("generated", "pending", "pending", "unsent", 1)


async def test_a_command_id_of_an_order_is_none_of_a_contract(desk: ContractDesk) -> None:
    await desk.confirmed_order(number=1)
    await desk.asks(1)
    assert [code for _, code in await desk.letters()] == ["command_conflict"]
    assert (identity(1), "confirmed") in await desk.states()


async def test_an_order_shows_its_contract_and_what_happened_to_it(desk: ContractDesk, pool: Pool) -> None:
    await desk.confirmed_order()
    issue = await desk.asks(1)
    reading = OrderReading(pool, BOX)
    [shown] = (await reading.show(ORDER_NO))["orders"]
    [contract] = shown["contracts"]
    assert (contract["contract_no"], contract["state"], contract["answer"]) == (CONTRACT_NO, "generated", "unsent")
    assert (contract["lane"]["command_id"], contract["lane"]["state"]) == (issue, "waiting")
    assert shown["lane"] is None
    await desk.fetch()
    await desk.ack(issue)
    [shown] = (await reading.show(ORDER_NO))["orders"]
    assert shown["contracts"][0]["lane"] is None
    texts = [entry["text"] for entry in shown["timeline"] if entry["command_id"] == issue]
    assert texts[-1] == f"the mall was told contract.delivered; contract {CONTRACT_NO} is generated, delivered"


async def test_a_person_says_what_became_of_a_contract_that_nobody_acknowledged(desk: ContractDesk, pool: Pool) -> None:
    await desk.confirmed_order()
    issue = await desk.asks(1)
    await desk.fetch()
    desk.clock.now += 8 * DAY
    await desk.mailbox.end_due(SUPPLIER)
    assert await desk.told_of_contracts() == [("contract.parked", issue)]
    decisions = OrderDecisions(pool, BOX, profile)
    await decisions.resolve(issue, Resolution.DONE, actor="ann", reason="he has it")
    assert await desk.told_of_contracts() == [("contract.parked", issue), ("contract.delivered", issue)]
    assert (await desk.contract() or ())[3:4] == ("delivered",)


async def profile(supplier: str, operation: str) -> Profile:
    return MAILBOX
