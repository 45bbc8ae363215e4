"""Suppliers on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.store import Pool
from gateway.suppliers import Keys, Live, SecretBox, SupplierConfig, Suppliers, watch_suppliers

KEY = bytes(range(32))


def declared(supplier: str = "acme", **changes: object) -> SupplierConfig:
    """A valid declaration but for the changes."""
    valid = {"supplier": supplier, "name": "Acme 办公", "adapter": "native", "facets": ["product", "price"]}
    return SupplierConfig.model_validate({**valid, **changes})


@pytest.fixture
def box() -> SecretBox:
    return SecretBox(KEY)


@pytest.fixture
def suppliers(pool: Pool, box: SecretBox) -> Suppliers:
    return Suppliers(pool, box)


@pytest.fixture
def keys(pool: Pool, box: SecretBox) -> Keys:
    return Keys(pool, box)


@pytest.fixture
async def live(pool: Pool, box: SecretBox) -> AsyncIterator[Live]:
    async with watch_suppliers(pool, box) as live:
        yield live
