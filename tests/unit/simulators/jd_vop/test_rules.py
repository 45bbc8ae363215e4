"""The small rules of the simulated supplier: signatures, limits, faults, areas, its message pool, its command line."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contrib.simulators.jd_vop import Config
from contrib.simulators.jd_vop.__main__ import parse
from contrib.simulators.jd_vop.areas import PROVINCES, Areas
from contrib.simulators.jd_vop.calls import Subject, subject_of
from contrib.simulators.jd_vop.clock import Clock
from contrib.simulators.jd_vop.faults import Faults, Rule
from contrib.simulators.jd_vop.limits import Limit
from contrib.simulators.jd_vop.messages import MessagePool
from contrib.simulators.jd_vop.tokens import sign


def test_the_signature_is_that_of_the_published_example():
    form = {
        "timestamp": "2014-01-01 01:01:01",
        "client_id": "yourclientid",
        "username": "yourpin",
        "password": "yourpassword",
        "grant_type": "access_token",
        "scope": "",
    }
    assert sign(form, "yourclientsecret") == "00C29BAAB23BBCE20C9BBD9C180E8330"


@given(st.lists(st.floats(0, 3), max_size=200), st.floats(1, 50))
def test_no_more_calls_pass_than_the_rate_and_one_second_in_hand_allow(waits, rate):
    now = 1000.0
    limit = Limit(rate, "429", lambda: now)
    passed = 0
    for wait in waits:
        now += wait
        passed += limit.take()
    assert passed <= rate * (1 + sum(waits)) + 1e-6


def test_an_order_spares_the_first_and_ends_after_its_times():
    faults = Faults(Random(1))
    faults.add(Rule("status", "product/*", after=2, times=2))
    assert [len(faults.struck("product/check")) for _ in range(6)] == [0, 0, 1, 1, 0, 0]
    assert faults.rules == []


@pytest.mark.parametrize(
    ("pattern", "matches"), [("*", True), ("product/*", True), ("getDetail", True), ("get*", True), ("price/*", False)]
)
def test_an_order_names_operations_by_a_pattern(pattern, matches):
    assert Rule("hang", pattern).matches("product/getDetail", Subject((), "")) is matches


@pytest.mark.parametrize(
    ("form", "subject"),
    [
        ({"sku": "31,32"}, Subject(("31", "32"), "")),
        (
            {"skuIds": "31", "province": "19", "city": "1607", "county": "3639", "town": "0"},
            Subject(("31",), "19_1607_3639"),
        ),
        ({"skuNums": '[{"skuId": 31, "num": 7}]', "area": "19_1607_3639_0"}, Subject(("31",), "19_1607_3639")),
        ({"pageNum": "1"}, Subject((), "")),
        (
            {
                "thirdOrder": "M1",
                "sku": '[{"skuId":"31","num":2},{"skuId":32,"num":1}]',
                "province": "7",
                "city": "412",
            },
            Subject(("31", "32"), "7_412", "M1"),
        ),
    ],
)
def test_what_a_call_asks_about_is_read_from_its_form(form, subject):
    assert subject_of(form) == subject


def test_an_order_about_skus_or_an_area_spares_all_other_calls():
    faults = Faults(Random(1))
    faults.add(Rule("hang", skus=[31]))
    faults.add(Rule("status", area="19_1607_3639"))
    struck = [
        [rule.kind for rule in faults.struck("any", form)]
        for form in ({"sku": "30,31"}, {"sku": "3"}, {"area": "19_1607_3639_0"}, {"area": "19_1607"}, {})
    ]
    assert struck == [["hang"], [], ["status"], [], []]


@given(st.lists(st.tuples(st.sampled_from([2, 4, 16]), st.booleans()), max_size=60))
def test_the_message_pool_loses_and_invents_nothing(steps):
    pool = MessagePool(Clock(), Random(3), repeat_share=0.0, repeat_seconds=1.0)
    model: dict[int, int] = {}
    for type_, delete in steps:
        if delete and model:
            gone = min(model)
            del model[gone]
            assert pool.delete(gone)
            assert not pool.delete(gone)
        else:
            model[pool.put(type_, {}).id] = type_
    for types in ({2}, {2, 4}, {16, 50}, None):
        expected = sorted(id_ for id_, type_ in model.items() if types is None or type_ in types)
        assert [message.id for message in pool.get(types)] == expected
    assert len(pool) == len(model)


def test_every_area_is_below_another_and_found_there():
    areas = Areas(7)
    found, level = [0], 0
    for parent in found:
        below = areas.children(parent)
        found += [area.id for area in below]
        level = max([level, *(area.level for area in below)])
    assert (len(found) - 1, level) == (len(areas), 4)
    assert len({*found}) == len(found)
    assert len(areas.children(0)) == len(PROVINCES)


def test_an_option_for_every_field():
    assert parse([]) == Config()
    told = parse(["--skus", "5", "--changes-per-second", "2.5", "--whole-batch", "--log", "calls.jsonl"])
    assert (told.skus, told.changes_per_second, told.whole_batch, str(told.log)) == (5, 2.5, True, "calls.jsonl")
    assert parse(["--ledger", "effects.jsonl"]).ledger == Path("effects.jsonl")


@pytest.mark.parametrize("wrong", [{"skus": -1}, {"page_size": 0}, {"page_size": 10_001}])
def test_a_configuration_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match="skus"):
        Config(**wrong)
