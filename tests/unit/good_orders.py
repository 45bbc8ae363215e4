"""A good history of orders of a long run, told event by event, for faults to be put into."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import orjson

from tests.history.events import folded
from tests.history.verdicts import verdicts

KINDS = {"order.submit": "submit", "order.confirm": "confirm", "order.cancel": "cancel"}
ANSWERS = {"order.submit": "order.accepted", "order.confirm": "order.confirmed", "order.cancel": "order.cancelled"}
CALLS = {"order.submit": "submit_order", "order.confirm": "confirm_order", "order.cancel": "cancel_order"}
PARTITION = 3
SETTLE = 7.0


class OrdersRun:
    """A good history, told event by event.

    Of M1 at `jd`, which knows orders by our number, the answer to the submit was lost and it was sent again; its
    confirm was answered 429 and came again in time. M2 at `shop` was fetched. M3 at `asked`, which can only be asked,
    was sent again once it was not found twice. M4 was refused in doubt, and a person found that it is not there. A
    record came twice, one is garbage, one is another command under an id that was used, one command died. Under the
    number of M6 somebody else had ordered.
    """

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.offset = self.step_id = self.told = 0
        for name, idempotency in (("jd", "natural"), ("shop", "key"), ("asked", "query"), ("kept", "key")):
            promised = dict.fromkeys(KINDS, idempotency)
            life = 100.0 if name == "kept" else None
            self.tell("order.supplier", name=name, idempotency=promised, settle=SETTLE, key_life=life)
        self._resent()
        self._fetched()
        self._asked_first()
        self._resolved()
        self._within_the_life_of_its_key()
        self._taken_by_somebody_else()
        self._held_by_its_vendor()
        self._never_sent()
        self.record(b"oops", letter=garbage(b"oops"))
        other = {"command_id": "M1/order.submit", "payload": {"receiver": {"name": "A"}, "mode": "direct"}}
        masked = {"command_id": "M1/order.submit", "payload": {"receiver": "***", "mode": "direct"}}
        self.record(orjson.dumps(other), letter=orjson.dumps(masked))
        self.letter("relay", orjson.dumps({"command_id": "M4/order.submit"}))
        self.tell("order.breaker", breaker=breaker("submit_order", 500.0, 10.0, 600.0))
        self.tell("order.offsets", committed={str(PARTITION): 4}, stored={str(PARTITION): 5})
        end = {str(PARTITION): self.offset}
        self.tell("order.offsets", committed=end, stored=end)
        self.tell("order.quiet", reached=True, waiting=[], ends=end)
        self.tell("quiet", reached=True, waiting=[])

    def _resent(self) -> None:
        """M1: submitted twice, confirmed in time, and written once more."""
        submit = self.command("M1", "order.submit", "jd", attempts=2)
        self.step(submit, "attempt", 10.0, attempt=1)
        self.call(submit, 10.1)
        self.step(submit, "outcome", 12.0, outcome="unknown", state="unknown")
        self.step(submit, "attempt", 13.0, attempt=2)
        self.call(submit, 13.1)
        self.step(submit, "outcome", 13.2, outcome="confirmed", state="confirmed")
        self.effect(submit)
        self.event(submit)
        confirm = self.command("M1", "order.confirm", "jd", attempts=2)
        self.step(confirm, "attempt", 14.0, attempt=1)
        self.call(confirm, 14.1, target="70", asked_to_wait=3.0)
        self.step(confirm, "outcome", 14.2, outcome="retry_safe", code="rate_limited", state="retry")
        self.step(confirm, "attempt", 17.2, attempt=2)
        self.call(confirm, 17.3, target="70", token="T1")
        self.call(confirm, 17.4, target="70", token="T2")
        self.step(confirm, "outcome", 17.5, outcome="confirmed", state="confirmed")
        self.effect(confirm)
        self.event(confirm)
        self.record(submit["value"])

    def _fetched(self) -> None:
        """M2: it was fetched twice, and answered once."""
        submit = self.command("M2", "order.submit", "shop", attempts=2)
        self.step(submit, "delivered", 20.0, attempt=1, state="sending")
        self.step(submit, "delivered", 80.0, attempt=2, state="sending")
        self.step(submit, "acknowledged", 81.0, state="confirmed")
        self.effect(submit)
        self.event(submit)
        self.event(submit, offset=self.told - 1)
        cancel = self.command("M2", "order.cancel", "shop", attempts=1)
        self.step(cancel, "delivered", 82.0, attempt=1, state="sending")
        self.step(cancel, "acknowledged", 83.0, state="confirmed")
        self.effect(cancel)
        self.event(cancel, payload={"scope": "order"})

    def _asked_first(self) -> None:
        submit = self.command("M3", "order.submit", "asked", attempts=2)
        self.step(submit, "attempt", 30.0, attempt=1)
        self.step(submit, "outcome", 31.0, outcome="unknown", state="unknown")
        for at in (32.0, 32.0 + SETTLE):
            self.step(submit, "look_up", at, attempt=1)
            self.step(submit, "outcome", at + 0.1, outcome="absent", state="unknown")
        self.step(submit, "attempt", 40.0, attempt=2)
        self.call(submit, 40.1)
        self.step(submit, "outcome", 40.2, outcome="confirmed", state="confirmed")
        self.effect(submit)
        self.event(submit)

    def _resolved(self) -> None:
        submit = self.command("M4", "order.submit", "jd", attempts=2)
        self.step(submit, "attempt", 50.0, attempt=1)
        self.step(submit, "outcome", 51.0, outcome="unknown", state="unknown")
        self.step(submit, "stopped", 52.0, state="dead")
        self.event(submit, kind="order.parked")
        self.step(submit, "resolved", 60.0, resolution="not_done")
        self.step(submit, "attempt", 61.0, attempt=2)
        self.call(submit, 61.1)
        self.step(submit, "outcome", 61.2, outcome="rejected", state="refused")
        self.event(submit, kind="order.refused", payload={"operation": "order.submit"})

    def _within_the_life_of_its_key(self) -> None:
        submit = self.command("M5", "order.submit", "kept", attempts=2)
        self.step(submit, "attempt", 70.0, attempt=1)
        self.step(submit, "outcome", 71.0, outcome="unknown", state="unknown")
        self.step(submit, "attempt", 100.0, attempt=2)
        self.call(submit, 100.1)
        self.step(submit, "outcome", 100.2, outcome="confirmed", state="confirmed")
        self.effect(submit)
        self.event(submit)

    def _taken_by_somebody_else(self) -> None:
        """M6 is held: there was an order of somebody else under its number."""
        submit = self.command("M6", "order.submit", "jd", attempts=1)
        self.step(submit, "attempt", 110.0, attempt=1)
        self.call(submit, 110.1)
        self.step(submit, "outcome", 110.2, outcome="unknown", state="held")
        self.effect(submit, asked=False)
        self.event(submit, kind="order.price_mismatch", numbers=["70"])

    def _held_by_its_vendor(self) -> None:
        """M7: the vendor's word about the confirm came before he said that he has it."""
        submit = self.command("M7", "order.submit", "shop", attempts=1)
        self.step(submit, "delivered", 118.0, attempt=1, state="sending")
        self.step(submit, "acknowledged", 119.0, state="confirmed")
        self.effect(submit)
        self.event(submit)
        confirm = self.command("M7", "order.confirm", "shop", attempts=1)
        self.step(confirm, "delivered", 120.0, attempt=1, state="sending")
        self.step(confirm, "event", 121.0, event="order.price_mismatch", state="held")
        self.event(confirm, kind="order.price_mismatch", numbers=["70"])
        cancel = self.command("M7", "order.cancel", "shop", attempts=1)
        self.step(cancel, "delivered", 122.0, attempt=1, state="sending")
        self.step(cancel, "acknowledged", 123.0, state="confirmed")
        self.event(cancel, kind="order.cancel_refused")

    def _never_sent(self) -> None:
        """M8 was cancelled when its one call had come to nothing; somebody else has an order of its number."""
        submit = self.command("M8", "order.submit", "jd", attempts=1, state="cancelled_unsent")
        cancel = self.command("M8", "order.cancel", "jd", attempts=0, state="cancelled_unsent")
        self.step(submit, "attempt", 129.0, attempt=1)
        self.call(submit, 129.1)
        self.step(submit, "outcome", 129.2, outcome="retry_safe", state="retry")
        self.effect(submit, asked=False)
        for command in (submit, cancel):
            self.step(command, "ended", 130.0, state="cancelled_unsent")
            self.event(command, kind="order.cancelled", payload={"scope": "order"})

    def tell(self, event: str, **fields: Any) -> dict[str, Any]:
        """Add an event."""
        told = {"event": event, "at": 0.0, **fields}
        self.events.append(told)
        return told

    def command(
        self, order_no: str, operation: str, supplier: str, *, attempts: int, state: str = "confirmed"
    ) -> dict[str, Any]:
        """A command that was placed, written and kept."""
        id_ = f"{order_no}/{operation}"
        content = {"command_id": id_, "order_no": order_no, "operation": operation, "supplier": supplier}
        value = orjson.dumps(content)
        self.tell("order.placed", value=value.decode())
        place = {"partition": PARTITION, "offset": self.offset}
        whose = {"command_id": id_, "supplier": supplier, "order_no": order_no, "operation": operation}
        self.tell("order.kept", **whose, **place, place=self.offset, state=state, attempt=attempts)
        self.record(value)
        return {**content, "value": value}

    def record(self, value: bytes, *, letter: bytes | None = None) -> None:
        """A record of the commands topic, with the letter that it came to."""
        place = {"partition": PARTITION, "offset": self.offset}
        self.tell("order.record", **place, key=coded(b"K"), value=coded(value))
        if letter is not None:
            self.letter("commands", letter, **place)
        self.offset += 1

    def letter(self, stage: str, original: bytes, partition: int | None = None, offset: int | None = None) -> None:
        """A dead letter, and its export."""
        id_ = f"{stage}-{offset}"
        place = {"partition": partition, "offset": offset}
        self.tell("order.letter", id=id_, stage=stage, code="poison_pill", **place, original=coded(original))
        self.tell("order.export", id=id_, value=coded(original))

    def step(self, command: dict[str, Any], kind: str, at: float, **facts: Any) -> None:
        """A step of a command."""
        self.step_id += 1
        facts = {"operation": command["operation"], "epoch": 1, **facts}
        whose = {"supplier": command["supplier"], "order_no": command["order_no"], "command_id": command["command_id"]}
        self.tell("order.step", step={"id": self.step_id, **whose, "at": at, "kind": kind, "facts": facts})

    def call(self, command: dict[str, Any], at: float, *, target: str = "", token: str = "T1", **more: Any) -> None:
        """A call that reached its supplier."""
        whose = {"supplier": command["supplier"], "order_no": command["order_no"], "target": target}
        name, body = CALLS[command["operation"]], f"body of {command['command_id']}"
        self.tell(
            "order.call", call={**whose, "call": name, "writes": True, "at": at, "body": body, "token": token, **more}
        )

    def effect(self, command: dict[str, Any], **more: Any) -> None:
        """What it did there."""
        whose = {"supplier": command["supplier"], "order_no": command["order_no"], "target": "70"}
        self.tell("order.effect", **{**whose, "kind": KINDS[command["operation"]], "asked": True, **more})

    def event(
        self,
        command: dict[str, Any],
        *,
        kind: str = "",
        payload: dict[str, Any] | None = None,
        numbers: Sequence[str] = (),
        offset: int | None = None,
        **more: Any,
    ) -> None:
        """What the core was told of it. offset: of an event that came before, of which this is a repeat."""
        kind = kind or ANSWERS[command["operation"]]
        self.told += 1
        content = {
            "event": kind,
            "order_no": command["order_no"],
            "supplier": command["supplier"],
            "cause": {"command_id": command["command_id"]},
            "supplier_order_nos": [*numbers],
            "payload": payload or {},
        }
        told = {"key": command["order_no"], "partition": 1, "offset": self.told, "content": content}
        identity = f"{command['command_id']} {kind}"
        self.tell("order.event", **{"ce_id": identity, **told, **more})

    def of(self, event: str, **members: Any) -> dict[str, Any]:
        """The first event of that kind that has these members."""
        return next(each for each in self.events if each["event"] == event and members.items() <= each.items())

    def step_of(self, command_id: str, kind: str, number: int = 0) -> dict[str, Any]:
        """One of the steps of a kind of a command."""
        found = [each["step"] for each in self.events if each["event"] == "order.step"]
        step: dict[str, Any] = [each for each in found if (each["command_id"], each["kind"]) == (command_id, kind)][
            number
        ]
        return step

    def call_of(self, call: str, number: int = 0) -> dict[str, Any]:
        """One of the calls of a kind of M1."""
        found = [each["call"] for each in self.events if each["event"] == "order.call"]
        told: dict[str, Any] = [each for each in found if (each["call"], each["order_no"]) == (call, "M1")][number]
        return told

    def without_step(self, step: dict[str, Any]) -> None:
        """Take a step out."""
        self.events = [each for each in self.events if each.get("step") is not step]

    def asked(self, order_no: str, operation: str, supplier: str) -> dict[str, Any]:
        """A command of the history, to tell more of."""
        id_ = f"{order_no}/{operation}"
        return {"command_id": id_, "order_no": order_no, "operation": operation, "supplier": supplier}

    def red(self) -> set[str]:
        """The checks of orders that find something."""
        found = verdicts(folded(self.events)).items()
        return {name for name, finding in found if finding.violations and name.startswith("orders: ")}


def coded(value: bytes) -> str:
    return b64encode(value).decode()


def garbage(value: bytes) -> bytes:
    return orjson.dumps({"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()})


def breaker(call: str, at: float, seconds: float, ended: float) -> dict[str, Any]:
    return {"supplier": "jd", "call": call, "at": at, "seconds": seconds, "ended": ended}
