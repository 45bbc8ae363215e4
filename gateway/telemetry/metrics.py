"""Every metric of the gateway, declared once, with what it means and what to do when it moves.

Labels have few values: never a sku, a feed or an order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from gateway.telemetry.shared import REMOVED, SharedExposition, shared_folder

# Times at which series were made: twice the series, and nothing reads them.
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
"""Holds the metrics below and nothing else."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What one metric is. remedy: what an operator does when it moves the wrong way."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str
    remedy: str


DECLARED: list[Declared] = []
"""All metrics, in the order of their declaration."""

QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
"""Buckets, in seconds, of what one process or one round trip takes."""


def _noted(kind: str, name: str, labels: Sequence[str], meaning: str, remedy: str) -> str:
    full = f"mallgate_{name}"
    DECLARED.append(Declared(full, kind, tuple(labels), meaning, remedy))
    return full


def _counter(name: str, *labels: str, meaning: str, remedy: str) -> Counter:
    return Counter(_noted("counter", name, labels, meaning, remedy), meaning, labels, registry=REGISTRY)


class _Gauge(Gauge):
    """A gauge whose series can be removed where several processes count together, too."""

    def remove(self, *labelvalues: Any) -> None:
        if shared_folder() is None:
            super().remove(*labelvalues)
        else:
            self.labels(*labelvalues).set(REMOVED)


def _gauge(name: str, *labels: str, meaning: str, remedy: str, each: bool = False) -> Gauge:
    """each: every process has a share of its own, so that several have the sum; else all look at the same."""
    full = _noted("gauge", name, labels, meaning, remedy)
    mode: Literal["livesum", "livemostrecent"] = "livesum" if each else "livemostrecent"
    return _Gauge(full, meaning, labels, registry=REGISTRY, multiprocess_mode=mode)


def _histogram(name: str, *labels: str, meaning: str, remedy: str) -> Histogram:
    full = _noted("histogram", name, labels, meaning, remedy)
    return Histogram(full, meaning, labels, registry=REGISTRY, buckets=QUICK)


