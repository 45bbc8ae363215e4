"""Secrets at rest: AES-256-GCM, bound to the supplier and the name they belong to.

A sealed secret is `version (1) | key id (8) | nonce (12) | ciphertext and tag`. The key id says under which key it was
sealed, so that a gateway holding the wrong key says so, and keys can be changed while older ones still open.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.sdk.errors import ConfigError, GatewayError

KEY_SIZE = 32
VERSION = b"\x01"
KEY_ID_SIZE = 8
NONCE_SIZE = 12
HEAD_SIZE = len(VERSION) + KEY_ID_SIZE + NONCE_SIZE


class SecretUnreadableError(GatewayError):
    """A stored secret cannot be opened with the secret key at hand."""


class SecretBox:
    """Seals with the first key, opens with any of them. Keys are 32 bytes."""

    def __init__(self, key: bytes, *former: bytes) -> None:
        self._ciphers = {key_id(each): AESGCM(each) for each in (key, *former)}
        self._current = key_id(key)

    @property
    def current_key_id(self) -> str:
        """The public name of the key that it seals with, in hexadecimal."""
        return self._current.hex()

    def is_current(self, sealed: bytes) -> bool:
        """Whether it was sealed with the key that this box seals with."""
        return sealed[1 : 1 + KEY_ID_SIZE] == self._current

    def seal(self, supplier: str, name: str, secret: bytes) -> bytes:
        """The secret, readable only with the key and only as this supplier's secret of this name."""
        nonce = secrets.token_bytes(NONCE_SIZE)
        sealed = self._ciphers[self._current].encrypt(nonce, secret, _bound_to(supplier, name))
        return VERSION + self._current + nonce + sealed

    def open(self, supplier: str, name: str, sealed: bytes) -> bytes:
        """What was sealed. Raises SecretUnreadableError: another key, another owner or name, or damaged bytes."""
        cipher = self._ciphers.get(sealed[1 : 1 + KEY_ID_SIZE])
        if sealed[:1] != VERSION or cipher is None:
            raise SecretUnreadableError(f"The secret {name!r} of {supplier} was sealed under another secret key.")
        nonce = sealed[HEAD_SIZE - NONCE_SIZE : HEAD_SIZE]
        try:
            return cipher.decrypt(nonce, sealed[HEAD_SIZE:], _bound_to(supplier, name))
        except InvalidTag as error:
            raise SecretUnreadableError(f"The secret {name!r} of {supplier} is damaged or not theirs.") from error


def key_id(key: bytes) -> bytes:
    """The public name of a key: 8 bytes that tell nothing of it."""
    return hashlib.sha256(b"mallgate secret key\x00" + key).digest()[:KEY_ID_SIZE]


def load_or_create_key(path: Path) -> bytes:
    """The key in a file; a new one, readable by its owner alone, when there is no such file.

    Two processes that start together end with the same key: the file appears whole or not at all, and the first wins.
    Raises ConfigError when the file cannot be read or holds something else.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _create(path, base64.b64encode(secrets.token_bytes(KEY_SIZE)) + b"\n")
    try:
        key = base64.b64decode(path.read_bytes().strip(), validate=True)
    except (OSError, binascii.Error) as error:
        raise ConfigError([f"the secret key file {path} cannot be used: {error}"]) from error
    if len(key) != KEY_SIZE:
        raise ConfigError([f"the secret key file {path} holds {len(key)} bytes, not {KEY_SIZE}"])
    return key


def _create(path: Path, content: bytes) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()


def _bound_to(supplier: str, name: str) -> bytes:
    return f"{supplier}|{name}".encode()
