"""Calls about after-sale services: applied for, cancelled, and looked up by the mall's number of them.

The supplier's number of a service is not kept for these: whoever cancels or looks up asks for the services of the child
and takes the one that repeats our number.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias, cast

from gateway.relay.outcomes import AdapterAnswer
from gateway.sdk.adapter import Adapter
from gateway.sdk.after_sales import HandlesAfterSales, SupplierAfterSale
from gateway.sdk.errors import AfterSaleRefusedError, ContractError
from gateway.sdk.http import Http
from schemas.orders import AfterSaleCommand, AfterSaleRefusal, RequestAfterSale, ServiceState

Preconditions: TypeAlias = Callable[[AfterSaleCommand], Awaitable[None]]
"""Whether a command can be carried out as far as the gateway knows. Raises AfterSaleRefusedError where it cannot."""


async def unchecked(_: AfterSaleCommand) -> None:
    """Where nothing is known."""


async def serve(
    adapter: Adapter, http: Http, command: AfterSaleCommand, number: str | None
) -> SupplierAfterSale | None:
    """Have a supplier carry a command about a service out. number: the supplier's of the whole order.

    Raises AfterSaleRefusedError, and whatever the adapter raises.
    """
    handles, child = cast(HandlesAfterSales, adapter), _child(command, number)
    if isinstance(command, RequestAfterSale):
        taken = await handles.apply_after_sale(http, command, child)
        if taken is not None and taken.service_no not in (None, command.payload.service_no):
            raise ContractError("an answer about another service than was applied for")
        return taken
    service = await _found(handles, http, command, child)
    if service is None:
        raise AfterSaleRefusedError("There is no such service.", refusal=AfterSaleRefusal.NO_SUCH_SERVICE)
    if service.state is not ServiceState.CANCELLED:
        await handles.cancel_after_sale(http, command, service)
    return service


async def look_up_service(
    adapter: Adapter, http: Http, command: AfterSaleCommand, number: str | None
) -> tuple[AdapterAnswer | None, None, SupplierAfterSale | None]:
    """Whether a command about a service has taken effect, None: it has not; and the service as it is there."""
    service = await _found(cast(HandlesAfterSales, adapter), http, command, _child(command, number))
    if service is None:
        return None, None, None
    done = isinstance(command, RequestAfterSale) or service.state is ServiceState.CANCELLED
    return AdapterAnswer() if done else None, None, service


async def _found(
    adapter: HandlesAfterSales, http: Http, command: AfterSaleCommand, child: str
) -> SupplierAfterSale | None:
    """The service that repeats our number. Raises ContractError where several do."""
    services = await adapter.read_after_sales(http, child)
    ours = [each for each in services if each.service_no == command.payload.service_no]
    if len(ours) > 1:
        raise ContractError(f"{len(ours)} services under one number")
    return ours[0] if ours else None


def _child(command: AfterSaleCommand, number: str | None) -> str:
    child = command.payload.supplier_order_no or number
    if child is None:
        raise AfterSaleRefusedError("There is no such order.", refusal=AfterSaleRefusal.NO_SUCH_ORDER)
    return child
