"""What each stage costs as one dimension of its input grows: `python -m tests.growth` prints it.

A dimension is fed n, 2n, 4n and 8n of something, at 8n as much as its stage can meet; the exponent is the slope of CPU
time over size on logarithmic scales. Beyond a cap inputs are refused, which costs little: a cap is a cure. The longest
stretch is the CPU time of the longest piece of the work at a time: of one call, and of a stage that takes a body or a
chunk in parts, of one part. Times are of the thread: a machine that is not alone does not add to them.
"""

from __future__ import annotations

import gc
import itertools
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson
from aiohttp.test_utils import make_mocked_request

from adapters.jd_vop import areas, product, replies
from adapters.native import Adapter
from gateway import sdk
from gateway.deadletters.fingerprint import kind_of
from gateway.deadletters.patch import diff
from gateway.feeds.apply import PART
from gateway.feeds.batches import batches
from gateway.feeds.chunk import MAX_CARRIED, MAX_RECORD, RawRecord
from gateway.feeds.decide import Decisions, Entry, decide
from gateway.feeds.named_keys import _Members
from gateway.feeds.normalise import Result, Rules, normalise, normalise_some, skus_of
from gateway.intake.encoding import PIECE, Gunzip
from gateway.intake.framing.json_document import JsonFramer
from gateway.intake.framing.ndjson import NdjsonFramer
from gateway.intake.media_type import media_type_of
from gateway.intake.parameters import KEY
from gateway.intake.reads import REPORTED
from gateway.intake.signature import signed_head
from gateway.intake.tables import csv_rows, json_lines
from gateway.intake.views import report_row
from gateway.sdk.adapter import Options
from gateway.sdk.errors import GatewayError
from gateway.sdk.exchange import decode_exchange
from schemas.brands import fold_brand
from schemas.catalog import Facet
from schemas.directories import CategoryMap
from schemas.money import parse_decimal

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
FACTORS = (1, 2, 4, 8)

NATIVE = Adapter(Options())


@dataclass(frozen=True, slots=True)
class Dimension:
    """One thing that may grow. make: the input of size n; least: the smallest n.

    run: what the stage does with it, as parts of which each is one stretch; a stage that never rests has one.
    """

    stage: str
    name: str
    make: Callable[[int], Any]
    run: Callable[[Any], Iterable[Callable[[], object]]]
    least: int


@dataclass(frozen=True, slots=True)
class Growth:
    """What was measured. seconds: CPU by size; exponent: 0 where all of it is too little to tell; longest: stretch."""

    dimension: Dimension
    seconds: Mapping[int, float]
    exponent: float
    longest: float


def cpu_seconds(parts: Callable[[], Iterable[Callable[[], object]]], times: int) -> tuple[float, float]:
    """CPU of all parts, and of the longest: the best of several, for caches take their share.

    The collector rests: what it takes is told by the heap of the process, not by the input.
    """
    best, longest = math.inf, math.inf
    gc.disable()
    try:
        for _ in range(times):
            found = [0.0, *map(_once, parts())]
            best, longest = min(best, sum(found)), min(longest, max(found))
    finally:
        gc.enable()
    return best, longest


def _once(part: Callable[[], object]) -> float:
    start = time.thread_time()
    with suppress(GatewayError, ValueError):
        part()
    return time.thread_time() - start


def calibration() -> float:
    """CPU seconds of a fixed piece of work on this machine now: a document of 1 MiB through Python's own decoder."""
    document = json.dumps([{"sku": f"A{number}", "price": "10.00"} for number in range(30_000)])[: 2**20]
    text = document[: document.rindex("}") + 1] + "]"
    return cpu_seconds(lambda: [partial(json.loads, text)], times=5)[0]


def measure(dimension: Dimension, floor: float, times: int = 3) -> Growth:
    """floor: seconds below which a time says nothing; times: of each size."""
    seconds, stretches = {}, []
    for size in (dimension.least * factor for factor in FACTORS):
        seconds[size], longest = cpu_seconds(partial(dimension.run, dimension.make(size)), times)
        stretches.append(longest)
    exponent = slope({size: each for size, each in seconds.items() if each > floor})
    return Growth(dimension, seconds, exponent, max(stretches))


def _whole(run: Callable[[Any], object]) -> Callable[[Any], Iterable[Callable[[], object]]]:
    """A stage that never rests."""
    return lambda given: [partial(run, given)]


