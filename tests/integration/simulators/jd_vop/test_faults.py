"""Every fault that can be ordered does what it says, as a caller sees it."""

from __future__ import annotations

import asyncio
import zlib
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp
import orjson
import pytest

from contrib.simulators.jd_vop.effects import KINDS
from tests.buyer import Buyer, open_buyer
from tests.eventually import eventually

ASK = "product/getPageNum"


async def ask(buyer: Buyer) -> tuple[int, dict[str, str], bytes]:
    return await buyer.raw(f"api/{ASK}", token=buyer.token["access_token"])


async def pages(buyer: Buyer, page: int) -> list[str]:
    answer = await buyer.call("product/getSkuByPage", pageNum="41203101", pageNo=page)
    return [str(sku) for sku in answer["result"]["skuIds"]]


async def test_latency_holds_an_answer_back():
    async with open_buyer() as buyer:
        await buyer.order("latency", parameters={"ms": 60_000})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await ask(buyer)
        await buyer.control("DELETE", "faults")
        await buyer.order("latency", parameters={"ms": 1})
        assert (await ask(buyer))[0] == 200


async def test_a_hanging_call_is_accepted_and_never_answered():
    async with open_buyer() as buyer:
        await buyer.order("hang", ASK)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await ask(buyer)
        assert (await buyer.control("GET", "stats"))["calls"][ASK] == 1
        assert (await buyer.call("product/getSku", pageNum="41203101"))["success"]


async def test_a_hanging_call_is_over_when_the_caller_leaves():
    async with open_buyer() as buyer:
        await buyer.order("hang", ASK)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await ask(buyer)

        async def over() -> bool:
            return bool((await buyer.control("GET", "stats"))["running"] == 0)

        await eventually(over)


async def test_a_dripping_answer_comes_byte_by_byte():
    async with open_buyer() as buyer:
        whole = len((await ask(buyer))[2])
        await buyer.order("drip", parameters={"pause": 0.05})
        url, token = f"{buyer.simulator.url}/api/{ASK}", {"token": buyer.token["access_token"]}
        async with buyer.session.post(url, data=token) as response:
            assert 0 < len(await response.content.readany()) < whole
        await buyer.control("DELETE", "faults")
        await buyer.order("drip", parameters={"pause": 0.0001})
        assert orjson.loads((await ask(buyer))[2])["success"]


@pytest.mark.parametrize("status", [500, 502, 503, 408, 403])
async def test_a_status_comes_instead_of_an_answer(status):
    async with open_buyer() as buyer:
        await buyer.order("status", parameters={"status": status}, times=1)
        assert (await ask(buyer))[0] == status
        assert (await ask(buyer))[0] == 200


@pytest.mark.parametrize(("told", "header"), [(7, "7"), ("soon", "soon"), (1_000_000_000, "1000000000"), (None, None)])
async def test_too_many_requests_say_when_to_come_again(told, header):
    async with open_buyer() as buyer:
        await buyer.order("rate_limited", parameters={"retry_after": told})
        status, headers, _ = await ask(buyer)
        assert (status, headers.get("retry-after")) == (429, header)


async def test_too_many_requests_can_name_a_date():
    async with open_buyer() as buyer:
        await buyer.order("rate_limited", parameters={"retry_after": "date", "seconds": 60})
        _, headers, _ = await ask(buyer)
        assert parsedate_to_datetime(headers["retry-after"]).tzinfo is not None


async def test_garbage_is_no_json():
    async with open_buyer() as buyer:
        await buyer.order("garbage", parameters={"size": 300})
        status, _, body = await ask(buyer)
        assert (status, len(body)) == (200, 300)
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(body)


async def test_a_maintenance_page_comes_with_status_200():
    async with open_buyer() as buyer:
        await buyer.order("html")
        status, headers, body = await ask(buyer)
        assert (status, headers["content-type"]) == (200, "text/html;charset=UTF-8")
        assert body.startswith(b"<!DOCTYPE html>")


