"""The command line: one module per noun, loaded when its command is called, so that help is there at once.

What a command ends with is in STATUSES.
"""

from __future__ import annotations

import sys

from cyclopts import App, CycloptsError, Group, MissingArgumentError
from rich.text import Text

from gateway.cli.terminal import Terminal

DONE = 0
FAILED = 1
WRONGLY_CALLED = 2
MISCONFIGURED = 78
INTERRUPTED = 130

STATUSES = {
    DONE: "Done; also what `run` and `demo` end with when they are asked to stop.",
    FAILED: "It could not be done; one line on standard error says why.",
    WRONGLY_CALLED: "Wrongly called: no such command or option, or an unusable value.",
    MISCONFIGURED: "Wrongly configured (EX_CONFIG of sysexits): every problem is named on a line of its own.",
    INTERRUPTED: "Interrupted by Ctrl-C before it was done.",
}
"""Exit statuses and what they say."""

RUNNING = Group.create_ordered("Run")
OPERATING = Group.create_ordered("Operate")
DEVELOPING = Group.create_ordered("Develop")

errors = Terminal(stderr=True, highlight=False, soft_wrap=True)


def _wrongly_called(error: CycloptsError) -> Text:
    return _line(f"{_missing(error) or error} Try --help.")


def _missing(error: CycloptsError) -> str:
    """What to say of an argument that is not there at all; "" of one that is there without its value."""
    if not isinstance(error, MissingArgumentError) or error.argument is None or error.keyword or error.argument.tokens:
        return ""
    return f"{error.argument.name} is missing: {' '.join(('mallgate', *(error.command_chain or ())))} needs it."


def _line(text: str) -> Text:
    return Text(f"mallgate: {text}", style="red")


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 -- other commands start sooner without it

    return version("mallgate")


app = App(
    name="mallgate",
    help="An async gateway between e-commerce suppliers and a government-procurement mall.",
    version=_version,
    version_flags=["--version"],
    help_format="markdown",
    error_console=errors,
    error_formatter=_wrongly_called,
    result_action="return_int_as_exit_code_else_zero",
    suppress_keyboard_interrupt=False,
)

COMMANDS = (
    ("run", RUNNING, "Run the gateway."),
    ("demo", RUNNING, "Show the gateway at work on embedded Kafka and PostgreSQL."),
    ("check", RUNNING, "Check settings, Kafka and PostgreSQL."),
    ("suppliers", OPERATING, "Declare suppliers, pause them, hand out their keys."),
    ("feeds", OPERATING, "Look at what suppliers fed; decide about held feeds."),
    ("catalog", OPERATING, "Publish anew what a catalog topic has lost."),
    ("orders", OPERATING, "Look at what became of orders; say what a person found out about one."),
    ("evidence", OPERATING, "Export what was exchanged about an order; check such a file."),
    ("lanes", OPERATING, "Look at orders that wait; stop one, let it go on."),
    ("webhooks", OPERATING, "Look at vendors' webhooks; test one, send anew, enable one again."),
    ("deadletters", OPERATING, "Look at what was rejected; replay or discard it."),
    ("secrets", OPERATING, "Seal what is kept secret anew, after the secret key was changed."),
    ("audit", OPERATING, "Look at who changed what; check that the record of it is whole."),
    ("topics", OPERATING, "Look at the Kafka topics."),
    ("adapters", DEVELOPING, "Look at the adapters there are, test one, begin one."),
    ("schemas", DEVELOPING, "Write or check the generated schemas and README's tables."),
)

for noun, group, words in COMMANDS:
    app.command(f"gateway.cli.{noun}:{noun}", name=noun, group=group, help=words)


def main() -> None:
    """Run the command of sys.argv and leave with its status; expected errors are red lines, not tracebacks."""
    try:
        status = app()
    except KeyboardInterrupt:
        status = INTERRUPTED
    except Exception as error:  # noqa: BLE001 -- what is not expected is raised again
        status = _report_error(error)
    sys.exit(status)


def _report_error(error: Exception) -> int:
    """Say what an expected error says, and the status it ends with; raise any other."""
    # Imported here: the errors bring the adapters' models with them, and help must not wait for those.
    from gateway.sdk.errors import ConfigError, GatewayError  # noqa: PLC0415

    match error:
        case ConfigError():
            for problem in error.problems:
                errors.print(_line(problem))
            return MISCONFIGURED
        case GatewayError():
            errors.print(_line(str(error)))
            return FAILED
        case ExceptionGroup():
            # What runs side by side fails in groups; where all of it is expected, the first says enough.
            known_errors, others = error.split(GatewayError)
            if known_errors is None or others is not None:
                raise error
            return _report_error(known_errors.exceptions[0])
        case _:
            raise error
