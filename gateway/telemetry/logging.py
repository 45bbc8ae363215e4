"""Logs: one event per finished thing, `noun.verb` and fields, as JSON lines or coloured for a person."""

from __future__ import annotations

import logging
import sys
from typing import Literal, TextIO

import orjson
import structlog
from structlog.typing import Processor

Format = Literal["json", "console"]

# aiokafka logs every retry as an error; the supervisor and the metrics say the same once.
_QUIET = {"aiokafka": logging.CRITICAL, "asyncio": logging.WARNING, "aiohttp.access": logging.WARNING}

# Without local variables: they hold passwords, tokens and what vendors sent.
_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


def configure(log_format: Format = "json", level: str = "info", *, stream: TextIO | None = None) -> None:
    """Send the logs of the gateway and of its libraries to `stream` (standard error), one line per event."""
    out = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(log_format, out)],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.captureWarnings(capture=True)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, logging.root.level))


def _renderers(log_format: Format, out: TextIO) -> list[Processor]:
    match log_format:
        case "json":
            return [_TRACEBACKS, structlog.processors.JSONRenderer(_dumps)]
        case "console":
            return [
                structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)
            ]


def _dumps(event: object, **_: object) -> str:
    # JSON escapes line breaks and control characters, so that no value can forge a second line.
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
