"""Bodies of operators' requests: read within limits, and not on the event loop."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from aiohttp.streams import StreamReader
from aiohttp.test_utils import make_mocked_request

from gateway.admin.http import MAX_BODY, MAX_VALUES, read_json
from gateway.http.problems import ProblemError
from tests.turns import turns_of_others


class Connection:
    """What a stream asks of its connection."""

    _reading_paused = False

    def pause_reading(self) -> None: ...
    def resume_reading(self, resume_parser: bool = True) -> None: ...


async def read(body: bytes) -> Any:
    stream = StreamReader(Connection(), MAX_BODY, loop=asyncio.get_running_loop())  # type: ignore[arg-type]
    stream.feed_data(body)
    stream.feed_eof()
    return await read_json(make_mocked_request("POST", "/", payload=stream))


async def test_others_have_their_turns_while_a_long_body_is_read() -> None:
    async with turns_of_others() as turns:
        await read(orjson.dumps(["x"] * (MAX_VALUES - 1)))
    assert turns.count > 1


async def test_as_many_values_are_taken_as_long_category_maps_have() -> None:
    document = {f"c{number}": "x" for number in range(MAX_VALUES - 1)}
    assert await read(orjson.dumps(document)) == document
    assert await read(orjson.dumps({"patch": "[,{" * MAX_VALUES})) == {"patch": "[,{" * MAX_VALUES}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"a":[%b1]}' % (b"[]," * MAX_VALUES), "validation_failed"),
        (b"[%b" % (b"1," * MAX_VALUES), "validation_failed"),
        (b"{", "malformed_json"),
        (b'{"a":"\\u0000"}', "validation_failed"),
        (b'{"a\\u001b":1}', "validation_failed"),
    ],
)
async def test_what_cannot_be_taken_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(ProblemError) as caught:
        await read(body)
    assert caught.value.code == code
