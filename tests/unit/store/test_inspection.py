"""Which servers the gateway refuses to stand on."""

import pytest

from gateway.store.inspection import DURABLE, OLDEST, problems


def test_a_server_that_keeps_what_it_committed_is_fit() -> None:
    assert list(problems(OLDEST, DURABLE)) == []


@pytest.mark.parametrize("name", DURABLE)
def test_a_server_that_would_lose_commits_is_named_with_the_setting(name: str) -> None:
    [problem] = problems(180000, {**DURABLE, name: "off"})
    assert problem.startswith(f"{name} is off")


def test_everything_wrong_with_a_server_is_said() -> None:
    assert len(list(problems(160004, {}))) == 1 + len(DURABLE)
