"""What operators are told of suppliers that are pulled, whoever wrote it down."""

from __future__ import annotations

import pytest

from gateway.registry import Registry
from gateway.sessions import PullStatus
from gateway.store import Pool, acquired
from gateway.suppliers import SecretBox, SupplierCache, SupplierConfig, Suppliers

pytestmark = pytest.mark.engines


async def test_an_owner_of_another_release_keeps_no_other_supplier_from_being_shown(pool: Pool) -> None:
    rows = [
        {"supplier": name, "name": name, "adapter": "jd_vop", "facets": ["price"]}
        for name in ("jd", "jd-newer", "late")
    ]
    await Suppliers(pool, SecretBox(bytes(32))).apply(list(map(SupplierConfig.model_validate, rows)), "ann")
    async with acquired(pool) as connection:
        for name, health in (("jd", {"rate": 5.0}), ("jd-newer", ["rate", 5.0])):
            await connection.execute("INSERT INTO sessions VALUES ($1, 'elsewhere', now(), $2)", name, health)
    found = await PullStatus(pool, SupplierCache(pool), Registry()).all()
    assert {each["supplier"]: each["rate"] for each in found} == {"jd": 5.0, "jd-newer": None, "late": None}
