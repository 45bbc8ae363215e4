"""Disks of a test's own."""

from __future__ import annotations

import os
from pathlib import Path


def on_a_disk_of(size: str, place: Path) -> tuple[str, ...]:
    """A wrapper that runs a program with `place` on a disk of that size, seen by that program alone."""
    rights = (
        ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--mount", "--map-current-user", "--keep-caps")
    )
    mount = f'mount -t tmpfs -o size={size} tmpfs "$0" && exec "$@"'
    return (*rights, "sh", "-c", mount, str(place))
