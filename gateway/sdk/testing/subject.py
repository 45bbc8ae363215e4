"""What the kit examines, and how it notes what it tried."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator
from dataclasses import dataclass, field, replace
from importlib.resources.abc import Traversable
from typing import Any, NamedTuple

from gateway.sdk.adapter import Adapter
from gateway.sdk.manifest import Manifest
from gateway.sdk.testing.calls import CallCase
from gateway.sdk.testing.cases import Case
from gateway.sdk.testing.folder import AnyCase, read_cases


@dataclass(frozen=True, slots=True)
class Subject:
    """An adapter with its cases. folder: where they and its manifest are."""

    manifest: Manifest = field(repr=False)
    adapter: type[Adapter]
    folder: Traversable
    cases: tuple[AnyCase, ...] = field(repr=False)

    @classmethod
    def read(cls, manifest: Manifest, adapter: type[Adapter], folder: Traversable) -> Subject:
        """The adapter with all cases of its folder. Raises ConfigError with every file that is no case."""
        return cls(manifest, adapter, folder, tuple(read_cases(folder, manifest.table)))

    @property
    def feeds(self) -> list[Case]:
        """Cases of feeds."""
        return [case for case in self.cases if isinstance(case, Case)]

    @property
    def calls(self) -> list[CallCase]:
        """Cases of calls."""
        return [case for case in self.cases if isinstance(case, CallCase)]

    def only(self, case: AnyCase) -> Subject:
        """The same adapter with one case."""
        return replace(self, cases=(case,))


class Trial(NamedTuple):
    """One thing tried. about: the case or the file; problems: everything that is not as it should be, in words."""

    about: str
    problems: tuple[str, ...] = ()


def each_in_turn(coroutines: Iterable[Coroutine[Any, Any, list[Trial]]]) -> Iterator[Trial]:
    """The trials of coroutines, on a loop of their own: who examines an adapter need not have one."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        for coroutine in coroutines:
            yield from runner.run(coroutine)
