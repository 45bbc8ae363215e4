"""What the golden cases of JD VOP cannot say: the documents' own signature, and that no question is left behind."""

import asyncio

import pytest
from pydantic import ValidationError

from adapters.jd_vop import Adapter
from adapters.jd_vop.options import Options
from adapters.jd_vop.pulls import together
from adapters.jd_vop.tokens import sign
from gateway import sdk
from schemas.catalog import Facet


def test_the_signature_is_that_of_the_documents():
    signed = sign("yourclientsecret", "2014-01-01 01:01:01", "yourclientid", "yourpin", "yourpassword")
    assert signed == "00C29BAAB23BBCE20C9BBD9C180E8330"


async def test_the_first_error_ends_the_questions_beside_it():
    begun, ended = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def refused() -> None:
        await begun.wait()
        raise sdk.RateLimitError(retry_after=3)

    with pytest.raises(sdk.RateLimitError) as caught:
        await together(endless(), refused())
    assert caught.value.retry_after == 3
    assert ended.is_set()


@pytest.mark.parametrize("area", ["7_４１２_3545", "7_412_3545\u200b", "7_٤١٢_3545", "7_412", "07_412_3545"])
def test_an_area_of_the_contract_is_written_in_ascii_digits(area: str) -> None:
    with pytest.raises(ValidationError):
        Options(areas=(area,))


class Pool:
    """A supplier whose pool holds what it is told, byte for byte."""

    def __init__(self, *messages: bytes) -> None:
        self.body = b'{"success":true,"resultCode":"0000","result":[%b]}' % b",".join(messages)

    async def call(self, request: sdk.Request) -> sdk.Reply:
        return sdk.Reply(request.operation, 200, {}, self.body)


SOUND = b'{"id":2,"type":2,"result":{"skuId":32}}'


@pytest.mark.parametrize(
    "odd",
    [
        b'{"id":1,"type":2,"result":{"skuId":31,"name":"a\x01"}}',
        rb'{"id":1,"type":2,"result":{"skuId":31,"name":"\ud800"}}',
        rb'{"id":"\ud800","type":2,"result":{"skuId":31}}',
        b'{"id":1,"type":2,"result":{"skuId":31,"skuId ":32}}',
        b'{"id":1,"type":2,"result":{"skuId":NaN}}',
        b'{"id":1,"type":2,"result":{"skuId":%b,"skuId":%b}}' % (b"3" * 9000, b"4" * 9000),
        b'{"id":1,"type":2,"result":%b}' % (b"[" * 90 + b"]" * 90),
    ],
)
async def test_a_message_that_is_no_json_is_refused_alone(odd):
    adapter = Adapter(Options())
    refused, taken = await adapter.fetch(Pool(odd, SOUND), "feeds")
    assert (taken.id, refused.type) == ("2", "2")
    assert refused.id.encode()
    assert adapter.follow_ups(taken) == (sdk.Reread("32", frozenset({Facet.PRICE})),)
    with pytest.raises(sdk.ContractError):
        adapter.follow_ups(refused)


@pytest.mark.parametrize("odd", [b'{"id":1,"ty', b"[" * 9000 + b"]" * 9000, b"0," * 60_000 + b"0"])
async def test_a_pool_that_cannot_be_read_is_no_empty_pool(odd):
    with pytest.raises(sdk.ContractError):
        await Adapter(Options()).fetch(Pool(odd, SOUND), "feeds")
