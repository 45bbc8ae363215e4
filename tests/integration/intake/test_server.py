"""The server as a whole: every answer says which request it answers, and the end is orderly."""

from __future__ import annotations

import asyncio

import pytest

from gateway.http.addresses import AddressError
from gateway.telemetry import metrics
from tests.eventually import eventually
from tests.integration.intake.conftest import LONG_PIECES, PIECE, Gate, Serving, head

GET = "GET {} HTTP/1.1\r\nHost: x\r\n{}\r\n".format
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("path", ["/ping", "/stream"])
async def test_a_success_names_its_request_and_not_our_software(gate: Gate, path: str) -> None:
    answer = await gate.send(GET(path, "X-Request-Id: r-7\r\n"))
    assert (answer.status, answer.headers["x-request-id"], answer.headers["server"]) == (200, "r-7", "mallgate")


@pytest.mark.parametrize("path", ["/ping", "/stream", "/moved", "/nowhere", "/boom", "/away", " "])
async def test_every_answer_is_for_who_asked_alone_and_no_page_of_anybodys(gate: Gate, path: str) -> None:
    headers = (await gate.send(GET(path, ""))).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


async def test_a_problem_carries_the_callers_ids(gate: Gate) -> None:
    answer = await gate.send(GET("/nowhere", f"X-Request-Id: r-7\r\ntraceparent: {PARENT}\r\n"))
    assert answer.problem == (404, "not_found")
    assert (answer.json["request_id"], answer.json["trace_id"]) == ("r-7", PARENT[3:35])


async def test_a_wrong_method_is_told_the_right_ones(gate: Gate) -> None:
    answer = await gate.send(GET("/records", ""))
    assert answer.problem == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


async def test_a_fault_of_ours_shows_nothing_of_itself(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    answer = await gate.send(GET("/boom", ""))
    assert answer.problem == (500, "internal_error")
    assert b"secret detail" not in answer.body


@pytest.mark.parametrize(
    ("path", "status", "code", "wait"),
    [("/away", 503, "kafka_unavailable", "5"), ("/full", 429, "rate_limited", "3")],
)
async def test_what_will_pass_says_when_to_come_back(gate: Gate, path: str, status: int, code: str, wait: str) -> None:
    answer = await gate.send(GET(path, ""))
    assert answer.problem == (status, code)
    assert (answer.headers["retry-after"], answer.json["retryable"]) == (wait, True)
    assert b"broker-7" not in answer.body


async def test_an_answer_that_breaks_off_is_cut_off_not_continued_with_another(gate: Gate) -> None:
    wire = await gate.connect()
    await wire.send(GET("/broken", ""))
    received = await wire.closed()
    assert received.endswith(b"4\r\npong\r\n")
    assert received.count(b"HTTP/1.1") == 1


async def test_a_redirection_is_no_problem(gate: Gate) -> None:
    answer = await gate.send(GET("/moved", ""))
    assert (answer.status, answer.headers["location"]) == (302, "/ping")


async def test_an_unknown_expectation_is_a_problem_too(gate: Gate) -> None:
    assert (await gate.send(GET("/ping", "Expect: miracles\r\n"))).problem == (400, "bad_header")


async def test_a_client_that_asks_first_is_told_to_go_on(gate: Gate) -> None:
    wire = await gate.connect()
    await wire.send(head(path="/records", rest="Content-Length: 3\r\nExpect: 100-continue\r\n"))
    assert (await wire.answer()).status == 100
    await wire.send(b"{}\n")
    assert (await wire.answer()).status == 202


async def test_requests_are_counted_by_route_not_by_path(gate: Gate) -> None:
    def count(route: str, status: str) -> float:
        return (
            metrics.REGISTRY.get_sample_value("mallgate_http_requests_total", {"route": route, "status": status}) or 0.0
        )

    before = count("/ping", "200"), count("unmatched", "404")
    await gate.send(GET("/ping", ""))
    await gate.send(GET("/a", ""))
    await gate.send(GET("/b", ""))
    assert (count("/ping", "200"), count("unmatched", "404")) == (before[0] + 1, before[1] + 2)


async def test_an_upload_under_way_is_finished_when_the_server_stops(serving: Serving) -> None:
    async with serving() as gate:
        uploading, idle, half = [await gate.connect() for _ in range(3)]
        await idle.send(GET("/ping", ""))
        assert (await idle.answer()).status == 200
        await half.send("GET /ping HT")
        await uploading.send(head(path="/records", rest="Content-Length: 6\r\n"), b"{}\n")
        await gate.desk.began.wait()
        stopping = asyncio.create_task(gate.stop())
        assert await idle.closed() == await half.closed() == b""
        with pytest.raises(ConnectionRefusedError):
            await gate.connect()
        assert not stopping.done()
        await uploading.send(b"{}\n")
        assert (await uploading.answer()).status == 202
        assert await uploading.closed() == b""
        await stopping
    assert gate.desk.taken == [[b"{}", b"{}"]]


async def test_an_answer_that_is_being_sent_is_sent_in_full_when_the_server_stops(serving: Serving) -> None:
    async def refuses() -> bool:
        try:
            await gate.connect()
        except ConnectionError:
            return True
        return False

    async with serving() as gate:
        wire = await gate.connect()
        await wire.send(GET("/large", ""))
        received = len(await wire.read(PIECE))
        stopping = asyncio.create_task(gate.stop())
        await eventually(refuses)
        while piece := await wire.read(PIECE):
            received += len(piece)
        assert received > LONG_PIECES * PIECE
        await stopping


async def test_a_request_that_outlives_the_drain_is_ended(serving: Serving) -> None:
    async with serving(drain_timeout=0.2) as gate:
        wire = await gate.connect()
        await wire.send(GET("/held", ""))
        await gate.desk.began.wait()
        await gate.stop()
        assert await wire.closed() == b""


async def test_several_processes_can_share_a_port(serving: Serving) -> None:
    async with serving(reuse_port=True) as one, serving(reuse_port=True, port=one.port) as other:
        assert (await other.send(GET("/ping", ""))).status == 200


async def test_a_taken_port_is_an_error(gate: Gate, serving: Serving) -> None:
    with pytest.raises(AddressError, match="Address already in use"):
        async with serving(port=gate.port):
            pass
