"""Who is calling: a bearer token, or a Standard Webhooks signature by the supplier that `webhook-supplier` names.

A token is judged at once. A signature is a claim until the body has been read: `Claim` collects the proof. Signatures
are for pushes: a request without a body would be signed by its id and time alone, good for any path. Whatever is wrong
with a credential, an unknown id, a wrong secret, an expired key, the answer is the same; but nobody's body is read for
a supplier that no live secret signs for.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from aiohttp import hdrs, web

from gateway.http.clients import client_of, site_of
from gateway.http.problems import ProblemError
from gateway.http.under_way import count_credential
from gateway.intake.signature import Signature, SignedHead, secret_bytes, signed_head
from gateway.suppliers import Caller, InvalidCredentialError, SecretUnreadableError, WebhookKey

SUPPLIER_HEADER = "webhook-supplier"
"""Names the supplier whose secret signs: Standard Webhooks leaves open how a receiver finds the secret."""

_TOKEN = re.compile(r"[!-~]{1,512}")  # visible ASCII

# Each of them once: of two, one could be meant and the other be checked.
_ONCE = (hdrs.AUTHORIZATION, SUPPLIER_HEADER, "webhook-id", "webhook-timestamp", "webhook-signature")


class Credentials(Protocol):
    """What is asked of the suppliers' keyring."""

    async def verify_bearer(self, token: str) -> Caller:
        """Who holds the token. Raises InvalidCredentialError."""
        ...

    async def webhook_keys(self, supplier: str) -> Sequence[WebhookKey]:
        """The live webhook secrets of a supplier, none for an unknown one."""
        ...

    def used(self, caller: Caller) -> None:
        """Note that a credential was used."""
        ...


class Claim:
    """A signed request whose signature is not checked yet: feed it the body, then `settle`.

    supplier: that it claims to come from; keys: at least one that can be read.
    """

    def __init__(self, head: SignedHead, keys: Sequence[WebhookKey], used: Callable[[Caller], None]) -> None:
        self.webhook_id = head.id
        self.supplier = keys[0].caller.supplier
        self._used = used
        readable = [(key.caller, key.secret) for key in keys if key.secret is not None]
        self._callers = [caller for caller, _ in readable]
        self._unread = len(keys) > len(readable)
        self._signature = Signature(head, [secret_bytes(secret) for _, secret in readable])

    def update(self, data: bytes) -> None:
        """The next bytes of the body, as on the wire."""
        self._signature.update(data)

    def settle(self) -> Caller:
        """Who signed the body.

        Raises ProblemError signature_invalid, and SecretUnreadableError where a secret that signs it may be unread.
        """
        index = self._signature.matching()
        if index is None and self._unread:
            raise SecretUnreadableError
        if index is None:
            raise ProblemError("signature_invalid", subcode="mismatch")
        caller = self._callers[index]
        self._used(caller)
        return caller


async def authenticate(
    request: web.BaseRequest, credentials: Credentials, *, clock: Callable[[], float] = time.time
) -> Caller | Claim:
    """The caller, or its claim. clock: seconds since 1970.

    Raises ProblemError (auth_missing, auth_invalid, signature_invalid, tenant_mismatch, bad_header,
    timestamp_out_of_window, requests_limit) and ServiceUnavailableError.
    """
    for name in _ONCE:
        if len(request.headers.getall(name, [])) > 1:
            raise ProblemError("bad_header", path=name, expected="once")
    authorization = request.headers.get(hdrs.AUTHORIZATION)
    if authorization is not None:
        caller = await _bearer(authorization, credentials)
        if request.headers.get(SUPPLIER_HEADER, caller.supplier) != caller.supplier:
            raise ProblemError("tenant_mismatch", path=SUPPLIER_HEADER)
        count_credential(request, caller.key_id)
        return caller
    if "webhook-signature" in request.headers and SUPPLIER_HEADER in request.headers:
        return await _claim(request, credentials, clock())
    raise ProblemError("auth_missing", expected="Authorization: Bearer, or Standard Webhooks headers")


async def authenticate_bearer(request: web.BaseRequest, credentials: Credentials) -> Caller:
    """The caller of a request that no signature covers. Raises as `authenticate`, and ProblemError bearer_required."""
    who = await authenticate(request, credentials)
    if isinstance(who, Claim):
        raise ProblemError("bearer_required", expected="Authorization: Bearer")
    return who


async def _bearer(authorization: str, credentials: Credentials) -> Caller:
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not _TOKEN.fullmatch(token):
        raise ProblemError("auth_invalid", subcode="malformed")
    try:
        return await credentials.verify_bearer(token)
    except InvalidCredentialError as error:
        raise ProblemError("auth_invalid", subcode="refused") from error


async def _claim(request: web.BaseRequest, credentials: Credentials, now: float) -> Claim:
    supplier = request.headers.get(SUPPLIER_HEADER, "")
    if not _TOKEN.fullmatch(supplier):
        raise ProblemError("bad_header", path=SUPPLIER_HEADER, expected="id of the supplier that signs")
    head = signed_head(request.headers, now=now)
    keys = await credentials.webhook_keys(supplier)
    if not keys:
        raise ProblemError("signature_invalid", subcode="no_key")
    # For whom claims it and from where: nobody is kept out by others that sign in his name.
    count_credential(request, f"claimed of {supplier} by {site_of(client_of(request))}")
    return Claim(head, keys, credentials.used)
