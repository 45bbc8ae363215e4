"""What the suppliers of a run wrote down themselves: their ledgers of effects, and the calls that one of them noted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from contrib.mall.verdict import Effect, effects_of_jd, effects_of_native
from contrib.simulators.ledger import read
from tests.chaos.misbehaving import RETRY_AFTER

API, FETCHES, HOOK = "vop", "shop", "hook"
"""The supplier that is called, the one whose vendor fetches, and the one whose vendor has a webhook."""

CALLS: Mapping[str, tuple[str, bool]] = {
    "order/submitOrder": ("submit_order", True),
    "order/confirmOrder": ("confirm_order", True),
    "order/cancel": ("cancel_order", True),
    "order/selectJdOrder": ("select_jd_order", False),
    "order/selectJdOrderIdByThirdOrder": ("select_jd_order_id_by_third_order", False),
}
"""What the adapter calls the operations of the first one, and whether they change anything."""

TOO_MANY = 429


@dataclass(frozen=True, slots=True)
class Ledgers:
    """Files of a run."""

    api: Path
    fetches: Path
    hook: Path
    log: Path

    @classmethod
    def below(cls, directory: Path) -> Ledgers:
        """In its directory."""
        return cls(*(directory / f"{name}.jsonl" for name in ("api", "fetches", "hook", "calls")))

    def effects(self, others: Collection[str | None] = ()) -> Sequence[Effect]:
        """All that was done to orders. others: tokens of whoever else calls: nobody asked the gateway for that."""
        theirs = {entry["seq"] for entry in read(self.log) if entry["token"] in others} if others else set()
        entries = [entry | {"by": "another"} if entry["call"] in theirs else entry for entry in read(self.api)]
        found = [*effects_of_jd(entries, API), *effects_of_native(read(self.fetches), FETCHES)]
        return [*found, *effects_of_native(read(self.hook), HOOK)]

    @property
    def size(self) -> int:
        """Bytes; it grows with everything that happens."""
        return sum(path.stat().st_size for path in (self.api, self.fetches, self.hook))

    def calls(self, others: Collection[str | None]) -> Iterator[dict[str, Any]]:
        """The gateway's calls about orders, as a history has them."""
        orders = self._orders()
        for entry in read(self.log):
            if entry["operation"] in CALLS and entry["token"] not in others:
                call, writes = CALLS[entry["operation"]]
                form = entry["form"]
                target = form.get("jdOrderId", "")
                waits = entry["status"] == TOO_MANY and "rate_limited" in entry["fault"]
                yield {
                    "supplier": API,
                    "call": call,
                    "writes": writes,
                    "order_no": form.get("thirdOrder") or orders.get(target, ""),
                    "target": target,
                    "at": entry["at"],
                    "body": orjson.dumps(form, option=orjson.OPT_SORT_KEYS).decode(),
                    "token": entry["token"],
                    "asked_to_wait": RETRY_AFTER if waits else None,
                }

    def _orders(self) -> Mapping[str, str]:
        """The mall's number of each order or child of the first supplier."""
        found = {}
        for entry in read(self.api):
            for number in (entry["jdOrderId"], *(child["jdOrderId"] for child in entry.get("children", ()))):
                found[number] = entry["thirdOrder"]
        return found
