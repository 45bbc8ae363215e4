"""/v1: vendors without an API fetch and acknowledge the mall's commands, and tell what becomes of orders."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import orjson
from aiohttp import web

from gateway.http.answers import FATE
from gateway.http.problems import ProblemError
from gateway.intake.auth import Claim, Credentials, authenticate, authenticate_bearer
from gateway.intake.binding import ACKNOWLEDGEMENT, order_prefix, refuse_unbound
from gateway.intake.document import read_members, validated
from gateway.intake.expect import note_expectation
from gateway.intake.order_views import AckResult, AckResults, Acks, taken_view
from gateway.intake.parameters import number_of, refuse_unknown, wait_of
from gateway.intake.unverified import UnverifiedBytes
from gateway.intake.vendor_messages import UNSETTLED, VendorMessageReader, number_in_path
from gateway.registry import Registry
from gateway.relay.mailbox import Mailbox, Message, utc_now
from gateway.relay.messages import message_json
from gateway.relay.vendor_event_service import (
    LateVendorEvent,
    OutOfStateError,
    SentVendorEvent,
    UnknownOrderError,
    UnknownServiceError,
    VendorEventReceipt,
    VendorEventService,
)
from gateway.relay.vendor_events import VENDOR_EVENTS, ValueRefusedError, VendorEvent
from gateway.relay.vendor_invoices import InvoiceOutOfStateError, UnknownInvoiceError, is_invoice_event
from gateway.relay.vendor_keys import KeyReusedError
from gateway.sdk.wire import shown
from gateway.suppliers import Caller, SupplierCache
from schemas.orders import Kind

MESSAGES, MAX_MESSAGES = 20, 100
"""Messages of one answer, as a rule and at most."""

LOOK_SECONDS = 1.0
"""Between two looks for who waits for messages."""


class OrderRoutes:
    """Orders of suppliers whose vendors fetch them. unverified: room for bodies that are not known to be theirs."""

    def __init__(
        self,
        mailbox: Mailbox,
        event_service: VendorEventService,
        suppliers: SupplierCache,
        credentials: Credentials,
        registry: Registry,
        unverified: UnverifiedBytes,
    ) -> None:
        self._mailbox = mailbox
        self._event_service = event_service
        self._credentials = credentials
        self._messages = VendorMessageReader(suppliers, credentials, registry, unverified)

    def routes(self) -> list[web.RouteDef]:
        """The routes, with their /v1 paths."""
        return [
            web.get("/v1/messages", self.messages, allow_head=False),
            web.post("/v1/messages/ack", self.acknowledge, expect_handler=note_expectation),
            web.post("/v1/orders/{order_no}/events", self.receive_event, expect_handler=note_expectation),
        ]

    async def messages(self, request: web.Request) -> web.Response:
        """What waits for the caller; each is given again until it is acknowledged."""
        refuse_unknown(request, "limit")
        caller = await authenticate_bearer(request, self._credentials)
        limit = number_of(request, "limit", MESSAGES, most=MAX_MESSAGES)
        return web.Response(
            body=self._listed(await self._fetched(request, caller, limit)),
            content_type="application/json",
            charset="utf-8",
        )

    async def acknowledge(self, request: web.Request) -> web.Response:
        """Take it that the caller has these messages."""
        refuse_unknown(request)
        who = await authenticate(request, self._credentials)
        if isinstance(who, Claim):
            refuse_unbound(who.webhook_id, ACKNOWLEDGEMENT)
        caller, content = await self._messages.received(request, who)
        ids = validated(Acks, content).ids
        found = await self._mailbox.acknowledge(caller.supplier, list(dict.fromkeys(ids)))
        answer = AckResults(results=tuple(AckResult(id=each, result=found[each]) for each in ids))
        return web.json_response(text=answer.model_dump_json())

    async def receive_event(self, request: web.Request) -> web.Response:
        """Take what the caller says of an order. 202 once it is durable, the same for a repeat."""
        order_no = number_in_path(request.match_info["order_no"], "order")
        message = await self._messages.read(request, order_no, order_prefix(order_no))
        event = _parse_event(message.body)
        sent = SentVendorEvent(
            message.supplier, order_no, message.key, message.digest, event, message.traceparent, body=message.body
        )
        request[FATE] = UNSETTLED
        taken = await self._taken(sent)
        headers = {"Idempotent-Replayed": "true"} if taken.repeated else {}
        return web.json_response(text=taken_view(order_no, taken).model_dump_json(), status=202, headers=headers)

    async def _fetched(self, request: web.Request, caller: Caller, limit: int) -> Sequence[Message]:
        """What may be fetched, at once or within the preferred wait; nothing is held while it is waited for."""
        clock = asyncio.get_running_loop().time
        until = clock() + wait_of(request)
        while True:
            await self._messages.allow(caller)
            found = await self._mailbox.fetch(caller.supplier, limit)
            left = until - clock()
            if found or left <= 0:
                return found
            await asyncio.sleep(min(LOOK_SECONDS, left))
            if request.transport is None:  # what is fetched for nobody stays hidden from the next one for a while
                return ()

    def _listed(self, messages: Sequence[Message]) -> bytes:
        """Messages as JSON."""
        links, now = self._mailbox.links, utc_now()
        return orjson.dumps({"messages": [orjson.Fragment(message_json(each, links, now)) for each in messages]})

    async def _taken(self, sent: SentVendorEvent) -> VendorEventReceipt:
        try:
            taken = await self._event_service.take(sent)
        except UnknownServiceError as error:
            raise ProblemError("not_found", "No such after-sale service of the order.") from error
        except UnknownOrderError as error:
            raise ProblemError("not_found", "No such order.") from error
        except KeyReusedError as error:
            raise ProblemError("idempotency_key_reused") from error
        except UnknownInvoiceError as error:
            raise ProblemError("not_found", "No such application for invoices.", path="/payload/mark_id") from error
        except ValueRefusedError as error:
            raise ProblemError("validation_failed", path=error.path, expected=error.expected) from error
        except (OutOfStateError, InvoiceOutOfStateError) as error:
            allowed = ", ".join(error.allowed) or "nothing more"
            raise ProblemError("order_state", path="/event", actual=error.state, expected=allowed) from error
        if isinstance(taken, LateVendorEvent):
            over = "application" if is_invoice_event(sent.event) else "order"
            detail = f"The {over} is over. What you say is kept for people to look at."
            raise ProblemError("late_event", detail, path="/event", actual=taken.state)
        return taken


def _parse_event(content: bytes) -> VendorEvent:
    """The event that a body is. Raises ProblemError."""
    document = read_members(content)
    kind = document.get("event")
    if not isinstance(kind, str) or kind not in VENDOR_EVENTS:
        actual = shown(kind) if "event" in document else None
        raise ProblemError("validation_failed", path="/event", actual=actual, expected=_event_names())
    return validated(VENDOR_EVENTS[Kind(kind)], content)


def _event_names() -> str:
    """What a vendor may tell, short enough to be told whole: `order.(accepted|refused), shipment.(created)`."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    for kind in VENDOR_EVENTS:
        noun, _, verb = kind.partition(".")
        names[noun].append(verb)
    return ", ".join(f"{noun}.({'|'.join(verbs)})" for noun, verbs in names.items())
