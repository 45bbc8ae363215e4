"""The ledger of effects is on disk before any answer, and outlives the supplier that wrote it."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from contrib.simulators.jd_vop import Config, ledger
from contrib.simulators.jd_vop.load import ask, question
from contrib.simulators.jd_vop.tokens import credentials
from contrib.simulators.jd_vop.world import yuan
from tests.buyer import open_buyer
from tests.eventually import eventually
from tests.ordering import form, messages, order_id, select, sellable, submit

QUIET = {"skus": 400, "repeat_share": 0.0}


async def test_a_line_says_who_ordered_what_for_how_much_and_when(tmp_path):
    path, log = tmp_path / "ledger.jsonl", tmp_path / "calls.jsonl"
    async with open_buyer(**QUIET, ledger=path, log=log) as buyer:
        item = sellable(buyer)[0]
        fields = form(buyer, "M1", (item, 2)) | {"token": buyer.token["access_token"]}
        headers = {"Idempotency-Key": "k-1", "X-Attempt": "2", "Authorization": "Bearer hidden", "Cookie": "a=hidden"}
        url = f"{buyer.simulator.url}/api/order/submitOrder"
        async with buyer.session.post(url, data=fields, headers=headers) as response:
            assert orjson.loads(await response.read())["success"]
        (entry,) = ledger.read(path)
        assert (entry["seq"], entry["effect"], entry["by"], entry["thirdOrder"]) == (1, "submit", "caller", "M1")
        assert [(line["skuId"], line["num"], line["price"], line["nakedPrice"]) for line in entry["lines"]] == [
            (str(item.sku), 2, yuan(item.price), yuan(item.naked))
        ]
        assert entry["amounts"]["orderPrice"] == yuan(2 * item.price)
        assert abs(entry["at"] - time.time()) < 600
        assert (entry["headers"]["idempotency-key"], entry["headers"]["x-attempt"]) == ("k-1", "2")
        (logged,) = [one for one in ledger.read(log) if one["operation"] == "order/submitOrder"]
        assert (entry["call"], logged["form"]["thirdOrder"]) == (logged["seq"], "M1")
        written = path.read_text(encoding="utf-8")
        hidden = ["hidden", buyer.token["access_token"], fields["name"], fields["mobile"], fields["address"]]
        assert not any(one in written for one in hidden)


async def test_whoever_confirms_and_cancels_is_told_with_the_lines_of_the_order(tmp_path):
    path = tmp_path / "ledger.jsonl"
    async with open_buyer(**QUIET, ledger=path) as buyer:
        for third in ("M1", "M2"):
            await submit(buyer, third)
        await buyer.call("order/confirmOrder", jdOrderId=await order_id(buyer, "M1"))
        await buyer.call("order/cancel", jdOrderId=await order_id(buyer, "M2"))
        told = ledger.read(path)
        assert [(entry["effect"], entry["thirdOrder"]) for entry in told] == [
            ("submit", "M1"),
            ("submit", "M2"),
            ("confirm", "M1"),
            ("cancel", "M2"),
        ]
        assert [entry["lines"] for entry in told[2:]] == [entry["lines"] for entry in told[:2]]
        assert [entry["amounts"] for entry in told[2:]] == [entry["amounts"] for entry in told[:2]]


@pytest.mark.parametrize("ask_for", ["submit", "look up", "messages", "control"])
async def test_no_answer_that_tells_of_an_effect_leaves_before_it_is_on_disk(tmp_path, monkeypatch, ask_for):
    """The disk is held up; whoever could learn of the order waits for it, and nobody else's effect is lost."""
    let, reached = threading.Event(), threading.Event()
    sync = os.fdatasync

    def held(file: int) -> None:
        reached.set()
        assert let.wait(30)
        sync(file)

    async with open_buyer(**QUIET, ledger=tmp_path / "ledger.jsonl") as buyer:
        monkeypatch.setattr(os, "fdatasync", held)
        first = asyncio.create_task(submit(buyer, "M1"))
        await asyncio.to_thread(reached.wait, 30)
        asks = {
            "submit": lambda: submit(buyer, "M1"),
            "look up": lambda: order_id(buyer, "M1"),
            "messages": lambda: messages(buyer),
            "control": lambda: buyer.control("GET", "orders"),
        }
        second = asyncio.create_task(asks[ask_for]())
        done, _ = await asyncio.wait({first, second}, timeout=0.3)
        let.set()
        assert done == set()
        assert (await first)["resultCode"] == "0001"
        assert await second


async def test_a_supplier_takes_its_orders_back_from_its_ledger(tmp_path):
    path = tmp_path / "ledger.jsonl"
    async with open_buyer(**QUIET, ledger=path) as buyer:
        await submit(buyer, "M1", *((item, 2) for item in sellable(buyer, 3)))
        await submit(buyer, "M2")
        id_ = await order_id(buyer, "M1")
        await buyer.call("order/confirmOrder", jdOrderId=id_)
        await buyer.control("POST", "order", third="M1", act="split", into=2)
        child = int((await select(buyer, id_))["cOrder"][0]["jdOrderId"])
        await buyer.control("POST", "order", order=child, act="split")
        await buyer.control("POST", "order", third="M1", act="deliver")
        await buyer.call("order/cancel", jdOrderId=await order_id(buyer, "M2"))
        before, waiting = await buyer.control("GET", "orders"), await messages(buyer)
    async with open_buyer(**QUIET, ledger=path) as buyer:
        assert await buyer.control("GET", "orders") == before
        assert await messages(buyer) == waiting
        assert (await submit(buyer, "M1"))["resultCode"] == "0008"
        assert (await submit(buyer, "M3"))["resultCode"] == "0001"
    told = ledger.read(path)
    assert [entry["seq"] for entry in told] == [*range(1, len(told) + 1)]
    assert len({one["jdOrderId"] for one in before} | {told[-1]["jdOrderId"]}) == len(before) + 1


