"""Master data: the detail of one sku and its images."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from html import unescape
from itertools import islice
from typing import Any

from pydantic import TypeAdapter, ValidationError

from adapters.jd_vop import replies
from adapters.jd_vop.rows import Row, answer_of, not_answered, read
from gateway import sdk
from schemas.base import CONTROLS
from schemas.catalog import Attribute, ProductFacts, WebAddress

DETAILS: Mapping[str, str] = {
    "weight": "重量(kg)",
    "Author": "著者",
    "Editer": "编者",
    "Transfer": "译者",
    "Drawer": "绘者",
    "Proofreader": "校对",
    "ISBN": "ISBN",
    "Publishers": "出版社",
    "Sheet": "开本",
    "Pages": "页数",
    "Package": "包装",
    "PublishTime": "出版时间",
    "BatchNo": "版次",
    "PrintTime": "印刷时间",
    "PrintNo": "印次",
    "PackNum": "套装数量",
    "Language": "正文语言",
    "Papers": "用纸",
    "Actor": "演员",
    "Director": "导演",
    "Singer": "演奏者",
    "Performer": "演唱者",
    "Authors": "作词",
    "Compose": "作曲",
    "Screenwriter": "编剧",
    "Language_Pronunciation": "主讲人",
    "Voiceover": "解说",
    "Foreignname": "外文名",
    "Aka": "又名",
    "Publishing_Company": "发行公司",
    "Soundtrack": "碟数",
    "Media": "介质",
    "Dregion": "地区",
    "Episode": "集数",
    "Length": "片长",
    "Region": "区码",
    "Press": "出版社",
    "Production_Company": "出品公司",
    "ReleaseDate": "上映日期",
    "Copyright": "版权提供",
    "Mvd_Wxjz": "文像进字",
    "Audio_Encoding_Chinese": "音频格式",
    "Language_Dubbed": "配音语言",
    "Language_Subtitled": "字幕语言",
    "Screen_Ratio": "屏幕比例",
    "Format": "画面色彩",
    "ISRC": "ISRC",
}
"""Members that goods have instead of a table of parameters, books and recordings above all, in the documents' words."""

SECTIONS: Mapping[str, str] = {
    "contentDesc": "内容摘要",
    "relatedProducts": "产品描述",
    "editerDesc": "编辑推荐",
    "authorDesc": "作者简介",
    "bookAbstract": "精彩摘要",
    "catalogue": "目录",
    "comments": "评论",
    "material_Description": "特殊说明",
    "manual": "说明书",
}
"""Long texts of books and recordings, which follow the introduction under these headings. Any may hold markup."""

MODEL = "型号"
"""The parameter that is the model."""

MAX_ATTRIBUTES, MAX_VALUE, MAX_MODEL, MAX_IMAGES = 500, 2000, 500, 100
MAX_DESCRIPTION = 200_000
MAX_ADDRESS = 2000

MAX_TOKENS = 5_000
"""Tags and texts that are read of a table of parameters: five hundred rows of two cells, each closed, have as many."""

MAX_CELL = 4_000
"""Characters that are read of a cell, twice as many as are kept; no number in it is longer than Python reads."""

_ADDRESS = TypeAdapter(WebAddress)
_BARCODE = re.compile(r"(?<![0-9A-Za-z])[0-9]{8,14}(?![0-9A-Za-z])")
_CONTROLS = re.compile(f"[{CONTROLS}]")
_TAX_CODE = re.compile(r"[0-9]{1,19}")
_ABSOLUTE = re.compile(r"https?://[^/\s][^/\s.]*+\.\S++", re.IGNORECASE)
_PICTURE = re.compile(r"/?[\w./!~%+-]+\.(?:jpe?g|png|gif|webp|bmp|avif|dpg)", re.ASCII | re.IGNORECASE)


def products(exchange: sdk.Exchange, image_host: str) -> Iterator[sdk.Item | sdk.Refusal]:
    """The one product of an exchange; nothing where VOP says that it has no such goods for us."""
    for sku in exchange.skus:
        answer = answer_of(exchange, "detail", "get_detail")
        if answer.nothing:
            continue
        if answer.empty:
            yield not_answered(sku, "detail", answer.message)
            continue
        row = Row(answer.result if isinstance(answer.result, dict) else {}, ("replies", "detail", "result"))
        if replies.told(row.members.get("sku", row.members.get("skuId"))) != sku:
            row.refuse("contract_error", "sku", sku)
        facts = _product(sku, row, _images(exchange, row, image_host))
        yield sdk.Item(facts) if facts and not row.issues else sdk.Refusal(sku, tuple(row.issues))


def _product(sku: str, row: Row, images: tuple[str, ...]) -> ProductFacts | None:
    spelt = _spelling(row)
    attributes, description = _attributes(row, spelt), _description(row, spelt)
    name, least = row.line("name"), row.count(spelt("LowestBuy"))
    tax_code = row.line("taxCode")
    if name is None and not row.issues:
        row.refuse("validation_failed", "name", "a name")
    if tax_code and not _TAX_CODE.fullmatch(tax_code):
        row.refuse("validation_failed", "taxCode", "1 to 19 digits")
    if name is None or row.issues:
        return None
    return ProductFacts(
        sku=sku,
        name=name,
        brand_raw=row.line("brandName") or row.line(spelt("Brand")),
        model=next((each.value[:MAX_MODEL] for each in attributes if each.name == MODEL), None),
        unit=row.label("saleUnit"),
        category_path=_category(row),
        attributes=attributes,
        images=images,
        description=description,
        barcode=_barcode(row),
        tax_code=tax_code,
        origin=row.line("productArea"),
        warranty=row.text("shouhou"),
        packing_list=row.text("wareQD") or row.text(spelt("box_Contents")),
        minimum_order_quantity=least or Decimal(1),
    )


