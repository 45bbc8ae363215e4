"""The forms of credentials, and how long an answer about one is believed."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sdk.errors import ServiceUnavailableError
from gateway.suppliers.keyring import LIFE, Recent
from gateway.suppliers.keys import SCOPES, KeyKind, mint, parse_bearer


def test_a_bearer_token_names_its_key_and_holds_256_bits() -> None:
    issued = mint(KeyKind.BEARER, SCOPES, None)
    key_id, secret = parse_bearer(issued.secret)
    assert issued.secret.startswith("mg_")
    assert key_id == issued.key_id
    assert len(base64.urlsafe_b64decode(secret + "=")) == 32


def test_a_webhook_secret_is_what_standard_webhooks_asks_for() -> None:
    issued = mint(KeyKind.WEBHOOK, SCOPES, None)
    assert issued.secret.startswith("whsec_")
    assert len(base64.b64decode(issued.secret.removeprefix("whsec_"), validate=True)) == 32


@given(st.from_regex(r"[0-9a-f]{1,20}", fullmatch=True), st.text(max_size=80))
def test_a_secret_may_hold_the_separator(key_id: str, secret: str) -> None:
    assert parse_bearer(f"mg_{key_id}_{secret}") == (key_id, secret)


@pytest.mark.parametrize("token", ["", "mg_", "mg", "mg_abc", "xx_abc_def", "whsec_AAAA", "mg abc def"])
def test_what_is_no_token_names_no_key(token: str) -> None:
    assert parse_bearer(token) == ("", "")


@given(st.text())
def test_any_text_can_be_looked_at(token: str) -> None:
    parse_bearer(token)


class Clock:
    """A clock that moves when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Book:
    """Answers with a new number each time, or not at all."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = False

    async def __call__(self, key: str) -> int:
        if self.away:
            raise ServiceUnavailableError
        self.asked += 1
        return self.asked


async def test_an_answer_is_believed_until_its_life_ends() -> None:
    clock, book = Clock(), Book()
    recent = Recent(book, clock)
    assert await recent.get("k") == 1
    clock.now = LIFE - 0.01
    assert await recent.get("k") == 1
    clock.now = LIFE
    assert await recent.get("k") == 2


async def test_an_answer_is_believed_no_more_once_told_to_forget() -> None:
    recent = Recent(Book(), Clock())
    assert await recent.get("k") == 1
    recent.forget()
    assert await recent.get("k") == 2


async def test_being_away_is_not_an_answer_and_is_not_kept() -> None:
    book = Book()
    recent = Recent(book, Clock())
    book.away = True
    with pytest.raises(ServiceUnavailableError):
        await recent.get("k")
    book.away = False
    assert await recent.get("k") == 1
