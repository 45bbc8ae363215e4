"""Every adapter against every check of the kit; an adapter adds data, never a test."""

import pytest

from gateway.registry import Registry
from gateway.sdk.testing import CHECKS, AnyCase, CallCase, Subject, Trial

REGISTRY = Registry()


def subject(name: str) -> Subject:
    loaded = REGISTRY.load(name)
    return Subject.read(loaded.manifest, loaded.adapter, loaded.folder)


SUBJECTS = {name: subject(name) for name in sorted(REGISTRY.names())}

OF_ONE_CASE = [
    pytest.param(name, case, check, id=f"{name}-{case.name}-{check}")
    for name, whole in SUBJECTS.items()
    for case in whole.cases
    for check in CHECKS
    if CHECKS[check].each_case and (check != "faults_mapped" or isinstance(case, CallCase))
]


def found(name: str, check: str, case: AnyCase | None = None) -> list[Trial]:
    """What a check has to say against an adapter, where its manifest has no waiver of it."""
    whole = SUBJECTS[name]
    if check in {waiver.check for waiver in whole.manifest.waivers}:
        return []
    return [trial for trial in CHECKS[check].run(whole.only(case) if case else whole) if trial.problems]


def test_every_adapter_loads():
    REGISTRY.check(REGISTRY.names())


@pytest.mark.parametrize("check", [name for name, each in CHECKS.items() if not each.each_case])
@pytest.mark.parametrize("name", SUBJECTS)
def test_an_adapter_is_what_it_says(name: str, check: str):
    assert found(name, check) == []


@pytest.mark.parametrize(("name", "case", "check"), OF_ONE_CASE)
def test_an_adapter_does_what_its_case_says_and_bears_what_may_come(name: str, case: AnyCase, check: str):
    assert found(name, check, case) == []


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_waiver_is_needed(name: str):
    for waiver in SUBJECTS[name].manifest.waivers:
        assert any(trial.problems for trial in CHECKS[waiver.check].run(SUBJECTS[name])), waiver
