"""Whose request it is: nobody is believed but proxies of ours, and these only about who asked them."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.clients import TrustedProxies, site_of

PROXIES = TrustedProxies(map(ip_network, ("10.0.0.0/8", "127.0.0.1/32", "fd00::/8")))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1, 10.0.0.2", "127.0.0.1"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", ["2001:DB8:0::1"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("fd00::1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, unknown, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["198.51.100.1,"], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_the_client_is_the_last_that_no_proxy_of_ours_is(peer: str, forwarded: list[str], client: str) -> None:
    assert PROXIES.client_of(peer, forwarded) == client


@given(st.lists(st.text()), st.ip_addresses().map(str))
def test_what_a_client_makes_up_changes_nothing(invented: list[str], client: str) -> None:
    named = PROXIES.client_of("10.0.0.1", [client])
    if client not in PROXIES:
        assert PROXIES.client_of(client, invented) == named
        assert PROXIES.client_of("10.0.0.1", [*invented, client]) == named


@given(st.text(), st.lists(st.text()))
def test_nobody_is_believed_where_nobody_is_trusted(peer: str, forwarded: list[str]) -> None:
    assert TrustedProxies().client_of(peer, forwarded) == TrustedProxies().client_of(peer, [])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("198.51.100.1", "::ffff:198.51.100.1", True),
        ("198.51.100.1", "198.51.100.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("", "", True),
    ],
)
def test_a_site_is_an_address_or_the_network_that_one_site_has(one: str, other: str, same: bool) -> None:
    assert (site_of(one) == site_of(other)) is same
