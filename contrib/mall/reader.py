"""The separate reader: what became of orders and of what serves them, by topics, ledgers and logs of calls alone.

`python -m contrib.mall.reader --bootstrap HOST:PORT --ledger jd_vop:SUPPLIER:FILE --calls jd_vop:SUPPLIER:FILE` prints
it as one JSON object, and ends with 1 when an order is lost, was made twice, or breaks a rule of the verdict.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import uvloop

from contrib.mall import kafka
from contrib.mall.account import SERVING, Run, account
from contrib.mall.core import COMMANDS, CONTRACT_COMMANDS, CONTRACT_EVENTS, EVENTS, event_of
from contrib.mall.orders import Command, Event
from contrib.mall.records import LEDGERS
from contrib.mall.traffic import Entry, Traffic, traffic_of_jd, traffic_of_native
from contrib.mall.verdict import Record
from contrib.simulators.ledger import read

TRAFFIC: Mapping[str, Callable[[Iterable[Entry]], Traffic]] = {"jd_vop": traffic_of_jd, "native": traffic_of_native}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """What a command line asks for."""
    parser = argparse.ArgumentParser("python -m contrib.mall.reader", description=__doc__)
    kafka.add_options(parser)
    of = "jd_vop|native:SUPPLIER:FILE; repeat it"
    parser.add_argument("--ledger", action="append", default=[], type=_file, help=f"of effects: {of}")
    parser.add_argument("--calls", action="append", default=[], type=_file, help=f"log of calls, native: ledger: {of}")
    return parser.parse_args(arguments)


def _file(text: str) -> tuple[str, str, Path]:
    simulator, supplier, path = text.split(":", 2)
    if simulator not in LEDGERS:
        raise ValueError(f"{simulator} is none of {', '.join(LEDGERS)}")
    return simulator, supplier, Path(path)


async def read_run(asked: argparse.Namespace) -> Run:
    """Everything that there is to read, each command once."""
    commands: dict[str, Command] = {}
    events: list[Event] = []
    written: dict[str, int] = {}
    topics = [asked.prefix + topic for topic in (COMMANDS, EVENTS, CONTRACT_COMMANDS, CONTRACT_EVENTS)]
    async with kafka.open_consumer(kafka.client_options(asked), topics) as consumer:
        async for record in kafka.read_to_end(consumer):
            if record.topic.endswith((COMMANDS, CONTRACT_COMMANDS)):
                command = Command(record.value, orjson.loads(record.value))
                commands.setdefault(command.id, command)
                written.setdefault(command.id, record.timestamp)
            else:
                events.append(event_of(record))
                written.setdefault(events[-1].ce_id, record.timestamp)
    effects = [each for kind, supplier, path in asked.ledger for each in LEDGERS[kind](read(path), supplier)]
    traffic = {supplier: TRAFFIC[kind](read(path)) for kind, supplier, path in asked.calls}
    return Run(Record([*commands.values()], events, effects), written, traffic)


def is_sound(found: Mapping[str, Any]) -> bool:
    """Whether nothing that must not be was found."""
    parts = [found, *(found[subject] for subject in SERVING)]
    return not any(part[name] for part in parts for name in ("duplicates", "lost", "violations"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the account of all orders."""
    asked = parse(arguments)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = account(runner.run(read_run(asked)))
    print(orjson.dumps(found).decode())
    return 0 if is_sound(found) else 1


if __name__ == "__main__":
    sys.exit(main())
