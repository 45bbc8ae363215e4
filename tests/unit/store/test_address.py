"""Which databases may be asked without a word on TLS."""

from __future__ import annotations

import pytest

from gateway.store.address import hosts_of, is_here, unprotected


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://mall@127.0.0.1/mall",
        "postgresql://mall@127.8.9.1:5432/mall",
        "postgresql://mall:p%40ss@localhost:5432/mall",
        "postgresql://mall@[::1]:5432/mall",
        "postgresql:///mall",
        "postgresql:///mall?host=/run/postgresql",
        "postgresql://%2Frun%2Fpostgresql/mall",
        "postgresql://localhost,127.0.0.1:5433/mall",
    ],
)
def test_this_machine_needs_no_word(url: str) -> None:
    assert unprotected(url, {}) == ""
    assert is_here(url, {})


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://mall@db/mall",
        "postgresql://mall@localhost.example/mall",
        "postgresql://127.0.0.1@db/mall",
        "postgresql://mall@127.0.0.1,db/mall",
        "postgresql:///mall?host=db",
        "postgresql:///mall?host=/run/postgresql&host=db",
        "postgresql://mall@[2001:db8::1]:5432/mall",
        "postgresql://mall@0.0.0.0/mall",
    ],
)
def test_another_machine_needs_one(url: str) -> None:
    assert "sslmode" in unprotected(url, {})
    assert not is_here(url, {})
    more = "&" if "?" in url else "?"
    for mode in ("verify-full", "require", "disable"):
        assert unprotected(f"{url}{more}sslmode={mode}", {}) == ""
    assert unprotected(url, {"PGSSLMODE": "verify-full"}) == ""


def test_the_environment_names_the_host_where_the_url_does_not() -> None:
    assert hosts_of("postgresql:///mall", {"PGHOST": "db:5432"}) == ["db"]
    assert unprotected("postgresql:///mall", {"PGHOST": "db"}) != ""
