"""Which URLs and addresses the gateway may call, in every spelling that someone has tried."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.outbound.address import UrlForbiddenError, check_url, forbidden_address

FORBIDDEN = [
    "http://api.example.com",
    "ftp://api.example.com",
    "api.example.com",
    "//api.example.com",
    "https://",
    "https:///path",
    "https://user:hunter2@api.example.com",
    "https://user@api.example.com",
    "https://api.example.com@127.0.0.1",
    "https://api.example.com:22",
    "https://api.example.com:80",
    "https://api.example.com:0",
    "https://api.example.com:3306",
    "https://api.example.com:6379",
    "https://api.example.com:99999",
    "https://api.example.com:port",
    "https://api.example.com/?token=1",
    "https://api.example.com/#top",
    "https://api.example.com\\@127.0.0.1",
    "https://api.example.com\r\nHost: x",
    "https://api.example .com",
    "https://api..example.com",
    "https://127.0.0.1",
    "https://127.0.0.1.",
    "https://127.1",
    "https://2130706433",
    "https://0x7f000001",
    "https://0x7f.1",
    "https://0177.0.0.1",
    "https://017700000001",
    "https://127.0.0.1:8443",
    "https://%31%32%37.0.0.1",
    "https://127%2e0%2e0%2e1",
    "https://127。0。0。1",
    "https://①②⑦.0.0.1",
    "https://１２７.0.0.1",
    "https://127．0．0．1",
    "https://0",
    "https://0.0.0.0",
    "https://256.1.1.1",
    "https://1.2.3.4.5",
    "https://127.0.0.08",
    "https://localhost",
    "https://LOCALHOST.",
    "https://ⓛocalhost",
    "https://api.localhost",
    "https://metadata.google.internal",
    "https://intranet",
    "https://printer.local",
    "https://10.0.0.1",
    "https://172.16.5.4",
    "https://192.168.1.1",
    "https://100.64.0.1",
    "https://169.254.169.254",
    "https://100.100.100.200",
    "https://168.63.129.16",
    "https://224.0.0.1",
    "https://255.255.255.255",
    "https://198.18.0.1",
    "https://[::]",
    "https://[::1]",
    "https://[::ffff:127.0.0.1]",
    "https://[::ffff:7f00:1]",
    "https://[::127.0.0.1]",
    "https://[64:ff9b::7f00:1]",
    "https://[64:ff9b:1::a00:1]",
    "https://[2002:7f00:1::]",
    "https://[2001:0:7f00:1::1]",
    "https://[2001::f5ff:fffe]",
    "https://[fe80::1%eth0]",
    "https://[fe80::1%25eth0]",
    "https://[fe80::1]",
    "https://[fec0::1]",
    "https://[fc00::1]",
    "https://[fd00:ec2::254]",
    "https://[ff02::1]",
    "https://[2001:db8::1]",
    "https://[::1",
    "https://[nonsense]",
    "https://[v1.fe80]",
]

ALLOWED = [
    "https://api.example.com",
    "https://api.example.com/open/v2/",
    "https://api.example.com.",
    "https://api.example.com:443",
    "https://api.example.com:8443",
    "https://api.example.com:7001",
    "https://8.8.8.8",
    "https://[2400:3200::1]",
    "https://接口.例子.中国",
    "https://1.2.3.4.example.com",
]

PRIVATE = [
    "http://127.0.0.1:18080",
    "https://127.0.0.1",
    "http://localhost:80",
    "http://erp.intranet",
    "http://erp",
    "http://10.1.2.3:3306",
    "http://100.64.0.1",
    "http://[::1]:9000",
    "http://[::ffff:127.0.0.1]",
    "http://[fd12:3456::1]",
    "http://api.example.com",
]

NOT_EVEN_PRIVATE = [
    "gopher://127.0.0.1",
    "file:///etc/passwd",
    "http://user@127.0.0.1",
    "http://169.254.169.254",
    "http://[::ffff:169.254.169.254]",
    "http://[64:ff9b::a9fe:a9fe]",
    "http://100.100.100.200",
    "http://168.63.129.16",
    "http://[fd00:ec2::254]",
    "http://[fe80::1]",
    "http://224.0.0.251",
    "http://[ff02::1]",
    "http://0.0.0.0",
    "http://[::]",
    "http://255.255.255.255",
    "http://0xa9fea9fe",
]


@pytest.mark.parametrize("url", FORBIDDEN)
def test_a_supplier_may_not_be_declared_there(url: str) -> None:
    with pytest.raises(UrlForbiddenError, match="url_forbidden") as caught:
        check_url(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ALLOWED)
def test_a_public_api_may_be_declared(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize("url", PRIVATE)
def test_an_intranet_may_be_declared_where_that_is_allowed(url: str) -> None:
    check_url(url, allow_private=True)


@pytest.mark.parametrize("url", NOT_EVEN_PRIVATE)
def test_metadata_and_multicast_stay_forbidden_in_an_intranet(url: str) -> None:
    with pytest.raises(UrlForbiddenError):
        check_url(url, allow_private=True)


@given(st.text(max_size=40))
def test_any_text_is_allowed_or_refused_and_nothing_else(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{text}:8443/path"):
        assert allowed(url) in (True, False)


@given(st.ip_addresses(v=4))
def test_every_spelling_of_an_address_is_judged_as_the_address(address: IPv4Address) -> None:
    number, (a, b, c, d) = int(address), address.packed
    spellings = [
        str(address),
        str(number),
        hex(number),
        f"0{number:o}",
        f"{a}.{number & 0xFFFFFF}",
        f"0{a:o}.{b}.{c}.{d}",
    ]
    verdicts = {spelling: allowed(f"https://{spelling}") for spelling in spellings}
    assert set(verdicts.values()) == {forbidden_address(address) is None}, verdicts


@given(st.ip_addresses(v=4))
def test_a_tunnel_is_judged_by_where_it_leads(address: IPv4Address) -> None:
    high, low = divmod(int(address), 65536)
    for tunnel in (f"::ffff:{high:x}:{low:x}", f"64:ff9b::{high:x}:{low:x}", f"2002:{high:x}:{low:x}::"):
        assert forbidden_address(ip_address(tunnel)) == forbidden_address(address), tunnel


@given(st.ip_addresses())
def test_what_is_forbidden_with_private_addresses_is_forbidden_without(address: IPv4Address | IPv6Address) -> None:
    if forbidden_address(address, allow_private=True):
        assert forbidden_address(address)
    if not address.is_global:
        assert forbidden_address(address)


def allowed(url: str) -> bool:
    try:
        check_url(url)
    except UrlForbiddenError:
        return False
    return True