async def test_an_order_goes_on_where_it_was(tmp_path):
    path = tmp_path / "ledger.jsonl"
    async with open_buyer(**QUIET, ledger=path) as buyer:
        await submit(buyer, "M1", submitState=1)
        for act in ("print", "leave_store"):
            await buyer.control("POST", "order", third="M1", act=act)
    async with open_buyer(**QUIET, ledger=path, step_seconds=60) as buyer:
        for _ in range(7):
            buyer.simulator.clock.skew += 61
            await buyer.control("GET", "orders")
    told = [entry["effect"] for entry in ledger.read(path)]
    assert told == ["submit", "print", "leave_store", "pack", "ship", "await_receipt", "deliver", "finish"]


async def test_a_line_that_was_not_written_to_its_end_counts_for_nothing(tmp_path):
    path = tmp_path / "ledger.jsonl"
    async with open_buyer(**QUIET, ledger=path) as buyer:
        await submit(buyer, "M1")
    path.write_bytes(path.read_bytes() + b'{"seq":2,"effect":"subm')
    assert [entry["thirdOrder"] for entry in ledger.read(path)] == ["M1"]
    async with open_buyer(**QUIET, ledger=path) as buyer:
        await submit(buyer, "M2")
    assert [(entry["seq"], entry["thirdOrder"]) for entry in ledger.read(path)] == [(1, "M1"), (2, "M2")]


async def test_a_reader_of_its_own_counts_a_ledger(tmp_path):
    path = tmp_path / "ledger.jsonl"
    async with open_buyer(**QUIET, ledger=path) as buyer:
        await buyer.order("key_ignored", "submitOrder")
        for third in ("M1", "M2", "M1"):
            await submit(buyer, third)
    command = ["-W", "error", "-m", "contrib.simulators.jd_vop.ledger", str(path)]
    reader = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    told, _ = await reader.communicate()
    assert reader.returncode == 0
    assert orjson.loads(told) == {"effects": {"submit": 3}, "orders": 2, "duplicates": {"M1": 2}}


@asynccontextmanager
async def program(path: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """The simulator as a program of its own, and its port."""
    command = ["-m", "contrib.simulators.jd_vop", "--skus", "400", "--ledger", str(path)]
    server = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    assert server.stdout is not None
    try:
        yield server, int(orjson.loads(await server.stdout.readline())["url"].rpartition(":")[2])
    finally:
        if server.returncode is None:
            server.kill()
        await server.wait()


async def ask_program(port: int, path: str, fields: dict[str, str]) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await ask(reader, writer, question(path, fields))
    finally:
        writer.close()


@pytest.mark.crash
async def test_a_supplier_killed_between_effect_and_answer_has_the_effect_and_knows_the_order_again(tmp_path):
    path = tmp_path / "ledger.jsonl"
    async with open_buyer(skus=400) as model:
        fields = {name: str(value) for name, value in form(model, "M1", (sellable(model)[0], 1)).items()}

    async def token(port: int) -> str:
        told = await ask_program(port, "/oauth2/accessToken", credentials(Config(skus=400), time.time()))
        return str(orjson.loads(told)["result"]["access_token"])

    async def written() -> bool:
        return len(ledger.read(path)) == 1

    async with program(path) as (server, port):
        late = b'{"kind":"latency","operation":"submitOrder","parameters":{"ms":600000}}'
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /_control/faults HTTP/1.1\r\nHost: s\r\nContent-Length: %d\r\n\r\n%s" % (len(late), late))
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        call = asyncio.create_task(ask_program(port, "/api/order/submitOrder", {"token": await token(port)} | fields))
        await eventually(written)
        assert not call.done()
        server.kill()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await call
    async with program(path) as (_, port):
        again = await ask_program(port, "/api/order/submitOrder", {"token": await token(port)} | fields)
        assert orjson.loads(again)["resultCode"] == "0008"
    assert ledger.summary(ledger.read(path))["effects"] == {"submit": 1}


@pytest.mark.crash
async def test_every_order_that_was_answered_is_in_the_ledger_after_the_supplier_is_killed(tmp_path):
    path = tmp_path / "ledger.jsonl"
    answered: set[str] = set()
    async with open_buyer(skus=400) as model:
        fields = {name: str(value) for name, value in form(model, "", (sellable(model)[0], 1)).items()}
    async with program(path) as (server, port):
        told = await ask_program(port, "/oauth2/accessToken", credentials(Config(skus=400), time.time()))
        fields["token"] = orjson.loads(told)["result"]["access_token"]

        async def caller(number: int) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                for place in range(1000):
                    third = f"M{number}-{place}"
                    order = question("/api/order/submitOrder", fields | {"thirdOrder": third})
                    assert orjson.loads(await ask(reader, writer, order))["resultCode"] == "0001"
                    answered.add(third)
                    if len(answered) == 200:
                        server.kill()
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        await asyncio.gather(*(caller(number) for number in range(8)))
    assert len(answered) >= 200
    told_effects = ledger.read(path)
    assert answered <= {entry["thirdOrder"] for entry in told_effects}
    assert ledger.summary(told_effects)["duplicates"] == {}


async def test_without_a_ledger_orders_are_taken_all_the_same():
    async with open_buyer(**QUIET) as buyer:
        await submit(buyer, "M1")
        assert len(await buyer.control("GET", "orders")) == 1
