"""Documents of contracts as commands name them, and the dead letters of those that are others by now."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from gateway.deadletters import DeadLetter
from gateway.deadletters import record as record_letters
from gateway.relay import contract_queries as queries
from gateway.relay.documents import document_in
from gateway.sdk.errors import Issue
from gateway.store import Pool, transaction
from gateway.suppliers import SecretBox
from schemas.contracts.parts import ContractDocument

STAGE = "contract_documents"
"""Stage of the dead letters of documents that are not what their contracts say."""


@dataclass(frozen=True, slots=True)
class KeptDocument:
    """A document, and the command that carries it."""

    supplier: str
    contract_no: str
    order_no: str | None
    command_id: str
    document: ContractDocument


class DocumentStore:
    """Finds documents of contracts. Methods raise StoreUnavailableError."""

    def __init__(self, pool: Pool, box: SecretBox) -> None:
        self._pool = pool
        self._box = box

    async def find(self, contract_no: str, command_id: str) -> KeptDocument | None:
        """The document of a command that a vendor was given; None: there is none."""
        async with transaction(self._pool) as connection:
            row = await connection.fetchrow(queries.TEXT, command_id, contract_no)
        document = None if row is None else document_in(self._box, row)
        if row is None or document is None:
            return None
        return KeptDocument(row["supplier"], contract_no, row["contract_of"], command_id, document)

    async def note_changed(self, kept: KeptDocument, found: str) -> None:
        """Have operators see that a document is another one by now; once for each such document."""
        named = {
            "supplier": kept.supplier,
            "contract_no": kept.contract_no,
            "order_no": kept.order_no,
            "command_id": kept.command_id,
        }
        letter = DeadLetter(
            stage=STAGE,
            issues=(Issue("document_changed", "/payload/document", found, f"SHA-256 {kept.document.sha256}"),),
            original=orjson.dumps(named),
            supplier=kept.supplier,
            key=kept.command_id.encode(),
        )
        async with transaction(self._pool) as connection:
            await record_letters(connection, [letter])
