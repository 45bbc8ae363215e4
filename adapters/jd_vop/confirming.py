"""Whether goods that no page of the pools showed are still sold: by `check`, one call for 100 of them."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.jd_vop import replies
from adapters.jd_vop.pulls import together
from adapters.jd_vop.rows import Row
from gateway import sdk

SOLD = {"1": True, "0": False}
"""`saleState`: whether goods may be sold under this contract."""


async def still_sold(http: sdk.Http, skus: Sequence[str]) -> frozenset[str]:
    """Those of these that `check` calls saleable. Raises ContractError where it does not answer for one of them."""
    reply = await http.call(sdk.Request("check", form={"skuIds": ",".join(skus)}))
    answer = replies.read(reply)
    named = set(answer.names(skus))
    rest = [sku for sku in skus if sku not in named]
    if not answer.nothing:
        states = _states(reply, answer)
        if not all(sku in states for sku in rest):
            raise replies.unpromised(reply, "skus that were asked about are not answered for")
        return frozenset(sku for sku in rest if states[sku])
    if named:
        return await still_sold(http, rest) if rest else frozenset()
    if len(skus) > 1:
        return frozenset().union(*await together(*(still_sold(http, (sku,)) for sku in skus)))
    if not answer.bars(skus[0], skus):
        raise replies.unpromised(reply, "no answer about what was asked")
    return frozenset()


def _states(reply: sdk.Reply, answer: replies.Answer) -> dict[str, bool]:
    """Whether each sku is sold; one that is told in two ways, or not in the words of the interface, is left out."""
    by_sku: dict[str, set[bool | None]] = {}
    for members in answer.result if isinstance(answer.result, list) else [answer.result]:
        if not isinstance(members, dict):
            raise replies.unpromised(reply, "no list of states")
        row = Row(members, ())
        by_sku.setdefault(row.sku, set()).add(SOLD.get(replies.plain_text(row.get("saleState")) or ""))
    return {sku: True in states for sku, states in by_sku.items() if len(states) == 1 and None not in states}
