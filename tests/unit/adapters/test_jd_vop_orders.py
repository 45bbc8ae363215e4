"""What the golden cases of VOP's orders cannot say: amounts to the letter, limits at their edge, every code."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest

from adapters.jd_vop import Adapter, order_codes
from adapters.jd_vop.options import Options
from gateway import sdk
from gateway.relay.answers import answer_to_look_up, answer_to_write
from gateway.relay.outcomes import AdapterAnswer, AttemptOutcome, Write, classify
from gateway.sdk.comparing import differences
from gateway.sdk.status import raise_for_fault
from schemas.orders import Operation, SubmitOrder, split_mismatches
from schemas.orders.commands import OrderedLine, PaymentKind, PriceSnapshot
from schemas.orders.examples import COMMAND_EXAMPLES
from schemas.orders.parts import Receiver, Totals

ADAPTER = Adapter(Options(invoice_org="1"))
INVOICE = COMMAND_EXAMPLES[Operation.REQUEST_INVOICE]
CONFIRM, CANCEL = COMMAND_EXAMPLES[Operation.CONFIRM], COMMAND_EXAMPLES[Operation.CANCEL]


LINE: dict[str, Any] = {"quantity": Decimal(2), "price": PriceSnapshot(gross=Decimal("10.10")), "name": "x"}


class Says:
    """VOP, which answers the same to every call of an operation; asked: what it was asked."""

    def __init__(self, **answers: bytes) -> None:
        self.answers = answers
        self.asked: list[sdk.Request] = []

    async def call(self, request: sdk.Request) -> sdk.Reply:
        self.asked.append(request)
        reply = sdk.Reply(request.operation, 200, {}, self.answers[request.operation])
        raise_for_fault(reply, ADAPTER.judge)
        return reply


def ordered(lines: int = 1, **more: Any) -> SubmitOrder:
    """So many lines of two pieces at 10.10 each."""
    example = COMMAND_EXAMPLES[Operation.SUBMIT]
    assert isinstance(example, SubmitOrder)
    facts = {
        "lines": tuple(OrderedLine(**LINE, line_no=no, sku=f"{200 + no}") for no in range(1, lines + 1)),
        "totals": Totals(),
        "receiver": Receiver(name="王小明", mobile="13800000001"),
        "payment": PaymentKind.CREDIT,
        **more,
    }
    return example.model_copy(update={"payload": example.payload.model_copy(update=facts)})


def said(code: str, result: str = "null", success: str = "false") -> bytes:
    return f'{{"success":{success},"resultCode":"{code}","resultMessage":"x","result":{result}}}'.encode()


PLACED = said(
    "0001",
    '{"jdOrderId":3001,"freight":6.00,"orderPrice":20.20,"orderNakedPrice":17.880,"orderTaxPrice":2.32,'
    '"sku":[{"skuId":201,"num":2,"price":10.10,"nakedPrice":8.94,"tax":13.0,"taxPrice":1.16,"name":"x","type":0}]}',
    "true",
)


async def raised(code: str, operation: str) -> BaseException | None:
    """What an answer without a result comes to."""
    absent = {"select_jd_order_id_by_third_order": said("3401"), "select_invoices": said("0010")}
    http = Says(**{**absent, operation: said(code)})
    try:
        match operation:
            case order_codes.SUBMIT:
                await ADAPTER.submit_order(http, ordered())
            case order_codes.CONFIRM:
                await ADAPTER.confirm_order(http, CONFIRM, "3001")  # type: ignore[arg-type]
            case order_codes.INVOICE:
                await ADAPTER.request_invoice(http, INVOICE, ("3001",))  # type: ignore[arg-type]
            case _:
                await ADAPTER.cancel_order(http, CANCEL, "3001")  # type: ignore[arg-type]
    except sdk.SupplierError as error:
        return error
    finally:
        assert [each.operation for each in http.asked].count(operation) == 1
    return None


async def test_amounts_are_told_to_the_letter():
    order = await ADAPTER.submit_order(Says(submit_order=PLACED), ordered())
    totals, price = order.stated.totals, order.stated.lines[0].price
    of_order = [totals.gross, totals.net, totals.tax, totals.freight]
    of_line = [price.gross, price.net, price.tax, price.tax_rate]
    assert list(map(str, of_order)) == ["20.20", "17.880", "2.32", "6.00"]
    assert list(map(str, of_line)) == ["10.10", "8.94", "1.16", "13.0"]
    assert differences(ordered(), order) == ()


async def test_prices_are_sent_to_the_letter():
    http = Says(submit_order=PLACED)
    await ADAPTER.submit_order(http, ordered(2))
    form = http.asked[0].form
    assert form["orderPriceSnap"] == '[{"skuId":201,"price":10.10},{"skuId":202,"price":10.10}]'
    assert [each["num"] for each in orjson.loads(form["sku"])] == [2, 2]


def stated(number: int, *skus: str, **more: int) -> dict[str, Any]:
    """An order with two pieces of each article."""
    line = {"num": 2, "price": "10.10", "nakedPrice": "8.94", "taxPrice": "1.16", "tax": 13, "type": 0}
    sums = {"orderPrice": "20.20", "orderNakedPrice": "17.88", "orderTaxPrice": "2.32", "freight": "3"}
    return {
        "jdOrderId": number,
        "sku": [{**line, "skuId": sku} for sku in skus],
        **{name: str(Decimal(each) * len(skus)) for name, each in sums.items()},
        "submitState": 1,
        "orderState": 1,
        "state": 0,
        **more,
    }


class Keeps(Says):
    """VOP, which knows orders by our number; the answers to the first `lost` submits get lost once it has the order."""

    def __init__(self, lost: int, changed: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.lost, self.changed = lost, changed or {}
        self.ledger: dict[str, dict[str, Any]] = {}

    async def call(self, request: sdk.Request) -> sdk.Reply:
        self.answers = {request.operation: self._answer(request)}
        return await super().call(request)

    def _answer(self, request: sdk.Request) -> bytes:
        number = request.form.get("thirdOrder", "")
        if request.operation == order_codes.FIND:
            return said("0000", '"3001"', "true") if number in self.ledger else said("3401")
        if request.operation == order_codes.SELECT:
            [order] = self.ledger.values()
            return said("0000", orjson.dumps(order).decode(), "true")
        if number in self.ledger:
            return said("0008", '{"jdOrderId":3001}')
        self.ledger[number] = stated(3001, "201", submitState=0) | self.changed
        self.lost -= 1
        if self.lost >= 0:
            raise sdk.OutcomeUnknownError(operation=request.operation)
        return said("0001", orjson.dumps(self.ledger[number]).decode(), "true")


async def test_an_answer_that_gets_lost_leaves_one_order():
    vop = Keeps(lost=1)
    assert await ADAPTER.find_order(vop, ordered().order_no) is None
    with pytest.raises(sdk.OutcomeUnknownError):
        await ADAPTER.submit_order(vop, ordered())
    again = await ADAPTER.submit_order(vop, ordered())
    found = await ADAPTER.find_order(vop, ordered().order_no)
    assert answer_to_write(ordered(), again) == AdapterAnswer() == answer_to_look_up(ordered(), found)
    assert len(vop.ledger) == 1


async def test_an_order_of_before_that_is_another_one_is_not_taken_for_this_one():
    vop = Keeps(lost=1, changed={"orderPrice": "30.30"})
    with pytest.raises(sdk.OutcomeUnknownError):
        await ADAPTER.submit_order(vop, ordered())
    answer = answer_to_write(ordered(), await ADAPTER.submit_order(vop, ordered()))
    assert "gross sum: 20.20 ordered, 30.30 there" in answer.differs


@pytest.mark.parametrize("operation", sorted(order_codes.WRITES))
async def test_only_codes_of_the_documents_say_that_nothing_has_happened(operation: str):
    """Of all other codes a write is unknown or refused: whatever VOP may invent, no order is lost or doubled."""
    undone, done, refused = set(), set(), set()
    for number in range(10_000):
        error = await raised(f"{number:04}", operation)
        if error is None:
            done.add(f"{number:04}")
            continue
        outcome = classify(error, Write(operation, sdk.Sent.ALL), "A").outcome
        undone |= {f"{number:04}"} if outcome is AttemptOutcome.RETRY_SAFE else set()
        refused |= {f"{number:04}"} if outcome is AttemptOutcome.REJECTED else set()
    limits = {"3002", "3021", "3041", "3042"}
    credentials = {"1005", "1020", "1022", "2001", "2002", "2003", "2007", "2011", "2012", "3040"}
    credentials |= {"2005", "2006"} - order_codes.REFUSALS[operation].keys()
    assert undone == limits | credentials | {code for of, code in order_codes.UNDONE.items() if of == operation}
    looked_up = operation in (order_codes.SUBMIT, order_codes.INVOICE)
    assert done == (set() if looked_up else {order_codes.DONE_BEFORE[operation]})
    assert refused == set(order_codes.REFUSALS[operation])


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        ("商品201价格发生变化，请重新下单", True),
        ("商品价格与快照不一致", True),
        ("订单价格不符", True),
        ("价格不存在", False),
        ("价格获取失败", False),
        ("价格变更服务异常，请稍后重试", False),
        ("地址变更", False),
    ],
)
async def test_a_price_that_has_moved_is_known_by_its_words(words: str, refused: bool):
    http = Says(submit_order=f'{{"success":false,"resultCode":"3999","resultMessage":"{words}"}}'.encode())
    with pytest.raises(sdk.OrderRefusedError if refused else sdk.ContractError) as caught:
        await ADAPTER.submit_order(http, ordered())
    if isinstance(caught.value, sdk.OrderRefusedError):
        assert caught.value.skus == (("201",) if "201" in words else ())


@pytest.mark.parametrize("code", ["3004", "3035", "3036", "3038"])
async def test_a_time_out_of_the_gateway_leaves_a_write_unknown(code: str):
    http = Says(submit_order=f'{{"resultCode":"{code}","resultMessage":"x"}}'.encode())
    with pytest.raises(sdk.OutcomeUnknownError):
        await ADAPTER.submit_order(http, ordered())


@pytest.mark.parametrize(
    ("order", "options"),
    [
        (ordered(50), Options()),
        (ordered(100), Options(most_lines=100)),
        (ordered(receiver=Receiver(name="王" * 20, mobile="13800000001")), Options()),
        (ordered(remark="备" * 99), Options()),
        (ordered(receiver=Receiver(name="王", phone="0371-60000000")), Options()),
    ],
)
async def test_what_is_just_within_the_limits_is_sent(order: SubmitOrder, options: Options):
    http = Says(submit_order=PLACED)
    await Adapter(options).submit_order(http, order)
    assert len(http.asked) == 1


@pytest.mark.parametrize(
    "order",
    [
        ordered(51),
        ordered(receiver=Receiver(name="王" * 21, mobile="13800000001")),
        ordered(remark="备" * 100),
        ordered(payment=PaymentKind.ONLINE),
    ],
)
async def test_what_is_just_beyond_them_is_refused_unsent_and_without_a_word_of_it(order: SubmitOrder):
    http = Says()
    with pytest.raises(sdk.OrderRefusedError) as refused:
        await ADAPTER.submit_order(http, order)
    assert not http.asked
    assert classify(refused.value, Write("", sdk.Sent.NOTHING), "A").outcome is AttemptOutcome.REJECTED
    assert not any(word in str(refused.value) for word in ("王", "备", "138"))


async def test_the_children_of_a_split_add_up_to_their_parent_or_it_shows():
    parent, whole = stated(3000, "201", "202"), [stated(3001, "201", pOrder=3000), stated(3002, "202", pOrder=3000)]
    for children, holds in ((whole, True), (whole[:1], False)):
        body = said("0000", orjson.dumps({"pOrder": parent, "cOrder": children}).decode(), "true")
        tree = await ADAPTER.read_order(Says(select_jd_order=body), "3000")
        assert len(tree.children) == len(children)
        assert (not split_mismatches(tree.order.stated, [child.stated for child in tree.children])) is holds


async def test_a_receiver_shows_nowhere():
    one = stated(3001, "201") | {"name": "王小明", "mobile": "13800000001"}
    tree = await ADAPTER.read_order(Says(select_jd_order=said("0000", orjson.dumps(one).decode(), "true")), "3001")
    assert tree.order.receiver == sdk.StatedReceiver("王小明", "13800000001")
    assert "王小明" not in repr(tree)
