"""Passwords of the engines: random, one per data directory, in a file for the program's own user."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def new_password(file: Path) -> None:
    """Write a new password; one that was there belongs to data that is no more."""
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as written:
        written.write(secrets.token_urlsafe(24))
