"""What there is of contracts, invoices and services, read from outside at the end of a run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from contrib.simulators.ledger import read
from gateway.embedded import Engines
from schemas import contracts, orders
from schemas.base import Model
from schemas.base import read as read_model
from tests.chaos.ending import rows
from tests.chaos.ledgers import API, FETCHES, HOOK, Ledgers
from tests.chaos.receiver import digest
from tests.chaos.recorder import Recorder
from tests.history.conversation_recorded import Effect
from tests.reader import Entry, read_topics

KEPT = """
    SELECT command_id, supplier, order_no AS lane, place, state FROM commands WHERE supplier = ANY($1::text[])
"""

FAMILIES = (
    *("contract.", "invoice.", "aftersale.", "refund."),
    *("order.confirmed", "order.partially_confirmed", "shipment."),
)
"""Events that say something of it."""

OURS = re.compile(r"\[([0-9A-Za-z._-]+)\]$")
"""Our number of a service, at the end of what the first supplier is told is wrong."""

Json = Mapping[str, Any]

MODELS: Mapping[str, type[Model]] = {
    **{str(name): each for name, each in orders.COMMANDS.items()},
    **{str(name): each for name, each in contracts.COMMANDS.items()},
}
"""The schema of each operation."""


async def write_down(engines: Engines, recorder: Recorder, ledgers: Ledgers, commands: Sequence[str]) -> None:
    """commands: ids of those that were asked beside orders."""
    of_orders = await read_topics(engines.kafka_bootstrap, "mall.orders.")
    of_contracts = await read_topics(engines.kafka_bootstrap, "mall.contracts.")
    for entry in [*of_orders["events.v1"], *of_contracts["events.v1"]]:
        content = orjson.loads(entry.value or b"null")
        unsupported = content["event"] == "order.unsupported" and content["cause"].get("command_id") in commands
        if content["event"].startswith(FAMILIES) or unsupported:
            _note_event(recorder, entry, content)
    for message in _messages([*of_orders["commands.v1"], *of_contracts["commands.v1"]]):
        recorder.record("conversation.message", **message)
    for row in await rows(engines.database_url, KEPT, [FETCHES, HOOK]):
        recorder.record("conversation.kept", **row)
    for effect in effects(ledgers):
        recorder.record("conversation.effect", **effect._asdict())


def _note_event(recorder: Recorder, entry: Entry, content: Json) -> None:
    place = {"partition": entry.partition, "offset": entry.offset}
    key = (entry.key or b"").decode()
    recorder.record("conversation.event", ce_id=entry.ce_id, key=key, **place, content=content)


def _messages(records: Sequence[Entry]) -> Iterator[dict[str, Any]]:
    """The commands for vendors, each as it came first."""
    known = set[str]()
    for record in records:
        said = _as_read(record.value or b"")
        if said is not None and said["supplier"] in (FETCHES, HOOK) and said["command_id"] not in known:
            known.add(said["command_id"])
            yield {"id": said["command_id"], "supplier": said["supplier"], "sha256": digest(said)}


def _as_read(value: bytes) -> Json | None:
    """A command as the schema of its operation has it, with members that the core left out; None for anything else."""
    try:
        said = orjson.loads(value)
        model = MODELS[said["operation"]]
        found: Json = orjson.loads(read_model(model, value).model_dump_json())
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
    return found


def effects(ledgers: Ledgers) -> Iterator[Effect]:
    """What suppliers have done about invoices and services, and what they delivered."""
    for supplier, path in ((FETCHES, ledgers.fetches), (HOOK, ledgers.hook)):
        for entry in read(path):
            if entry["effect"] in ("invoice", "after_sale", "cancel_after_sale", "deliver"):
                number = entry.get("mark_id") or entry.get("service_no") or ""
                asked = entry["by"] == "caller"
                yield Effect(supplier, entry["effect"], entry["order_no"], number, _native(entry), asked)
    yield from _of_jd(read(ledgers.api))


def _native(entry: Json) -> Mapping[str, float]:
    found = Counter[str]()
    for line in entry["lines"]:
        found[line["sku"]] += float(line["quantity"])  # type: ignore[assignment]  # fractions as well
    return dict(found)


def _of_jd(entries: Sequence[Json]) -> Iterator[Effect]:
    numbers: dict[str, str] = {}
    for entry in entries:
        kind, asked = entry["effect"], entry["by"] == "caller"
        lines: Mapping[str, float] = {}
        match kind:
            case "invoice":
                number = entry["markId"]
            case "after_sale":
                found = OURS.search(entry["questionDesc"])
                number = numbers[entry["afsServiceId"]] = found[1] if found else entry["afsServiceId"]
                lines = {str(entry["skuId"]): float(entry["skuNum"])}
            case "cancel_after_sale":
                number = numbers[entry["afsServiceId"]]
            case "deliver":
                number = ""
                lines = {line["skuId"]: float(line["num"]) for line in entry["lines"]}
            case _:
                continue
        yield Effect(API, kind, entry["thirdOrder"], number, lines, asked)


def found_done(command: Json, ledgers: Ledgers) -> bool:
    """Whether a supplier says that he has done what a command beside orders asks for."""
    kinds = {"invoice.request": "invoice", "aftersale.request": "after_sale", "aftersale.cancel": "cancel_after_sale"}
    if command["operation"].startswith("contract."):
        path = ledgers.hook if command["supplier"] == HOOK else ledgers.fetches
        return any(entry.get("message_id") == command["command_id"] for entry in read(path))
    number = command["payload"].get("mark_id") or command["payload"]["service_no"]
    wanted = (command["supplier"], kinds[command["operation"]], number)
    return any((each.supplier, each.kind, each.number) == wanted for each in effects(ledgers))
