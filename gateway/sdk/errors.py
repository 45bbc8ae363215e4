"""Every error of the gateway, by what has to be done next.

    GatewayError
    ├── ConfigError               start-up stops, every problem is shown (exit 78)
    ├── InvalidMessageError       the input is malformed: reject the record, keep its bytes
    ├── OverloadedError           the gateway is full: the caller waits and tries again (429)
    ├── ServiceUnavailableError   Kafka or PostgreSQL is away: the caller tries again (503), workers wait
    └── SupplierError             something at a supplier
        ├── TransientError        try again: nothing can have happened, or the operation may be repeated
        │   ├── UnavailableError
        │   └── RateLimitError
        ├── RejectedError         the supplier understood and said no: an outcome
        │   ├── AreaRefusedError  it says no to the area: nothing more is asked there, the other areas go on
        │   └── OrderRefusedError it says no to an order, its confirmation or cancelling, and why in the mall's words
        │       └── AfterSaleRefusedError  it says no to an after-sale service, or to its cancelling
        ├── AuthError             refresh the credentials once, then open the breaker and alert
        ├── ContractError         the reply is not understood: dead-letter it with the raw reply
        │   └── UnknownMessageError  a type of message that is not known: leave it at the supplier, show it
        └── OutcomeUnknownError   it may have happened: never resent blindly

Anything else that is raised is a bug. The docstring of a class is its default message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from gateway.sdk.storable import storable
from schemas.orders import AfterSaleRefusal, RefusalClass


class GatewayError(Exception):
    """Something went wrong in the gateway."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").split("\n", 1)[0].strip())


class ConfigError(GatewayError):
    """The configuration cannot be used."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing wrong with one record.

    code: a key of `gateway.sdk.problems.PROBLEMS`; path: JSON pointer into the record ("" is the whole of it);
    actual, expected: short texts for the vendor, cut to 200 characters, never a secret.
    """

    code: str
    path: str = ""
    actual: str = ""
    expected: str = ""


class InvalidMessageError(GatewayError):
    """The message is malformed; it is rejected as it stands, with every issue found."""

    def __init__(self, *issues: Issue) -> None:
        super().__init__(", ".join(f"{issue.code} at {issue.path or '/'}" for issue in issues))
        self.issues = issues


class OverloadedError(GatewayError):
    """The gateway takes no more of this for now; wait and try again."""

    def __init__(self, message: str = "", *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ServiceUnavailableError(GatewayError):
    """A service the gateway stands on is away; nothing was decided, try again."""

    passes: ClassVar[bool] = True
    """Whether it passes while the process waits; else only a start of the process mends it."""

    partial: ClassVar[bool] = False
    """Whether a part of the service is away, as one topic, and the rest of it answers."""


class Sent(StrEnum):
    """How much of a request had left this machine when its call failed.

    nothing: no byte; some: the first may have left, and not all; all: the last was handed over to be sent.
    """

    NOTHING = "nothing"
    SOME = "some"
    ALL = "all"


class SupplierError(GatewayError):
    """A call to a supplier did not go well."""

    def __init__(
        self, message: str = "", *, operation: str = "", supplier_code: str = "", status: int | None = None
    ) -> None:
        super().__init__(storable(message))  # the supplier's own words, which are kept in rows and shown
        self.operation = operation
        self.supplier_code = storable(supplier_code)
        self.status = status
        self.sent: Sent | None = None
        """Set by the client of the call that failed; None where no call was made."""
        self.probe = False
        """Whether the call was the one by which an open breaker finds out whether the supplier is back."""


class TransientError(SupplierError):
    """Nothing can have happened at the supplier; try again later."""


class UnavailableError(TransientError):
    """The supplier cannot be reached or is out of service."""

    retry_after: float | None = None
    """Seconds that it asks us to wait; None where it does not say."""


class RateLimitError(TransientError):
    """The supplier asks to be called less often."""

    def __init__(self, message: str = "", *, retry_after: float | None = None, operation: str = "") -> None:
        super().__init__(message, operation=operation)
        self.retry_after = retry_after


class RejectedError(SupplierError):
    """The supplier understood and refused."""


class AreaRefusedError(RejectedError):
    """The supplier answers for no sku in this area; the other areas go on."""


class OrderRefusedError(RejectedError):
    """The supplier refused what was asked of an order.

    code_class: why, in the mall's words; skus: of the lines that it names as the reason.
    """

    def __init__(
        self,
        message: str = "",
        *,
        code_class: RefusalClass = RefusalClass.OTHER,
        operation: str = "",
        supplier_code: str = "",
        status: int | None = None,
    ) -> None:
        super().__init__(message, operation=operation, supplier_code=supplier_code, status=status)
        self.code_class = code_class
        self.skus: tuple[str, ...] = ()


class AfterSaleRefusedError(OrderRefusedError):
    """The supplier refused what was asked of an after-sale service.

    refusal: why, in the mall's words.
    """

    def __init__(
        self,
        message: str = "",
        *,
        refusal: AfterSaleRefusal = AfterSaleRefusal.OTHER,
        operation: str = "",
        supplier_code: str = "",
        status: int | None = None,
    ) -> None:
        super().__init__(message, operation=operation, supplier_code=supplier_code, status=status)
        self.refusal = refusal


class AuthError(SupplierError):
    """The supplier does not accept the credentials."""


class ContractError(SupplierError):
    """The supplier's reply is not what its interface promises."""

    def __init__(
        self,
        message: str = "",
        *,
        operation: str = "",
        supplier_code: str = "",
        status: int | None = None,
        reply: bytes = b"",
    ) -> None:
        super().__init__(message, operation=operation, supplier_code=supplier_code, status=status)
        self.reply = reply
        """The raw body, for the dead letter."""


class UnknownMessageError(ContractError):
    """The message is of a type that the adapter does not know; it waits at the supplier for whoever does."""


class OutcomeUnknownError(SupplierError):
    """The call may have taken effect, and no trustworthy answer says so."""
