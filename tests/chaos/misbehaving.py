"""What goes wrong at suppliers that orders are placed at: drawn from the seed, one thing after the other."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType
from typing import Any, NamedTuple

from contrib.simulators.jd_vop.faults import Faults, Rule
from gateway.events import set_within

RETRY_AFTER = 3.0
"""Seconds that a supplier asks for when it has had enough."""

PAUSE = (0.3, 1.5)
"""Seconds from one thing to the next."""

MOST_STANDING = 12
"""Of the things that were ordered and met nobody yet; more would all strike at once."""

CHANCE = 0.4
"""That one of them meets a call that it could: those that stand together do not all meet the same one."""

OUTAGE_SHARE, OUTAGE = 0.03, (3.0, 9.0)
"""How often a supplier is away altogether, and for how many seconds."""


class Kind(NamedTuple):
    """A thing that goes wrong. operations: of which one is met."""

    name: str
    operations: Sequence[str]
    parameters: Mapping[str, Any] = MappingProxyType({})


WRITES = ("order/submitOrder", "order/confirmOrder", "order/cancel")
AFTER = ("invoice/submit", "afterSale/createAfsApply", "afterSale/auditCancel")
ALL_WRITES = (*WRITES, *AFTER)
READS = ("order/selectJdOrder", "order/selectJdOrderIdByThirdOrder", "invoice/select", "afterSale/getServiceListPage")
ANY = (*ALL_WRITES, *READS)

JD: Sequence[Kind] = (
    Kind("reset", ANY),
    Kind("cut_off", ALL_WRITES),
    Kind("cut_reset", ALL_WRITES),
    Kind("cut_json", ANY),
    Kind("garbage", ANY),
    Kind("html", ANY),
    Kind("status", ANY, {"status": 503}),
    Kind("status", ANY, {"status": 500}),
    Kind("status_after", ALL_WRITES, {"status": 500}),
    Kind("status_after", ALL_WRITES, {"status": 503}),
    Kind("status_after", ALL_WRITES, {"status": 504}),
    Kind("hang", ANY),
    Kind("latency", ANY, {"ms": 1200}),
    Kind("drip", ALL_WRITES),
    *[Kind("rate_limited", WRITES, {"retry_after": int(RETRY_AFTER)})] * 3,
    Kind("duplicate_answer", WRITES[:1]),
    Kind("refused", WRITES[:1], {"code": "3008", "message": "商品无货"}),
    Kind("out_of_stock", WRITES[:1]),
    Kind("price_changed", WRITES[:1]),
    Kind("split", WRITES[:2]),
    Kind("partial_confirmation", WRITES[1:2]),
    Kind("cancel_races_confirm", WRITES[1:]),
    Kind("expired_token", ANY),
    Kind("repeated_messages", ("message/get",)),
    Kind("reordered_messages", ("message/get",)),
)
"""At JD's. What it leaves undone, what it does and loses the answer to, what it does otherwise."""

JD_AWAY = Kind("reset", ("order/*",))

SUBMIT, CONFIRM, CANCEL = "order.submit", "order.confirm", "order.cancel"

BESIDE = ("contract.*", "invoice.*", "aftersale.*")
"""What vendors are asked beside orders."""

NATIVE: Sequence[Kind] = (
    Kind("no_ack", ("order.*",)),
    Kind("ack_twice", ("order.*",)),
    Kind("ack_foreign", ("order.*",)),
    Kind("crash", ("order.*",)),
    Kind("answer_twice", ("order.*",)),
    Kind("out_of_state", (CONFIRM, CANCEL)),
    Kind("foreign_order", ("order.*",)),
    Kind("wrong_sum", (CONFIRM,)),
    Kind("partial_confirmation", (SUBMIT, CONFIRM)),
    Kind("refuse", ("order.*",)),
    Kind("slow", ("order.*",), {"seconds": 2}),
    Kind("answer_twice", BESIDE),
    Kind("out_of_state", ("contract.issue",)),
    Kind("foreign_order", ("contract.issue",)),
    Kind("refuse", BESIDE),
    Kind("slow", BESIDE, {"seconds": 4}),
    Kind("crash", BESIDE),
    *[Kind("wrong_sum", ("invoice.request",))] * 2,
)
"""At a vendor's who fetches his commands."""

HOOKED: Sequence[Kind] = [each for each in NATIVE if not each.name.endswith("ack") and not each.name.startswith("ack")]
"""At a vendor's who answers his webhook: what he said there is his acknowledgement."""

HOOKED_AWAY = Kind("slow", ("order.*",), {"seconds": 3})

NATIVE_AWAY = Kind("no_ack", ("order.*",))


@dataclass
class Misbehaving:
    """One supplier that things go wrong at. away: what meets everybody while it is away altogether."""

    faults: Faults
    kinds: Sequence[Kind]
    away: Kind
    rng: Random
    _ordered: list[Rule] = field(default_factory=list)

    async def run(self, stopping: asyncio.Event) -> None:
        """Order one thing after the other until told to stop; then everything is well again."""
        while not stopping.is_set():
            if self.rng.random() < OUTAGE_SHARE:
                await self._be_away(stopping)
            elif len(self.faults.rules) < MOST_STANDING:
                self._order(self.rng.choice(self.kinds), self.rng.choice((1, 1, 2, 3)))
            await set_within(stopping, self.rng.uniform(*PAUSE))
        self.faults.clear()

    def struck(self) -> Mapping[str, int]:
        """How often each kind met something."""
        found: Counter[str] = Counter()
        for rule in self._ordered:
            found[rule.kind] += rule.struck
        return +found

    async def _be_away(self, stopping: asyncio.Event) -> None:
        id_ = self._order(self.away, None)
        await set_within(stopping, self.rng.uniform(*OUTAGE))
        self.faults.clear(id_)

    def _order(self, kind: Kind, times: int | None) -> int:
        chance = 1.0 if times is None else CHANCE
        rule = Rule(kind.name, self.rng.choice(kind.operations), dict(kind.parameters), times, chance)
        self._ordered.append(rule)
        return self.faults.add(rule)