def _spelling(row: Row) -> Callable[[str], str]:
    """How this answer spells a member of the documents, whose editions differ in case and underscores."""
    spelt = {_plain(name): name for name in row.members}
    return lambda name: name if name in row.members else spelt.get(_plain(name), name)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _description(row: Row, spelt: Callable[[str], str]) -> str | None:
    """The introduction alone as it came, or followed by the long texts, each below its heading."""
    introduction = row.text("introduction")
    sections = [(title, row.text(spelt(member))) for member, title in SECTIONS.items()]
    told = [f"<h3>{title}</h3>\n{_as_markup(text)}" for title, text in sections if text]
    if not told:
        return introduction
    whole = "\n".join([_as_markup(introduction), *told] if introduction else told)
    if len(whole) > MAX_DESCRIPTION:
        row.refuse("validation_failed", "introduction", f"at most {MAX_DESCRIPTION} characters, with all long texts")
    return whole


def _as_markup(text: str) -> str:
    """A text to be joined with markup: without any of its own, its lines stay lines."""
    return text if "<" in text else text.replace("\n", "<br>\n")


def _category(row: Row) -> tuple[str, ...]:
    """The codes of a path such as `6728;6745;13995`, root first."""
    codes = [code.strip() for code in (row.label("category") or "").split(";")]
    return tuple(code for code in codes if code)[:10]


def _barcode(row: Row) -> str | None:
    """The first of the codes that may be a GTIN; goods of several have them all in one text."""
    found = _BARCODE.search(row.line("upc") or "")
    return found[0] if found else None


def _attributes(row: Row, spelt: Callable[[str], str]) -> tuple[Attribute, ...]:
    told = [(name, row.text(spelt(member))) for member, name in DETAILS.items()]
    named = [(name, " ".join(value.split())) for name, value in told if value]
    pairs = [*_parameters(row.text("param") or ""), *((name, value) for name, value in named if value)]
    return tuple(Attribute(name=name, value=value[:MAX_VALUE]) for name, value in pairs)[:MAX_ATTRIBUTES]


def _parameters(table: str) -> Sequence[tuple[str, str]]:
    """Name and value of every row of a table that has both, however badly it is closed."""
    rows = (
        tuple(" ".join(_CONTROLS.sub(" ", unescape(cell[:MAX_CELL])).split()) for cell in row) for row in _rows(table)
    )
    pairs = ((row[0].rstrip(":： ")[:200], row[1]) for row in rows if len(row) >= 2)
    return list(islice(((name, value) for name, value in pairs if name and value), MAX_ATTRIBUTES))


def _rows(table: str) -> Iterator[list[str]]:
    """The cells of every row; headings are no cells."""
    cells: list[list[str]] = []
    inside = False
    for token in islice(sdk.read_markup(table), MAX_TOKENS):
        if isinstance(token, str):
            if inside:
                cells[-1].append(token)
            continue
        if token.name == "tr" or (token.end and token.name == "table"):
            yield ["".join(cell) for cell in cells]
            cells = []
        elif token.name == "td" and not token.end:
            cells.append([])
        if token.name in ("td", "th", "tr", "table"):
            inside = token.name == "td" and not token.end
    yield ["".join(cell) for cell in cells]


def _images(exchange: sdk.Exchange, row: Row, image_host: str) -> tuple[str, ...]:
    """Absolute addresses, the main image first; those that are no addresses are left out."""
    listed = read("images", exchange.replies.get("images", b"null"))
    images = [] if listed is None or listed in ("", {}) else listed
    if not isinstance(images, list) or not all(isinstance(each, dict) for each in images):
        raise sdk.ContractError("images: expected a list", operation="sku_image", reply=exchange.replies["images"])
    shown = sorted((each for each in images if replies.told(each.get("yn")) != "0"), key=_order)
    paths = [row.members.get("imagePath"), row.members.get("image"), *(each.get("path") for each in shown)]
    addresses = [_address(path.strip(), image_host) for path in paths if isinstance(path, str) and path.strip()]
    return tuple(dict.fromkeys(address for address in addresses if address))[:MAX_IMAGES]


def _order(image: Mapping[str, Any]) -> tuple[bool, int]:
    place = replies.told(image.get("orderSort")) or ""
    return replies.told(image.get("isPrimary")) != "1", int(place) if re.fullmatch(r"[0-9]{1,9}", place) else 0


def _address(path: str, host: str) -> str | None:
    """The address of a picture; None for a text that is none, such as a word, or too long for one."""
    if len(path) > MAX_ADDRESS:
        return None
    if path.startswith("//"):
        path = f"https:{path}"
    if not _ABSOLUTE.fullmatch(path):
        if not _PICTURE.fullmatch(path):
            return None
        path = f"{host.rstrip('/')}/{path.lstrip('/')}"
    try:
        return _ADDRESS.validate_python(path, strict=True)
    except ValidationError:
        return None
