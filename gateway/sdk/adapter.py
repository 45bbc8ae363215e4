"""What an adapter is: a manifest, options of the supplier's row, and capabilities as Protocols.

An adapter translates; the gateway acts. It opens no socket, sleeps, retries, logs and counts nothing. A capability is a
Protocol and a row of `gateway.sdk.capabilities`; a manifest declares it exactly when the class implements it. The types
of arguments and values are what the conformance kit holds adapters and golden cases to.

What a coroutine of an adapter may raise is any SupplierError, each where `gateway.sdk.errors` says; nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, ClassVar, Protocol, TypeAlias, runtime_checkable

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from gateway.sdk.errors import Issue
from gateway.sdk.exchange import Exchange
from gateway.sdk.http import Http, Reply
from gateway.sdk.raw import JsonDocument
from schemas.catalog import Facet, Facts
from schemas.orders.parts import Reference

Text: TypeAlias = Annotated[str, Field(min_length=1)]
"""A text that says something."""

Skus: TypeAlias = Annotated[Sequence[str], Field(min_length=1)]
"""The skus of one question, at least one."""


@dataclass(slots=True)  # not frozen: that would make each of millions four times as dear
class Record:
    """One raw row as the supplier pushed it, or one exchange as it was pulled (`decode_exchange` reads it).

    raw: its bytes as received; received_at: when the gateway took the feed, or sent the question, with offset; the same
    for every record of a chunk.
    """

    facet: Facet
    raw: bytes
    received_at: datetime


@dataclass(slots=True)  # not frozen, as above
class Item:
    """What a record says of one key.

    source_version: the supplier's own version (0 … 2⁵³), a guard only; observed_at: when it was so, None for when the
    gateway received it.
    """

    facts: Facts
    source_version: int | None = None
    observed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """One sku of a record that holds several, which cannot be taken; the others go on.

    issues: at least one, with paths into the record.
    """

    sku: str
    issues: tuple[Issue, ...]


@dataclass(frozen=True, slots=True)
class SkuPage:
    """Part of the list of everything that a supplier sells here.

    cursor: hands the next page over, any JSON value, kept across restarts; None: this was the last page.
    """

    skus: tuple[str, ...]
    cursor: JsonValue = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a supplier's pool.

    id, type: as the supplier has them, as text; ids need not be unique across types; raw: the message as JSON.
    """

    id: str
    type: str
    raw: JsonDocument


@dataclass(frozen=True, slots=True)
class Reread:
    """A message's consequence: the known state of a sku in these facets has to be reread."""

    sku: str
    facets: Annotated[frozenset[Facet], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class RereadAreas:
    """A message's consequence: the areas below one area have changed. parent: "" for the top of the tree."""

    parent: str


@dataclass(frozen=True, slots=True)
class RereadOrder:
    """A message's consequence: an order or a child has to be reread, by the supplier's number."""

    supplier_order_no: Reference


@dataclass(frozen=True, slots=True)
class RereadInvoices:
    """A message's consequence: an application for invoices has to be reread, by the mall's number of it."""

    mark_id: Reference


FollowUp: TypeAlias = Reread | RereadAreas | RereadOrder | RereadInvoices
"""What a message of a pool makes the gateway do."""


@dataclass(frozen=True, slots=True)
class Area:
    """One area of a supplier's own tree. parent: "" at the top; level: 1 at the top."""

    id: Text
    name: Text
    parent: str
    level: Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True)
class Token:
    """What a supplier gave us for our credentials; it shows itself nowhere. Times have offsets."""

    value: Text = field(repr=False)
    expires_at: AwareDatetime
    refresh: str | None = field(default=None, repr=False)
    refresh_expires_at: AwareDatetime | None = None


