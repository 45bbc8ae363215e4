"""What an envelope of JD VOP means: an answer, nothing, or an error; what no table lists is never read as either."""

from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.jd_vop import Adapter, replies
from adapters.jd_vop.options import Options
from gateway import sdk
from schemas.catalog import Facet, PriceFacts, ProductFacts, Quote

ADAPTER = Adapter(Options(areas=("7_412_3545",)))
OPERATIONS = [*sorted(replies.NOTHING), "get_province", "message_del", "access_token"]
READ = {"get_sell_price": Facet.PRICE, "sku_state": Facet.LISTING, "get_new_stock_by_id": Facet.STOCK}
BESIDE = ("check", "check_area_limit")
ABSENT = object()


def reply(operation: str, success: object, code: object, result: object, message: str = "") -> sdk.Reply:
    given = {"success": success, "resultCode": code, "resultMessage": message, "result": result}
    body = sdk.encode({name: value for name, value in given.items() if value is not ABSENT})
    return sdk.Reply(operation, 200, {}, body)


def refused(operation: str, success: object, code: object, result: object, message: str = "") -> type | None:
    answered = reply(operation, success, code, result, message)
    try:
        ADAPTER.judge(answered)
        replies.read(answered)
    except sdk.SupplierError as error:
        return type(error)
    return None


@pytest.mark.parametrize(("operation", "codes"), replies.NOTHING.items())
@pytest.mark.parametrize("empty", [None, "", [], {}])
def test_a_code_that_is_listed_for_an_operation_says_nothing(operation, codes, empty):
    for code in codes:
        assert refused(operation, False, code, empty) is None
        assert refused(operation, True, code, empty) is None
        assert refused(operation, ABSENT, code, empty) is sdk.ContractError
        assert refused(operation, False, code, [1]) is sdk.ContractError


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("code", sorted(replies.DONE))
def test_a_yes_holds_something_but_where_it_is_listed(operation, code):
    listed = code in replies.EMPTY.get(operation, ())
    empties: list[object] = [None, "", [], {}, "[]", "{}"]
    for empty in empties:
        assert refused(operation, True, code, empty) is (None if listed else sdk.ContractError)
    assert refused(operation, True, code, [{"skuId": 1}]) is None
    assert refused(operation, ABSENT, code, [{"skuId": 1}]) is None


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_code_that_nobody_lists_is_no_answer(operation):
    successes: tuple[object, ...] = (True, 1, "true", None, ABSENT, 0, "0", False, "maybe", 2, [], {})
    codes = ("PARAM_VALUE_ERROR", "5002", "1003x")
    results: tuple[object, ...] = (None, "", [], {}, "[]", [{"skuId": 1}], ABSENT)
    for success, code, result in product(successes, codes, results):
        found = refused(operation, success, code, result)
        assert found is sdk.ContractError or (found is sdk.AuthError and operation in replies.TOKENS)


@pytest.mark.parametrize(("code", "error"), replies.BUSINESS.items())
def test_a_fault_that_is_listed_is_that_error(code, error):
    for success in (True, False):
        assert refused("get_sell_price", success, code, None) is error


@given(
    operation=st.sampled_from(sorted(READ)),
    success=st.sampled_from([True, False, None, ABSENT, 0, 1, "true", "false", ""]) | st.text(max_size=3),
    code=st.sampled_from([None, ABSENT, "", "0", "1", "0000", "0010", "2004", "3001", "3405", 0, 10])
    | st.text(max_size=6),
    result=st.sampled_from([None, ABSENT, "", [], {}, "[]", "{}", "null", 0, False, [{}], [[]], [None]]),
    message=st.sampled_from(["", "操作成功", "9不在您的商品池中", "您不具有如下商品购买权限skuIds:[9]"]),
    skus=st.sampled_from([("31",), ("31", "32")]),
)
def test_nothing_that_is_not_listed_says_anything_of_goods(operation, success, code, result, message, skus):
    facet = READ[operation]
    answered = reply(operation, success, code, result, message).body
    other = {Facet.LISTING: "check", Facet.STOCK: "check_area_limit"}.get(facet)
    exchange = sdk.Exchange(
        skus,
        {operation: answered, **({other: reply(other, True, "0000", [{"skuId": 1}]).body} if other else {})},
        {"area": "7_412_3545", "num": 1, "skus": len(skus)},
    )
    record = sdk.Record(facet, exchange.encode(), datetime(2026, 5, 1, tzinfo=UTC))
    try:
        found = [each for each in ADAPTER.normalise(record) if isinstance(each, sdk.Item)]
    except (sdk.ContractError, sdk.InvalidMessageError):
        return
    listed = replies.plain_text(code if code is not ABSENT else None) in replies.NOTHING[operation]
    said = listed and len(skus) == 1 and success not in (None, ABSENT)
    assert not found or said


