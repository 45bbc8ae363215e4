"""Where a command may send the admin token."""

from __future__ import annotations

import pytest

from gateway.cli.connection import refuse_plain
from gateway.sdk.errors import ConfigError


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080",
        "http://localhost:8080/",
        "http://[::1]:8080",
        "http://0.0.0.0:8080",
        "https://gateway.example",
        "HTTPS://10.0.0.1",
    ],
)
def test_it_goes_to_this_machine_or_over_tls(url: str) -> None:
    refuse_plain(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://gateway.example",
        "http://localhost.example:8080",
        "http://127.0.0.1@gateway.example",
        "http://127.0.0.1.example",
        "HTTP://10.0.0.1:8080",
        "http://[2001:db8::1]/",
        "http://[::ffff:10.0.0.1]/",
    ],
)
def test_it_never_leaves_this_machine_in_plain_text(url: str) -> None:
    with pytest.raises(ConfigError, match="https"):
        refuse_plain(url)
