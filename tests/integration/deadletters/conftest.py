"""Dead letters on a real database."""

from __future__ import annotations

import pytest

from gateway.deadletters import DeadLetters, Replays
from gateway.store import Pool, transaction
from tests.integration.deadletters.stage import Stage

LEDGER = """
    CREATE TABLE ledger (entry bigint GENERATED ALWAYS AS IDENTITY, letter uuid NOT NULL, content bytea NOT NULL)
"""


@pytest.fixture
async def stage(pool: Pool) -> Stage:
    async with transaction(pool) as connection:
        await connection.execute(LEDGER)
    return Stage(pool)


@pytest.fixture
def deadletters(pool: Pool) -> DeadLetters:
    return DeadLetters(pool)


@pytest.fixture
def replays(stage: Stage) -> Replays:
    return stage.replays()
