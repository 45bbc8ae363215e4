"""How commands reach the gateway: /admin/v1, with the token of the settings."""

from __future__ import annotations

import getpass

from gateway.cli.instance import settings
from gateway.outbound import AdminClient
from gateway.sdk.errors import ConfigError


def admin() -> AdminClient:
    """A client to be entered. Raises ConfigError when there is no token to show."""
    given = settings()
    if given.admin_token is None:
        raise ConfigError(
            ["MALLGATE_ADMIN_TOKEN is not set, and no gateway with embedded engines runs here that could tell it."]
        )
    url = given.admin_url or f"http://{given.host}:{given.port}"
    return AdminClient(str(url), given.admin_token.get_secret_value(), operator=operator())


def operator() -> str:
    """Who runs the command, as the system has it; empty where it does not know."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