async def test_an_answer_cut_off_is_shorter_than_it_said():
    async with open_buyer() as buyer:
        await buyer.order("cut_off")
        with pytest.raises(aiohttp.ClientPayloadError):
            await ask(buyer)


@pytest.mark.parametrize(("kind", "last"), [("cut_json", None), ("unbalanced_json", b"}")])
async def test_json_ends_in_the_middle_while_its_length_is_right(kind, last):
    async with open_buyer() as buyer:
        await buyer.order(kind)
        _, headers, body = await ask(buyer)
        assert int(headers["content-length"]) == len(body)
        assert last is None or body.endswith(last)
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(body)


async def test_a_short_page_is_good_json_with_half_its_skus():
    async with open_buyer(page_size=50) as buyer:
        whole = await pages(buyer, 1)
        await buyer.order("short_page", "getSkuByPage", times=1)
        assert await pages(buyer, 1) == whole[:25]
        assert await pages(buyer, 1) == whole


async def test_a_repeated_page_is_the_one_before():
    async with open_buyer(page_size=50) as buyer:
        first = await pages(buyer, 1)
        await buyer.order("repeated_page", "getSkuByPage", times=1, page="2")
        assert await pages(buyer, 1) == first
        assert await pages(buyer, 2) == first
        assert not set(await pages(buyer, 2)) & set(first)


async def test_a_token_expires_after_so_many_calls():
    async with open_buyer() as buyer:
        await buyer.order("expired_token", "product/*", after=3, times=1)
        codes = [(await buyer.call(ASK))["success"] for _ in range(5)]
        assert codes == [True, True, True, False, False]
        await buyer.sign_in()
        assert (await buyer.call(ASK))["success"]


async def test_messages_are_repeated_and_reordered():
    async with open_buyer() as buyer:
        await buyer.control("POST", "changes", count=5, kinds=["price"])
        ids = [message["id"] for message in (await buyer.call("message/get"))["result"]]
        await buyer.order("repeated_messages", "message/get", times=1)
        assert [message["id"] for message in (await buyer.call("message/get"))["result"]] == ids * 2
        await buyer.order("reordered_messages", "message/get", times=1)
        assert [message["id"] for message in (await buyer.call("message/get"))["result"]] == ids[::-1]


@pytest.mark.parametrize("poison", [{"type": 777, "result": "?"}, {"type": 2, "result": {"skuId": None}}, {}])
async def test_a_poison_message_comes_whatever_is_asked_for_until_it_is_deleted(poison):
    async with open_buyer() as buyer:
        await buyer.order("poison_message", "message/get", parameters=poison, times=1)
        (message,) = (await buyer.call("message/get", type="4"))["result"]
        assert message["type"] == poison.get("type", 777)
        assert (await buyer.call("message/get", type="4"))["result"] == [message]
        await buyer.call("message/del", id=message["id"])
        assert (await buyer.call("message/get", type="4"))["result"] == []


async def test_a_skewed_clock_shows_in_the_times_of_a_token():
    async with open_buyer() as buyer:
        right = buyer.token["time"]
        await buyer.order("clock_skew", "oauth2/*", parameters={"seconds": 300})
        told = (await buyer.sign_in())["result"]
        assert 290_000 < told["time"] - right < 400_000
        await buyer.order("clock_skew", "oauth2/*", parameters={"seconds": 3600})
        assert (await buyer.sign_in())["resultCode"] == "2006"


async def test_a_redirect_points_to_an_internal_address():
    async with open_buyer() as buyer:
        await buyer.order("redirect")
        status, headers, _ = await ask(buyer)
        assert (status, headers["location"]) == (302, "http://169.254.169.254/latest/meta-data/")


async def test_a_huge_body_goes_on_and_on():
    async with open_buyer() as buyer:
        await buyer.order("huge_body")
        url, token, read = f"{buyer.simulator.url}/api/{ASK}", {"token": buyer.token["access_token"]}, 0
        async with buyer.session.post(url, data=token) as response:
            async for piece in response.content.iter_chunked(1 << 20):
                read += len(piece)
                if read > 20 << 20:
                    break
        assert read > 20 << 20


