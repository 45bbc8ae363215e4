"""The log of a simulated JD VOP: every answered call stands in it, whatever happens to the simulator."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from contrib.simulators.jd_vop import Config
from contrib.simulators.jd_vop.load import ask, question
from contrib.simulators.jd_vop.tokens import credentials
from tests.buyer import open_buyer


def lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


async def test_a_line_says_what_was_asked_and_holds_no_secret(tmp_path):
    log = tmp_path / "calls.jsonl"
    async with open_buyer(log=log) as buyer:
        await buyer.order("set_cookie", "skuState")
        await buyer.call("product/skuState", sku="17,18,19")
        await buyer.raw("api/product/getPageNum", token="made-up")
        secrets = [buyer.token["access_token"], buyer.token["refresh_token"], buyer.simulator.config.client_secret]
        told = lines(log)
        assert not any(secret in log.read_text() for secret in secrets)
    assert [line["seq"] for line in told] == [1, 2, 3]
    assert [line["operation"] for line in told] == ["oauth2/accessToken", "product/skuState", "product/getPageNum"]
    assert [line["token"] for line in told] == [None, "T1", "unknown"]
    assert (told[1]["form"], told[1]["skus"], told[1]["status"], told[1]["fault"]) == (
        ({"sku": "17,18,19"}, 3, 200, ["set_cookie"])
    )
    assert not {"password", "sign"} & set(told[0]["form"])


async def test_a_call_that_is_never_answered_stands_in_the_log_with_status_0(tmp_path):
    log = tmp_path / "calls.jsonl"
    async with open_buyer(log=log) as buyer:
        await buyer.order("hang", "getPageNum")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await buyer.call("product/getPageNum")
    assert (lines(log)[-1]["operation"], lines(log)[-1]["status"]) == ("product/getPageNum", 0)


@pytest.mark.crash
async def test_every_answered_call_is_in_the_log_after_the_simulator_is_killed(tmp_path):
    log, config = tmp_path / "calls.jsonl", Config(skus=100_000)
    command = ["-m", "contrib.simulators.jd_vop", "--skus", str(config.skus), "--log", str(log)]
    server = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    assert server.stdout is not None
    port = int(orjson.loads(await server.stdout.readline())["url"].rpartition(":")[2])
    answered: set[str] = set()

    async def caller(number: int, token: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for place in range(100_000):
                form = {"token": token, "sku": f"{number}{place:06d}"}
                await ask(reader, writer, question("/api/product/getDetail", form))
                answered.add(form["sku"])
                if len(answered) == 2000:
                    server.kill()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    grant = await ask(reader, writer, question("/oauth2/accessToken", credentials(config, time.time())))
    writer.close()
    token = orjson.loads(grant)["result"]["access_token"]
    await asyncio.gather(*(caller(number, token) for number in range(1, 17)))
    await server.wait()
    assert len(answered) >= 2000
    assert answered <= {line["form"]["sku"] for line in lines(log) if line["operation"] == "product/getDetail"}
