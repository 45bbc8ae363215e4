"""Engines of these tests' own: nobody else is disturbed when they are stopped, frozen or set back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.embedded import Engines, open_engines
from tests.crash.site import Site
from tests.engines import fresh_database, fresh_prefix, make_template
from tests.integration.pulled.conftest import Ground, ground

__all__ = ["ground"]


@pytest.fixture(scope="package")
async def frail_engines(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engines]:
    """Both engines. Who breaks one mends it."""
    async with open_engines(tmp_path_factory.mktemp("frail")) as opened:
        yield opened


@pytest.fixture(scope="package")
async def frail_template(frail_engines: Engines) -> str:
    """Name of a database there with the schema and nothing in it."""
    return await make_template(frail_engines)


@pytest.fixture
async def site(frail_engines: Engines, frail_template: str) -> AsyncIterator[Site]:
    """These engines, an empty database, a prefix that no topic has."""
    async with fresh_database(frail_engines, frail_template) as database, fresh_prefix(frail_engines) as prefix:
        yield Site(frail_engines, database, prefix)


@pytest.fixture
def frail_ground(site: Site, tmp_path: Path) -> Ground:
    """The same for suppliers that are pulled."""
    return Ground(site.engines, site.database, site.prefix, tmp_path)
