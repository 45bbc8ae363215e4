"""The budget of bytes whose sender is not known: never exceeded, never lost."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.problems import ProblemError
from gateway.intake.unverified import UnverifiedBytes, UnverifiedLimits

LIMITS = UnverifiedLimits(body=40, per_address=50, per_supplier=60, in_all=100)


BODIES = st.tuples(st.sampled_from("abc"), st.sampled_from("ST"), st.lists(st.integers(0, 60), max_size=4))


@given(st.lists(BODIES, max_size=12))
def test_bodies_together_never_have_more_than_the_budget_and_give_all_of_it_back(
    bodies: list[tuple[str, str, list[int]]],
) -> None:
    budget, had = UnverifiedBytes(LIMITS), Counter[str]()
    with ExitStack() as stack:
        for address, supplier, sizes in bodies:
            share = stack.enter_context(budget.share(address, supplier))
            for size in sizes:
                before = share.size
                more = max(0, size - before)
                limits = {address: LIMITS.per_address, supplier: LIMITS.per_supplier, "all": LIMITS.in_all}
                fits = all(had[name] + more <= most for name, most in limits.items())
                with nullcontext() if fits else pytest.raises(ProblemError, match="full"):
                    share.cover(size)
                had.update(dict.fromkeys(limits, share.size - before))
                assert all(had[name] <= most for name, most in limits.items())
    with budget.share("a", "S") as share:
        share.cover(LIMITS.per_address)


def test_what_one_address_or_one_supplier_uses_up_is_left_to_others() -> None:
    budget = UnverifiedBytes(LIMITS)
    with budget.share("a", "S") as one, budget.share("a", "T") as more, budget.share("b", "S") as other:
        one.cover(50)
        with pytest.raises(ProblemError, match="unverified_address_full"):
            more.cover(1)
        with pytest.raises(ProblemError, match="unverified_supplier_full"):
            other.cover(11)
        other.cover(10)
        with budget.share("c", "T") as third:
            third.cover(40)
            with budget.share("d", "U") as fourth, pytest.raises(ProblemError, match="unverified_full"):
                fourth.cover(1)
