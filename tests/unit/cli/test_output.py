"""What commands print."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console
from rich.text import Text

from gateway.cli import output
from gateway.cli.keys import instant, state
from gateway.cli.output import cell, moment
from gateway.cli.topics import UnknownTopicError, resolve


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (1234567, "1,234,567"),
        ("[red]x[/]", "[red]x[/]"),
        (["a", "b"], "a, b"),
        ({"rejected": 2, "stale": 1}, "rejected 2, stale 1"),
        (1.5, "1.5"),
    ],
)
def test_a_value_is_shown_as_a_person_reads_it(value: object, shown: str) -> None:
    assert isinstance(cell(value), Text)
    assert cell(value).plain == shown


def test_an_instant_is_shown_in_the_time_of_the_machine() -> None:
    at = datetime(2026, 5, 1, 12, 30, 15, 999, tzinfo=UTC)
    assert moment(at.isoformat()) == f"{at.astimezone():%Y-%m-%d %H:%M:%S}"
    assert moment(None) is None


def test_an_expiry_is_days_from_now_or_an_instant_with_its_offset() -> None:
    assert timedelta(days=89) < instant("90d") - datetime.now(UTC) < timedelta(days=91)
    assert instant("2040-01-01T00:00:00+08:00") == datetime(2039, 12, 31, 16, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "d", "0d", "-1d", "1.5d", "tomorrow", "2040-01-01", "2040-01-01T00:00:00"])
def test_any_other_expiry_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        instant(text)


def test_a_key_is_active_until_it_is_revoked_or_expires() -> None:
    key = {"revoked_at": None, "expires_at": None}
    assert state(key) == "active"
    assert state({**key, "expires_at": "2999-01-01T00:00:00+00:00"}) == "active"
    assert state({**key, "expires_at": "2020-01-01T00:00:00+00:00"}) == "expired"
    assert state({**key, "revoked_at": "2020-01-01T00:00:00+00:00"}) == "revoked"


def test_a_topic_is_named_by_any_part_that_no_other_one_has() -> None:
    assert resolve("prices") == "mall.catalog.prices.v1"
    assert resolve("gateway.feeds.bulk.v1") == "gateway.feeds.bulk.v1"
    for name in ("catalog", "nothing", ""):
        with pytest.raises(UnknownTopicError):
            resolve(name)


ID = "d7d2e822-bc72-540b-b5f2-0ce58748908d"


@pytest.mark.parametrize("width", [80, 60, 30])
def test_an_identifier_is_never_cut_however_narrow_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = Console(width=width, file=StringIO(), color_system=None)
    monkeypatch.setattr(output, "console", narrow)
    output.table("id|#line|words", [[ID, 7, "a field has an unusable value"]], empty="")
    shown = narrow.file.getvalue()  # type: ignore[attr-defined]
    assert (ID in shown) == (width > len(ID))
    assert "unusable" in shown


def test_rows_that_do_not_fit_become_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = Console(width=60, file=StringIO(), color_system=None)
    monkeypatch.setattr(output, "console", narrow)
    output.table("id|#line|group", [[ID, 7, f"fp1:{ID}"]], empty="")
    lines = narrow.file.getvalue().split()  # type: ignore[attr-defined]
    assert lines == ["id", ID, "line", "7", "group", f"fp1:{ID}"]
