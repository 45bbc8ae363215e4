"""The golden cases of an adapter's folder."""

from __future__ import annotations

from importlib.resources.abc import Traversable
from typing import TypeAlias

import orjson
from pydantic import ValidationError

from gateway.sdk.capabilities import CAPABILITIES, Capabilities
from gateway.sdk.errors import ConfigError
from gateway.sdk.manifest import problems
from gateway.sdk.testing.calls import CallCase
from gateway.sdk.testing.cases import Case

AnyCase: TypeAlias = Case | CallCase
"""A golden case of a feed or of a call."""

CASES = "cases"
"""Name of the folder within an adapter's."""


def read_cases(folder: Traversable, capabilities: Capabilities = CAPABILITIES) -> list[AnyCase]:
    """The cases of an adapter's folder, by name. capabilities: those that there are.

    Raises ConfigError with every file that is no case.
    """
    found: list[AnyCase] = []
    wrong: list[str] = []
    for file in _files(folder / CASES):
        try:
            found.append(_case(file, capabilities))
        except ValidationError as error:
            wrong += problems(error, f"{CASES}/{file.name}")
        except (orjson.JSONDecodeError, TypeError) as error:
            wrong.append(f"{CASES}/{file.name}: not a JSON object: {error}")
    if wrong:
        raise ConfigError(wrong)
    return found


def _files(cases: Traversable) -> list[Traversable]:
    if not cases.is_dir():
        raise ConfigError([f"{CASES}/: there is no such folder; write the golden cases first"])
    return sorted(cases.iterdir(), key=lambda file: file.name)


def _case(file: Traversable, capabilities: Capabilities) -> AnyCase:
    model: type[AnyCase] = CallCase if file.name.startswith("call__") else Case
    content = {"name": file.name.removesuffix(".json"), **orjson.loads(file.read_bytes())}
    return model.model_validate(content, context={"capabilities": capabilities})
