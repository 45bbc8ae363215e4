"""Addresses that cannot be had are told at once, each with what chooses its port."""

from __future__ import annotations

import errno
import socket

import pytest

from gateway.http.addresses import AddressError, ListenAddress, require_free
from gateway.sockets import why_taken


def test_every_address_that_is_taken_is_told_with_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = [taken.getsockname()[1] for taken in (one, other)]
        free = ListenAddress("127.0.0.1", 0, "MALLGATE_OPS_PORT")
        wanted = [
            ListenAddress("127.0.0.1", ports[0], "--port"),
            free,
            ListenAddress("127.0.0.1", ports[1], "MALLGATE_PORT"),
        ]
        with pytest.raises(AddressError) as caught:
            require_free(wanted)
    assert caught.value.problems == tuple(
        f"127.0.0.1:{port} cannot be listened on (Address already in use); choose another with {setting}"
        for port, setting in zip(ports, ("--port", "MALLGATE_PORT"), strict=True)
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "::", "localhost"])
def test_what_can_be_listened_on_is_free(host: str) -> None:
    assert why_taken(host, 0) is None


def test_one_that_lingers_from_a_server_that_ended_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        served, _ = server.accept()
        served.close()  # the server's end waits until the network has forgotten the connection
        client.recv(1)
        address = server.getsockname()
    assert why_taken(*address) is None


def test_an_address_of_another_machine_is_refused() -> None:
    error = why_taken("203.0.113.7", 0)
    assert error is not None
    assert error.errno == errno.EADDRNOTAVAIL


def test_a_name_that_nobody_knows_is_refused() -> None:
    assert isinstance(why_taken("nobody.invalid", 0), socket.gaierror)
