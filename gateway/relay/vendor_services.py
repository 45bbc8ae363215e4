"""What a vendor says of an after-sale service: which commands it answers, and whether it fits where that stands."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from gateway.relay.after_sales import Service, report_key
from gateway.relay.commands import Command, Role
from gateway.relay.store import OpenedCommand, opened
from gateway.relay.vendor_events import (
    AfterSaleAcceptedByVendor,
    AfterSaleProgressByVendor,
    AfterSaleRefusedByVendor,
    RefundedByVendor,
    ServiceVendorEvent,
)
from gateway.store import Connection
from gateway.suppliers import SecretBox
from schemas.orders import Kind, Operation, ServiceState, StateVerdict, allowed_services, judge_refund, judge_service
from schemas.orders.aftersales import ServiceJudgement

REQUEST, CANCEL = Operation.REQUEST_AFTER_SALE, Operation.CANCEL_AFTER_SALE


@dataclass(frozen=True, slots=True)
class ServiceFit:
    """How a vendor's word fits. answers: commands that it is the answer to."""

    service: Service
    verdict: StateVerdict | None
    answers: Sequence[Command]
    repeated: bool = False

    @property
    def refused(self) -> bool:
        """Whether it breaks the state table."""
        return self.verdict is StateVerdict.CONTRADICTS

    @property
    def late(self) -> bool:
        """Whether it is a success of a service that is over."""
        return self.verdict is StateVerdict.LATE

    @property
    def is_repeated(self) -> bool:
        """Whether the core knows it already."""
        return self.repeated and not self.answers


async def commands_of_services(
    connection: Connection, box: SecretBox, supplier: str, commands: Sequence[Command]
) -> Mapping[str, Sequence[Command]]:
    """Those of these commands that are about services, by the mall's number of the service, in their order."""
    serving = [each for each in commands if each.role is Role.SERVES]
    if not serving:
        return {}
    opened_commands = await opened(connection, box, supplier, [each.command_id for each in serving])
    found: dict[str, list[Command]] = {}
    for each in serving:
        asked = opened_commands.get(each.command_id)
        number = getattr(asked.command.payload, "service_no", None) if isinstance(asked, OpenedCommand) else None
        if number is not None:
            found.setdefault(number, []).append(each)
    return found


def fit_service(
    event: ServiceVendorEvent, services: Mapping[str, Service], serving: Mapping[str, Sequence[Command]]
) -> ServiceFit | None:
    """How a vendor's word fits; None: he was given no such service. serving: commands that he has not answered."""
    number = event.payload.service_no
    service = services.get(number or "")
    if number is None or service is None:
        return None
    asked = serving.get(number, ())
    match event:
        case AfterSaleAcceptedByVendor():
            answers = _oldest(asked, {REQUEST})
            verdict = judge_service(service.state, ServiceState.REQUESTED).verdict
            return ServiceFit(service, verdict, answers, repeated=not answers)
        case AfterSaleRefusedByVendor(payload=payload):
            answers = _oldest(asked, {Operation(payload.operation)})
            refused = judge_service(service.state, ServiceState.REFUSED)
            fits = payload.operation == CANCEL or refused.verdict is not StateVerdict.CONTRADICTS
            return ServiceFit(service, None if answers and fits else StateVerdict.CONTRADICTS, answers)
        case AfterSaleProgressByVendor(payload=payload):
            operations = {REQUEST, CANCEL} if payload.state is ServiceState.CANCELLED else {REQUEST}
            return _moved(service, judge_service(service.state, payload.state), [*_all(asked, operations)], event)
        case RefundedByVendor():
            return _moved(service, judge_refund(service.state), [], event)


def allowed_of_service(service: Service) -> Sequence[str]:
    """What a vendor may say of a service that stands here."""
    states = allowed_services(service.state)
    return [f"{Kind.SERVICE_PROGRESS} {state}" for state in ServiceState if state in states]


def _moved(
    service: Service, judgement: ServiceJudgement, answers: Sequence[Command], event: ServiceVendorEvent
) -> ServiceFit:
    """What is behind tells nothing, nor does the same a second time; more about where it stands does."""
    behind = isinstance(event, AfterSaleProgressByVendor) and event.payload.state is not judgement.state
    known = judgement.verdict is StateVerdict.KNOWN and behind
    return ServiceFit(
        service, judgement.verdict, answers, repeated=known or report_key(event.payload) in service.reported
    )


def _oldest(commands: Sequence[Command], operations: Collection[Operation]) -> Sequence[Command]:
    return _all(commands, operations)[:1]


def _all(commands: Sequence[Command], operations: Collection[Operation]) -> Sequence[Command]:
    return [command for command in commands if command.operation in operations]
