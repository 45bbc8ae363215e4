"""What passes is waited out; what does not is raised at once."""

from __future__ import annotations

import pytest

from gateway.feeds.numbers import DatabaseWentBackError
from gateway.sdk.errors import ServiceUnavailableError
from gateway.store import LeaseLostError, StoreUnavailableError
from gateway.store.outage import retry_while_unavailable


async def test_an_outage_is_waited_out() -> None:
    errors: list[Exception] = [StoreUnavailableError(), ServiceUnavailableError()]

    async def act(word: str) -> str:
        if errors:
            raise errors.pop()
        return word

    assert await retry_while_unavailable(act, "done") == "done"


@pytest.mark.parametrize("error", [DatabaseWentBackError(), LeaseLostError(), KeyError("a bug")])
async def test_what_no_waiting_mends_is_raised_at_once(error: Exception) -> None:
    tries: list[int] = []

    async def act() -> None:
        tries.append(1)
        raise error

    with pytest.raises(type(error)):
        await retry_while_unavailable(act)
    assert len(tries) == 1
