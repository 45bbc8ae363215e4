"""/v1: vendors answer contracts, and get the documents of contracts behind signed addresses."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import structlog
from aiohttp import hdrs, web

from gateway.http.answers import FATE
from gateway.http.problems import ProblemError
from gateway.intake.binding import contract_prefix
from gateway.intake.contract_views import taken_view
from gateway.intake.document import read_members, validated
from gateway.intake.expect import note_expectation
from gateway.intake.parameters import number_of, refuse_unknown
from gateway.intake.spool import Spool
from gateway.intake.vendor_messages import UNSETTLED, VendorMessageReader, number_in_path
from gateway.outbound.document import DocumentChangedError, DocumentSource, DocumentUnavailableError
from gateway.relay.contract_answer_service import (
    AnswerReceipt,
    ContractAnswerService,
    ContractStateError,
    OtherDocumentError,
    SentAnswer,
    UnknownContractError,
)
from gateway.relay.contract_answers import CONTRACT_ANSWERS, ContractAnswer
from gateway.relay.document_store import DocumentStore, KeptDocument
from gateway.relay.documents import LATEST, DocumentLinks, Link
from gateway.relay.mailbox import Clock, utc_now
from gateway.relay.vendor_keys import KeyReusedError
from gateway.sdk.wire import shown
from gateway.telemetry import metrics
from schemas.contracts.events import ContractKind

log = structlog.get_logger(__name__)

PIECE = 256 * 1024
"""Bytes of a document that are answered at once."""

AT_ONCE = 4
"""Documents that a process fetches at one time."""


RETRY_AFTER = 30
"""Seconds after which a document that could not be had is asked for again."""


class ContractRoutes:
    """Contracts of suppliers whose vendors fetch them. spool_dir: where documents wait until they are whole."""

    def __init__(
        self,
        words: VendorMessageReader,
        answers: ContractAnswerService,
        documents: DocumentStore,
        links: DocumentLinks,
        source: DocumentSource,
        *,
        spool_dir: Path | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._messages = words
        self._answers = answers
        self._documents = documents
        self._links = links
        self._source = source
        self._spool_dir = spool_dir
        self._clock = clock
        self._room = asyncio.Semaphore(AT_ONCE)

    def routes(self) -> list[web.RouteDef]:
        """The routes, with their /v1 paths."""
        return [
            web.post("/v1/contracts/{contract_no}/events", self.receive_answer, expect_handler=note_expectation),
            web.get("/v1/contracts/{contract_no}/document", self.document, allow_head=False),
        ]

    async def receive_answer(self, request: web.Request) -> web.Response:
        """Take what the caller says of a contract. 202 once it is durable, the same for a repeat."""
        contract_no = number_in_path(request.match_info["contract_no"], "contract")
        message = await self._messages.read(request, f"contract {contract_no}", contract_prefix(contract_no))
        answer = _parse_answer(message.body)
        sent = SentAnswer(
            message.supplier, contract_no, message.key, message.digest, answer, message.traceparent, body=message.body
        )
        request[FATE] = UNSETTLED
        taken = await self._taken(sent)
        headers = {"Idempotent-Replayed": "true"} if taken.repeated else {}
        return web.json_response(text=taken_view(contract_no, taken).model_dump_json(), status=202, headers=headers)

    async def document(self, request: web.Request) -> web.StreamResponse:
        """The document that a message carries. Who has the address may have it: nothing else is asked for."""
        refuse_unknown(request, "message", "expires", "signature")
        kept = await self._asked_for(_link_of(request), self._clock())
        async with Spool(self._spool_dir) as spool:
            async with self._room:
                await self._fetched(kept, spool)
            return await _answered(request, kept, spool)

    async def _asked_for(self, link: Link, now: datetime) -> KeptDocument:
        """Raises ProblemError for an address that is none, or not any more."""
        if not self._links.is_signed(link):
            raise ProblemError("link_invalid")
        if now.timestamp() > link.expires:
            raise ProblemError("link_expired")
        kept = await self._documents.find(link.contract_no, link.message)
        if kept is None:
            raise ProblemError("not_found", "No such document.")
        return kept

    async def _fetched(self, kept: KeptDocument, spool: Spool) -> None:
        """Fetch a document whole. Raises ProblemError; of one that is another by now operators have a dead letter."""
        document = kept.document
        try:
            await self._source.fetch(document.url, sha256=document.sha256, size=document.size, keep=spool.append)
            await spool.seal()
        except DocumentChangedError as error:
            _count(kept, "changed")
            log.warning("contract.document_changed", contract_no=kept.contract_no, found=error.found)
            await self._documents.note_changed(kept, error.found)
            raise ProblemError("document_changed") from error
        except DocumentUnavailableError as error:
            _count(kept, "unavailable")
            log.warning("contract.document_unavailable", contract_no=kept.contract_no, reason=str(error))
            raise ProblemError("document_unavailable", retry_after=RETRY_AFTER) from error
        _count(kept, "answered")

    async def _taken(self, sent: SentAnswer) -> AnswerReceipt:
        try:
            return await self._answers.take(sent)
        except UnknownContractError as error:
            raise ProblemError("not_found", "No such contract.") from error
        except KeyReusedError as error:
            raise ProblemError("idempotency_key_reused") from error
        except OtherDocumentError as error:
            path = "/payload/document_sha256"
            raise ProblemError("validation_failed", path=path, expected=error.expected) from error
        except ContractStateError as error:
            allowed = ", ".join(error.allowed) or "nothing"
            raise ProblemError("contract_state", path="/event", actual=error.stands, expected=allowed) from error


def _count(kept: KeptDocument, outcome: str) -> None:
    metrics.contract_documents_total.labels(supplier=kept.supplier, outcome=outcome).inc()


async def _answered(request: web.Request, kept: KeptDocument, spool: Spool) -> web.StreamResponse:
    response = web.StreamResponse(headers=_headers(kept))
    response.content_length = spool.size
    await response.prepare(request)
    for offset in range(0, spool.size, PIECE):
        await response.write(spool.read(offset, min(PIECE, spool.size - offset)))
    await response.write_eof()
    return response


def _headers(kept: KeptDocument) -> Mapping[str, str]:
    """It is shown by no browser as a page of ours, and kept by no proxy."""
    return {
        hdrs.CONTENT_TYPE: kept.document.media_type,
        hdrs.CONTENT_DISPOSITION: "attachment",
        hdrs.CACHE_CONTROL: "private, no-store",
        "X-Content-Type-Options": "nosniff",
        "Document-SHA256": kept.document.sha256,
    }


def _link_of(request: web.Request) -> Link:
    """What the address says. Raises ProblemError."""
    contract_no = number_in_path(request.match_info["contract_no"], "contract")
    query = request.query
    if not query.get("message") or not query.get("signature"):
        raise ProblemError("link_invalid")
    expires = number_of(request, "expires", 0, most=LATEST)
    return Link(contract_no, query["message"], expires, query["signature"])


def _parse_answer(content: bytes) -> ContractAnswer:
    """The answer that a body is. Raises ProblemError."""
    document = read_members(content)
    kind = document.get("event")
    if not isinstance(kind, str) or kind not in CONTRACT_ANSWERS:
        actual = shown(kind) if "event" in document else None
        expected = ", ".join(CONTRACT_ANSWERS)
        raise ProblemError("validation_failed", path="/event", actual=actual, expected=expected)
    return validated(CONTRACT_ANSWERS[ContractKind(kind)], content)
