"""What each stage costs as one dimension of its input grows: `python -m tests.growth` prints it.

A dimension is fed n, 2n, 4n and 8n of something; the exponent is the slope of CPU time over size on logarithmic
scales. Beyond a cap inputs are refused, which costs little: a cap is a cure. The longest stretch is the CPU time of one
uninterrupted call with the largest input of the dimension that its stage can meet.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from adapters.jd_vop import product, replies
from gateway import sdk
from gateway.deadletters.fingerprint import kind_of
from gateway.feeds.chunk import MAX_RECORD, RawRecord
from gateway.feeds.normalise import Rules, normalise, skus_of
from gateway.intake.encoding import Gunzip
from gateway.intake.framing.json_document import JsonFramer
from gateway.intake.framing.ndjson import NdjsonFramer
from gateway.intake.parameters import KEY
from gateway.intake.signature import signed_head
from gateway.registry import Registry
from gateway.sdk.adapter import NormalisesFeeds
from gateway.sdk.errors import GatewayError
from gateway.sdk.exchange import decode_exchange
from schemas.brands import fold_brand
from schemas.catalog import Facet
from schemas.directories import CategoryMap
from schemas.money import parse_decimal

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PIECE = 64 * 1024
FACTORS = (1, 2, 4, 8)

NATIVE = Registry().adapter("native", {})


@dataclass(frozen=True, slots=True)
class Dimension:
    """One thing that may grow. make: the input of size n; run: what the stage does with it; least: the smallest n."""

    stage: str
    name: str
    make: Callable[[int], Any]
    run: Callable[[Any], object]
    least: int


@dataclass(frozen=True, slots=True)
class Growth:
    """What was measured. seconds: CPU by size; exponent: 0 where all of it is too little to tell."""

    dimension: Dimension
    seconds: Mapping[int, float]
    exponent: float

    @property
    def longest(self) -> float:
        """Seconds of the longest call."""
        return max(self.seconds.values())


def cpu_seconds(call: Callable[[], object], times: int = 2) -> float:
    """CPU of a call, the best of several: the machine is never alone."""
    best = math.inf
    for _ in range(times):
        start = time.process_time()
        with suppress(GatewayError, ValueError):
            call()
        best = min(best, time.process_time() - start)
    return best


def calibration() -> float:
    """CPU seconds of a fixed piece of work on this machine now: a document of 1 MiB through Python's own decoder."""
    document = json.dumps([{"sku": f"A{number}", "price": "10.00"} for number in range(30_000)])[: 2**20]
    return cpu_seconds(lambda: json.loads(document[: document.rindex("}") + 1] + "]"), times=5)


def measure(dimension: Dimension, floor: float) -> Growth:
    """floor: seconds below which a time says nothing."""
    seconds = {}
    for factor in FACTORS:
        given = dimension.make(dimension.least * factor)
        seconds[dimension.least * factor] = cpu_seconds(lambda given=given: dimension.run(given))  # type: ignore[misc]
    return Growth(dimension, seconds, slope({size: each for size, each in seconds.items() if each > floor}))


def slope(seconds: Mapping[int, float]) -> float:
    """The exponent by least squares; 0 of fewer than three points."""
    if len(seconds) < 3:
        return 0.0
    points = [(math.log(size), math.log(each)) for size, each in seconds.items()]
    middle = sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)
    rise = sum((x - middle[0]) * (y - middle[1]) for x, y in points)
    return rise / sum((x - middle[0]) ** 2 for x, _ in points)


def _record(facet: Facet) -> Callable[[bytes], object]:
    assert isinstance(NATIVE, NormalisesFeeds)
    adapter, rules = NATIVE, Rules(facet, NOON, CategoryMap({"办公": "打印机"}))
    return lambda raw: normalise(adapter, RawRecord(1, raw[:MAX_RECORD]), rules)


def _product(**members: Any) -> bytes:
    return orjson.dumps({"sku": "A", "name": "n", **members})


def _of(member: str, text: str, most: int = 200_000) -> Callable[[int], bytes]:
    return lambda n: _product(**{member: (text * n)[:most]})


