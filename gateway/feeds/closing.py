"""Closing a feed: its items counted, its end written down, and the mall core told through the outbox."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from gateway.feeds.decide import OUTCOME_BYTES, SAMPLE_SKUS
from gateway.feeds.feed import FeedEnd, FeedState, end_feed
from gateway.feeds.guard import ItemOutcome
from gateway.kafka import REPORTS
from gateway.outbox import OutboxMessage, enqueue
from gateway.sdk.problems import words_of
from gateway.store import Connection, Row
from gateway.telemetry import metrics
from schemas.catalog import Facet
from schemas.reports import FeedReport, TopProblem, report_headers

TOP_PROBLEMS = 20

CANCELLED = "it was cancelled"
"""Flaw of a full feed that its supplier cancelled before everything was withdrawn."""

OUTCOMES = "SELECT outcomes FROM feed_chunks WHERE feed_no = $1"

WARNINGS = """
    SELECT w.code, sum(w.items::bigint)::bigint AS items
      FROM feed_chunks, jsonb_each_text(warnings) AS w (code, items)
     WHERE feed_no = $1
     GROUP BY 1 ORDER BY 2 DESC, 1
"""

# Of a chunk's counts one row per sku, or one without; the items stand in the first of them.
TOP = """
    SELECT code, sum(items)::bigint AS count,
           coalesce((array_agg(DISTINCT sku ORDER BY sku) FILTER (WHERE sku IS NOT NULL))[1:$2], '{}') AS skus
      FROM (
           SELECT found.key AS code, sample.sku,
                  CASE WHEN sample.place > 1 THEN 0 ELSE (found.value -> 'items')::bigint END AS items
             FROM feed_chunks, jsonb_each(problem_counts) AS found
             LEFT JOIN LATERAL jsonb_array_elements_text(found.value -> 'skus')
                  WITH ORDINALITY AS sample (sku, place) ON true
            WHERE feed_no = $1
           ) AS counted
     GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT $3
"""


async def close(
    connection: Connection, feed: Row, *, withdrawn: int | None = None, flaw: str | None = None
) -> dict[str, int]:
    """Close a feed whose row is locked; its items by outcome.

    feed: with feed_no, supplier, facet, mode and received_at; withdrawn: keys, None unless it is a full feed; flaw:
    why a full feed withdrew nothing, or not everything.
    """
    counts = await count_outcomes(connection, feed["feed_no"])
    warnings = await count_warnings(connection, feed["feed_no"])
    problems = await count_problems(connection, feed["feed_no"])
    state = FeedState.CANCELLED if ItemOutcome.CANCELLED in counts or flaw == CANCELLED else FeedState.DONE
    end = FeedEnd(state, counts, warnings, problems, withdrawn, flaw)
    finished_at = await end_feed(connection, feed["feed_no"], end)
    report = FeedReport.model_validate(
        {
            "feed": str(feed["feed_no"]),
            "supplier": feed["supplier"],
            "facet": Facet(feed["facet"]),
            "mode": feed["mode"],
            "state": state,
            "received_at": feed["received_at"],
            "finished_at": finished_at,
            "counts": {outcome.value: counts[outcome] for outcome in ItemOutcome if outcome in counts},
            "withdrawn": withdrawn,
            "warnings": warnings,
            "problems": tuple(_top_problem(problem) for problem in problems),
        }
    )
    await enqueue(connection, [_report_message(report)])
    metrics.feeds_total.labels(facet=feed["facet"], state=state).inc()
    return counts


async def count_outcomes(connection: Connection, feed_no: int) -> dict[str, int]:
    """Items per outcome of the chunks that took effect so far; one of another release under the byte that it has."""
    total: Counter[int] = Counter()
    async for row in connection.cursor(OUTCOMES, feed_no):
        total.update(row["outcomes"])
    known = {outcome.value: total.pop(byte) for outcome, byte in OUTCOME_BYTES.items() if total[byte]}
    return known | {chr(byte): count for byte, count in sorted(total.items()) if count}


async def count_warnings(connection: Connection, feed_no: int) -> dict[str, int]:
    """Items per warning of the chunks that took effect so far, the most frequent first."""
    return {row["code"]: row["items"] for row in await connection.fetch(WARNINGS, feed_no)}


async def count_problems(connection: Connection, feed_no: int) -> list[dict[str, Any]]:
    """What was wrong with items of the chunks that took effect so far, the most frequent first: {code, count, skus}."""
    return [dict(row) for row in await connection.fetch(TOP, feed_no, SAMPLE_SKUS, TOP_PROBLEMS)]


def _top_problem(row: Mapping[str, Any]) -> TopProblem:
    problem = words_of(row["code"])
    return TopProblem(
        code=row["code"],
        message_en=problem.en,
        message_zh=problem.zh,
        count=row["count"],
        skus=tuple(row["skus"]),
    )


def _report_message(report: FeedReport) -> OutboxMessage:
    return OutboxMessage(REPORTS, report.supplier.encode(), report.model_dump_json().encode(), report_headers(report))
