"""Master data: the detail of one sku and its images."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
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

PARAMETERS = "规格参数"
"""The name of parameters that are told without names."""

CELLS, BREAKS = frozenset({"td", "th", "dt", "dd"}), frozenset({"br", "p", "div", "li"})
"""Tags that begin a cell, and that keep two words of one apart."""

BOUNDS = frozenset({("tr", False), ("tr", True), ("table", True), ("dl", False), ("dl", True), ("dt", False)})
"""Tags between two rows, of a table or of a list of terms; True for those that end something."""

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
        if row.sku != sku:
            row.refuse("contract_error", "sku", sku)
        facts = _product(sku, row, _images(exchange, row, image_host))
        yield sdk.Item(facts) if facts and not row.issues else sdk.Refusal(sku, tuple(row.issues))


def _product(sku: str, row: Row, images: tuple[str, ...]) -> ProductFacts | None:
    attributes, description = _attributes(row), _description(row)
    name, least = row.line("name"), row.count("LowestBuy")
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
        brand_raw=row.line("brandName") or row.line("Brand"),
        model=next(filter(None, (_bare(each.value)[:MAX_MODEL] for each in attributes if each.name == MODEL)), None),
        unit=row.label("saleUnit"),
        category_path=_category(row),
        attributes=attributes,
        images=images,
        description=description,
        barcode=_barcode(row),
        tax_code=tax_code,
        origin=row.line("productArea"),
        warranty=row.text("shouhou"),
        packing_list=row.text("wareQD") or row.text("box_Contents"),
        minimum_order_quantity=least or Decimal(1),
    )


def _description(row: Row) -> str | None:
    """The introduction alone as it came, or followed by the long texts, each below its heading."""
    introduction = row.text("introduction")
    sections = [(title, row.text(member)) for member, title in SECTIONS.items()]
    parts = [f"<h3>{title}</h3>\n{_as_markup(text)}" for title, text in sections if text]
    if not parts:
        return introduction
    whole = "\n".join([_as_markup(introduction), *parts] if introduction else parts)
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


def _attributes(row: Row) -> tuple[Attribute, ...]:
    named_values = [(name, row.text(member)) for member, name in DETAILS.items()]
    named = [(name, " ".join(value.split())) for name, value in named_values if value]
    pairs = [*_parameters(row.text("param") or ""), *((name, value) for name, value in named if value)]
    return tuple(Attribute(name=name, value=value[:MAX_VALUE]) for name, value in pairs)[:MAX_ATTRIBUTES]


def _parameters(table: str) -> Sequence[tuple[str, str]]:
    """Name and value of every row of a table that has both, however badly it is closed; a text without any as it is."""
    pairs = [(_bare(name).rstrip(":： ")[:200], value) for row in _rows(table) for name, value in _pairs(row)]
    named = list(islice(((name, value) for name, value in pairs if name and value), MAX_ATTRIBUTES))
    text = "" if named else _bare(_legible(table[:MAX_CELL]))
    return [(PARAMETERS, text)] if text else named


def _pairs(row: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Names and values of a row of cells, each with the tag that began it: two or more pairs may stand in one row."""
    cells = [text for tag, text in row if tag != "th"]
    if len(cells) == 1:  # its name may be a heading
        cells = [text for _, text in row]
    if len(cells) % 2:
        cells = [*cells[:1], " ".join(cells[1:])]
    yield from zip(cells[::2], cells[1::2], strict=True)


def _rows(table: str) -> Iterator[list[tuple[str, str]]]:
    """The cells of every row, of a table or of a list of terms, each with the tag that began it."""
    cells: list[tuple[str, list[str]]] = []
    inside = False
    for token in islice(sdk.read_markup(table), MAX_TOKENS):
        if isinstance(token, str):
            if inside:
                cells[-1][1].append(token)
            continue
        if (token.name, token.end) in BOUNDS:
            yield [(tag, _legible("".join(cell)[:MAX_CELL])) for tag, cell in cells]
            cells = []
        if token.name in CELLS and not token.end:
            cells.append((token.name, []))
        if token.name in CELLS or token.name in ("tr", "table", "dl"):
            inside = token.name in CELLS and not token.end
        elif inside and token.name in BREAKS:
            cells[-1][1].append(" ")
    yield [(tag, _legible("".join(cell)[:MAX_CELL])) for tag, cell in cells]


def _legible(text: str) -> str:
    """A text of HTML on one line, as it is shown but for its markup."""
    return " ".join(_CONTROLS.sub(" ", unescape(text)).split())


def _bare(html: str) -> str:
    """What a text says without its markup, for where none may stand."""
    return " ".join("".join(token for token in sdk.read_markup(html) if isinstance(token, str)).split())


def _images(exchange: sdk.Exchange, row: Row, image_host: str) -> tuple[str, ...]:
    """Absolute addresses, the main image first; those that are no addresses are left out."""
    listed = read("images", exchange.replies.get("images", b"null"))
    images = [] if listed is None or listed in ("", {}) else [listed] if isinstance(listed, dict) else listed
    if not isinstance(images, list):
        raise sdk.ContractError("images: expected a list", operation="sku_image", reply=exchange.replies["images"])
    usable = (each for each in images if isinstance(each, dict) and replies.plain_text(each.get("yn")) != "0")
    paths = [row.get("imagePath"), row.get("image"), *(each.get("path") for each in sorted(usable, key=_order))]
    addresses = [_address(path.strip(), image_host) for path in paths if isinstance(path, str) and path.strip()]
    return tuple(dict.fromkeys(address for address in addresses if address))[:MAX_IMAGES]


def _order(image: Mapping[str, Any]) -> tuple[bool, int]:
    place = replies.plain_text(image.get("orderSort")) or ""
    return replies.plain_text(image.get("isPrimary")) != "1", int(place) if re.fullmatch(r"[0-9]{1,9}", place) else 0


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
