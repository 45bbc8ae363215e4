"""Every adapter against its golden cases and against damage; an adapter adds data, never a test."""

import pytest

from gateway.registry import Registry
from gateway.sdk.testing import Case, endure, missing_cases, read_cases, replay

REGISTRY = Registry()
CASES = [
    pytest.param(name, case, id=f"{name}-{case.name}")
    for name in sorted(REGISTRY.names())
    for case in read_cases(REGISTRY.load(name).folder)
]


def test_every_adapter_loads():
    REGISTRY.check(REGISTRY.names())


@pytest.mark.parametrize("name", sorted(REGISTRY.names()))
def test_every_facet_has_a_record_taken_and_one_refused(name: str):
    loaded = REGISTRY.load(name)
    assert missing_cases(loaded.manifest, read_cases(loaded.folder)) == []


@pytest.mark.parametrize("name", sorted(REGISTRY.names()))
def test_the_documents_a_manifest_names_are_there(name: str):
    loaded = REGISTRY.load(name)
    assert loaded.manifest.docs.startswith("https://") or (loaded.folder / loaded.manifest.docs).is_file()


@pytest.mark.parametrize(("name", "case"), CASES)
def test_a_record_becomes_what_its_case_says(name: str, case: Case):
    [result] = replay(REGISTRY.load(name).adapter, [case])
    assert result.problems == ()


@pytest.mark.parametrize(("name", "case"), CASES)
def test_a_damaged_record_is_refused_or_still_sound(name: str, case: Case):
    assert endure(REGISTRY.load(name).adapter, case) == []
