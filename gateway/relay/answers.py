"""From what an adapter returns to what the relay judges: the one place where a supplier's order becomes an `Answer`."""

from __future__ import annotations

from datetime import timedelta

from gateway.relay.outcomes import AdapterAnswer
from gateway.relay.policy import Profile
from gateway.sdk.comparing import differences
from gateway.sdk.manifest import OrderWrite
from gateway.sdk.orders import Standing, SupplierOrder
from schemas.orders import CancelOrder, ConfirmOrder, SubmitOrder

LONGEST_DIFFERENCE = 200
"""Characters of what differs that are kept with a command."""


def answer_to_write(command: SubmitOrder | ConfirmOrder | CancelOrder, returned: SupplierOrder | None) -> AdapterAnswer:
    """What a write that an adapter returned from says. None: it is done, and the supplier says no more of it."""
    if returned is None:
        return AdapterAnswer()
    if isinstance(command, SubmitOrder):
        return AdapterAnswer(returned.order_no, _joined(differences(command, returned)))
    if isinstance(command, ConfirmOrder) and returned.standing is Standing.CANCELLED:
        return AdapterAnswer(returned.order_no, lapsed=True)
    wanted = Standing.CANCELLED if isinstance(command, CancelOrder) else Standing.PLACED
    return AdapterAnswer(returned.order_no, "" if returned.standing is wanted else f"it is {returned.standing}")


def answer_to_look_up(
    command: SubmitOrder | ConfirmOrder | CancelOrder, found: SupplierOrder | None
) -> AdapterAnswer | None:
    """What a look-up says of a command; None: it has not taken effect.

    found: what the call was about: the order, or of a cancel of children the one child. A reservation says that no
    confirm has taken effect, and what is not cancelled that no cancel of it has. What is cancelled is not confirmed any
    more, whether or not the confirm came in time.
    """
    if found is None:
        return None
    match command:
        case SubmitOrder():
            return AdapterAnswer(found.order_no, _joined(differences(command, found)))
        case ConfirmOrder():
            return None if found.standing is Standing.RESERVED else answer_to_write(command, found)
        case CancelOrder():
            return answer_to_write(command, found) if found.standing is Standing.CANCELLED else None


def profile_of(write: OrderWrite, *, lease_term: timedelta, timeout: timedelta) -> Profile:
    """What the manifest declares of an operation, as the policy of the relay reads it."""
    return Profile(
        write.idempotency,
        finds=write.look_up is not None,
        lease_term=lease_term,
        timeout=timeout,
        key_life=None if write.key_life_hours is None else timedelta(hours=write.key_life_hours),
    )


def _joined(found: tuple[str, ...]) -> str:
    return "; ".join(found)[:LONGEST_DIFFERENCE]
