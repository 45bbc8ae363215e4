"""What the golden cases of JD VOP cannot say: the documents' own signature, and that no question is left behind."""

import asyncio

import pytest
from pydantic import ValidationError

from adapters.jd_vop.options import Options
from adapters.jd_vop.pulls import together
from adapters.jd_vop.tokens import sign
from gateway import sdk


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
