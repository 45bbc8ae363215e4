"""A supplier's server, a supplier's row, and the lease of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.calls.tokens import TokenStore
from gateway.store import Lease, Pool
from gateway.suppliers import SecretBox, SupplierConfig, Suppliers
from tests.supplier_site import Site, open_site

KEY = bytes(range(32))


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site() as opened:
        yield opened


@pytest.fixture
async def lease(pool: Pool) -> Lease:
    """The lease of supplier `acme`, which is ours."""
    row = {"supplier": "acme", "name": "Acme", "adapter": "native", "facets": ["price"]}
    await Suppliers(pool, SecretBox(KEY)).apply([SupplierConfig.model_validate(row)], "tests")
    lease = Lease(pool, "supplier:acme", "tests")
    assert await lease.take()
    return lease


@pytest.fixture
def store(pool: Pool, lease: Lease) -> TokenStore:
    return TokenStore(pool, SecretBox(KEY), "acme", lease.fence)
