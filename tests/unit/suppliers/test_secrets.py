"""Secrets at rest: nobody reads them without the key, and nobody passes one off as another's."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sdk.errors import ConfigError
from gateway.suppliers import SecretBox, SecretUnreadableError, load_or_create_key

KEY = bytes(range(32))
OTHER = bytes(reversed(range(32)))


@given(st.binary(max_size=500), st.text(max_size=40), st.text(max_size=40))
def test_what_was_sealed_opens_again(secret: bytes, supplier: str, name: str) -> None:
    box = SecretBox(KEY)
    assert box.open(supplier, name, box.seal(supplier, name, secret)) == secret


def test_a_sealed_secret_shows_nothing_of_itself_and_never_looks_the_same_twice() -> None:
    box = SecretBox(KEY)
    first, second = box.seal("acme", "api_password", b"hunter2"), box.seal("acme", "api_password", b"hunter2")
    assert first != second
    assert b"hunter2" not in first


@pytest.mark.parametrize(("supplier", "name"), [("evil", "api_password"), ("acme", "other")])
def test_a_secret_moved_to_another_row_does_not_open(supplier: str, name: str) -> None:
    box = SecretBox(KEY)
    with pytest.raises(SecretUnreadableError):
        box.open(supplier, name, box.seal("acme", "api_password", b"hunter2"))


@given(st.data())
def test_a_damaged_secret_does_not_open(data: st.DataObject) -> None:
    box = SecretBox(KEY)
    sealed = bytearray(box.seal("acme", "api_password", b"hunter2"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SecretUnreadableError):
        box.open("acme", "api_password", bytes(sealed))


def test_the_wrong_key_is_named_as_the_reason() -> None:
    sealed = SecretBox(OTHER).seal("acme", "api_password", b"hunter2")
    with pytest.raises(SecretUnreadableError, match="another secret key"):
        SecretBox(KEY).open("acme", "api_password", sealed)


def test_after_a_change_of_key_old_secrets_open_and_new_ones_need_the_new_key() -> None:
    old = SecretBox(OTHER).seal("acme", "api_password", b"hunter2")
    box = SecretBox(KEY, OTHER)
    assert box.open("acme", "api_password", old) == b"hunter2"
    assert SecretBox(KEY).open("acme", "token", box.seal("acme", "token", b"t")) == b"t"


def test_a_key_file_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret.key"
    key = load_or_create_key(path)
    assert len(key) == 32
    assert load_or_create_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"not base64!", base64.b64encode(b"too short")])
def test_a_key_file_that_holds_something_else_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"secret\.key"):
        load_or_create_key(path)
    assert path.read_bytes() == content
