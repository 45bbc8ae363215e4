"""What a long run records of contracts, invoices, after-sale and webhooks: by the core, the vendors, and a reader.

`conversation.placed`: what the core asks beside orders; `.event`: what it was told of that; `.handed`: a message that a
vendor was handed, noted before he answered; `.said`: a word of a vendor, with what he was answered; `.document`: a
document that he asked for; `.effect`: a line of a supplier's ledger; `.message`, `.kept`: what stands on the topics and
in the inbox.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

Json = Mapping[str, Any]

CONTRACT_ENDS = frozenset(
    f"contract.{each}" for each in ("delivered", "refused", "repeated", "withdrawn", "expired", "unsupported")
)
INVOICE_ENDS = frozenset({"invoice.requested", "invoice.refused", "invoice.expired", "order.unsupported"})
SERVICE_ENDS = frozenset({"aftersale.accepted", "aftersale.refused", "aftersale.progress", "order.unsupported"})
ENDS = CONTRACT_ENDS | INVOICE_ENDS | SERVICE_ENDS
"""Events of which exactly one answers each command, where they name it as their cause."""

REQUEST, SERVICE, CANCEL_SERVICE = "invoice.request", "aftersale.request", "aftersale.cancel"
ISSUE, AMEND, TERMINATE = "contract.issue", "contract.amend", "contract.terminate"


class Told(NamedTuple):
    """A record of a topic of events. ce_id: its identity, the same in a repeat."""

    ce_id: str
    key: str
    partition: int
    offset: int
    content: Json

    @property
    def kind(self) -> str:
        """What it says."""
        return str(self.content["event"])

    @property
    def payload(self) -> Json:
        """All about it."""
        found: Json = self.content["payload"]
        return found

    @property
    def command_id(self) -> str | None:
        """The command that it answers; None: a vendor's word, or what a supplier was seen to do."""
        found: str | None = self.content["cause"].get("command_id")
        return found


class Handed(NamedTuple):
    """A message in a vendor's hands. door: mailbox or webhook; path: of the request; status: that he then answered,
    0: none; stored: whether he has it from then on; signed: by a secret that counted at that time.
    """

    supplier: str
    door: str
    id: str
    sha256: str
    status: int
    stored: bool
    signed: bool = True
    path: str = "/hook"

    @property
    def taken(self) -> bool:
        """Whether the vendor said that he has it."""
        return 200 <= self.status < 300


class Said(NamedTuple):
    """A word about `number`, a contract, an application or a service. status: of the final answer."""

    supplier: str
    order_no: str
    number: str
    kind: str
    status: int
    content: Json


class Document(NamedTuple):
    """What a vendor got who asked for the document of a message."""

    message: str
    status: int
    sha256: str
    size: int


class Effect(NamedTuple):
    """A line of a supplier's ledger, in its order. number: of the application or service, "" of a delivery; lines:
    quantity by sku; asked: by a buyer's call.
    """

    supplier: str
    kind: str
    order_no: str
    number: str
    lines: Mapping[str, float]
    asked: bool


class Message(NamedTuple):
    """A command as it stands on its topic. sha256: of what a vendor may be shown of it."""

    id: str
    supplier: str
    sha256: str


class Kept(NamedTuple):
    """A command in the inbox, as it stands in the end. place: its turn in its lane."""

    command_id: str
    supplier: str
    lane: str
    place: int
    state: str


@dataclass
class Conversation:
    """All of it. placed: commands as they were made, in their order."""

    placed: list[Json] = field(default_factory=list)
    events: list[Told] = field(default_factory=list)
    handed: list[Handed] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)

    @cached_property
    def told(self) -> Sequence[Told]:
        """The events without their repeats, those of one key in their order."""
        once: dict[str, Told] = {}
        for event in sorted(self.events, key=lambda each: (each.key, each.partition, each.offset)):
            once.setdefault(event.ce_id, event)
        return [*once.values()]

    @cached_property
    def answers(self) -> Mapping[str, Sequence[Told]]:
        """The events that end each command."""
        found: defaultdict[str, list[Told]] = defaultdict(list)
        for event in self.told:
            if event.command_id is not None and event.kind in ENDS:
                found[event.command_id].append(event)
        return found

    def asked(self, *operations: str) -> Sequence[Json]:
        """The commands of these operations."""
        return [each for each in self.placed if each["operation"] in operations]

    def of_contracts(self) -> Sequence[Json]:
        """The commands about contracts."""
        return [each for each in self.placed if each["operation"].startswith("contract.")]

    def story(self, number: str) -> Sequence[str]:
        """What is known of a contract, an application or a service."""
        lines = [f"asked {each['operation']} {each['command_id']}" for each in self.placed if number in str(each)]
        lines += [f"event {each.kind} {each.content}" for each in self.told if number in str(each.content)]
        lines += [f"said {each.kind} {each.status}" for each in self.said if each.number == number]
        return [*lines, *(f"effect {each.kind}" for each in self.effects if each.number == number)]


def take(talk: Conversation, event: Json) -> None:
    """Take in one recorded event. Raises KeyError for one that is none of these."""
    fields = {name: value for name, value in event.items() if name not in ("event", "at")}
    _TAKE[event["event"]](talk, fields)


_TAKE: Mapping[str, Callable[[Conversation, Json], None]] = {
    "conversation.placed": lambda talk, fields: talk.placed.append(fields["command"]),
    "conversation.event": lambda talk, fields: talk.events.append(Told(**fields)),
    "conversation.handed": lambda talk, fields: talk.handed.append(Handed(**fields)),
    "conversation.said": lambda talk, fields: talk.said.append(Said(**fields)),
    "conversation.document": lambda talk, fields: talk.documents.append(Document(**fields)),
    "conversation.effect": lambda talk, fields: talk.effects.append(Effect(**fields)),
    "conversation.message": lambda talk, fields: talk.messages.append(Message(**fields)),
    "conversation.kept": lambda talk, fields: talk.kept.append(Kept(**fields)),
}
