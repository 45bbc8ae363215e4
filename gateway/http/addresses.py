"""Addresses to listen on, and what is said of those that cannot be had."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from gateway.sdk.errors import ConfigError
from gateway.sockets import why_taken


class ListenAddress(NamedTuple):
    """An address that a server is to have. setting: what chooses its port."""

    host: str
    port: int
    setting: str


class AddressError(ConfigError):
    """The address cannot be listened on; stop the program that holds it or choose another port."""

    def __init__(self, *refused: tuple[ListenAddress, OSError]) -> None:
        super().__init__([_problem(wanted, error) for wanted, error in refused])


def _problem(wanted: ListenAddress, error: OSError) -> str:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"{wanted.host}:{wanted.port} cannot be listened on ({reason}); choose another with {wanted.setting}"


def require_free(addresses: Iterable[ListenAddress]) -> None:
    """Raise AddressError with every address that a server could not listen on now."""
    refused = [(wanted, error) for wanted in addresses if (error := why_taken(wanted.host, wanted.port))]
    if refused:
        raise AddressError(*refused)
