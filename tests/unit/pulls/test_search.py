"""Skus at fault are found exactly, in few questions."""

from collections import Counter
from collections.abc import Set
from math import ceil, comb, log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pulls.search import ALONE, Found, search


def least(skus: int, faulty: int) -> int:
    """Questions of two answers that no method can do without, on average over where the faulty ones stand."""
    return ceil(log2(comb(skus, faulty)))


def searched(skus: list[str], faulty: Set[str]) -> tuple[Found, list[tuple[str, ...]]]:
    """What a search finds, and what it asked."""
    asked: list[tuple[str, ...]] = []
    going = search(skus)
    try:
        asked.append(next(going))
        while True:
            asked.append(going.send(faulty.isdisjoint(asked[-1])))
    except StopIteration as end:
        return end.value, asked


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[str], set[str]]:
    skus = [f"S{number}" for number in range(draw(st.integers(1, 200)))]
    return skus, draw(st.sets(st.sampled_from(skus), max_size=draw(st.integers(0, 30))))


@given(questions())
def test_exactly_the_faulty_ones_are_found_and_the_others_are_answered_once(question: tuple[list[str], set[str]]):
    skus, faulty = question
    found, asked = searched(skus, faulty)
    answered = Counter(sku for group in asked if faulty.isdisjoint(group) for sku in group)
    if found.unasked:
        assert len(found.faulty) >= ALONE
        assert not answered
    else:
        assert set(found.faulty) == faulty
        assert answered == Counter(set(skus) - faulty)
    assert all((sku,) in asked for sku in found.faulty)


@given(questions())
def test_no_more_is_asked_than_twice_the_least_and_twice_about_each_faulty_one(question: tuple[list[str], set[str]]):
    skus, faulty = question
    _, asked = searched(skus, faulty)
    # How many are at fault is not known beforehand, and each of them is asked about alone besides.
    fewest = max(least(len(skus), len(faulty)), len(skus).bit_length())
    assert len(asked) <= 2 * (fewest + len(faulty)) + 1


@given(st.sets(st.integers(0, 99), min_size=10, max_size=10))
def test_ten_among_a_hundred_are_found_within_twice_the_least(places: set[int]):
    skus = [f"S{number}" for number in range(100)]
    assert len(searched(skus, {skus[place] for place in places})[1]) <= 2 * least(100, 10)


@pytest.mark.parametrize("size", [9, 100, 1000])
def test_where_nothing_is_answered_it_is_the_questions_own_fault_and_few_are_asked(size: int):
    skus = [f"S{number}" for number in range(size)]
    found, asked = searched(skus, set(skus))
    assert found.unasked
    assert {*found.faulty, *found.unasked} == set(skus)
    assert len(asked) <= ALONE + 11
