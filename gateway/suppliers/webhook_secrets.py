"""Secrets with which messages to a vendor's webhook are signed: secrets of the supplier, under two names.

Two are valid at once while one replaces the other: declare the new one as `webhook` and the old one as
`webhook_former`, and leave that out once the vendor has taken the new one over.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from gateway.store import Connection
from gateway.suppliers import queries
from gateway.suppliers.keys import WEBHOOK_PREFIX
from gateway.suppliers.secrets import SecretBox

WEBHOOK_SECRET = "webhook"  # noqa: S105 -- a name
WEBHOOK_SECRETS = (WEBHOOK_SECRET, "webhook_former")
"""The newest first."""

MIN_BYTES, MAX_BYTES = 24, 64
"""As Standard Webhooks has it: 192 to 512 bits."""


def is_webhook_secret(text: str) -> bool:
    """Whether it is `whsec_` and the base64 of 24 to 64 bytes."""
    if not text.startswith(WEBHOOK_PREFIX):
        return False
    try:
        key = base64.b64decode(text.removeprefix(WEBHOOK_PREFIX), validate=True)
    except binascii.Error:
        return False
    return MIN_BYTES <= len(key) <= MAX_BYTES


async def webhook_secrets(connection: Connection, box: SecretBox, supplier: str) -> Sequence[str]:
    """The secrets of a supplier's webhook, the newest first. Raises SecretUnreadableError."""
    found = {row["name"]: row["ciphertext"] for row in await connection.fetch(queries.SECRETS, supplier)}
    return [box.open(supplier, name, found[name]).decode() for name in WEBHOOK_SECRETS if name in found]