def _framed(make: Callable[[], Any], piece: int = PIECE) -> Callable[[bytes], object]:
    def run(body: bytes) -> object:
        framer = make()
        found = [list(framer.feed(body[at : at + piece])) for at in range(0, len(body), piece)]
        return [*found, list(framer.finish())]

    return run


def _gunzipped(body: bytes) -> object:
    decoder = Gunzip(2**31)
    return [list(decoder.feed(body[at : at + 7])) for at in range(0, len(body), 7)]


def _markup() -> Iterable[Dimension]:
    kinds = {
        "open tags": "<div>",
        "open lists": "<ul><li>",
        "open formatting": "<b title=x>",
        "crossed": "<b><div></b>",
        "ends that open": "<b></p>",
        "ignored ends": "<span><div></span></div>",
        "decent": "<p>x</p>",
        "tables": "<table>x",
        "cells": "<table><tr><td>x</table>",
        "comments": "<!-- x -->",
        "open comments": "<!--",
        "open tags cut": "<a ",
        "open values": '<a b="',
        "references": "&notin",
        "brackets": "<",
    }
    run = _record(Facet.PRODUCT)
    for name, piece in kinds.items():
        yield Dimension("markup", name, _of("description", piece), run, 200_000 // len(piece) // 8)
    many = lambda n: _product(description="<p>" + "".join(f"<i a={k}>" for k in range(n // 8)) + "<p>x" * n)  # noqa: E731
    yield Dimension("markup", "formatting × blocks", many, run, 2_000)
    attributes = lambda n: _product(description="<a " + " ".join(f"a{k}" for k in range(n)) + ">")  # noqa: E731
    yield Dimension("markup", "attributes", attributes, run, 3_000)


def _records() -> Iterable[Dimension]:
    price, run = _record(Facet.PRICE), _record(Facet.PRODUCT)
    yield Dimension("record", "unknown members", lambda n: _product(**{f"u{k}": k for k in range(n)}), price, 1_200)
    yield Dimension("record", "attributes", lambda n: _product(attributes={f"u{k}": k for k in range(n)}), run, 1_200)
    nested = lambda n: _product(attributes=[{f"u{k}": k for k in range(900)} for _ in range(n)])  # noqa: E731
    yield Dimension("record", "nested members", nested, run, 12)
    yield Dimension("record", "images", lambda n: _product(images=[1] * n), run, 1_200)
    yield Dimension("record", "values", lambda n: b'{"a":[%b1]}' % (b"[]," * n), price, 40_000)
    yield Dimension(
        "record", "infinite", lambda n: b'{"a":%b%b1%b}' % (b"[" * 60, b"1e999," * n, b"]" * 60), price, 1_200
    )
    yield Dimension("record", "controls", lambda n: b'{"a":[%b1]}' % (b'"\\u0001",' * n), price, 12_000)
    yield Dimension("record", "escapes", lambda n: b'{"a":"%b"}' % (b"\\u0061" * n), price, 21_000)
    yield Dimension("record", "depth", lambda n: b'{"a":' + b"[" * n, price, 120_000)
    yield Dimension("record", "spaces", lambda n: b'{"sku" %b:"A"}' % (b" " * n), price, 120_000)
    yield Dimension("record", "quotes", lambda n: b'{"sku":"%b"}' % (b'\\" ' * n), price, 40_000)
    yield Dimension("record", "digits", lambda n: b'{"sku":"A","price":%b}' % (b"1" * n), price, 120_000)
    yield Dimension("record", "decimals", lambda n: b'{"sku":"A","price":1.%b}' % (b"1" * n), price, 120_000)
    yield Dimension("record", "long numbers", lambda n: b'{"a":[%b1]}' % (b"%b," % (b"9" * 4_000) * n), price, 30)
    yield Dimension("record", "exponent", lambda n: b'{"sku":"A","price":1e%b}' % (b"9" * n), price, 120_000)
    yield Dimension("record", "combining", _of("sku", "a\u0323\u0301", 10**6), price, 12_000)
    yield Dimension("record", "wide text", _of("warranty", "\ufdfa"), run, 25_000)
    yield Dimension("record", "brand", lambda n: "a/\u0323\u0301\ufdfa" * n, fold_brand, 60)
    yield Dimension("record", "skus", lambda n: b'{"a":[%b1]}' % (b"1," * n), skus_of, 60_000)
    yield Dimension("record", "amount", lambda n: "1" * n, lambda text: parse_decimal(text, places=2), 120_000)


def _bodies() -> Iterable[Dimension]:
    """Whole bodies: what is fitted is the sum of many stretches, each of one piece."""
    yield Dimension("body", "array", lambda n: b"[%b1]" % (b"1," * n), _framed(JsonFramer), 20_000)
    yield Dimension("body", "one value", lambda n: b'["%b"]' % (b"x" * n), _framed(JsonFramer, 1024), 60_000)
    yield Dimension("body", "white space", lambda n: b"[" + b" " * n + b"1]", _framed(JsonFramer, 1024), 60_000)
    yield Dimension("body", "depth", lambda n: b"[" * n, _framed(JsonFramer), 30_000)
    yield Dimension("body", "digits", lambda n: b"[%b]" % (b"1" * n), _framed(JsonFramer, 1024), 60_000)
    yield Dimension("body", "lines", lambda n: b"\n" * n + b"1", _framed(NdjsonFramer), 60_000)
    yield Dimension("body", "one line", lambda n: b"x" * n, _framed(NdjsonFramer, 16), 60_000)
    yield Dimension("body", "gzip in bits", _gzip, _gunzipped, 20_000)


def _gzip(size: int) -> bytes:
    import gzip  # noqa: PLC0415 - here alone

    return gzip.compress(bytes(index * index % 251 for index in range(size)), 1)


def _others() -> Iterable[Dimension]:
    signature = lambda n: {  # noqa: E731
        "webhook-id": "a",
        "webhook-timestamp": "0",
        "webhook-signature": "v1,x " * n,
    }
    yield Dimension("header", "signatures", signature, lambda given: signed_head(given, now=0.0), 1_000)
    yield Dimension("header", "idempotency key", lambda n: "k" * n, KEY.fullmatch, 1_000)
    words = lambda n: "“'\"`「" * n + "a-1" * n  # noqa: E731
    kind = kind_of.__wrapped__
    yield Dimension(
        "letter", "words", words, lambda text: kind(stage="s", code="c", path="/1" * 9, message=text), 5_000
    )
    yield Dimension(
        "letter", "path", lambda n: "/1" * n, lambda p: kind(stage="s", code="c", path=p, message=""), 5_000
    )
    skus = lambda n: sdk.Exchange(tuple(map(str, range(n))), {"a": b"{}"}).encode()  # noqa: E731
    yield Dimension("exchange", "skus", skus, decode_exchange, 2_000)
    said = lambda text: replies.Answer("get_sell_price", success=False, code="", message=text, result=None)  # noqa: E731
    words_of = lambda answer: (answer.barred, answer.words)  # noqa: E731
    yield Dimension("jd_vop", "blanks", lambda n: said("skuId" + " " * n), words_of, 10_000)
    yield Dimension("jd_vop", "lists", lambda n: said("skuId[" * n), words_of, 10_000)
    for piece in ("<a ", "<!--", "<td><a b='", "<tr><td>a<td>b", "&#", "</a ", "<![CDATA[", "<a b=c d"):
        table = lambda n, piece=piece: (piece * n)[:200_000]  # noqa: E731
        yield Dimension("jd_vop", f"parameters {piece}", table, product._parameters, 200_000 // len(piece) // 8)
    long_number = lambda n: sdk.Reply("x", 200, {}, b'{"a":%b}' % (b"9" * n))  # noqa: E731
    yield Dimension("reply", "digits", long_number, sdk.decode_reply, 20_000)


DIMENSIONS = (*_markup(), *_records(), *_bodies(), *_others())


def main() -> None:
    """Print what grows how."""
    unit = calibration()
    print(f"{'stage':10} {'dimension':24} {'exponent':>8} {'longest ms':>10}   (calibration {unit * 1000:.1f} ms)")
    for dimension in DIMENSIONS:
        growth = measure(dimension, floor=unit / 20)
        print(f"{dimension.stage:10} {dimension.name:24} {growth.exponent:8.2f} {growth.longest * 1000:10.1f}")


if __name__ == "__main__":
    main()
