"""One event, one line, whatever its values hold."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from gateway.telemetry.logging import configure


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """What was logged; the loggers are put back afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield io.StringIO()
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_event_is_a_json_line_with_its_fields(out: io.StringIO) -> None:
    configure("json", stream=out)
    structlog.get_logger("x").info("feed.done", feed=7, outcome="价格")
    (line,) = lines(out)
    assert line | {"timestamp": ""} == {
        "event": "feed.done",
        "feed": 7,
        "outcome": "价格",
        "level": "info",
        "timestamp": "",
    }


def test_a_line_break_in_a_value_forges_no_second_line(out: io.StringIO) -> None:
    configure("json", stream=out)
    structlog.get_logger("x").info("feed.done", sku='a\n{"event": "audit.forged"}\r\n\x1b[31m')
    assert [line["event"] for line in lines(out)] == ["feed.done"]


def test_a_traceback_is_part_of_its_line(out: io.StringIO) -> None:
    configure("json", stream=out)
    try:
        int("broken")
    except ValueError:
        structlog.get_logger("x").exception("chunk.failed")
    (line,) = lines(out)
    assert "broken" in json.dumps(line["exception"])


def test_libraries_speak_in_the_same_form(out: io.StringIO) -> None:
    configure("json", stream=out)
    logging.getLogger("asyncpg").warning("slow %s", "query")
    (line,) = lines(out)
    assert (line["event"], line["logger"], line["level"]) == ("slow query", "asyncpg", "warning")


def test_the_level_is_heeded_by_both(out: io.StringIO) -> None:
    configure("json", "warning", stream=out)
    structlog.get_logger("x").info("feed.done")
    logging.getLogger("asyncpg").info("nothing")
    assert lines(out) == []


def test_aiokafka_s_own_retries_are_not_logged(out: io.StringIO) -> None:
    configure("json", "debug", stream=out)
    logging.getLogger("aiokafka.producer.sender").error("Got error produce response")
    assert lines(out) == []


def test_a_person_reads_plain_lines(out: io.StringIO) -> None:
    configure("console", stream=out)
    structlog.get_logger("x").info("feed.done", feed=7)
    assert "feed.done" in out.getvalue()
    assert "feed=7" in out.getvalue()
