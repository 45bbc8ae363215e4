"""How a rebuild cuts its work up."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.rebuild import BATCH, batch_size, by_supplier, rebuild_position
from schemas.envelope import ItemKey

keys = st.sets(st.builds(ItemKey, st.sampled_from("ab"), st.text("xyz", min_size=1), st.sampled_from([None, "*"])))


@given(st.floats(1, 10_000))
def test_a_batch_is_never_empty_and_at_most_what_is_due_in_a_second(rate: float) -> None:
    assert 1 <= batch_size(rate) <= min(rate, BATCH)


@given(keys)
def test_every_key_is_under_its_supplier_once_and_in_the_order_of_locks(found: set[ItemKey]) -> None:
    own = by_supplier(found)
    assert [key for each in own.values() for key in each] == sorted(found, key=rebuild_position)
    assert all(key.supplier == supplier for supplier, each in own.items() for key in each)
