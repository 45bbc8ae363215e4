"""Tokens: a signature buys one, a new one ends the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import md5
from secrets import token_hex
from typing import Any

from contrib.simulators.jd_vop.clock import CHINA, Clock, local
from contrib.simulators.jd_vop.config import Config
from contrib.simulators.jd_vop.envelopes import RefusedError

WINDOW = 600


def sign(form: Mapping[str, str], secret: str) -> str:
    """The signature that a form must carry. Its password is already a digest."""
    fields = ("timestamp", "client_id", "username", "password", "grant_type", "scope")
    text = secret + "".join(form.get(field, "") for field in fields) + secret
    return md5(text.encode(), usedforsecurity=False).hexdigest().upper()


def credentials(config: Config, at: float) -> dict[str, str]:
    """The form of oauth2/accessToken for a simulator of this configuration, signed."""
    form = {
        "grant_type": "access_token",
        "client_id": config.client_id,
        "username": config.username,
        "password": _digest(config),
        "timestamp": local(at),
        "scope": "",
    }
    return form | {"sign": sign(form, config.client_secret)}


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and its refresh token. id: what the log calls it; times of expiry in seconds since 1970."""

    id: str
    access: str
    refresh: str
    access_ends: float
    refresh_ends: float


class Tokens:
    """At most one token is valid at a time, so that two who renew it get in each other's way visibly."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._ids: dict[str, str] = {}
        self._current: Token | None = None
        self.issued = self.refreshed = 0

    def id_of(self, access: str | None) -> str | None:
        """What the log calls a token: T1, T2, ... in the order of issue; "unknown" for one that was never issued."""
        return None if access is None else self._ids.get(access, "unknown")

    def grant(self, form: Mapping[str, str]) -> dict[str, Any]:
        """The answer to oauth2/accessToken. Raises RefusedError."""
        config = self._config
        if form.get("grant_type") != "access_token":
            raise RefusedError("1003", "grant_type不正确")
        if form.get("client_id") != config.client_id:
            raise RefusedError("1005", "无效的client_id")
        if form.get("sign") != sign(form, config.client_secret):
            raise RefusedError("2003", "签名校验失败")
        if (form.get("username"), form.get("password")) != (config.username, _digest(config)):
            raise RefusedError("2002", "用户名或密码错误")
        if abs(_seconds(form.get("timestamp", "")) - self._clock()) > WINDOW:
            raise RefusedError("2006", "timestamp与服务器时间相差超过10分钟")
        self.issued += 1
        return self._issue()

    def refresh(self, form: Mapping[str, str]) -> dict[str, Any]:
        """The answer to oauth2/refreshToken. Raises RefusedError."""
        config, current = self._config, self._current
        if (form.get("client_id"), form.get("client_secret")) != (config.client_id, config.client_secret):
            raise RefusedError("1005", "无效的client_id或client_secret")
        if current is None or form.get("refresh_token") != current.refresh:
            raise RefusedError("2011", "refresh_token无效")
        if current.refresh_ends <= self._clock():
            raise RefusedError("2012", "refresh_token已过期")
        self.refreshed += 1
        return self._issue()

    def check(self, access: str | None) -> None:
        """Let a call with the valid token pass. Raises RefusedError for any other."""
        current = self._current
        if current is not None and access == current.access and self._clock() < current.access_ends:
            return
        if self._config.expired_as == "2007":
            raise RefusedError("2007", "token已过期或不存在")
        if access not in self._ids:
            raise RefusedError("1003", "无效的access_token")
        raise RefusedError("1004", "access_token已过期")

    def expire(self) -> None:
        """End the current access token before its time; its refresh token stays good."""
        if self._current is not None:
            token = self._current
            self._current = Token(token.id, token.access, token.refresh, self._clock(), token.refresh_ends)

    def _issue(self) -> dict[str, Any]:
        now, config = self._clock(), self._config
        order = len(self._ids) + 1
        access, refresh = token_hex(14), token_hex(14)
        self._current = Token(f"T{order}", access, refresh, now + config.token_life, now + config.refresh_life)
        self._ids[access] = self._current.id
        return {
            "uid": str(6_100_000_000 + config.seed),
            "access_token": access,
            "refresh_token": refresh,
            "time": int(now * 1000),
            "expires_in": config.token_life,
            "refresh_token_expires": int(self._current.refresh_ends * 1000),
        }


def _seconds(text: str) -> float:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA).timestamp()
    except ValueError as error:
        raise RefusedError("1002", "timestamp格式不正确") from error


def _digest(config: Config) -> str:
    return md5(config.password.encode(), usedforsecurity=False).hexdigest()