def slope(seconds: Mapping[int, float]) -> float:
    """The exponent by least squares; 0 of fewer than three points."""
    if len(seconds) < 3:
        return 0.0
    points = [(math.log(size), math.log(each)) for size, each in seconds.items()]
    middle = sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)
    rise = sum((x - middle[0]) * (y - middle[1]) for x, y in points)
    return rise / sum((x - middle[0]) ** 2 for x, _ in points)


def _rules(facet: Facet) -> Rules:
    return Rules(facet, NOON, CategoryMap({"办公": "打印机"}))


def _record(facet: Facet, most: int = MAX_RECORD) -> Callable[[bytes], Iterable[Callable[[], object]]]:
    rules = _rules(facet)
    return _whole(lambda raw: normalise(NATIVE, RawRecord(1, raw[:most]), rules))


def _product(**members: Any) -> bytes:
    return orjson.dumps({"sku": "A", "name": "n", **members})


def _of(member: str, text: str, most: int = 200_000) -> Callable[[int], bytes]:
    return lambda n: _product(**{member: (text * n)[:most]})


def _framed(make: Callable[[], Any], piece: int = PIECE) -> Callable[[bytes], Iterable[Callable[[], object]]]:
    """A body in pieces, of which each is one stretch at most: intake rests within it, too."""

    def run(body: bytes) -> Iterator[Callable[[], object]]:
        framer = make()
        for at in range(0, len(body), piece):
            yield lambda at=at: list(framer.feed(body[at : at + piece]))  # type: ignore[misc]
        yield lambda: list(framer.finish())

    return run