@pytest.mark.parametrize(
    "message",
    [
        "3780980不在您的商品池中",
        "商品[3780980]不在您的商品池中",
        "商品3780980不存在或不在商品池",
        "skuId为3780980的商品不存在",
        '您不具有如下商品购买权限skuIds:["3780980"]',
        "您不具有如下商品购买权限skuId：3780980",
        "1不在您的商品池中；3780980不在您的商品池中",
        "以下商品不在您的商品池中：1，3780980",
        "无此商品(3780980)",
    ],
)
def test_words_name_the_sku_that_they_are_about(message):
    answer = replies.read(reply("get_sell_price", False, "2004", None, message))
    assert answer.names(["31", "3780980", "378098"]) == ["3780980"]
    assert not any(digit in answer.words for digit in "3780980")


@pytest.mark.parametrize("message", ["待检测商品数量超过31个！", "参数31错误", "A31不存在", "31可售；9不在商品池中"])
def test_a_number_that_is_not_said_to_be_missing_names_no_sku(message):
    assert not replies.read(reply("get_sell_price", False, "2004", None, message)).names(["31"])


class Shop:
    """A supplier that refuses a whole batch for its bad skus, and names so many of them a time."""

    def __init__(self, bad: set[str], named: int) -> None:
        self.bad, self.named, self.calls = bad, named, 0

    async def call(self, request: sdk.Request) -> sdk.Reply:
        self.calls += 1
        skus = request.form["sku"].split(",")
        if wrong := [sku for sku in skus if sku in self.bad]:
            words = f"{'，'.join(wrong[: self.named])}不在您的商品池中"
            return reply(request.operation, False, "2004", None, words)
        return reply(request.operation, True, "0000", [{"skuId": int(sku), "price": 1.5} for sku in skus])


@pytest.mark.parametrize(("named", "least"), [(1, 11), (3, 5), (10, 2)])
async def test_skus_that_are_named_cost_one_question_a_time(named, least):
    skus = [str(100_000 + number) for number in range(100)]
    shop = Shop(set(skus[5::10]), named)
    exchanges = await ADAPTER.read(shop, Facet.PRICE, skus, "")
    assert shop.calls == least
    records = [sdk.Record(Facet.PRICE, each.encode(), datetime(2026, 5, 1, tzinfo=UTC)) for each in exchanges]
    facts = [item.facts for record in records for item in ADAPTER.normalise(record) if isinstance(item, sdk.Item)]
    quotes = {each.sku: each.quote for each in facts if isinstance(each, PriceFacts)}
    assert quotes == {sku: Quote.NO_QUOTE if sku in shop.bad else Quote.QUOTED for sku in skus}


@pytest.mark.parametrize("operation", sorted(replies.PLACED))
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("3009", ""),
        ("3554", "地址有误"),
        ("1002", "area格式不正确"),
        (None, "province、city输入不能为空!"),
        ("1003", "该地址不存在"),
    ],
)
def test_a_refused_area_is_told_from_refused_goods(operation, code, message):
    assert refused(operation, False, code, None, message) is sdk.AreaRefusedError
    assert refused("get_sell_price", False, code, None, message) is sdk.ContractError
    assert refused(operation, False, "5002", None, "商品3780980在该区域不能配送") is sdk.ContractError


