"""Clients that die are replaced; who waits for one waits no longer than it wants to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiokafka.errors import KafkaConnectionError

from gateway.kafka import KafkaUnavailableError
from gateway.kafka.supervisor import Supervised, first_connection
from gateway.telemetry import metrics


class Workshop:
    """Builds numbered clients, failing as often as told first."""

    def __init__(self, *, failures: int = 0, error: Callable[[], Exception] = KafkaConnectionError) -> None:
        self.failures = failures
        self.error = error
        self.built: list[int] = []
        self.discarded: list[int] = []
        self.open = asyncio.Event()
        self.open.set()

    async def build(self) -> int:
        await self.open.wait()
        if self.failures:
            self.failures -= 1
            raise self.error()
        self.built.append(len(self.built))
        return self.built[-1]

    async def discard(self, client: int) -> None:
        self.discarded.append(client)


def supervised(workshop: Workshop) -> Supervised[int]:
    return Supervised("workshop", workshop.build, workshop.discard)


def rebuilds() -> float:
    return metrics.REGISTRY.get_sample_value("mallgate_kafka_rebuilds_total", {"client": "workshop"}) or 0.0


async def test_one_client_serves_everyone() -> None:
    workshop = Workshop()
    clients = supervised(workshop)
    assert set(await asyncio.gather(clients.get(), clients.get(), clients.get())) == {0}
    await clients.close()
    assert workshop.discarded == [0]


@pytest.mark.parametrize("error", [KafkaConnectionError, ConnectionRefusedError, TimeoutError, AssertionError])
async def test_building_is_tried_until_it_works(error: Callable[[], Exception]) -> None:
    clients = supervised(Workshop(failures=2, error=error))
    assert await clients.get() == 0
    await clients.close()


async def test_a_mistake_of_ours_is_not_tried_again() -> None:
    clients = supervised(Workshop(failures=1, error=TypeError))
    with pytest.raises(TypeError):
        await clients.get()
    await clients.close()


async def test_a_condemned_client_is_replaced_discarded_and_counted() -> None:
    workshop, before = Workshop(), rebuilds()
    clients = supervised(workshop)
    clients.condemn(await clients.get(), "it died")
    assert await clients.get() == 1
    await clients.close()
    assert sorted(workshop.discarded) == [0, 1]
    assert rebuilds() == before + 1


async def test_condemning_a_client_of_the_past_harms_nobody() -> None:
    workshop, before = Workshop(), rebuilds()
    clients = supervised(workshop)
    first = await clients.get()
    clients.condemn(first, "it died")
    await clients.get()
    clients.condemn(first, "it died")
    assert await clients.get() == 1
    await clients.close()
    assert rebuilds() == before + 1


async def test_a_caller_that_gives_up_does_not_end_what_others_wait_for() -> None:
    workshop = Workshop()
    workshop.open.clear()
    clients = supervised(workshop)
    patient = asyncio.create_task(clients.get())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(clients.get(), 0.0)
    workshop.open.set()
    assert await patient == 0
    await clients.close()


async def test_closing_ends_a_client_that_is_still_being_built() -> None:
    workshop = Workshop()
    workshop.open.clear()
    clients = supervised(workshop)
    waiting = asyncio.create_task(clients.get())
    await asyncio.sleep(0)
    await clients.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert workshop.built == []


async def test_a_client_that_cannot_be_discarded_does_not_keep_us() -> None:
    class Stubborn(Workshop):
        async def discard(self, client: int) -> None:
            await super().discard(client)
            raise KafkaConnectionError

    workshop = Stubborn()
    clients = supervised(workshop)
    await clients.get()
    await clients.close()
    assert workshop.discarded == [0]


async def test_the_first_connection_gives_up_after_the_patience() -> None:
    with pytest.raises(KafkaUnavailableError):
        await first_connection(Workshop(failures=1000).build, 0.0)
    assert await first_connection(Workshop(failures=1).build, 60.0) == 0