feeds_total = _counter(
    "feeds_total",
    "facet",
    "state",
    meaning="Feeds that reached a state: produced, incomplete, done or cancelled.",
    remedy="Many incomplete: Kafka was away while feeds came in; their suppliers have to push again.",
)
feed_items_total = _counter(
    "feed_items_total",
    "supplier",
    "facet",
    "outcome",
    meaning="Items by what became of them: normalized, unchanged, stale, rejected, held, cancelled; of feeds that only "
    "validate none.",
    remedy="A supplier's rejected share rises: look at its dead-letter groups, the worst one first.",
)
withdrawals_total = _counter(
    "withdrawals_total",
    "facet",
    meaning="Keys withdrawn because a full feed did not name them.",
    remedy="A jump that nobody expects: find the feed in `mallgate feeds list`; lower its supplier's brake.",
)
feeds_held = _gauge(
    "feeds_held",
    meaning="Full feeds that wait for an operator: they would withdraw more than their supplier's brake allows.",
    remedy="Above 0: `mallgate feeds held`, then release or reject each; after six days it is rejected.",
)
feed_chunk_seconds = _histogram(
    "feed_chunk_seconds",
    "lane",
    meaning="Time of one chunk from the feeds topic to its committed state.",
    remedy="Rising with publish_seconds: Kafka is slow; rising alone: PostgreSQL is, or the processor is busy.",
)
publish_seconds = _histogram(
    "publish_seconds",
    meaning="Time of publishing one chunk's changed items, to the last ack.",
    remedy="Rising: look at the brokers' request queues, disks and in-sync replicas.",
)
backlog_chunks = _gauge(
    "backlog_chunks",
    "lane",
    meaning="Chunks on the feeds topics that are not taken yet.",
    remedy="Growing: start more processes with the role feeds, up to the number of partitions.",
    each=True,
)
catalog_repairs_total = _counter(
    "catalog_repairs_total",
    meaning="Records sent again because an older one had been appended behind a newer one.",
    remedy="A few follow a broker's freeze; many without one: two databases publish to one Kafka.",
)
source_gaps_total = _counter(
    "source_gaps_total",
    "topic",
    meaning="Times a partition had to go on behind records that Kafka deleted before they were read.",
    remedy="Raise the topic's retention; the suppliers of the feeds left incomplete have to push them again.",
)
topics_remade_total = _counter(
    "topics_remade_total",
    "topic",
    meaning="Times a topic was found made anew, or to end before what had been read of it.",
    remedy="Of a catalog topic: `mallgate catalog rebuild`. Find out who deletes topics.",
)
catalog_rebuilt_total = _counter(
    "catalog_rebuilt_total",
    "facet",
    meaning="Keys that a rebuild published anew, withdrawals among them.",
    remedy="None: it tells how far a rebuild is.",
)
keeper_pending = _gauge(
    "keeper_pending",
    meaning="Records on the catalog topics whose version the state has not reached yet.",
    remedy="Above 0 for minutes: the database was restored, or a feeds worker hangs in its transaction.",
    each=True,
)
dead_letters_total = _counter(
    "dead_letters_total",
    "stage",
    "code",
    meaning="Dead letters written.",
    remedy="Look at the group with this stage and code: `mallgate deadletters groups`.",
)
replays_total = _counter(
    "replays_total",
    "outcome",
    meaning="Replays of dead letters, one by one or in jobs, by what they came to; rejected and failed ones are still "
    "open.",
    remedy="failed: the log has the traceback. rejected: the cause is still there; see `mallgate deadletters groups`.",
)
outbox_pending = _gauge(
    "outbox_pending",
    meaning="Decided outcomes that are not on Kafka yet.",
    remedy="Growing: nobody holds the lease `outbox`, or a topic cannot be written; see outbox_oldest_seconds.",
)
outbox_refused = _gauge(
    "outbox_refused",
    meaning="Decided outcomes that Kafka will never take as they are; later ones of the same key wait behind them.",
    remedy="Above 0: column `refused` of table outbox says why; mend the topic's limits, then set it to null.",
)
outbox_oldest_seconds = _gauge(
    "outbox_oldest_seconds",
    "topic",
    meaning="Age of the oldest decided outcome that is not on its topic yet and is not refused; 0 for none.",
    remedy="One topic rises: it is missing or may not be written, or a key waits behind a refused one. "
    "All rise: nobody holds the lease `outbox`.",
)
http_requests_total = _counter(
    "http_requests_total",
    "route",
    "status",
    meaning="HTTP requests answered, by route and status.",
    remedy="5xx rise: /readyz names the service that is away. 4xx rise: one supplier's client has changed.",
)
http_request_seconds = _histogram(
    "http_request_seconds",
    "route",
    meaning="Time of a request, from its headers to the end of the answer.",
    remedy="Rising with loop_lag_seconds: too much work in this process; alone: slow uploads, Kafka or PostgreSQL.",
)
http_connections_cut_total = _counter(
    "http_connections_cut_total",
    "reason",
    meaning="Connections cut off: stalled (its client took nothing of its answer), refused (there was no room for it).",
    remedy="The log names the peers: connection.stalled, connection.refused. Behind a proxy: MALLGATE_TRUSTED_PROXIES.",
)
pulls_total = _counter(
    "pulls_total",
    "supplier",
    "facet",
    "outcome",
    meaning="Sweeps of a facet that ended: done, or failed with a reason.",
    remedy="failed: `mallgate suppliers status` gives the reason; nothing is withdrawn by such a run.",
)
rereads_total = _counter(
    "rereads_total",
    "supplier",
    "facet",
    meaning="Skus read anew because a message said that they changed.",
    remedy="None for long while messages come: the supplier is away, or its breaker is open.",
)
pool_messages_total = _counter(
    "pool_messages_total",
    "supplier",
    "pool",
    meaning="New messages taken out of suppliers' pools.",
    remedy="None for long: the supplier stopped sending; freshness then rests on sweeps alone.",
)
suppliers_owned = _gauge(
    "suppliers_owned",
    meaning="Suppliers whose sessions run in this process.",
    remedy="0 everywhere: no process has the role sessions. Uneven for minutes: processes do not see each other.",
    each=True,
)
auth_failures_total = _counter(
    "auth_failures_total",
    "code",
    meaning="Requests whose credential was missing, wrong, expired or not allowed to do this.",
    remedy="From one supplier: its key was rotated or expired. From everywhere: someone tries keys.",
)
kafka_rebuilds_total = _counter(
    "kafka_rebuilds_total",
    "client",
    meaning="Kafka clients thrown away and built anew, because they were dead, stalled or timing out.",
    remedy="One follows a broker's restart; steadily rising: a broker is unreachable from this host, or overloaded.",
)
store_errors_total = _counter(
    "store_errors_total",
    "kind",
    meaning="Statements that found PostgreSQL away or too busy.",
    remedy="LockNotAvailable, Deadlock: two processes work on one key range; the rest: the server or the way to it.",
)
topic_away = _gauge(
    "topic_away",
    "topic",
    meaning="1 while a topic takes no records although Kafka answers, as a process last found it.",
    remedy="The log and /readyz say why: deleted, no right to write, a partition without a leader. All else goes on.",
)
chunks_deferred = _gauge(
    "chunks_deferred",
    "topic",
    meaning="Chunks that wait for a catalog topic that is away; their feeds stay `produced`.",
    remedy="Mend the topic: they take effect by themselves. After 7 days Kafka has deleted them: then they are lost.",
)
supplier_calls_total = _counter(
    "supplier_calls_total",
    "supplier",
    "operation",
    "outcome",
    meaning="Calls to suppliers: answered, rejected, unavailable, blocked, rate_limited, auth, contract, unknown, bug.",
    remedy="auth: declare the secrets anew. contract: the interface changed. blocked: the address leads inside.",
)
supplier_call_seconds = _histogram(
    "supplier_call_seconds",
    "supplier",
    meaning="Time of one call, from looking up the name to the last byte.",
    remedy="Above half the supplier's timeout the rate falls by itself; ask the supplier why.",
)
supplier_rate = _gauge(
    "supplier_rate",
    "supplier",
    meaning="Calls a second that a supplier gets now, at most.",
    remedy="Below the configured rate for long: the supplier refuses or is slow; lower rate_per_second in its row.",
)
breaker_open = _gauge(
    "breaker_open",
    "supplier",
    "operation",
    meaning="1 while an operation of a supplier is not called, because it failed too often or refused the credential.",
    remedy="`mallgate suppliers check` names the fault; it closes by itself once a probe is answered.",
)
order_attempts_total = _counter(
    "order_attempts_total",
    "supplier",
    "outcome",
    meaning="Attempts at suppliers to order, confirm or cancel: confirmed, rejected, retry_safe (nothing can have "
    "happened), unknown (it may have).",
    remedy="unknown rises: answers are lost; nothing is sent twice blindly: `mallgate orders list`.",
)
order_lanes_waiting = _gauge(
    "order_lanes_waiting",
    "supplier",
    meaning="Orders of which something waits behind an earlier command of the same order.",
    remedy="Rising: the supplier is slow, paused or away; `mallgate lanes list` says behind what each waits.",
)
order_lanes_stopped = _gauge(
    "order_lanes_stopped",
    "supplier",
    meaning="Orders that wait for a person: parked, held or without an automatic step left.",
    remedy="Above 0: `mallgate orders list`, ask the supplier, then `mallgate orders resolve`.",
)
order_commands = _gauge(
    "order_commands",
    "supplier",
    "state",
    meaning="Commands that have not ended, by where they stand: waiting, sending, retry, unknown, looking_up, parked, "
    "held or dead.",
    remedy="waiting rises where vendors fetch: their program does not come. unknown stays above 0: `mallgate orders "
    "list` says what resolves each. parked, held, dead: see order_lanes_stopped.",
)
order_retries_left = _gauge(
    "order_retries_left",
    "supplier",
    meaning="Retries of commands that a supplier's budget allows at this moment; first attempts need none.",
    remedy="0 for minutes: nearly all that is sent fails; order_attempts_total says how, breaker_open where.",
)
order_rereads_waiting = _gauge(
    "order_rereads_waiting",
    "supplier",
    meaning="Numbers of orders that have to be read at their supplier, because a message or a doubt asked for it.",
    remedy="Rising: the supplier is paused, away or slow; `mallgate suppliers status` says which.",
)
order_rereads_oldest_seconds = _gauge(
    "order_rereads_oldest_seconds",
    "supplier",
    meaning="For how long the oldest of these has been asked for, however often it was put off; 0 for none.",
    remedy="Above an hour with others read meanwhile: that one order fails each time; the log names the fault.",
)
mailbox_unacknowledged = _gauge(
    "mailbox_unacknowledged",
    "supplier",
    meaning="Commands that a vendor's program fetched and has not acknowledged yet.",
    remedy="Above 0 for minutes: that program fails on them; they are handed out again every 60 s.",
)
mailbox_unanswered = _gauge(
    "mailbox_unanswered",
    "supplier",
    meaning="Commands that a vendor's program acknowledged and has not answered yet.",
    remedy="Rising: nobody works on that vendor's orders; ask him, for the mall waits for his answers.",
)
mailbox_oldest_seconds = _gauge(
    "mailbox_oldest_seconds",
    "supplier",
    meaning="Age of the oldest command that was fetched and is not answered, by when it was fetched first; 0 for none.",
    remedy="Above the time in which that vendor answers: `mallgate orders list --supplier NAME`, then ask him.",
)
webhook_requests_total = _counter(
    "webhook_requests_total",
    "supplier",
    "outcome",
    meaning="Messages sent to vendors' webhooks: delivered, gone, redirected, refused, failed, overloaded, "
    "unreachable, blocked.",
    remedy="Anything but delivered rises: `mallgate webhooks show NAME` says what was answered; tell the vendor.",
)
contract_documents_total = _counter(
    "contract_documents_total",
    "supplier",
    "outcome",
    meaning="Documents of contracts that vendors asked for: answered, changed, unavailable.",
    remedy="changed rises: the mall put another file behind the link of a contract; it amends the contract. "
    "unavailable rises: the mall's file server, or MALLGATE_CONTRACT_DOCUMENT_HOSTS.",
)
webhook_oldest_seconds = _gauge(
    "webhook_oldest_seconds",
    "supplier",
    meaning="Age of the oldest message that waits for a vendor with a webhook; 0 for none.",
    remedy="Above minutes: `mallgate webhooks show NAME`; the vendor can fetch it with GET /v1/messages meanwhile.",
)
webhook_disabled = _gauge(
    "webhook_disabled",
    "supplier",
    meaning="1 while nothing is sent to a vendor's webhook: it answered 410, or nothing got through for days.",
    remedy="Ask the vendor; then `mallgate webhooks test NAME` and `mallgate webhooks enable NAME`.",
)
webhooks_owned = _gauge(
    "webhooks_owned",
    meaning="Webhooks that this process sends to.",
    remedy="0 everywhere while suppliers have webhooks: no process has the role sessions.",
    each=True,
)
order_oldest_seconds = _gauge(
    "order_oldest_seconds",
    "supplier",
    meaning="Age of the oldest command that has not ended.",
    remedy="Above minutes: `mallgate suppliers status` shows pauses and breakers, `mallgate lanes list` stops.",
)
token_refreshes_total = _counter(
    "token_refreshes_total",
    "supplier",
    "outcome",
    meaning="Times a supplier was asked for a token: obtained or failed.",
    remedy="failed: the log says why. Far more than its life asks for: somebody else uses the same credentials.",
)
unit_failures_total = _counter(
    "unit_failures_total",
    "loop",
    "error",
    meaning="Tries of a feed, topic, partition, job or item that ended by an error and had it set aside for a while; "
    "its neighbours went on.",
    remedy="The log names the unit once, with the traceback; it is tried again, ever less often, until it goes well.",
)
units_set_aside = _gauge(
    "units_set_aside",
    "loop",
    meaning="Feeds, topics, partitions, jobs and items that are set aside now.",
    remedy="Above 0 for minutes: /readyz names them under `set_aside`, the log says why.",
    each=True,
)
loop_lag_seconds = _histogram(
    "loop_lag_seconds",
    meaning="How late the event loop ran what was due.",
    remedy="Above 0.1 s: something computes inside the loop, or the machine has too few processors.",
)


def exposition() -> bytes:
    """All metrics in the text format that Prometheus reads."""
    return generate_latest(REGISTRY)


class Exposition:
    """The exposition, rendered at most once a second however many ask for it: each rendering takes milliseconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = float("-inf")
        self._rendered = b""
        folder = shared_folder()
        self._shared = None if folder is None else SharedExposition(folder)

    def body(self) -> bytes:
        """The metrics as they were within the last second; of a worker process those of all workers together."""
        if self._shared is not None:
            return self._shared.body()
        if (now := self._clock()) >= self._until:
            self._rendered, self._until = exposition(), now + 1.0
        return self._rendered


def documentation() -> str:
    """All metrics as a Markdown table."""
    rows = (
        f"| `{metric.name}` | {metric.kind} | {', '.join(metric.labels) or '–'} | {metric.meaning} | {metric.remedy} |"
        for metric in DECLARED
    )
    return "\n".join(("| metric | kind | labels | meaning | what to do |", "|---|---|---|---|---|", *rows)) + "\n"
