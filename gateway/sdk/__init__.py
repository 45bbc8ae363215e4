"""All that an adapter may import of the gateway."""

from gateway.sdk.adapter import CAPABILITIES, Adapter, Item, NormalisesFeeds, Options, Record
from gateway.sdk.errors import ContractError, InvalidMessageError, Issue
from gateway.sdk.fields import Count, Derived, Moment, Money, PositiveCount, PositiveMoney, Rate, Reshaped, Stamps
from gateway.sdk.reader import Reader
from gateway.sdk.wire import decode, decode_reply, encode, legible, members, pointer, shown, whole_json

__all__ = [
    "CAPABILITIES",
    "Adapter",
    "Area",
    "AuthError",
    "ContractError",
    "Count",
    "Derived",
    "Exchange",
    "FollowUp",
    "Http",
    "InvalidMessageError",
    "Issue",
    "Item",
    "Message",
    "Moment",
    "Money",
    "NormalisesFeeds",
    "ObtainsTokens",
    "Options",
    "OutcomeUnknownError",
    "PollsMessages",
    "PositiveCount",
    "PositiveMoney",
    "PullsFeeds",
    "Rate",
    "RateLimitError",
    "Reader",
    "ReadsAreas",
    "Record",
    "Reshaped",
    "Stamps",
    "SupplierError",
    "Token",
    "TransientError",
    "UnavailableError",
    "decode",
    "decode_exchange",
    "decode_reply",
    "encode",
    "legible",
    "members",
    "pointer",
    "shown",
    "whole_json",
]
