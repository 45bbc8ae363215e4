"""Which commands about contracts, invoices and services have not the one answer that each has to have."""

from __future__ import annotations

from collections.abc import Sequence

from tests.history.conversation_recorded import Conversation, Json
from tests.history.findings import Violation


def answered_otherwise(talk: Conversation, commands: Sequence[Json], ends: frozenset[str]) -> list[Violation]:
    """Those that have no answer, several, or one that answers nothing of that kind."""
    found = []
    for command in commands:
        kinds = [event.kind for event in talk.answers.get(command["command_id"], ())]
        if len(kinds) != 1 or kinds[0] not in ends:
            number = _number_of(command)
            told = ", ".join(kinds) or "no answer"
            text = f"{number}: {command['operation']} {command['command_id']} has {told}"
            found.append(Violation(text, talk.story(number)))
    return found


def _number_of(command: Json) -> str:
    payload = command["payload"]
    return str(command.get("contract_no") or payload.get("mark_id") or payload.get("service_no"))
