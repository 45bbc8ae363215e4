"""A good history of contracts, invoices, services and webhooks, told event by event, for faults to be put into."""

from __future__ import annotations

from typing import Any

from tests.history.events import folded
from tests.history.verdicts import verdicts

SHA = "ab" * 32
ASKED = {"net": "100.00", "tax": "13.00", "gross": "113.00"}
BILL = {"number": "F-1", "net": "100.00", "tax": "13.00", "gross": "113.00"}


class ConversationRun:
    """A good history.

    C1 of the confirmed order M1 was issued, amended, answered and terminated; C2 was asked for an order that is not
    there, C3 terminated before it was delivered. Of FP-1 all was made out, and then some of it taken back; of FP-2 a
    vendor stated a fen too much. AS-1 was done and paid back, AS-2 cancelled, AS-3 asked before anything had arrived.
    The webhook of `hook` failed once, redirected once, and the mailbox showed the rest.
    """

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.offset = self.place = 0
        self.event("M1", "order.confirmed", "M1/order.confirm", {})
        self._contract()
        self._refused_and_withdrawn()
        self._invoices()
        self._services()
        self.tell("quiet", reached=True, waiting=[])

    def _contract(self) -> None:
        issue = self.asks("contract.issue", "C1", payload=document())
        amend = self.asks("contract.amend", "C1", 2, revision=2, payload=document())
        terminate = self.asks("contract.terminate", "C1", 3, revision=2, payload={"reason": "over"})
        self.hands(issue, status=503, stored=False)
        self.hands(issue, status=302, stored=False)
        self.hands(issue, status=204)
        self.tell("conversation.document", message=issue, status=200, sha256=SHA, size=9)
        self.event("C1", "contract.delivered", issue, {"operation": "contract.issue"})
        self.says("C1", "contract.acknowledged", {"revision": 1})
        self.event("C1", "contract.acknowledged", None, {})
        self.says("C1", "contract.signed", {"revision": 1})
        self.event("C1", "contract.signed", None, {})
        self.event("C1", "contract.signed", None, {}, offset=self.offset, ce_id=self.of_id("contract.signed"))
        for each in (amend, terminate):
            self.hands(each, door="mailbox", status=200)
            operation = "contract.amend" if each is amend else "contract.terminate"
            self.event("C1", "contract.delivered", each, {"operation": operation}, revision=2)
        self.says("C1", "contract.signed", {"revision": 2}, status=409)

    def _refused_and_withdrawn(self) -> None:
        unknown = self.asks("contract.issue", "C2", order_no="NOBODY", payload=document(), state="refused")
        refusal = {"by": "gateway", "code_class": "unknown_order"}
        self.event("C2", "contract.refused", unknown, refusal, order_no="NOBODY")
        issue = self.asks("contract.issue", "C3", payload=document(), state="withdrawn")
        self.event("C3", "contract.withdrawn", issue, {"operation": "contract.issue"})

    def _invoices(self) -> None:
        first = self.asks("invoice.request", "M1", payload={"mark_id": "FP-1", "amounts": ASKED})
        self.hands(first, status=200)
        self.effect("invoice", "FP-1")
        self.event("M1", "invoice.requested", first, {"mark_id": "FP-1"})
        self.event("M1", "invoice.issued", None, {"mark_id": "FP-1", "invoices": [BILL]})
        red = {**BILL, "number": "F-2", "standing": "red", "original": {"number": "F-1"}}
        self.event("M1", "invoice.red", None, {"mark_id": "FP-1", "invoices": [BILL, red]})
        again = self.asks("invoice.request", "M1", 2, payload={"mark_id": "FP-1", "amounts": ASKED, "children": ["1"]})
        self.event("M1", "invoice.refused", again, {"mark_id": "FP-1", "by": "mall"})
        second = self.asks("invoice.request", "M1", 3, payload={"mark_id": "FP-2", "amounts": ASKED})
        self.effect("invoice", "FP-2")
        self.event("M1", "invoice.requested", second, {"mark_id": "FP-2"})
        wrong = {"mark_id": "FP-2", "invoices": [{**BILL, "gross": "113.01"}]}
        self.says("FP-2", "invoice.issued", {"payload": wrong})
        self.event("M1", "invoice.mismatch", None, wrong)
        void = {**BILL, "number": "F-9", "gross": "113.01", "standing": "void"}
        self.says("FP-1", "invoice.voided", {"payload": {"mark_id": "FP-1", "invoices": [void]}})

    def _services(self) -> None:
        early = self.asks("aftersale.request", "M1", 3, payload=service("AS-3"))
        self.event("M1", "aftersale.refused", early, {"service_no": "AS-3", "by": "mall"})
        self.effect("deliver", "", {"S": 2}, asked=False)
        for number in (1, 2):
            request = self.asks("aftersale.request", "M1", number, payload=service(f"AS-{number}"))
            self.effect("after_sale", f"AS-{number}", {"S": 1})
            self.event("M1", "aftersale.accepted", request, {"service_no": f"AS-{number}"})
        for state in ("approved", "refunding", "done"):
            self.event("M1", "aftersale.progress", None, {"service_no": "AS-1", "state": state})
        self.event("M1", "refund.made", None, {"service_no": "AS-1", "amount": "113.00"})
        cancel = self.asks("aftersale.cancel", "M1", payload={"service_no": "AS-2"})
        self.effect("cancel_after_sale", "AS-2")
        self.event("M1", "aftersale.progress", cancel, {"service_no": "AS-2", "state": "cancelled"})

    def tell(self, event: str, **fields: Any) -> dict[str, Any]:
        """Add an event."""
        told = {"event": event, "at": 0.0, **fields}
        self.events.append(told)
        return told

    def asks(
        self,
        operation: str,
        number: str,
        count: int = 1,
        *,
        state: str = "confirmed",
        order_no: str = "M1",
        **more: Any,
    ) -> str:
        """A command, in its topic and in the inbox; its id."""
        id_ = f"{number}/{operation}/{count}"
        contract = {"contract_no": number} if operation.startswith("contract.") else {}
        whose = {"command_id": id_, "operation": operation, "supplier": "hook", "order_no": order_no}
        self.tell("conversation.placed", command={**whose, **contract, "revision": 1, **more})
        self.place += 1
        lane = f"contract/{number}" if contract else order_no
        self.tell("conversation.message", id=id_, supplier="hook", sha256=f"of {id_}")
        self.tell("conversation.kept", command_id=id_, supplier="hook", lane=lane, place=self.place, state=state)
        return id_

    def event(
        self,
        key: str,
        kind: str,
        command_id: str | None,
        payload: dict[str, Any],
        *,
        revision: int = 1,
        order_no: str = "M1",
        **more: Any,
    ) -> None:
        """What the core is told."""
        self.offset += 1
        whose = {"supplier": "hook", "order_no": order_no, "contract_no": key, "revision": revision}
        content = {**whose, "event": kind, "cause": {"command_id": command_id}, "payload": payload}
        record = {"ce_id": f"{self.offset}", "key": key, "partition": 1, "offset": self.offset, "content": content}
        self.tell("conversation.event", **{**record, **more})

    def hands(self, id_: str, *, status: int, door: str = "webhook", stored: bool = True) -> None:
        """The vendor has a message in his hands, and answers."""
        self.tell(
            "conversation.handed", supplier="hook", door=door, id=id_, sha256=f"of {id_}", status=status, stored=stored
        )

    def says(self, number: str, kind: str, content: dict[str, Any], status: int = 202) -> None:
        """A word of the vendor."""
        self.tell(
            "conversation.said",
            supplier="hook",
            order_no="M1",
            number=number,
            kind=kind,
            status=status,
            content=content,
        )

    def effect(self, kind: str, number: str, lines: dict[str, float] | None = None, *, asked: bool = True) -> None:
        """A line of his ledger."""
        place = {"supplier": "hook", "order_no": "M1", "number": number}
        self.tell("conversation.effect", kind=kind, **place, lines=lines or {}, asked=asked)

    def of(self, event: str, **members: Any) -> dict[str, Any]:
        """The first event of that kind that has these members."""
        return next(each for each in self.events if each["event"] == event and members.items() <= each.items())

    def told(self, kind: str, **payload: Any) -> dict[str, Any]:
        """The first event of this kind that the core is told, with these members in its payload."""
        found = [each for each in self.events if each["event"] == "conversation.event"]
        return next(
            each
            for each in found
            if each["content"]["event"] == kind and payload.items() <= each["content"]["payload"].items()
        )

    def of_id(self, kind: str) -> str:
        """Identity of the first event of this kind."""
        return str(self.told(kind)["ce_id"])

    def red(self) -> set[str]:
        """The checks that find something."""
        return {name for name, finding in verdicts(folded(self.events)).items() if finding.violations}


def document() -> dict[str, Any]:
    return {"document": {"sha256": SHA, "size": 9}}


def service(number: str) -> dict[str, Any]:
    return {"service_no": number, "lines": [{"sku": "S", "quantity": "1"}]}
