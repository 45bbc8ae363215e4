"""A vendor of contracts on PostgreSQL: the core issues them, he fetches, acknowledges and answers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.feeds.source_offsets import ENSURE_OFFSETS
from gateway.kafka import CONTRACT_COMMANDS, CONTRACT_EVENTS, Partition, Record
from gateway.relay.contract_answer_service import AnswerReceipt, ContractAnswerService, SentAnswer
from gateway.relay.contract_answers import CONTRACT_ANSWERS
from gateway.store import acquired
from schemas.contracts.commands import ContractOperation
from schemas.contracts.events import ContractKind
from schemas.contracts.examples import COMMAND_EXAMPLES, CONTRACT_NO, command_headers
from schemas.orders import Kind as OrderKind
from schemas.orders.examples import ORDER_NO, SUPPLIER
from tests.integration.relay.desk import Desk
from tests.integration.relay.test_inbox import BOX, identity

PARTITION = Partition(CONTRACT_COMMANDS, 5)
ISSUE, AMEND, TERMINATE, ANNOUNCED, FILED = ContractOperation


def contract_record(
    offset: int,
    number: int,
    operation: ContractOperation = ISSUE,
    contract_no: str = CONTRACT_NO,
    partition: Partition = PARTITION,
    **changes: Any,
) -> Record:
    """A command that differs from the example in some members."""
    example = COMMAND_EXAMPLES[operation]
    members = {"command_id": identity(number), "contract_no": contract_no, **changes}
    value = orjson.dumps({**orjson.loads(example.model_dump_json()), **members})
    return Record(*partition, offset, 1_780_000_000_000 + offset, contract_no.encode(), value, command_headers(example))


@dataclass(slots=True)
class ContractDesk(Desk):
    """All that happens to one supplier's contracts and their orders."""

    contract_offset: int = 0

    async def open(self) -> None:
        """As of a gateway that has just begun to read."""
        async with acquired(self.pool) as connection:
            await connection.execute(ENSURE_OFFSETS, [CONTRACT_COMMANDS] * 12, list(range(12)), [0] * 12)

    async def confirmed_order(self, number: int = 900, order_no: str = ORDER_NO) -> None:
        """An order that its vendor confirmed."""
        await self.comes(number, order_no=order_no)
        await self.fetch()
        await self.says(OrderKind.CONFIRMED, order_no=order_no)

    async def asks(
        self, number: int, operation: ContractOperation = ISSUE, contract_no: str = CONTRACT_NO, **changes: Any
    ) -> str:
        """A command about a contract comes in; its id."""
        record = contract_record(self.contract_offset, number, operation, contract_no, **changes)
        self.contract_offset = await self.inbox.take(PARTITION, [record], stands=self.contract_offset)
        return identity(number)

    async def answers(
        self,
        event: ContractKind,
        key: str = "",
        contract_no: str = CONTRACT_NO,
        supplier: str = SUPPLIER,
        **members: Any,
    ) -> AnswerReceipt:
        """The vendor says something of the contract."""
        self.keys += 1
        body = orjson.dumps({"event": event, "revision": 1, **members})
        said = CONTRACT_ANSWERS[event].model_validate_json(body)
        content = hashlib.sha256(contract_no.encode() + body).digest()
        sent = SentAnswer(supplier, contract_no, key or f"answer-{self.keys}", content, said, body=body)
        return await ContractAnswerService(self.shared, BOX, self.clock).take(sent)

    async def contract_events(self) -> list[dict[str, Any]]:
        """What the core was told of contracts, in order."""
        found = await self.rows("SELECT value FROM outbox WHERE topic = $1 ORDER BY id", CONTRACT_EVENTS)
        return [orjson.loads(row["value"]) for row in found]

    async def told_of_contracts(self) -> list[tuple[str, str | None]]:
        """The events, and the commands that they answer."""
        return [(each["event"], each["cause"]["command_id"]) for each in await self.contract_events()]

    async def refusals(self) -> list[tuple[str, str | None]]:
        """Why commands were refused, and what stands instead."""
        found = [each["payload"] for each in await self.contract_events() if each["event"] == ContractKind.REFUSED]
        return [(each["code_class"], each["stands"]) for each in found]

    async def contract(self, contract_no: str = CONTRACT_NO) -> tuple[str, str, str, str, int] | None:
        """Where it stands: state, announcement, filing, answer, revision."""
        found = await self.rows("SELECT * FROM contracts WHERE contract_no = $1", contract_no)
        columns = ("state", "announcement", "filing", "answer", "revision")
        return tuple(found[0][each] for each in columns) if found else None
