"""A feed's report as files: JSON lines, or CSV that a spreadsheet opens without running anything."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from gateway.intake.views import ReportRow

BOM = b"\xef\xbb\xbf"
"""Without it Excel reads UTF-8 as something else."""

COLUMNS = (
    "record",
    "line",
    "sku",
    "outcome",
    "severity",
    "code",
    "path",
    "actual",
    "expected",
    "message_zh",
    "message_en",
)

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""A cell that begins so is a formula to some spreadsheet."""


def json_lines(rows: Iterable[ReportRow]) -> bytes:
    """One JSON object per line."""
    return b"".join(row.model_dump_json().encode() + b"\n" for row in rows)


def csv_head() -> bytes:
    """Byte order mark and column names."""
    return BOM + _written([COLUMNS])


def csv_rows(rows: Iterable[ReportRow]) -> bytes:
    """One line per issue, every cell quoted, none a formula."""
    return _written(
        (
            row.record,
            row.line,
            neutral(row.sku or ""),
            row.outcome,
            severity,
            issue.code,
            neutral(issue.path),
            neutral(issue.actual),
            neutral(issue.expected),
            issue.message_zh,
            issue.message_en,
        )
        for row in rows
        for severity, issues in (("error", row.issues), ("warning", row.warnings))
        for issue in issues
    )


def neutral(cell: str) -> str:
    """The cell as text: what would be a formula gets an apostrophe in front."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def _written(rows: Iterable[Iterable[object]]) -> bytes:
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(rows)
    return file.getvalue().encode()