class Options(BaseModel):
    """Facts of one supplier that narrow its adapter, from the supplier's row; unknown names are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Adapter:
    """Base of every adapter: constructed once per supplier and revision, with that supplier's options.

    options_model: what those options are.
    """

    options_model: ClassVar[type[Options]] = Options

    def __init__(self, options: Options) -> None:
        self.options = options

    def judge(self, reply: Reply) -> None:
        """Raise the SupplierError that a reply with a 2xx or an unusual 4xx status is: many report faults inside a 200.

        Pure. Called by the gateway for every such reply, before `Http.call` returns it.
        """


@runtime_checkable
class NormalisesFeeds(Protocol):
    """Turns raw rows and pulled exchanges into the mall's words."""

    def normalise(self, record: Record) -> Iterable[Item | Refusal]:
        """The items a record holds, usually one; of several, those that cannot be taken are refused one by one.

        Pure: the same record always yields the same items. Raises InvalidMessageError with every issue found, or
        ContractError when the supplier's reply is not what its interface promises; nothing else.
        """
        ...


@runtime_checkable
class PullsFeeds(Protocol):
    """Reads a supplier's catalog over its API. The manifest's `[pulls]` says how many skus one `read` may be given."""

    def areas(self, facet: Facet) -> Sequence[str]:
        """Where a facet is asked for, each area apart and once; ("",) for one that is the same everywhere.

        Pure. () where the supplier's options would have to name areas and do not.
        """
        ...

    async def list_skus(self, http: Http, cursor: JsonValue) -> SkuPage:
        """One page of everything the supplier sells here; the first for the cursor None.

        A sku may stand on several pages. A page that is not whole is a ContractError, never a shorter page.
        """
        ...

    async def read(self, http: Http, facet: Facet, skus: Skus, area: str) -> Sequence[Exchange]:
        """Ask about these skus in one of `areas`: exchanges that `normalise` turns into what is now so of all of them.

        One sku may spoil the answer for all: raise what it came to, the gateway finds out which sku it was. Raises
        AreaRefusedError where the area is at fault, whichever skus are asked about.
        """
        ...


@runtime_checkable
class ConfirmsSkus(Protocol):
    """Says of single skus whether they are still sold. `confirms` of the manifest: how many it may be given at once."""

    async def still_sold(self, http: Http, skus: Skus) -> Collection[str]:
        """Those of these skus that the supplier still sells here, whether or not its list has shown them.

        Asked about what a list did not show, before it is withdrawn. A sku that the supplier does not answer for is a
        ContractError, never a sku that is not sold.
        """
        ...


@runtime_checkable
class PollsMessages(Protocol):
    """Takes messages out of a supplier's pool. Pools deliver at least once, in any order."""

    async def fetch(self, http: Http, pool: str) -> Sequence[Message]:
        """What waits in a pool, oldest first as far as the supplier knows; empty when nothing does."""
        ...

    def follow_ups(self, message: Message) -> Sequence[FollowUp]:
        """What has to be done about a message, may be nothing; afterwards it is deleted at the supplier.

        Pure. Raises UnknownMessageError for a `message.type` that this adapter does not know: the message is left where
        it is. Raises ContractError for content that the interface does not promise.
        """
        ...

    async def acknowledge(self, http: Http, pool: str, messages: Sequence[Message]) -> None:
        """Have the supplier delete them; those deleted already are no fault."""
        ...


@runtime_checkable
class ReadsAreas(Protocol):
    """Reads a supplier's own tree of areas."""

    async def read_areas(self, http: Http, parent: str) -> Sequence[Area]:
        """The areas right below one area, "" for the top; empty when there are none."""
        ...


@runtime_checkable
class IssuesContracts(Protocol):
    """Gives vendors the contracts of their orders. Nothing is to be implemented: vendors fetch them as all commands."""


@runtime_checkable
class ObtainsTokens(Protocol):
    """Exchanges the supplier's secrets for a token that its other calls carry."""

    async def obtain_token(
        self, http: Http, secrets: Mapping[str, str], held: Token | None, now: AwareDatetime
    ) -> Token:
        """A new token. secrets: by the names of the manifest's `[auth]`; held: the one before, to be refreshed."""
        ...
