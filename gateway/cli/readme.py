"""Reference tables of README files, rendered from the code between `<!-- name -->` and `<!-- /name -->`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, get_args, get_origin

from cyclopts import App
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from gateway.cli import STATUSES, app
from gateway.config import PREFIX, Settings
from gateway.sdk.capabilities import CAPABILITIES, Capabilities, CapabilitySpec
from gateway.sdk.problems import PROBLEMS
from gateway.sdk.testing import CHECKS
from gateway.telemetry import metrics


def rendered(text: str, tables: Mapping[str, Callable[[], str]] | None = None) -> str:
    """A README with every table as the code has it now. tables: of the file, those of the tree's own by default."""
    for name, table in (TABLES if tables is None else tables).items():
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        head, found, rest = text.partition(start)
        if found:
            text = head + start + table() + end + rest.partition(end)[2]
    return text


def commands() -> str:
    """Every command, in the order of its help."""
    return _table(("command", "what it does"), _commands(app, "mallgate"))


def _commands(parent: App, path: str) -> Iterator[Sequence[str]]:
    for name in parent:
        if name.startswith("-"):
            continue
        command = parent[name]
        if command.default_command is None:
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"`{path} {name}`", command.help.split("\n", 1)[0]


def statuses() -> str:
    """What each exit status says."""
    return _table(("status", "meaning"), ((str(status), words) for status, words in STATUSES.items()))


def settings() -> str:
    """Every setting, as the environment names it."""
    fields = Settings.model_fields.items()
    rows = ((f"`{_variable(name, field)}`", _default(field), _meaning(field)) for name, field in fields)
    return _table(("variable", "default", "meaning"), rows)


def _variable(name: str, field: FieldInfo) -> str:
    return name.upper() if field.validation_alias else PREFIX + name.upper()


def _default(field: FieldInfo) -> str:
    match field.default:
        case None | "" | ():
            return "–"
        case tuple() as several:
            return f"`{','.join(several)}`"
        case default:
            return "required" if default is PydanticUndefined else f"`{default}`"


def _meaning(field: FieldInfo) -> str:
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    return field.description or ", ".join(choices)


def problems() -> str:
    """Every problem code."""
    rows = (
        (f"`{problem.code}`", str(problem.status), "yes" if problem.retryable else "", problem.en, problem.zh)
        for problem in PROBLEMS.values()
    )
    return _table(("code", "status", "try again", "English", "中文"), rows)


def capabilities(table: Capabilities = CAPABILITIES) -> str:
    """Every capability of adapters."""
    head = ("what an adapter can do", "capability", "its methods", "its manifest also has")
    return _table(head, (_capability(spec) for spec in table.values()))


def _capability(spec: CapabilitySpec) -> Sequence[str]:
    methods = (f"`{name}` ({method.effect})" if method.effect else f"`{name}`" for name, method in spec.methods.items())
    besides = [*(f"`{each}`" for each in spec.declares), *(f"capability `{each}`" for each in spec.needs)]
    return f"{spec.zh}: {spec.en}", f"`{spec.name}`", ", ".join(methods) or "–", ", ".join(besides) or "–"


def checks() -> str:
    """Every check of the conformance kit."""
    return _table(("check", "what it finds out"), ((f"`{name}`", check.en) for name, check in CHECKS.items()))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_line(head), "|---" * len(head) + "|", *(_line(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


TABLES: Mapping[str, Callable[[], str]] = {
    "commands": commands,
    "exit statuses": statuses,
    "settings": settings,
    "metrics": metrics.documentation,
    "problems": problems,
}
"""What README tabulates, by the name between its markers."""

ADAPTERS_TABLES: Mapping[str, Callable[[], str]] = {"capabilities": capabilities, "checks": checks}
"""What adapters/README.md tabulates."""
