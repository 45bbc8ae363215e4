"""One gateway, and for each test a core and a simulated supplier that takes orders, all real."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contrib.simulators.jd_vop import Simulator
from contrib.simulators.jd_vop.ledger import read, summary
from tests.integration.pulled.conftest import Ground, shared
from tests.ordering import goods
from tests.pulling import Operator, control, row_of
from tests.relaying import Core, cancel, confirm, submit, town

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
        await operator.ask("POST", "suppliers/apply", {"suppliers": {supplier: row}})
        yield Market(Core(shared.engines.kafka_bootstrap, shared.prefix), simulator, operator, ledger, supplier)
        await operator.ask("POST", f"suppliers/{supplier}/pause", {"reason": "the test is over"})
