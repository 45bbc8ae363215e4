"""How commands reach the gateway: /admin/v1, with the token of the settings."""

from __future__ import annotations

import getpass
from urllib.parse import urlsplit

from gateway.cli.instance import settings
from gateway.loopback import is_loopback
from gateway.outbound import AdminClient
from gateway.sdk.errors import ConfigError

_ANY = ("0.0.0.0", "::")  # noqa: S104 -- a gateway listens there; who dials it reaches this machine


def admin() -> AdminClient:
    """A client to be entered. Raises ConfigError when there is no token to show."""
    given = settings()
    if given.admin_token is None:
        raise ConfigError(
            [
                "MALLGATE_ADMIN_TOKEN is not set, and no gateway with embedded engines runs here that could tell it:"
                " name the data directory of one that runs in MALLGATE_DATA_DIR."
            ]
        )
    url = str(given.admin_url or given.admin_address.url)
    refuse_plain(url)
    return AdminClient(url, given.admin_token.get_secret_value(), operator=operator())


def refuse_plain(url: str) -> None:
    """Raises ConfigError where the admin token would leave this machine for everybody on the way to read."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https" and not is_loopback(host) and host not in _ANY:
        raise ConfigError([f"{url} would send the admin token in plain text to {host}: use https, or run it on {host}"])


def operator() -> str:
    """Who runs the command, as the system has it; empty where it does not know."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
