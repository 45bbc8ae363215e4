"""Whatever aiohttp may raise is an error of ours, and none of its words get out: they hold the URL."""

from __future__ import annotations

from collections.abc import Iterator

import aiohttp
import pytest

from gateway.outbound.faults import AddressBlockedError, RefusedToDialError, fault_of
from gateway.sdk.errors import UnavailableError


def kinds(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for each in kind.__subclasses__():
        yield from kinds(each)


def raised(kind: type[Exception]) -> Exception:
    """An error of a kind without what its constructor wants, which differs from kind to kind."""
    error = kind.__new__(kind)
    error.args = ("https://api.example.com/?token=hunter2",)
    for name in ("_os_error", "_certificate_error"):
        setattr(error, name, ConnectionRefusedError(111, "Connection refused"))
    return error


@pytest.mark.parametrize("kind", sorted({*kinds(aiohttp.ClientError), TimeoutError, OSError}, key=str))
def test_every_error_of_the_client_is_an_unavailable_supplier(kind: type[Exception]) -> None:
    fault = fault_of(raised(kind))
    assert type(fault) is UnavailableError
    assert "hunter2" not in str(fault)
    assert str(fault)


def test_a_blocked_address_says_so_and_why() -> None:
    error = raised(aiohttp.ClientConnectorError)
    vars(error)["_os_error"] = RefusedToDialError("loopback")
    fault = fault_of(error)
    assert isinstance(fault, AddressBlockedError)
    assert str(fault).startswith("ssrf_blocked: ")
    assert "loopback" in str(fault)
