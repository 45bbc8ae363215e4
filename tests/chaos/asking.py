"""What the core asks for after an event of an order or contract: drawn from the seed and the event alone."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

import orjson

from contrib.mall.orders import Event
from contrib.mall.plan import Plan
from schemas.contracts.commands import ContractOperation
from schemas.contracts.examples import COMMAND_EXAMPLES
from tests.chaos.contract_files import ContractFiles
from tests.relaying import after_sale, cancel_after_sale, invoice

Json = Mapping[str, Any]

TOO_MANY = 1000
"""More than was delivered of anything."""

RATE = Decimal("1.13")


class Asking:
    """unlikely: a supplier without contracts, which is asked for few; area: where things go at suppliers with areas."""

    def __init__(self, seed: int, files: ContractFiles, unlikely: str) -> None:
        self._seed = seed
        self._files = files
        self._unlikely = unlikely
        self._begun: set[str] = set()
        self._shipped: dict[str, list[Json]] = {}
        self._children: dict[str, str | None] = {}

    def __call__(self, event: Event, plan: Plan) -> Iterator[dict[str, Any]]:
        """The commands, in their order."""
        rng = Random(f"{self._seed} {event.ce_id}")
        match event.kind:
            case "order.accepted":
                yield from self._too_early(plan, rng)
            case "order.confirmed" if plan.order_no not in self._begun:
                self._begun.add(plan.order_no)
                yield from self._contracts(plan, rng)
                yield from self._invoices(plan, rng)
            case "shipment.created":
                payload = event.content["payload"]
                self._shipped[f"{plan.order_no} {payload['delivery_no']}"] = payload["lines"]
            case "shipment.delivered":
                yield from self._services(event, plan, rng)
            case "aftersale.accepted" if rng.random() < 0.3:
                service_no = event.content["payload"]["service_no"]
                child = self._children.get(service_no)
                more = {"payload": {"supplier_order_no": child}} if child else {}
                yield cancel_after_sale(plan.order_no, service_no, supplier=_supplier(plan), **more)
            case "contract.delivered":
                yield from self._goes_on(event, plan, rng)
            case _:
                pass

    def _too_early(self, plan: Plan, rng: Random) -> Iterator[dict[str, Any]]:
        """Of an order that is not confirmed, and of one that nobody has."""
        if rng.random() < 0.08:
            yield self._contract("issue", f"HT-EARLY-{plan.order_no}", plan)
        if rng.random() < 0.05:
            yield self._contract("issue", f"HT-NOBODY-{plan.order_no}", plan, order_no=f"NOBODY-{plan.order_no}")
        if rng.random() < 0.08:
            yield self._service(plan, f"AS-EARLY-{plan.order_no}", plan.lines[0][0].sku, 1, None)

    def _contracts(self, plan: Plan, rng: Random) -> Iterator[dict[str, Any]]:
        if rng.random() > (0.1 if _supplier(plan) == self._unlikely else 0.7):
            return
        number = f"HT-{plan.order_no}"
        issue = self._contract("issue", number, plan)
        yield issue
        if rng.random() < 0.15:  # the same once more, under another id
            yield {**issue, "command_id": str(uuid.uuid4())}
        if rng.random() < 0.1:
            yield self._contract("issue", f"{number}-B", plan)
        if rng.random() < 0.1:
            yield self._contract("terminate", number, plan)

    def _goes_on(self, event: Event, plan: Plan, rng: Random) -> Iterator[dict[str, Any]]:
        """What follows on a delivery: amended, by two at once, announced, filed, ended."""
        operation, number = event.content["payload"]["operation"], event.content["contract_no"]
        revision = event.content["revision"]
        if operation not in ("contract.issue", "contract.amend"):
            return
        if rng.random() < 0.25:
            for _ in range(rng.choice((1, 1, 2))):
                yield self._contract("amend", number, plan, revision + 1)
        if rng.random() < 0.3:
            yield self._contract("announced", number, plan, revision)
            yield self._contract("filed", number, plan, revision)
        if rng.random() < 0.25:
            yield self._contract("terminate", number, plan, revision)
            if rng.random() < 0.3:
                yield self._contract("amend", number, plan, revision + 2)

    def _contract(self, name: str, number: str, plan: Plan, revision: int = 1, **changes: Any) -> dict[str, Any]:
        said = orjson.loads(COMMAND_EXAMPLES[ContractOperation(f"contract.{name}")].model_dump_json())
        payload = said["payload"]
        if "document" in payload:
            payload = {**payload, "document": self._files.announced(number, revision)}
        whose = {"command_id": str(uuid.uuid4()), "supplier": _supplier(plan), "order_no": plan.order_no}
        return {**said, **whose, "contract_no": number, "revision": revision, "payload": payload, **changes}

    def _invoices(self, plan: Plan, rng: Random) -> Iterator[dict[str, Any]]:
        if rng.random() > 0.5:
            return
        gross = sum((one.gross * pieces for one, pieces in plan.lines), Decimal(0))
        net = (gross / RATE).quantize(Decimal("0.01"), ROUND_HALF_UP)
        area = {"area": plan.lines[0][0].area} if plan.lines[0][0].area else {}
        mark = f"FP-{plan.order_no}"
        yield invoice(plan.order_no, mark, gross, net, supplier=_supplier(plan), **area)
        if rng.random() < 0.15:  # the number once more, for another application
            yield invoice(
                plan.order_no, mark, gross, net, supplier=_supplier(plan), payload={"children": ["1"]}, **area
            )
        if rng.random() < 0.1:  # the whole order once more
            yield invoice(plan.order_no, f"{mark}-B", gross, net, supplier=_supplier(plan), **area)

    def _services(self, event: Event, plan: Plan, rng: Random) -> Iterator[dict[str, Any]]:
        payload = event.content["payload"]
        delivery, child = payload["delivery_no"], payload.get("supplier_order_no")
        lines = self._shipped.get(f"{plan.order_no} {delivery}")
        if not lines:
            lines = [{"sku": one.sku, "quantity": str(pieces)} for one, pieces in plan.lines]
        for turn, share in enumerate((0.7, 0.25)):
            if rng.random() < share:
                line = rng.choice(lines)
                pieces = TOO_MANY if rng.random() < 0.2 else rng.randint(1, max(1, int(Decimal(line["quantity"]))))
                number = f"AS-{turn}-{plan.order_no}-{delivery}"[:64]
                self._children[number] = child
                yield self._service(plan, number, line["sku"], pieces, child)

    def _service(self, plan: Plan, number: str, sku: str, pieces: int, child: str | None) -> dict[str, Any]:
        more = {"payload": {"supplier_order_no": child}} if child else {}
        return after_sale(plan.order_no, sku, pieces, number[:64], supplier=_supplier(plan), **more)


def _supplier(plan: Plan) -> str:
    return plan.lines[0][0].supplier
