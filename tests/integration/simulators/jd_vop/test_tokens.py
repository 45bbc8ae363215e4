"""Who may call a simulated JD VOP, and for how long."""

from __future__ import annotations

import time

import orjson
import pytest

from contrib.simulators.jd_vop.clock import local
from contrib.simulators.jd_vop.tokens import credentials, sign
from tests.buyer import Buyer, open_buyer


async def refresh(buyer: Buyer, **changes: str) -> dict[str, object]:
    config = buyer.simulator.config
    form = {"client_id": config.client_id, "client_secret": config.client_secret}
    _, _, body = await buyer.raw(
        "oauth2/refreshToken", **{**form, "refresh_token": buyer.token["refresh_token"], **changes}
    )
    return dict(orjson.loads(body))


async def test_a_good_signature_buys_a_token():
    async with open_buyer(token_life=7200) as buyer:
        assert buyer.token["expires_in"] == 7200
        assert {"uid", "access_token", "refresh_token", "time", "refresh_token_expires"} <= buyer.token.keys()
        assert (await buyer.call("product/getPageNum"))["success"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sign": "0" * 32}, "2003"),
        ({"client_id": "other"}, "1005"),
        ({"grant_type": "password"}, "1003"),
        ({"username": "someone"}, "2002"),
        ({"timestamp": local(time.time() - 700)}, "2006"),
        ({"timestamp": "yesterday"}, "1002"),
    ],
)
async def test_a_question_for_a_token_that_is_wrong_is_refused(changes, code):
    async with open_buyer() as buyer:
        form = credentials(buyer.simulator.config, time.time()) | changes
        if "sign" not in changes:
            form["sign"] = sign(form, buyer.simulator.config.client_secret)
        _, _, body = await buyer.raw("oauth2/accessToken", **form)
        assert (orjson.loads(body)["success"], orjson.loads(body)["resultCode"]) == (False, code)


async def test_a_caller_whose_clock_is_right_is_refused_by_a_supplier_whose_clock_is_wrong():
    async with open_buyer(skew=900) as buyer:
        _, _, body = await buyer.raw("oauth2/accessToken", **credentials(buyer.simulator.config, time.time()))
        assert orjson.loads(body)["resultCode"] == "2006"


@pytest.mark.parametrize("code", ["2007", "1004"])
async def test_a_new_token_ends_the_old_one(code):
    async with open_buyer(expired_as=code) as buyer:
        old = dict(buyer.token)
        await buyer.sign_in()
        assert (await buyer.call("product/getPageNum"))["success"]
        buyer.token = old
        status, _, body = await buyer.raw("api/product/getPageNum", token=old["access_token"])
        assert (status, orjson.loads(body)["success"], orjson.loads(body)["resultCode"]) == (200, False, code)


async def test_refreshing_ends_both_old_tokens():
    async with open_buyer() as buyer:
        answer = await refresh(buyer)
        assert answer["success"]
        assert (await buyer.call("product/getPageNum"))["resultCode"] == "2007"
        assert (await refresh(buyer))["resultCode"] == "2011"
        assert (await buyer.control("GET", "stats"))["tokens"] == {"issued": 1, "refreshed": 1}


async def test_a_token_dies_at_the_end_of_its_life_and_can_be_refreshed():
    async with open_buyer(token_life=60) as buyer:
        buyer.simulator.clock.skew += 61
        assert (await buyer.call("product/getPageNum"))["resultCode"] == "2007"
        assert (await refresh(buyer))["success"]


async def test_a_refresh_token_dies_too():
    async with open_buyer(refresh_life=60) as buyer:
        buyer.simulator.clock.skew += 61
        assert (await refresh(buyer))["resultCode"] == "2012"


@pytest.mark.parametrize("token", [{}, {"token": "made-up"}])
async def test_without_a_token_nothing_is_answered(token):
    async with open_buyer() as buyer:
        _, _, body = await buyer.raw("api/product/getPageNum", **token)
        assert orjson.loads(body)["resultCode"] == "2007"


async def test_a_method_that_does_not_exist_is_refused_by_the_gateway_layer():
    async with open_buyer() as buyer:
        assert (await buyer.call("product/getEverything"))["resultCode"] == "3025"
