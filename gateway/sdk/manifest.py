"""The facts of an adapter, readable without importing it: `manifest.toml` beside its code."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from gateway.sdk.adapter import Adapter
from gateway.sdk.capabilities import CAPABILITIES, Capabilities, CapabilitySpec
from gateway.sdk.errors import ConfigError
from gateway.sdk.wire import MAX_REPLY
from schemas.base import Line
from schemas.catalog import Facet
from schemas.orders import Operation as Operations
from schemas.orders.commands import OF_ORDERS

FILE = "manifest.toml"
"""Its name in the adapter's folder."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""Name of an operation, a pool or a secret."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HttpFacts(_Part):
    """What the interface's owner allows; a supplier's row may narrow it."""

    base_url: Line | None = Field(None, description="Address of every operation; None: each supplier has its own.")
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = Field(10, description="Longest wait for a whole reply.")
    rate_per_second: Annotated[float, Field(gt=0, le=10_000)] = Field(description="Calls a second, all together.")
    concurrency: Annotated[int, Field(ge=1, le=1_000)] = Field(8, description="Calls under way at once.")
    max_reply_bytes: Annotated[int, Field(ge=1024, le=MAX_REPLY)] = Field(
        MAX_REPLY, description="Bytes of one reply, decompressed."
    )


class Operation(_Part):
    """One call of the interface."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    path: Annotated[str, StringConstraints(pattern=r"^/[\w{}./-]*$")] = Field(
        description="Below the base URL, with {placeholders}."
    )
    reads: bool = Field(True, description="It changes nothing at the supplier, so it may be repeated.")
    authorised: bool = Field(True, description="It carries the credential.")


class Idempotency(StrEnum):
    """How a supplier keeps one operation from taking effect twice.

    key: it repeats its first answer under the same key; natural: it knows the order by our number and says that it has
    it; query: it can only be asked; none: not at all.
    """

    KEY = "key"
    NATURAL = "natural"
    QUERY = "query"
    NONE = "none"


class OrderWrite(_Part):
    """What the interface promises of one thing that is done to orders."""

    call: Name = Field(description="The operation that does it, called once an attempt.")
    idempotency: Idempotency = Field(description="How it is kept from taking effect twice.")
    key_life_hours: Annotated[float, Field(gt=0, le=1_000_000)] | None = Field(
        None, description="How long the supplier remembers a key or number; None: for ever."
    )
    look_up: Name | None = Field(None, description="The operation that says whether it took effect; None: none does.")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.idempotency is Idempotency.QUERY and self.look_up is None:
            raise ValueError("idempotency by query needs a look_up")
        if self.key_life_hours is not None and self.idempotency not in (Idempotency.KEY, Idempotency.NATURAL):
            raise ValueError("key_life_hours goes with idempotency key or natural")
        return self


OrderTask: TypeAlias = Literal["submit", "confirm", "cancel", "invoice", "after_sale", "cancel_after_sale"]
"""What is done to orders, or asked about them."""

OPERATION_OF: Mapping[OrderTask, Operations] = {
    "submit": Operations.SUBMIT,
    "confirm": Operations.CONFIRM,
    "cancel": Operations.CANCEL,
    "invoice": Operations.REQUEST_INVOICE,
    "after_sale": Operations.REQUEST_AFTER_SALE,
    "cancel_after_sale": Operations.CANCEL_AFTER_SALE,
}
"""The operation of the mall's commands that each task carries out."""

ORDER_TASKS: Mapping[OrderTask, tuple[str, str]] = {
    "submit": ("submits_orders", "submit_order"),
    "confirm": ("confirms_orders", "confirm_order"),
    "cancel": ("cancels_orders", "cancel_order"),
    "invoice": ("requests_invoices", "request_invoice"),
    "after_sale": ("handles_after_sales", "apply_after_sale"),
    "cancel_after_sale": ("handles_after_sales", "cancel_after_sale"),
}
"""The capability of each, and its method."""


class Auth(_Part):
    """How calls are authorised."""

    scheme: Literal["none", "token"] = "none"
    carried: Literal["form", "query", "header"] = Field("header", description="Where the token goes.")
    name: Line = Field("Authorization", description="Name of that field or header.")
    prefix: str = Field("", description="Before the token, such as `Bearer `.")
    secrets: tuple[Name, ...] = Field((), description="Secrets that every supplier's row must hold.")

    def __bool__(self) -> bool:
        """Whether calls carry a credential."""
        return self.scheme != "none"


class CatalogFacts(_Part):
    """How large a supplier's list of skus may be; one that is larger is a fault, and the run that reads it fails."""

    most_skus: Annotated[int, Field(ge=1, le=10_000_000)] = Field(500_000, description="Skus of one list.")
    most_pages: Annotated[int, Field(ge=1, le=10_000_000)] = Field(200_000, description="Pages of one list.")


class Waiver(_Part):
    """A check of the conformance kit that the adapter does not pass, and why."""

    check: Name
    reason: Line


