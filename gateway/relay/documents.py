"""Documents of contracts: what a command says of its document, and the signed address by which its vendor gets it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode

import orjson
import structlog

from gateway.relay.sealed import sealed_as
from gateway.store import Row
from gateway.suppliers import SecretBox, SecretUnreadableError
from schemas.base import read
from schemas.contracts.commands import TEXTS
from schemas.contracts.parts import ContractDocument

log = structlog.get_logger(__name__)

LINK_LIFE = timedelta(hours=24)
"""How long an address of a document is good. A message that is given again has another one."""

LATEST = 2**40
"""Latest expiry of an address, in seconds since 1970: no clock of ours comes there."""

PATH = "/v1/contracts/{contract_no}/document"


@dataclass(frozen=True, slots=True)
class Link:
    """What an address of a document says. message: the command that carries it; expires: seconds since 1970."""

    contract_no: str
    message: str
    expires: int
    signature: str


class DocumentLinks:
    """Makes and checks addresses of documents.

    sign: makes a signature of bytes, one for each key that counts, that of today first; base_url: under which vendors
    reach the gateway, "" for addresses that begin with the path.
    """

    def __init__(self, signatures: Callable[[bytes], tuple[bytes, ...]], base_url: str = "") -> None:
        self._signatures = signatures
        self._base_url = base_url.rstrip("/")

    def address(self, contract_no: str, message: str, now: datetime) -> str:
        """The address of the document of a message, good for LINK_LIFE."""
        expires = int((now + LINK_LIFE).timestamp())
        signature = self._signatures(_signed(contract_no, message, expires))[0].hex()
        query = urlencode({"message": message, "expires": expires, "signature": signature})
        return f"{self._base_url}{PATH.format(contract_no=quote(contract_no, safe=''))}?{query}"

    def is_signed(self, link: Link) -> bool:
        """Whether the gateway made it. Whether it is still good is another matter."""
        given = link.signature.encode(errors="replace")
        right = self._signatures(_signed(link.contract_no, link.message, link.expires))
        return any(hmac.compare_digest(given, each.hex().encode()) for each in right)

    def for_vendor(self, value: bytes, message: str, operation: str, now: datetime) -> bytes:
        """A command as its vendor is given it: of its document, the address at the gateway instead of the core's."""
        if operation not in TEXTS:
            return value
        members = orjson.loads(value)
        members["payload"]["document"]["url"] = self.address(members["contract_no"], message, now)
        return orjson.dumps(members)


def document_in(box: SecretBox, row: Row) -> ContractDocument | None:
    """The document of a row's command; None: it cannot be read any more."""
    try:
        members = orjson.loads(box.open(row["supplier"], sealed_as(row["command_id"]), row["sealed"]))
        return read(ContractDocument, orjson.dumps(members["payload"]["document"]))
    except (SecretUnreadableError, ValueError, KeyError, TypeError):
        log.exception("contract.unreadable", command=row["command_id"])
        return None


def derived_key(secret_key: bytes) -> bytes:
    """The key that addresses of documents are signed with, of the gateway's own secret key."""
    return hashlib.sha256(b"mallgate contract documents\x00" + secret_key).digest()


def signatures_by(*keys: bytes) -> Callable[[bytes], tuple[bytes, ...]]:
    """Signs with each of these secret keys, the present one first."""
    derived = tuple(map(derived_key, keys))
    return lambda content: tuple(hmac.digest(key, content, "sha256") for key in derived)


def _signed(contract_no: str, message: str, expires: int) -> bytes:
    return f"{contract_no}\n{message}\n{expires}".encode()