class Gallery:
    """A supplier that refuses to tell the images of some skus, and of whoever is asked about beside."""

    def __init__(self, bad: set[str], no: tuple[Any, ...]) -> None:
        self.bad, self.no = bad, no

    async def call(self, request: sdk.Request) -> sdk.Reply:
        skus = request.form["sku"].split(",")
        if request.operation == "get_detail":
            return reply(request.operation, True, "0000", {"sku": skus[0], "name": "计算器"})
        found = reply(request.operation, *self.no)
        if not self.bad & set(skus):
            found = reply(request.operation, True, "0000", {sku: [{"path": f"jfs/{sku}.jpg"}] for sku in skus})
        ADAPTER.judge(found)
        return found


@pytest.mark.parametrize(
    "no",
    [(False, "5002", None), (False, "2004", None), (False, "2004", None, "32不在您的商品池中"), (True, "0000", [1])],
)
async def test_a_refused_batch_of_images_costs_the_others_nothing(no):
    exchanges = await ADAPTER.read(Gallery({"32"}, no), Facet.PRODUCT, ["31", "32", "33"], "")
    records = [sdk.Record(Facet.PRODUCT, each.encode(), datetime(2026, 5, 1, tzinfo=UTC)) for each in exchanges]
    facts = [item.facts for record in records for item in ADAPTER.normalise(record) if isinstance(item, sdk.Item)]
    images = {each.sku: len(each.images) for each in facts if isinstance(each, ProductFacts)}
    assert images == {"31": 1, "32": 0, "33": 1}


def test_words_without_end_are_read_no_further_than_an_answer_needs() -> None:
    found = replies.envelope("get_sell_price", {"success": False, "resultMessage": "skuId[" * 100_000})
    assert found is not None
    assert len(found.message) == replies.MAX_MESSAGE


ODD: list[Any] = [None, "", True, -1, 1.5, [], {}, "\x00", "a\x01b", "7" * 5000, "\u200b", [[]], {"skuId": 1}]


@pytest.mark.parametrize(("operation", "facet"), READ.items())
@pytest.mark.parametrize("name", ["name", "skuId", "sku", "price", "state", "stockStateId", "areaId", "remainNum"])
@pytest.mark.parametrize("odd", ODD)
def test_what_is_odd_about_one_row_costs_no_other_row(operation, facet, name, odd):
    sound = {"skuId": 31, "price": "5", "state": 1, "stockStateId": 33, "saleState": 1, "isAreaRestrict": False}
    body = reply(operation, True, "0000", [sound, {**sound, "skuId": 32, name: odd}]).body
    others = {name: reply(name, True, "0000", [sound, {**sound, "skuId": 32}]).body for name in BESIDE}
    found = normalised(facet, {**others, operation: body})
    taken = [item.facts for item in found if isinstance(item, sdk.Item)]
    assert taken[0].sku == "31"
    assert {each.sku for each in taken[1:]} | {each.sku for each in found if isinstance(each, sdk.Refusal)} == {"32"}


def test_control_characters_beyond_counting_cost_nobody():
    rows = [{"skuId": sku, "price": 5, **{f"note{each}": "a\x01" for each in range(300)}} for sku in (31, 32)]
    found = normalised(Facet.PRICE, {"get_sell_price": reply("get_sell_price", True, "0000", rows).body})
    assert all(isinstance(each, sdk.Item) for each in found)


@given(st.lists(st.sampled_from([31, 32, "32", "032", 33, "J32", None, 3.2]), min_size=1, unique_by=str))
def test_a_row_of_other_goods_never_says_that_goods_have_no_price(skus):
    rows = [{"skuId": sku, "price": 5} for sku in skus]
    try:
        found = normalised(Facet.PRICE, {"get_sell_price": reply("get_sell_price", True, "0000", rows).body})
    except sdk.ContractError:
        return
    for each in found:
        facts = each.facts if isinstance(each, sdk.Item) else None
        if isinstance(facts, PriceFacts) and facts.quote is Quote.NO_QUOTE:
            assert {*map(str, skus)} <= {"31", "32"}


def normalised(facet: Facet, replies_: dict[str, bytes]) -> list[Any]:
    exchange = sdk.Exchange(("31", "32"), replies_, {"area": "7_412_3545", "num": 1, "skus": 2})
    return [*ADAPTER.normalise(sdk.Record(facet, exchange.encode(), datetime(2026, 5, 1, tzinfo=UTC)))]
