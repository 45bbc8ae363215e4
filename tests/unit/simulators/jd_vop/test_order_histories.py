"""Whatever is called in whatever order, and whatever becomes of the answers: the ledger is what a small model says."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from contrib.simulators.jd_vop import ledger
from tests.buyer import Buyer, open_buyer
from tests.ordering import form, sellable

# What may befall a call, and whether it is done all the same.
FAULTS: dict[str, bool] = {
    "reset": True,
    "cut_reset": True,
    "status_after": True,
    "status": False,
    "rate_limited": False,
}
ORDERS = ("M1", "M2", "M3")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["submitOrder", "confirmOrder", "cancel"]),
        st.sampled_from(ORDERS),
        st.sampled_from([None, None, *FAULTS]),
    ),
    max_size=20,
)


class Model:
    """What the supplier has done, as its documents have it."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.effects: list[tuple[str, str]] = []

    def call(self, operation: str, third: str) -> str:
        """The code of the answer to a call that is done."""
        state = self.states.get(third)
        outcomes = {
            ("submitOrder", None): ("0001", "reserved", "submit"),
            ("confirmOrder", "reserved"): ("0003", "confirmed", "confirm"),
            ("cancel", "reserved"): ("0002", "cancelled", "cancel"),
            ("cancel", "confirmed"): ("0002", "cancelled", "cancel"),
        }
        if (operation, state) not in outcomes:
            refused = {"submitOrder": "0008", "cancel": "3202" if state is None else "3203"}
            confirm = {None: "3102", "confirmed": "3103", "cancelled": "3105"}
            return refused.get(operation) or confirm[state]
        code, self.states[third], effect = outcomes[operation, state]
        self.effects.append((effect, third))
        return code


async def code_of(buyer: Buyer, operation: str, fields: dict[str, Any]) -> str | None:
    """The code that a caller is told, None when it is told none."""
    try:
        status, _, body = await buyer.raw(f"api/order/{operation}", token=buyer.token["access_token"], **fields)
    except aiohttp.ClientError:
        return None
    return str(orjson.loads(body)["resultCode"]) if status == 200 else None


@settings(max_examples=25)
@given(STEPS)
async def test_the_ledger_holds_what_was_done_whatever_the_callers_were_told(steps):
    model = Model()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "ledger.jsonl")
        async with open_buyer(skus=60, ledger=path) as buyer:
            item = sellable(buyer)[0]
            for operation, third, fault in steps:
                known = buyer.simulator.book.of_third(third)
                fields = form(buyer, third, (item, 1)) if operation == "submitOrder" else {}
                fields = fields or {"jdOrderId": known.id if known else 1}
                if fault:
                    await buyer.order(fault, operation, times=1)
                expected = model.call(operation, third) if FAULTS.get(fault, True) else None
                assert await code_of(buyer, operation, fields) == (None if fault else expected)
                assert [(entry["effect"], entry["thirdOrder"]) for entry in ledger.read(path)] == model.effects
            for third in ORDERS:
                told = await buyer.call("order/selectJdOrderIdByThirdOrder", thirdOrder=third)
                assert told["success"] == (third in model.states)
        async with open_buyer(skus=60, ledger=path) as buyer:
            held = {one["thirdOrder"]: one for one in await buyer.control("GET", "orders")}
            assert {third: (one["confirmed"], one["cancelled"]) for third, one in held.items()} == {
                third: (("confirm", third) in model.effects, state == "cancelled")
                for third, state in model.states.items()
            }
