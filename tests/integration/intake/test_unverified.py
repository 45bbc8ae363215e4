"""Bodies whose sender is not known: so many bytes at once and no more, whoever sends them."""

from __future__ import annotations

import pytest

from gateway.intake.unverified import UnverifiedLimits
from tests.integration.intake.conftest import Gate, Serving, head
from tests.integration.intake.test_bodies import signature
from tests.wire import Wire

BODY = b'{"sku":"A"}\n' * 10

LIMITS = UnverifiedLimits(body=4 * len(BODY), per_address=2 * len(BODY), in_all=3 * len(BODY), retry_after=7)


def lines(*more: str) -> str:
    given = (f"{name.replace('_', '-')}: {value}" for name, value in signature(BODY).items())
    return "".join(f"{line}\r\n" for line in (*given, *more))


async def half_sent(gate: Gate, source: str = "127.0.0.1") -> Wire:
    """A signed push that was let in, and has half of its body still to send."""
    wire = await gate.connect(source)
    await wire.send(head(path="/signed", rest=lines(f"Content-Length: {len(BODY)}", "Expect: 100-continue")))
    assert (await wire.answer()).status == 100
    await wire.send(BODY[: len(BODY) // 2])
    return wire


async def refused(gate: Gate, source: str, *more: str, body: bytes = b"") -> tuple[int, str]:
    """The problem of a signed push, whose client waits for a word before it sends its body."""
    wire = await gate.connect(source)
    await wire.send(head(path="/signed", rest=lines(*more)), body)
    answer = await wire.answer()
    assert (answer.headers["retry-after"], answer.json["retryable"]) == ("7", True)
    assert "bytes" in answer.json["expected"]
    return answer.problem


async def test_a_full_budget_is_told_before_the_body_and_room_comes_back(serving: Serving) -> None:
    async with serving(unverified=LIMITS) as gate:
        one, two = await half_sent(gate), await half_sent(gate)
        asked = (f"Content-Length: {len(BODY)}", "Expect: 100-continue")
        assert await refused(gate, "127.0.0.1", *asked) == (429, "unverified_address_full")
        other = await half_sent(gate, "127.0.0.2")
        assert await refused(gate, "127.0.0.3", *asked) == (503, "unverified_full")
        one.abort()
        for wire in (two, other):
            await wire.send(BODY[len(BODY) // 2 :])
            assert (await wire.answer()).status == 202
        for _ in range(3):
            assert (await gate.push(BODY, path="/signed", **signature(BODY))).status == 202
        assert gate.desk.taken == [BODY.splitlines()] * 5


async def test_a_body_without_a_length_is_cut_off_where_the_budget_ends(serving: Serving) -> None:
    async with serving(unverified=LIMITS) as gate:
        first = await half_sent(gate)
        chunk = b"%x\r\n%b\r\n" % (len(BODY), BODY)
        problem = await refused(gate, "127.0.0.1", "Transfer-Encoding: chunked", body=chunk + chunk)
        assert problem == (429, "unverified_address_full")
        await first.send(BODY[len(BODY) // 2 :])
        assert (await first.answer()).status == 202


@pytest.mark.parametrize("wrong", [b"x" * len(BODY), BODY[:-1] + b" "])
async def test_forged_bodies_leave_the_budget_as_it_was(serving: Serving, wrong: bytes) -> None:
    async with serving(unverified=LIMITS) as gate:
        for _ in range(5):
            answer = await gate.push(wrong, path="/signed", **signature(BODY))
            assert answer.problem == (401, "signature_invalid")
        assert (await gate.push(BODY, path="/signed", **signature(BODY))).status == 202


async def test_bodies_of_known_senders_do_not_count(serving: Serving) -> None:
    async with serving(unverified=LIMITS) as gate:
        for _ in range(2):
            await half_sent(gate)
        assert (await gate.push(BODY * 10)).status == 202


async def test_a_signed_body_has_to_be_whole_in_time(serving: Serving) -> None:
    async with serving(unverified=UnverifiedLimits(seconds=0.1)) as gate:
        wire = await half_sent(gate)
        assert (await wire.answer()).problem == (408, "request_timeout")
