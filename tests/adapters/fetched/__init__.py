"""Exchanges whose reply `rows` is an object: a record in the native format for every sku that it answers for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson
from pydantic import JsonValue

from adapters import native
from gateway.sdk import (
    Adapter as Base,
)
from gateway.sdk import (
    ContractError,
    Exchange,
    Http,
    InvalidMessageError,
    Item,
    Options,
    Record,
    Refusal,
    Request,
    SkuPage,
    decode_exchange,
)
from schemas.catalog import Facet


class Adapter(Base):
    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._rows = native.Adapter(native.Adapter.options_model())

    def normalise(self, record: Record) -> Iterator[Item | Refusal]:
        exchange = decode_exchange(record.raw)
        try:
            rows = orjson.loads(exchange.replies["rows"])
        except orjson.JSONDecodeError as error:
            raise ContractError("the rows are no JSON") from error
        for sku in exchange.skus:
            if sku in rows:
                yield from self._said(record, sku, rows[sku])

    def _said(self, record: Record, sku: str, row: dict[str, object]) -> Iterator[Item | Refusal]:
        try:
            yield from self._rows.normalise(Record(record.facet, orjson.dumps({"sku": sku, **row}), record.received_at))
        except InvalidMessageError as error:
            yield Refusal(sku, error.issues)

    async def list_skus(self, http: Http, cursor: JsonValue) -> SkuPage:
        reply = await http.call(Request("rows"))
        return SkuPage(tuple(orjson.loads(reply.body)))

    def areas(self, facet: Facet) -> Sequence[str]:
        return ("",)

    async def read(self, http: Http, facet: Facet, skus: Sequence[str], area: str) -> Sequence[Exchange]:
        reply = await http.call(Request("rows", query={"skus": ",".join(skus)}))
        return [Exchange(tuple(skus), {"rows": reply.body})]