async def test_a_gzip_bomb_is_small_on_the_wire():
    async with open_buyer() as buyer:
        await buyer.order("gzip_bomb", parameters={"size": 64 << 20})
        url, token = f"{buyer.simulator.url}/api/{ASK}", {"token": buyer.token["access_token"]}
        async with buyer.session.post(url, data=token, auto_decompress=False) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            body = await response.read()
        assert len(body) < 1 << 20
        assert len(zlib.decompress(body, 31)) == 64 << 20


async def test_a_cookie_is_set():
    async with open_buyer() as buyer:
        await buyer.order("set_cookie", parameters={"cookie": "who=me"})
        assert (await ask(buyer))[1]["set-cookie"] == "who=me"


@pytest.mark.parametrize("empty", [None, "", [], {}])
async def test_an_empty_result_comes_in_every_form(empty):
    async with open_buyer() as buyer:
        await buyer.order("empty", "message/get", parameters={"as": empty})
        answer = await buyer.call("message/get")
        assert (answer["success"], answer["result"]) == (True, empty)


async def test_a_connection_is_reset():
    async with open_buyer() as buyer:
        await buyer.order("reset")
        with pytest.raises(aiohttp.ClientOSError, match="reset by peer"):
            await ask(buyer)


async def test_an_answer_comes_in_gbk():
    async with open_buyer() as buyer:
        await buyer.order("gbk")
        _, headers, body = await ask(buyer)
        assert headers["content-type"] == "application/json;charset=GBK"
        assert "办公用纸" in body.decode("gbk")


async def test_a_fault_with_a_probability_strikes_some_calls():
    async with open_buyer() as buyer:
        await buyer.order("status", probability=0.5)
        statuses = [(await ask(buyer))[0] for _ in range(60)]
        assert {200, 503} == set(statuses)


async def test_a_fault_stands_until_it_is_cleared_and_strikes_no_other_operation():
    async with open_buyer() as buyer:
        one = await buyer.order("status", ASK, until_cleared=True)
        await buyer.order("set_cookie", ASK)
        assert [rule["kind"] for rule in await buyer.control("GET", "faults")] == ["status", "set_cookie"]
        assert {(await ask(buyer))[0] for _ in range(3)} == {503}
        assert (await buyer.call("product/getSku", pageNum="41203101"))["success"]
        assert await buyer.control("DELETE", f"faults?id={one}") == {"cleared": 1}
        assert (await ask(buyer))[0] == 200
        assert (await buyer.control("GET", "stats"))["faults"] == {"status": 3, "set_cookie": 4}


@pytest.mark.parametrize("order", [{"kind": "earthquake"}, {"kind": "hang", "often": True}, {}])
async def test_an_order_that_is_not_understood_is_refused(order):
    async with open_buyer() as buyer:
        assert (await buyer.told("POST", "faults", **order))[0] == 400


@pytest.mark.parametrize(
    ("answer", "status", "code"), [("429", 429, None), ("3021", 200, "3021"), ("3041", 200, "3041")]
)
async def test_calls_beyond_the_rate_are_refused(answer, status, code):
    async with open_buyer() as buyer:
        await buyer.control("POST", "limit", rate=2, answer=answer, retry_after=3)
        answers = [await ask(buyer) for _ in range(20)]
        over = [(status, headers, body) for status, headers, body in answers if not orjson.loads(body)["success"]]
        assert len(over) >= 10
        assert {status for status, _, _ in over} == {status}
        assert code is None or orjson.loads(over[0][2])["resultCode"] == code
        assert code is not None or over[0][1]["retry-after"] == "3"
        assert (await buyer.control("GET", "stats"))["limited"] == len(over)


def test_every_kind_of_fault_has_a_test():
    tests = Path(__file__).parents[3]
    told = "".join(path.read_text(encoding="utf-8") for path in tests.glob("*/simulators/jd_vop/test_*.py"))
    assert {kind for kind in KINDS if f'"{kind}"' not in told} == set()
