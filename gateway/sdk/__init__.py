"""All that an adapter may import of the gateway."""

from gateway.sdk.adapter import CAPABILITIES, Adapter, Item, NormalisesFeeds, Options, Record
from gateway.sdk.errors import ContractError, InvalidMessageError, Issue
from gateway.sdk.reader import Count, Moment, Money, PositiveCount, Rate, Reader
from gateway.sdk.wire import decode, members

__all__ = [
    "CAPABILITIES",
    "Adapter",
    "ContractError",
    "Count",
    "InvalidMessageError",
    "Issue",
    "Item",
    "Moment",
    "Money",
    "NormalisesFeeds",
    "Options",
    "PositiveCount",
    "Rate",
    "Reader",
    "Record",
    "decode",
    "members",
]