class Manifest(_Part):
    """What an adapter says of itself; unknown members are errors."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,31}$")] = Field(description="Name of its folder.")
    name: Line = Field(description="The interface, in its owner's words.")
    docs: Line = Field(description="Where the interface is described: a file of the folder, or an address.")
    capabilities: tuple[str, ...] = Field(description="What it can do: names of `gateway.sdk.CAPABILITIES`.")
    facets: tuple[Facet, ...] = Field((), description="What it normalises, where it normalises feeds.")
    http: HttpFacts | None = Field(None, description="Limits of its calls, where it makes any.")
    auth: Auth = Field(Auth(), description="How its calls are authorised.")
    operations: Mapping[Name, Operation] = Field({}, description="The calls it makes, by name.")
    pulls: Mapping[Facet, Annotated[int, Field(ge=1, le=1_000)]] = Field(
        {}, description="Most skus that one `read` of a facet may be given, where it pulls feeds."
    )
    catalog: CatalogFacts = Field(
        CatalogFacts(), description="How large its list of skus may be, where it pulls feeds."
    )
    confirms: Annotated[int, Field(ge=0, le=1_000)] = Field(
        0, description="Most skus that one `still_sold` may be given, where it confirms skus."
    )
    pools: tuple[Name, ...] = Field((), description="Its message pools, where it polls messages.")
    orders: Mapping[OrderTask, OrderWrite] = Field({}, description="What it promises of orders, where it takes any.")
    waivers: tuple[Waiver, ...] = Field((), description="Checks of the kit that it does not pass.")

    _table: Capabilities = PrivateAttr(default_factory=lambda: CAPABILITIES)

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Self:
        self._table = table_from(info)
        if unknown := [name for name in self.capabilities if name not in self._table]:
            raise ValueError(f"unknown capabilities {', '.join(unknown)}; there are {', '.join(self._table)}")
        for problem in self._inconsistencies():
            raise ValueError(problem)
        return self

    def _inconsistencies(self) -> Iterator[str]:
        """Where the capabilities and the other members say different things, as the table of capabilities has it."""
        for member, owners in _owners(self._table.values()).items():
            if bool(getattr(self, member)) != any(name in self.capabilities for name in owners):
                yield f"{member} go with {' or '.join(owners)}: name both or neither"
        if set(self.pulls) - set(self.facets):
            yield "pulls names a facet that is not among the facets"
        for spec in self.specs:
            if not set(spec.needs) <= set(self.capabilities):
                yield f"{spec.name} goes with {', '.join(spec.needs)}"
        if "issues_contracts" in self.capabilities and self.http is not None:
            yield "issues_contracts goes without http: vendors fetch contracts"
        yield from self._order_inconsistencies()
        calls = any(spec.calls for spec in self.specs)
        if calls != (self.http is not None) or calls != bool(self.operations):
            calling = sorted(spec.name for spec in self._table.values() if spec.calls)
            yield f"http and operations go with {', '.join(calling)}: name all or none"

    def _order_inconsistencies(self) -> Iterator[str]:
        for task, (capability, _) in ORDER_TASKS.items():
            if (task in self.orders) != (capability in self.capabilities):
                yield f"orders.{task} goes with {capability}: name both or neither"
        for task, write in self.orders.items():
            if write.call not in self.operations or self.operations[write.call].reads:
                yield f"orders.{task}.call names an operation with reads = false"
            if write.look_up and not (write.look_up in self.operations and self.operations[write.look_up].reads):
                yield f"orders.{task}.look_up names an operation that reads"
        found = any(write.look_up for task, write in self.orders.items() if OPERATION_OF[task] in OF_ORDERS)
        if found != ("finds_orders" in self.capabilities):
            yield "finds_orders goes with a look_up among the orders: name both or neither"

    @property
    def table(self) -> Capabilities:
        """The capabilities that the manifest was read with, also those it does not declare."""
        return self._table

    @property
    def specs(self) -> tuple[CapabilitySpec, ...]:
        """What it can do, in the table's order."""
        return tuple(spec for name, spec in self._table.items() if name in self.capabilities)

    @property
    def pulled(self) -> bool:
        """Whether the gateway fetches the feeds of its suppliers; nobody pushes them then."""
        return "pulls_feeds" in self.capabilities


def table_from(info: ValidationInfo) -> Capabilities:
    """The table of capabilities that a manifest or a case is read with: that of the validation's context."""
    table: Capabilities = (info.context or {}).get("capabilities", CAPABILITIES)
    return table


def _owners(specs: Iterable[CapabilitySpec]) -> Mapping[str, list[str]]:
    """The capabilities that a manifest's member goes with."""
    owners: dict[str, list[str]] = {}
    for spec in specs:
        if spec.member:
            owners.setdefault(spec.member, []).append(spec.name)
    return owners


def placeholders(path: str) -> frozenset[str]:
    """Names in braces of an operation's path."""
    return frozenset(re.findall(r"\{(\w+)\}", path))


def parse(text: str, source: str, capabilities: Capabilities = CAPABILITIES) -> Manifest:
    """The manifest that a TOML text is. Raises ConfigError with every problem, each beginning with `source`."""
    try:
        return Manifest.model_validate(tomllib.loads(text), context={"capabilities": capabilities})
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{source}: {error}"]) from error
    except ValidationError as error:
        raise ConfigError(problems(error, source)) from error


def mismatches(facts: Manifest, adapter: type[Adapter], folder: str) -> Iterator[str]:
    """Where a manifest says other things than the code, or than the name of the folder it stands in."""
    if facts.id != folder:
        yield f"its manifest says id {facts.id!r}"
    for name, spec in facts.table.items():
        if not spec.methods:
            continue
        implemented = issubclass(adapter, spec.protocol)
        if implemented and name not in facts.capabilities:
            yield f"implements {name}, which its manifest does not declare"
        if not implemented and name in facts.capabilities:
            yield f"declares {name}, which it does not implement"


def problems(error: ValidationError, source: str) -> list[str]:
    """What is wrong, one line for each place. The input is never quoted: it may be a secret."""
    return [
        ": ".join(filter(None, (source, ".".join(map(str, fault["loc"])), fault["msg"].removeprefix("Value error, "))))
        for fault in error.errors(include_input=False, include_url=False)
    ]
