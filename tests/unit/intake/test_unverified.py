"""The budget of bytes whose sender is not known: never exceeded, never lost."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.problems import ProblemError
from gateway.intake.unverified import UnverifiedBytes, UnverifiedLimits

LIMITS = UnverifiedLimits(body=40, per_address=50, in_all=100)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.lists(st.integers(0, 60), max_size=4)), max_size=12))
def test_bodies_together_never_have_more_than_the_budget_and_give_all_of_it_back(
    bodies: list[tuple[str, list[int]]],
) -> None:
    budget, had = UnverifiedBytes(LIMITS), dict.fromkeys("abc", 0)
    with ExitStack() as stack:
        for address, sizes in bodies:
            share = stack.enter_context(budget.share(address))
            for size in sizes:
                before = share.size
                more = max(0, size - before)
                fits = had[address] + more <= LIMITS.per_address and sum(had.values()) + more <= LIMITS.in_all
                with nullcontext() if fits else pytest.raises(ProblemError, match="full"):
                    share.cover(size)
                had[address] += share.size - before
            assert had[address] <= LIMITS.per_address
            assert sum(had.values()) <= LIMITS.in_all
    with budget.share("a") as share:
        share.cover(LIMITS.per_address)


def test_what_one_address_uses_up_is_left_to_others() -> None:
    budget = UnverifiedBytes(LIMITS)
    with budget.share("a") as one, budget.share("a") as more, budget.share("b") as other:
        one.cover(50)
        with pytest.raises(ProblemError, match="unverified_address_full"):
            more.cover(1)
        other.cover(50)
        with budget.share("c") as third, pytest.raises(ProblemError, match="unverified_full"):
            third.cover(1)
