"""Tokens: one lives a day, and is refreshed for about half a year without the password."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from adapters.jd_vop import replies
from gateway import sdk
from schemas.base import SHANGHAI

GRANT, SCOPE = "access_token", ""

Milliseconds = Annotated[int, Field(ge=0, le=10**13)]
"""A time of the supplier's clock, since 1970."""


class Grant(BaseModel):
    """What VOP hands out. expires_in: seconds."""

    access_token: Annotated[str, Field(min_length=1)]
    expires_in: Annotated[int, Field(ge=1, le=366 * 86_400)]
    refresh_token: str | None = None
    time: Milliseconds | None = None
    refresh_token_expires: Milliseconds | None = None


async def obtain(http: sdk.Http, secrets: Mapping[str, str], held: sdk.Token | None, now: datetime) -> sdk.Token:
    """A token, refreshed where the one held can be, else new. Raises AuthError when VOP refuses the credentials."""
    if held and held.refresh and (held.refresh_expires_at is None or held.refresh_expires_at > now):
        try:
            return _token(await http.call(_refreshing(secrets, held.refresh)), now)
        except sdk.AuthError:  # the refresh token is used up or withdrawn: the password is as good
            pass
    return _token(await http.call(_asking(secrets, now)), now)


def sign(secret: str, timestamp: str, client_id: str, username: str, password: str) -> str:
    """VOP's signature. password: as it is sent, the digest of the real one."""
    return _md5(f"{secret}{timestamp}{client_id}{username}{password}{GRANT}{SCOPE}{secret}").upper()


def _refreshing(secrets: Mapping[str, str], refresh: str) -> sdk.Request:
    client = {"client_id": secrets["client_id"], "client_secret": secrets["client_secret"]}
    return sdk.Request("refresh_token", form={"refresh_token": refresh, **client})


def _asking(secrets: Mapping[str, str], now: datetime) -> sdk.Request:
    client, username, password = secrets["client_id"], secrets["username"], _md5(secrets["password"])
    timestamp = now.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
    form = {
        "grant_type": GRANT,
        "client_id": client,
        "timestamp": timestamp,
        "username": username,
        "password": password,
        "scope": SCOPE,
        "sign": sign(secrets["client_secret"], timestamp, client, username, password),
    }
    return sdk.Request("access_token", form=form)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _token(reply: sdk.Reply, now: datetime) -> sdk.Token:
    """The token in a reply. VOP's clock may be wrong, so only how long things last is taken from it."""
    grant = _grant(reply)
    if grant is None:  # said without the body and without a cause: half a token is a secret all the same
        raise sdk.ContractError("no token", operation=reply.operation, status=reply.status)
    expires = now + timedelta(seconds=grant.expires_in)
    return sdk.Token(grant.access_token, expires, grant.refresh_token or None, _end(grant, now))


def _grant(reply: sdk.Reply) -> Grant | None:
    try:
        return Grant.model_validate(replies.read(reply).result)
    except (ValidationError, sdk.ContractError):
        return None


def _end(grant: Grant, now: datetime) -> datetime | None:
    if grant.time is None or grant.refresh_token_expires is None:
        return None
    return now + timedelta(milliseconds=grant.refresh_token_expires - grant.time)
