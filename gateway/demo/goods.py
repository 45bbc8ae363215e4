"""What the demo's vendor sells: a seeded catalog in the gateway's own push format, with the mistakes vendors make."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import orjson

from schemas.directories import DirectoryRow, directories, in_force

BRANDS = ("得力", "齐心", "晨光", "联想", "惠普/HP", "佳能(Canon)", "爱普生", "兄弟", "华为", "广博", "三木", "科密")
MATERIALS = ("标准型", "商务型", "增强型", "静音型", "环保型", "大容量", "便携式", "经典款")
SEED = 20170401


@dataclass(frozen=True, slots=True)
class Article:
    """One article. price: gross, yuan."""

    sku: str
    name: str
    brand: str
    category: tuple[str, str]
    price: Decimal


def articles(count: int) -> list[Article]:
    """The same articles at every call, spread over the rows of the purchasing directories."""
    chance = random.Random(SEED)  # noqa: S311 -- a catalog to look at, no secret
    directory = in_force(directories(), date(2017, 6, 1))
    rows = directory.rows if directory else ()
    return [_article(chance, number, rows[number % len(rows)]) for number in range(1, count + 1)]


def _article(chance: random.Random, number: int, row: DirectoryRow) -> Article:
    brand = chance.choice(BRANDS)
    model = f"{chance.choice('ABDEKMX')}{chance.randint(100, 9899)}"
    name = f"{brand.split('/')[0].split('(')[0]} {model} {chance.choice(MATERIALS)}{row.item.name.split('/')[0]}"
    price = Decimal(chance.randint(190, 899_900)) / 100
    return Article(f"ZZ-{number:05d}", name, brand, (row.group, row.item.name), price)


def product_lines(goods: list[Article]) -> Iterator[bytes]:
    """Master data, one record a line."""
    for article in goods:
        yield _line(
            sku=article.sku,
            name=article.name,
            brand=article.brand,
            category=article.category,
            unit="件",
            description=f"<p>{article.name}</p><script>track()</script>",
            warranty="一年",
        )


def price_lines(goods: list[Article], *, version: int, factor: Decimal = Decimal(1)) -> Iterator[bytes]:
    """Prices under the vendor's own version; factor: of the list price."""
    for article in goods:
        gross = (article.price * factor).quantize(Decimal("0.01"))
        yield _line(
            sku=article.sku,
            price=str(gross),
            net_price=str((gross / Decimal("1.13")).quantize(Decimal("0.01"))),
            tax_rate="13",
            market_price=str((article.price * Decimal("1.2")).quantize(Decimal("0.01"))),
            version=version,
        )


def bad_products() -> list[bytes]:
    """Records that no gateway should take, as vendors send them."""
    return [
        *(_line(sku=f"BAD-{number}", brand="得力", unit="件") for number in range(12)),
        *(_line(sku=f"BAD-{number}", name="打印机", colour="red") for number in range(12, 20)),
        b'{"sku": "BAD-20", "name": "\xb4\xf2\xd3\xa1\xbb\xfa"}',
        b'{"sku": "BAD-21", "name": "cut off',
        b'{"sku": "BAD-22", "name": "two of them", "name": "which one?"}',
    ]


def bad_prices() -> list[bytes]:
    """Prices that no gateway should guess at."""
    return [
        *(_line(sku=f"ZZ-{number:05d}", price="12.345", version=9) for number in range(1, 16)),
        *(_line(sku=f"ZZ-{number:05d}", price="1e3", version=9) for number in range(16, 26)),
        *(_line(sku=f"ZZ-{number:05d}", price="¥99.00", version=9) for number in range(26, 31)),
        _line(sku="ZZ-00031", price="99.00", observed_at="2099-01-01T00:00:00+08:00", version=9),
        b'{"sku": "ZZ-00032", "price": 99.00, "version": 9,}',
    ]


def _line(**members: Any) -> bytes:
    return orjson.dumps(members)
