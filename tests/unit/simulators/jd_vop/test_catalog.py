"""The simulated catalog is a function of its seed, and its pools always know their members."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from stdnum import ean

from contrib.simulators.jd_vop.catalog import Catalog
from contrib.simulators.jd_vop.pools import Pools
from contrib.simulators.jd_vop.words import POOLS

SEEDS = st.integers(0, 2**40)
NUMBERS = st.integers(0, 999_999)


@given(SEEDS, NUMBERS)
def test_goods_are_found_again_by_their_sku(seed, number):
    catalog = Catalog(seed, 1_000_000)
    assert catalog.number(catalog.sku(number)) == number


@given(SEEDS, NUMBERS)
def test_the_same_seed_makes_the_same_goods_however_many_there_are(seed, number):
    assert Catalog(seed, 1_000_000).item(number) == Catalog(seed, number + 1).item(number)


@given(SEEDS, st.integers(0, 30_000_000_000))
def test_an_id_that_was_not_given_out_is_nobodys(seed, sku):
    catalog = Catalog(seed, 10_000)
    number = catalog.number(sku)
    assert number is None or catalog.sku(number) == sku


@given(SEEDS, NUMBERS)
def test_goods_are_priced_and_coded_as_goods_are(seed, number):
    item = Catalog(seed, 1_000_000).item(number)
    assert item.kind.cheapest * 100 <= item.price <= item.kind.dearest * 100 + 99
    assert item.jd_price >= item.price
    assert abs(item.naked - item.price / (1 + item.tax / 100)) <= 100
    assert all(ean.is_valid(code) for code in item.upc)


def test_ids_are_distinct_and_some_are_beyond_32_bits():
    catalog = Catalog(7, 100_000)
    skus = {catalog.sku(number) for number in range(100_000)}
    assert len(skus) == 100_000
    assert min(skus) < 2**32 < max(skus)


@given(st.integers(0, 3000))
def test_the_pools_of_goods_and_the_goods_of_pools_agree(size):
    catalog = Catalog(7, size)
    pools = Pools(catalog)
    listed = [(number, pool) for pool in range(len(POOLS)) for number in pools.slice(pool, 0, size + 1)]
    assert sorted(listed) == sorted((number, pool) for number in range(size) for pool in pools.of(number))


STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 299), st.integers(0, len(POOLS) - 1)), max_size=60)


@given(STEPS)
def test_pools_hold_what_was_put_in_and_not_what_was_taken_out(steps):
    pools = Pools(Catalog(7, 300))
    model = {pool: set(pools.slice(pool, 0, 300)) for pool in range(len(POOLS))}
    for add, number, pool in steps:
        (pools.put if add else pools.drop)(number, pool)
        (model[pool].add if add else model[pool].discard)(number)
    for pool, members in model.items():
        assert set(pools.slice(pool, 0, 1000)) == members
        assert pools.size(pool) == len(members)
        assert all((pool in pools.of(number)) == (number in members) for number in range(300))
