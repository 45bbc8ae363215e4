"""Every capability that an adapter may have, each one row of one table.

What a Protocol can say is read from it: its methods, their arguments and results, and whether they call the supplier.
A row carries what it cannot say. The manifest's check, the conformance kit, the self-test report, the generated
documents and the template derive from the table, so a new capability is a Protocol, its values, and a row here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from typing_extensions import get_protocol_members

from gateway.sdk.adapter import (
    ConfirmsSkus,
    IssuesContracts,
    NormalisesFeeds,
    ObtainsTokens,
    PollsMessages,
    PullsFeeds,
    ReadsAreas,
)
from gateway.sdk.after_sales import HandlesAfterSales
from gateway.sdk.invoices import RequestsInvoices
from gateway.sdk.orders import CancelsOrders, ConfirmsOrders, FindsOrders, ReadsOrders, SubmitsOrders

Effect: TypeAlias = Literal["reads", "writes"]
"""What a call does at the supplier."""

End: TypeAlias = Literal["success", "error"]
"""How a golden case of a call ends."""


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """What a Protocol does not say of one of its methods.

    effect: what its calls do at the supplier; None: it makes none. repeatable: the same call again changes nothing
    more, as of every one that reads. cases: how golden cases that show it must end; (): none show it. each: an
    argument, and the member of the manifest whose every entry must be shown in it. defaults: of arguments that a case
    leaves out.
    open: members of a result that a case may leave open.
    """

    effect: Effect | None = None
    repeatable: bool = True
    cases: tuple[End, ...] = ("success",)
    each: tuple[str, str] | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    open: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.effect != "writes" and not self.repeatable:
            raise ValueError("a method that does not write is repeatable")


@dataclass(frozen=True, slots=True)
class CapabilitySpec:
    """One capability. One without methods is declared alone: it says what vendors are given who fetch their commands.

    name: as manifests have it; zh, en: titles for people; methods: of the Protocol, every one; member: of the manifest,
    given exactly by adapters with this capability; needs: capabilities that must be declared with it.
    """

    name: str
    protocol: type
    zh: str
    en: str
    methods: Mapping[str, MethodSpec]
    member: str | None = None
    needs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if set(self.methods) != get_protocol_members(self.protocol):
            raise ValueError(f"{self.name}: its methods are {', '.join(sorted(get_protocol_members(self.protocol)))}")
        for name, method in self.methods.items():
            if ("http" in inspect.signature(self.function(name)).parameters) != (method.effect is not None):
                raise ValueError(f"{self.name}.{name}: a method is given `http` exactly when it has an effect")

    def function(self, method: str) -> Callable[..., Any]:
        """A method of the Protocol."""
        function: Callable[..., Any] = getattr(self.protocol, method)
        return function

    @property
    def calls(self) -> bool:
        """Whether it speaks to the supplier, so that the manifest says how: `[http]` and `[operations]`."""
        return any(method.effect for method in self.methods.values())

    @property
    def shown(self) -> Mapping[str, MethodSpec]:
        """The methods that golden cases of calls show."""
        return {name: method for name, method in self.methods.items() if method.cases}

    @property
    def declares(self) -> tuple[str, ...]:
        """What a manifest with this capability has besides."""
        return (*(("http", "operations") if self.calls else ()), *((self.member,) if self.member else ()))


Capabilities: TypeAlias = Mapping[str, CapabilitySpec]
"""A table of capabilities, by name."""


def table_of(specs: Iterable[CapabilitySpec]) -> Capabilities:
    """A table with these rows, in their order."""
    return {spec.name: spec for spec in specs}


_WRITES_ONCE = MethodSpec("writes", repeatable=False, cases=("success", "error"))

CAPABILITIES: Capabilities = table_of(
    (
        CapabilitySpec(
            "normalises_feeds",
            NormalisesFeeds,
            "数据归一化",
            "turns records into the mall's facts",
            {"normalise": MethodSpec(cases=())},  # cases of records show it, for every facet
            member="facets",
        ),
        CapabilitySpec(
            "pulls_feeds",
            PullsFeeds,
            "商品数据查询",
            "reads a supplier's catalog",
            {
                "areas": MethodSpec(cases=()),
                "list_skus": MethodSpec("reads", defaults={"cursor": None}),
                "read": MethodSpec("reads", each=("facet", "pulls"), defaults={"area": ""}),
            },
            member="pulls",
        ),
        CapabilitySpec(
            "confirms_skus",
            ConfirmsSkus,
            "在售确认",
            "says of single skus whether they are still sold",
            {"still_sold": MethodSpec("reads")},
            member="confirms",
            needs=("pulls_feeds",),
        ),
        CapabilitySpec(
            "polls_messages",
            PollsMessages,
            "消息获取",
            "takes messages out of a supplier's pool",
            {
                "fetch": MethodSpec("reads", open=frozenset({"raw"})),
                "follow_ups": MethodSpec(),
                "acknowledge": MethodSpec("writes"),
            },
            member="pools",
        ),
        CapabilitySpec(
            "reads_areas",
            ReadsAreas,
            "区域查询",
            "reads a supplier's own tree of areas",
            {"read_areas": MethodSpec("reads", defaults={"parent": ""})},
        ),
        CapabilitySpec(
            "submits_orders",
            SubmitsOrders,
            "提交订单",
            "places orders",
            {"submit_order": _WRITES_ONCE},
            member="orders",
        ),
        CapabilitySpec(
            "finds_orders",
            FindsOrders,
            "订单反查",
            "says whether an order is there, by our number",
            {"find_order": MethodSpec("reads")},
        ),
        CapabilitySpec(
            "confirms_orders",
            ConfirmsOrders,
            "确认订单",
            "makes reservations orders",
            {"confirm_order": _WRITES_ONCE},
            member="orders",
            needs=("submits_orders",),
        ),
        CapabilitySpec(
            "cancels_orders",
            CancelsOrders,
            "取消订单",
            "takes orders back",
            {"cancel_order": _WRITES_ONCE},
            member="orders",
            needs=("submits_orders",),
        ),
        CapabilitySpec(
            "requests_invoices",
            RequestsInvoices,
            "发票申请",
            "applies for invoices and reads what was made out",
            {
                "request_invoice": _WRITES_ONCE,
                "read_invoices": MethodSpec("reads", cases=("success", "error")),
            },
            member="orders",
            needs=("submits_orders",),
        ),
        CapabilitySpec(
            "reads_orders",
            ReadsOrders,
            "订单查询",
            "reads orders as they stand",
            {"read_order": MethodSpec("reads", cases=("success", "error")), "read_track": MethodSpec("reads")},
        ),
        CapabilitySpec(
            "issues_contracts",
            IssuesContracts,
            "电子合同",
            "gives vendors the contracts of their orders, which they fetch",
            {},
        ),
        CapabilitySpec(
            "handles_after_sales",
            HandlesAfterSales,
            "售后服务",
            "has delivered goods taken back, exchanged, repaired or refunded",
            {
                "apply_after_sale": _WRITES_ONCE,
                "cancel_after_sale": _WRITES_ONCE,
                "read_after_sales": MethodSpec("reads", cases=("success", "error")),
            },
            member="orders",
            needs=("submits_orders", "reads_orders"),
        ),
        CapabilitySpec(
            "obtains_tokens",
            ObtainsTokens,
            "令牌获取",
            "exchanges secrets for a token that calls carry",
            {"obtain_token": MethodSpec("reads", defaults={"held": None})},
            member="auth",
        ),
    )
)
"""The capabilities there are, by the names that manifests use."""