def _gunzipped(body: bytes) -> Iterator[Callable[[], object]]:
    decoder = Gunzip(2**31)
    return ((lambda at=at: list(decoder.feed(body[at : at + 7]))) for at in range(0, len(body), 7))  # type: ignore[misc]


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
    hidden = "<x " + "a " * 250 + ">"
    yield Dimension("markup", "attributes left out", _of("description", hidden), run, 200_000 // len(hidden) // 8)
    for name, piece in {"many texts": "<p>x</p>", "many open texts": "<i>", "many references": "<b>&a</b>"}.items():
        texts = lambda n, piece=piece: _product(attributes={f"a{k}": (piece * 300)[:2_000] for k in range(n)})  # noqa: E731
        yield Dimension("markup", name, texts, run, 60)


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
    kept = _record(Facet.PRICE, MAX_CARRIED)
    for name, piece in {"lists": b"[],", "texts": b'"a","",', "names": b'"sku": "A', "escapes": b"\\u0061"}.items():
        too_long = lambda n, piece=piece: b'{"a":[%b1]}' % (piece * n)  # noqa: E731
        yield Dimension("too long", name, too_long, kept, MAX_CARRIED // len(piece) // 8)
    yield Dimension("record", "brand", lambda n: "a/\u0323\u0301\ufdfa" * n, _whole(fold_brand), 60)
    yield Dimension(
        "record", "skus", lambda n: b'{"a":[%b1]}' % (b"1," * n), _whole(partial(skus_of, pulled=False)), 60_000
    )
    asked = lambda n: sdk.Exchange(tuple(map(str, range(n))), {}).encode()  # noqa: E731
    yield Dimension("record", "like an exchange", asked, price, 12_000)
    lists = lambda n: sdk.Exchange((), {}, {"a": [[]] * n}).encode()  # noqa: E731
    yield Dimension("record", "like a question", lists, kept, 100_000)
    yield Dimension("record", "amount", lambda n: "1" * n, _whole(lambda text: parse_decimal(text, places=2)), 120_000)


def _bodies() -> Iterable[Dimension]:
    """Whole bodies, in pieces."""
    yield Dimension("body", "array", lambda n: b"[%b1]" % (b"1," * n), _framed(JsonFramer), 20_000)
    yield Dimension("body", "one value", lambda n: b'["%b"]' % (b"x" * n), _framed(JsonFramer, 1024), 60_000)
    yield Dimension("body", "white space", lambda n: b"[" + b" " * n + b"1]", _framed(JsonFramer, 1024), 60_000)
    yield Dimension("body", "depth", lambda n: b"[" * n, _framed(JsonFramer), 30_000)
    yield Dimension("body", "digits", lambda n: b"[%b]" % (b"1" * n), _framed(JsonFramer, 1024), 60_000)
    for name, piece in {"one of lists": b"[],", "one of texts": b'"a","",', "one of rows": b'{"a":"b"},'}.items():
        long = lambda n, piece=piece: b'[{"a":[%b1]}]' % (piece * n)  # noqa: E731
        yield Dimension("body", name, long, _framed(JsonFramer), MAX_CARRIED // len(piece) // 9)
    for name, one in {"one text": b'"%b"', "one of escapes": b'{"a":"%b"}', "one name": b'{"%b":1}'}.items():
        escapes = lambda n, one=one: b"[%b]" % (one % (b"\\n" * n))  # noqa: E731
        yield Dimension("body", name, escapes, _framed(JsonFramer), MAX_CARRIED // 2 // 9)
    yield Dimension("body", "lines", lambda n: b"\n" * n + b"1", _framed(NdjsonFramer), 60_000)
    yield Dimension("body", "one line", lambda n: b"x" * n, _framed(NdjsonFramer, 16), 60_000)
    yield Dimension("body", "gzip in bits", _gzip, _gunzipped, 20_000)


def _gzip(size: int) -> bytes:
    import gzip  # noqa: PLC0415 - here alone

    return gzip.compress(bytes(index * index % 251 for index in range(size)), 1)


def _chunks() -> Iterable[Dimension]:
    """Chunks of n records that are all rejected, each for as much as it can be."""
    crowded = b"{%b}" % b",".join(b'"u%d":1' % k for k in range(25))
    for name, raw in {"unknown members": crowded, "nothing": b"{}", "no JSON": b'{"sku":"A","price":x}'}.items():
        chunk = lambda n, raw=raw: [RawRecord(line, raw) for line in range(n)]  # noqa: E731
        yield Dimension("normalise", name, chunk, _normalised, 125)
    for size, piece in itertools.product((400, 2_000), ("<p>x</p>", "<i>")):
        marked = lambda n, one=(piece * size)[:size]: [RawRecord(line, _product(description=one)) for line in range(n)]  # noqa: E731
        run = partial(_normalised, facet=Facet.PRODUCT)
        yield Dimension("normalise", f"{size} characters of {piece}", marked, run, 16)
    refused = lambda n: [  # noqa: E731
        Entry(line, line, crowded, normalise(NATIVE, RawRecord(line, crowded), _rules(Facet.PRICE)))
        for line in range(n)
    ]
    yield Dimension("decide", "rejections", refused, _decided, 125)
    yield Dimension("report", "JSON lines", lambda n: _told(refused(n)), _reported(json_lines), 125)
    yield Dimension("report", "CSV", lambda n: _told(refused(n)), _reported(csv_rows), 125)


def _normalised(raws: list[RawRecord], facet: Facet = Facet.PRICE) -> Iterator[Callable[[], object]]:
    rules = _rules(facet)
    for batch in batches(raws, products=facet is Facet.PRODUCT):
        left = batch
        while left:
            found: list[Result] = []
            yield lambda left=left, found=found: found.extend(normalise_some(NATIVE, left, rules))  # type: ignore[misc]
            left = left[len(found) :]


def _decided(entries: list[Entry]) -> Iterator[Callable[[], object]]:
    decisions = Decisions()
    judge = partial(decide, known={}, feed_no=1, period=None, before=decisions)
    return (partial(judge, entries[start : start + PART]) for start in range(0, len(entries), PART))


def _told(entries: list[Entry]) -> list[dict[str, Any]]:
    return decide(entries, {}, feed_no=1, period=None).problems


def _reported(write: Callable[[list[Any]], bytes]) -> Callable[[Any], Iterable[Callable[[], object]]]:
    def run(rows: list[dict[str, Any]]) -> Iterator[Callable[[], object]]:
        for start in range(0, len(rows), REPORTED):
            yield lambda start=start: write([report_row(row) for row in rows[start : start + REPORTED]])  # type: ignore[misc]

    return run


def _others() -> Iterable[Dimension]:
    signature = lambda n: {  # noqa: E731
        "webhook-id": "a",
        "webhook-timestamp": "0",
        "webhook-signature": "v1,x " * n,
    }
    yield Dimension("header", "signatures", signature, _whole(lambda given: signed_head(given, now=0.0)), 1_000)
    yield Dimension("header", "idempotency key", lambda n: "k" * n, _whole(KEY.fullmatch), 1_000)
    for name, piece in {"quotes": ';"', "parameters": ";a=b", "continued": ';x*0="a;"'}.items():
        written = lambda n, piece=piece: make_mocked_request("POST", "/", {"Content-Type": "a/b" + piece * n})  # noqa: E731
        yield Dimension("header", f"content type {name}", written, _whole(media_type_of), 4)
        yield Dimension("header", f"long content type {name}", written, _whole(media_type_of), 1_000)
    words = lambda n: "“'\"`「" * n + "a-1" * n  # noqa: E731
    kind = partial(kind_of.__wrapped__, stage="s", code="c")
    yield Dimension("letter", "words", words, _whole(lambda text: kind(path="/1" * 9, message=text)), 5_000)
    yield Dimension("letter", "path", lambda n: "/1" * n, _whole(lambda path: kind(path=path, message="")), 5_000)
    for distinct in (1, 101, 1_000):
        turned = lambda n, distinct=distinct: b",".join(b"%d" % (k % distinct) for k in range(n))  # noqa: E731
        yield Dimension("letter", f"patch of {distinct}", turned, _whole(lambda raw: diff(raw, raw[::-1])), 2_000)
    for name, filling in {"no name": b"\xff", "name": b"sku", "open name": b'sku:"\\', "blanks": b"sku "}.items():
        nameless = lambda n, filling=filling: filling * n  # noqa: E731
        yield Dimension("letter", name, nameless, _whole(_Members.of), MAX_RECORD // len(filling) // 9)
    skus = lambda n: sdk.Exchange(tuple(map(str, range(n))), {"a": b"{}"}).encode()  # noqa: E731
    yield Dimension("exchange", "skus", skus, _whole(decode_exchange), 120)
    told = lambda text: {"success": False, "resultMessage": text}  # noqa: E731
    said = lambda text: replies.envelope("get_sell_price", told(text))  # noqa: E731
    words_of = _whole(lambda answer: (answer.barred, answer.words))
    yield Dimension("jd_vop", "blanks", lambda n: said("skuId" + " " * n), words_of, 10_000)
    yield Dimension("jd_vop", "lists", lambda n: said("skuId[" * n), words_of, 10_000)
    for name, text in {"dots": ".", "names": "a."}.items():
        path = lambda n, text=text: f"http://{text * n} x"  # noqa: E731
        yield Dimension("jd_vop", f"address of {name}", path, _whole(lambda path: product._address(path, "h")), 2_000)
    yield Dimension("jd_vop", "zeros of an area", lambda n: "_0" * n + "x", _whole(areas.bare), 2_000)
    barred = lambda n: replies.envelope("check", {"resultMessage": "不存在12 " * n})  # noqa: E731
    each = lambda answer: [(answer.bars(str(sku), "ab"), answer.words) for sku in range(100)]  # noqa: E731
    yield Dimension("jd_vop", "words for each sku", barred, _whole(each), 400)
    for piece in ("<td>x", "<a ", "<!--", "<td><a b='", "<tr><td>a<td>b", "&#", "</a ", "<![CDATA[", "<a b=c d"):
        table = lambda n, piece=piece: (piece * n)[:200_000]  # noqa: E731
        yield Dimension("jd_vop", f"parameters {piece}", table, _whole(product._parameters), 200_000 // len(piece) // 8)
    decoded = _whole(sdk.decode_reply)
    long_number = lambda n: sdk.Reply("x", 200, {}, b'{"a":%b}' % (b"9" * n))  # noqa: E731
    yield Dimension("reply", "digits", long_number, decoded, 20_000)
    for name, row in {
        "lists": b"[],",
        "texts": b'"[",',
        "rows": b'{"sku":"1","price":1.50},',
        "decimals": b"1.5,",
    }.items():
        said_at_once = lambda n, row=row: sdk.Reply("x", 200, {}, b'{"a":[%b1]}' % (row * n))  # noqa: E731
        yield Dimension("reply", name, said_at_once, decoded, 2**20 // len(row) // 8)

    names = lambda n: sdk.Reply("x", 200, {}, b"{%b}" % b",".join(b'"%d":1' % k for k in range(n)))  # noqa: E731
    yield Dimension("reply", "names", names, decoded, 10_000)


DIMENSIONS = (*_markup(), *_records(), *_bodies(), *_chunks(), *_others())


def main() -> None:
    """Print what grows how."""
    unit = calibration()
    print(f"{'stage':10} {'dimension':24} {'exponent':>8} {'longest ms':>10}   (calibration {unit * 1000:.1f} ms)")
    for dimension in DIMENSIONS:
        growth = measure(dimension, floor=unit / 20)
        print(f"{dimension.stage:10} {dimension.name:24} {growth.exponent:8.2f} {growth.longest * 1000:10.1f}")


if __name__ == "__main__":
    main()
