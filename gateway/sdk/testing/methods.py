"""The methods of capabilities as golden cases show them: arguments and results by the types that a Protocol states."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model
from pydantic_core import to_json

from gateway.sdk.adapter import Message, Token
from gateway.sdk.capabilities import CapabilitySpec, MethodSpec

_EXACT = ConfigDict(extra="forbid", revalidate_instances="always")


@dataclass(frozen=True, slots=True)
class Method:
    """A method that cases show. arguments: all of the Protocol's but `http`; waits: it is a coroutine function."""

    name: str
    spec: MethodSpec
    arguments: type[BaseModel]
    result: Result
    waits: bool

    def read(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments that a case has, as the method takes them. Raises pydantic.ValidationError."""
        read = self.arguments.model_validate_json(to_json({**self.spec.defaults, **arguments}))
        return {name: getattr(read, name) for name in self.arguments.model_fields}


@dataclass(frozen=True, slots=True)
class Call:
    """What an adapter is asked for: one of its methods, with these arguments."""

    method: Method
    arguments: Mapping[str, Any]

    async def make(self, adapter: object, http: object) -> Any:
        """Have an adapter answer."""
        given = [http, *self.arguments.values()] if self.method.spec.effect else self.arguments.values()
        returned = getattr(adapter, self.method.name)(*given)
        return await returned if self.method.waits else returned

    def where(self, **arguments: Any) -> Call:
        """The same call with other arguments."""
        return Call(self.method, {**self.arguments, **arguments})

    @property
    def message(self) -> tuple[str, Message] | None:
        """The message that a call is about which asks nobody, with the argument's name."""
        found = ((name, value) for name, value in self.arguments.items() if isinstance(value, Message))
        return None if self.method.spec.effect else next(found, None)

    @property
    def obtains_token(self) -> bool:
        """Whether it is given secrets, for a token."""
        return self.method.result.classes == (Token,)


class Result:
    """What a method returns, by its annotation. classes: of the value, or of each value where there are several."""

    def __init__(self, returns: Any) -> None:
        origin = get_origin(returns)
        self.several = isinstance(origin, type) and issubclass(origin, Collection) and not issubclass(origin, Mapping)
        element = get_args(returns)[0] if self.several else returns
        union = get_origin(element) in (Union, UnionType)
        self.classes = tuple(map(_class_of, get_args(element) if union else (element,)))
        whole: Any = element
        if self.several:
            # A collection that is no sequence has no order to compare.
            in_order = issubclass(origin, Sequence)
            whole = tuple.__class_getitem__((element, ...)) if in_order else frozenset.__class_getitem__(element)
        # Within a tuple a configuration may stand, which reaches the sdk's classes without being said at each of them.
        alone: Any = tuple.__class_getitem__((whole,))
        self._adapter: TypeAdapter[tuple[Any]] = TypeAdapter(alone, config=_EXACT)

    def read(self, value: Any) -> Any:
        """What was returned, as values of the sdk. Raises pydantic.ValidationError."""
        [read] = self._adapter.validate_python((value,))
        return read

    def read_json(self, value: Any) -> Any:
        """What a case has, as values of the sdk: it is JSON, as messages are. Raises pydantic.ValidationError."""
        [read] = self._adapter.validate_json(to_json((value,)))
        return read

    def plain(self, read: Any) -> Any:
        """What was read, as plain values: they are equal where it says the same."""
        [plain] = self._adapter.dump_python((read,))
        return plain

    def written(self, read: Any) -> str:
        """What was read, as a case has it."""
        return self._adapter.dump_json((read,)).decode()[1:-1]

    def foreign(self, value: Any) -> type | None:
        """The class of what was returned and may not be; None where nothing is."""
        if self.several and (isinstance(value, str | bytes | Mapping) or not isinstance(value, Collection)):
            return type(value)
        values = value if self.several else [value]
        return next((type(each) for each in values if not isinstance(each, self.classes)), None)


def fault_of(error: ValidationError) -> str:
    """The first thing that is wrong with a result, and where."""
    fault = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, fault['loc'][1:]))}: {fault['msg']}"


def method_of(spec: CapabilitySpec, name: str) -> Method:
    """A method of a capability, by what its Protocol states."""
    function = spec.function(name)
    hints = get_type_hints(function, include_extras=True)
    fields: Any = {each: (hint, ...) for each, hint in hints.items() if each not in ("http", "return")}
    arguments = create_model(f"{name} arguments", __config__=_EXACT, **fields)
    return Method(name, spec.methods[name], arguments, Result(hints["return"]), inspect.iscoroutinefunction(function))


def _class_of(annotation: Any) -> type:
    """The class whose instances an annotation allows; object where it names none."""
    plain = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    plain = get_origin(plain) or plain
    return type(None) if plain is None else plain if isinstance(plain, type) else object
