"""One gateway, and for each test a core and a simulated supplier that takes orders, all real."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contrib.simulators.jd_vop import Simulator
from contrib.simulators.jd_vop.ledger import read, summary
from tests.integration.pulled.conftest import Ground, shared
from tests.ordering import goods
from tests.pulling import Operator, control, row_of
from tests.relaying import Core, cancel, confirm, invoice, submit, town

__all__ = ["shared"]


@dataclass
class Market:
    """A core, a supplier of one test, and the gateway between them."""

    core: Core
    simulator: Simulator
    operator: Operator
    ledger: Path
    supplier: str

    def number(self, number: int = 1) -> str:
        """A number of an order that no other test has."""
        return f"{self.supplier}-{number}"

    def order(self, number: int = 1, pieces: int = 2, **more: Any) -> dict[str, Any]:
        """A submit of the first goods that may be ordered."""
        lines = [(goods(self.simulator)[0], pieces)]
        return submit(self.number(number), lines, area=town(self.simulator), supplier=self.supplier, **more)

    def confirm(self, number: int = 1, **more: Any) -> dict[str, Any]:
        """Its confirm."""
        return confirm(self.number(number), supplier=self.supplier, **more)

    def cancel(self, number: int = 1, **more: Any) -> dict[str, Any]:
        """Its cancel."""
        return cancel(self.number(number), supplier=self.supplier, **more)

    def invoice(self, number: int = 1, pieces: int = 2, **more: Any) -> dict[str, Any]:
        """An application for the invoices of the whole order, in the price of its goods."""
        item = goods(self.simulator)[0]
        gross, net = (Decimal(each * pieces) / 100 for each in (item.price, item.naked))
        mark_id = more.pop("mark_id", self.number(number))
        more = {"area": town(self.simulator), "supplier": self.supplier, **more}
        return invoice(self.number(number), mark_id, gross, net, **more)

    async def made_out(self, act: str, mark: str, **more: Any) -> Any:
        """Have the supplier do something about an application."""
        return await control(self.simulator, "POST", "invoice", {"act": act, "mark": mark, **more})

    async def fault(self, kind: str, operation: str, **more: Any) -> None:
        """Have the supplier fail."""
        await control(self.simulator, "POST", "faults", {"kind": kind, "operation": operation, **more})

    def done(self) -> dict[str, Any]:
        """What the supplier has really done."""
        return summary(read(self.ledger))


@pytest.fixture(scope="module")
async def operator(shared: Ground) -> AsyncIterator[Operator]:
    """The operator of one program for all tests."""
    async with shared.program(MALLGATE_LEASE_SECONDS="3") as program:
        yield Operator(program.admin_url)


SUPPLIERS = itertools.count(1)


@pytest.fixture
async def market(shared: Ground, operator: Operator, tmp_path: Path) -> AsyncIterator[Market]:
    supplier, ledger = f"jd-{next(SUPPLIERS)}", tmp_path / "ledger.jsonl"
    async with shared.simulator(ledger=ledger) as simulator:
        row = row_of(simulator, facets=["price"], pulls={"price": "30d"})
        row["options"] |= {"invoice_org": "544"}
        await operator.ask("POST", "suppliers/apply", {"suppliers": {supplier: row}})
        yield Market(Core(shared.engines.kafka_bootstrap, shared.prefix), simulator, operator, ledger, supplier)
        await operator.ask("POST", f"suppliers/{supplier}/pause", {"reason": "the test is over"})
