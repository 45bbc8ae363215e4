"""A kit that cannot fail is decoration: bad adapters, each with the one fault that the kit must find."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

import jiter
import orjson
import pytest
from pydantic import BaseModel

from gateway.sdk import Adapter, InvalidMessageError, Issue, Item, Options, Record
from gateway.sdk.errors import ConfigError
from gateway.sdk.manifest import Manifest
from gateway.sdk.testing import Case, endure, missing_cases, read_cases, replay
from schemas.catalog import Facet, ListingFacts, Shelf

MANIFEST = Manifest(id="bad", name="Bad", docs="README.md", capabilities=("normalises_feeds",), facets=(Facet.LISTING,))


def a_case(**changes: object) -> Case:
    """A listing that is taken, with what the test is about changed."""
    told = {
        "name": "listing__on",
        "description": "Put on the shelf.",
        "facet": "listing",
        "received_at": "2026-05-01T12:00:00+08:00",
        "record": '{"sku":"A","shelf":"on"}',
        "items": [{"facts": {"sku": "A", "shelf": "on"}}],
    }
    return Case.model_validate(told | changes)


def an_adapter(normalise: Callable[[Record], Iterable[Item]]) -> type[Adapter]:
    """An adapter whose one method is this function."""
    return type("Planted", (Adapter,), {"normalise": lambda _, record: normalise(record)})


def careful(record: Record) -> list[Item]:
    """What all of the bad ones should have been."""
    try:
        members = orjson.loads(record.raw)
        return [Item(ListingFacts(sku=members["sku"], shelf=Shelf(members["shelf"])))]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidMessageError(Issue("validation_failed")) from error


def trusting(record: Record) -> list[Item]:
    members = jiter.from_json(record.raw)
    return [Item(ListingFacts(sku=members["sku"], shelf=Shelf(members["shelf"])))]


def unvalidated(record: Record) -> list[Item]:
    return [Item(ListingFacts.model_construct(sku=" A ", shelf=Shelf.ON))]


def lazy(record: Record) -> list[Item]:
    return []


def naive_in_time(record: Record) -> list[Item]:
    return [replace(item, observed_at=datetime(2026, 5, 1)) for item in careful(record)]  # noqa: DTZ001 - the fault


def beyond_versions(record: Record) -> list[Item]:
    return [replace(item, source_version=2**53 + 1) for item in careful(record)]


def inventive(record: Record) -> list[Item]:
    raise InvalidMessageError(Issue("no_such_code", actual="x" * 201, expected="\x00"))


class Extended(ListingFacts):
    """Facts with more than the mall knows."""

    colour: str = "red"


def extending(record: Record) -> list[Item]:
    return [Item(Extended(sku="A", shelf=Shelf.ON))]


def disordered(record: Record) -> list[Item]:
    [item] = careful(record)
    values = vars(item.facts)
    for name in reversed(list(values)):
        values[name] = values.pop(name)
    return [item]


def test_a_careful_adapter_passes():
    [result] = replay(an_adapter(careful), [a_case()])
    assert result.passed
    assert endure(an_adapter(careful), a_case()) == []


@pytest.mark.parametrize(
    ("bad", "finding"),
    [
        (unvalidated, "facts are not canonical"),
        (lazy, "neither items nor issues"),
        (naive_in_time, "observed_at has no offset"),
        (beyond_versions, "source_version is out of range"),
        (inventive, "'no_such_code' is not declared"),
        (inventive, "more than 200 characters"),
        (inventive, "holds NUL"),
        (extending, "Extended instead of ListingFacts"),
        (disordered, "not in canonical order"),
    ],
)
def test_an_unsound_outcome_is_found(bad: Callable[[Record], Iterable[Item]], finding: str):
    [result] = replay(an_adapter(bad), [a_case()])
    assert finding in "\n".join(result.problems)


def test_an_adapter_that_trusts_its_input_is_found_by_damage_alone():
    [result] = replay(an_adapter(trusting), [a_case()])
    assert result.passed
    assert any("/shelf dropped: raised KeyError" in finding for finding in endure(an_adapter(trusting), a_case()))


def test_an_adapter_that_remembers_is_found():
    versions = count()
    [result] = replay(
        an_adapter(lambda record: [replace(item, source_version=next(versions)) for item in careful(record)]),
        [a_case()],
    )
    assert "the same record had two outcomes" in result.problems


@pytest.mark.parametrize(
    "case",
    [
        a_case(items=[{"facts": {"sku": "A", "shelf": "off"}}]),
        a_case(items=[{"facts": {"sku": "A", "shelf": "on"}, "source_version": 1}]),
        a_case(items=[{"facts": {"sku": "A", "shelf": "on"}, "observed_at": datetime(2026, 5, 1, tzinfo=UTC)}]),
        a_case(items=[]),
        a_case(items=None, issues=[{"code": "validation_failed"}]),
        a_case(record="{}", items=None, issues=[{"code": "validation_failed", "path": "/sku"}]),
        a_case(record="{}", items=None, issues=[{"code": "validation_failed"}, {"code": "validation_failed"}]),
    ],
)
def test_another_outcome_than_the_golden_one_is_found(case: Case):
    [result] = replay(an_adapter(careful), [case])
    assert any("expected" in problem for problem in result.problems)


def test_a_facet_without_a_refused_record_is_found():
    assert missing_cases(MANIFEST, [a_case()]) == ["listing: no case of a record that is refused"]


def test_an_adapter_without_the_capability_is_named():
    with pytest.raises(TypeError, match="does not normalise feeds"):
        replay(Adapter, [a_case()])


def test_every_file_that_is_no_case_is_named(tmp_path):
    folder = tmp_path / "cases"
    folder.mkdir()
    (folder / "price__a.json").write_text("{", encoding="utf-8")
    (folder / "price__b.json").write_text('{"surprise": 1}', encoding="utf-8")
    (folder / "stock__c.json").write_bytes(told(a_case(name="listing__c")))
    with pytest.raises(ConfigError) as caught:
        read_cases(tmp_path)
    problems = "\n".join(caught.value.problems)
    for expected in ("price__a.json: not a JSON object", "price__b.json: surprise", "begins with listing__"):
        assert expected in problems


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"record": None}, "give record or record_base64"),
        ({"record_base64": "AA=="}, "give record or record_base64"),
        ({"items": None}, "give items or issues"),
        ({"issues": []}, "give items or issues"),
    ],
)
def test_a_case_tells_one_record_and_one_outcome(changes: dict[str, object], problem: str):
    with pytest.raises(ValueError, match=problem):
        a_case(**changes)


def test_a_case_may_hold_bytes_that_are_no_text():
    assert a_case(record=None, record_base64="gIE=").raw.raw == b"\x80\x81"


def told(case: BaseModel) -> bytes:
    """A case as its file has it."""
    return case.model_dump_json(exclude={"name"}, exclude_none=True).encode()


def test_options_of_a_case_reach_the_adapter():
    class Strict(Options):
        polarity: str

    class Optioned(Adapter):
        options_model = Strict

        def normalise(self, record: Record) -> list[Item]:
            assert isinstance(self.options, Strict)
            return [Item(ListingFacts(sku="A", shelf=Shelf(self.options.polarity)))]

    [result] = replay(Optioned, [a_case(options={"polarity": "on"})])
    assert result.passed
