"""All that an adapter may import of the gateway."""

from gateway.sdk.adapter import CAPABILITIES, Adapter, Item, NormalisesFeeds, Options, Record
from gateway.sdk.errors import ContractError, InvalidMessageError, Issue
from gateway.sdk.fields import Count, Derived, Moment, Money, PositiveCount, PositiveMoney, Rate, Reshaped, Stamps
from gateway.sdk.reader import Reader
from gateway.sdk.wire import decode, members

__all__ = [
    "CAPABILITIES",
    "Adapter",
    "ContractError",
    "Count",
    "Derived",
    "InvalidMessageError",
    "Issue",
    "Item",
    "Moment",
    "Money",
    "NormalisesFeeds",
    "Options",
    "PositiveCount",
    "PositiveMoney",
    "Rate",
    "Reader",
    "Record",
    "Reshaped",
    "Stamps",
    "decode",
    "members",
]
