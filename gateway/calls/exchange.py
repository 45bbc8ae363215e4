"""What went over the wire in one attempt, for whoever keeps it. The credential of the attempt is not part of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from gateway.outbound import Credential, Prepared
from gateway.sdk.errors import SupplierError
from gateway.sdk.http import Reply

REMOVED = b"[credential removed]"

SHORTEST_SECRET = 8
"""Characters: anything shorter is found in any text."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what came of it.

    request: as it was sent, without the credential; reply: None where none came, or none within the limits; error:
    class of what was raised, "" for a reply without fault; sent: how much of the request had left then, None: all.
    """

    request: Prepared
    sent_at: datetime
    ended_at: datetime
    reply: Reply | None
    error: str = ""
    sent: str | None = None


Observer: TypeAlias = Callable[[Exchange], None]
"""Takes each exchange once it is over."""


def exchange_of(
    request: Prepared,
    credential: Credential | None,
    times: tuple[datetime, datetime],
    reply: Reply | None,
    error: BaseException | None,
) -> Exchange:
    """An exchange that is over. request: prepared without the credential, which is also removed where a reply says it.

    What a supplier said beyond the limits is known by its beginning alone, which the error holds.
    """
    sent = error.sent.value if isinstance(error, SupplierError) and error.sent is not None else None
    shown = None if reply is None else _without(reply, credential)
    return Exchange(request, *times, shown, "" if error is None else type(error).__name__, sent)


def _without(reply: Reply, credential: Credential | None) -> Reply:
    secret = "" if credential is None else credential.value.split(" ")[-1]
    if len(secret) < SHORTEST_SECRET:
        return reply
    headers = {name: value.replace(secret, REMOVED.decode()) for name, value in reply.headers.items()}
    return replace(reply, headers=headers, body=reply.body.replace(secret.encode(), REMOVED))
