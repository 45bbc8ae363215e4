"""The directories are as printed, slips included; a product falls under one row of them, or none with a reason."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalog import DirectoryItem, NoDirectoryReason
from schemas.directories import (
    CategoryMap,
    Directory,
    DirectoryRow,
    directories,
    duplicates,
    in_force,
    match_directory,
)

TODAY = date(2026, 11, 23)
UNMAPPED = CategoryMap({})


def pilot() -> Directory:
    version = in_force(directories(), TODAY)
    assert version is not None
    return version


def rows(directory: str) -> list[DirectoryRow]:
    return [row for row in pilot().rows if row.item.directory == directory]


def version(effective_from: date, *names: str, document: str = "d", jurisdiction: str = "410000") -> Directory:
    items = (
        DirectoryItem(directory="encouraged", version=document, row=row, name=name)
        for row, name in enumerate(names, start=1)
    )
    return Directory(
        document, jurisdiction, effective_from, tuple(DirectoryRow(i, str(i.row), "类", "") for i in items)
    )


def test_both_lists_are_whole() -> None:
    sizes = [list(Counter(row.group for row in rows(name)).values()) for name in ("mandatory", "encouraged")]
    assert sizes == [[14, 2, 2, 5, 3, 5, 4], [6, 11, 45]]
    assert [row.item.row for row in rows("mandatory")] == list(range(1, 36))
    assert [row.item.row for row in rows("encouraged")] == list(range(1, 63))


def test_the_version_is_its_document_with_its_jurisdiction_and_day() -> None:
    assert (pilot().document, pilot().jurisdiction) == ("豫财购函（2017）1号", "410000")
    assert pilot().effective_from == date(2017, 4, 21)
    assert {row.item.version for row in pilot().rows} == {pilot().document}


def test_printed_numbers_keep_their_slip() -> None:
    slips = [(row.item.row, row.printed_number, row.item.name) for row in rows("encouraged")[23:27]]
    assert slips == [(24, "24", "荧光笔"), (25, "25", "记号笔"), (26, "25", "笔芯"), (27, "27", "白板笔")]


def test_the_twin_rows_stay_and_are_reported() -> None:
    twins = [row.item.row for row in rows("encouraged") if row.item.name == "商务仿皮/皮面本"]
    assert twins == [39, 49]
    assert duplicates(pilot()) == ["商务仿皮/皮面本"]
    assert len({row.item.name for row in rows("encouraged")}) == 61


def test_only_three_rows_have_remarks() -> None:
    remarks = {row.item.row: row.remark for row in pilot().rows if row.remark}
    assert remarks == {4: "A4、A3、空白或彩色复印纸", 6: "主要指多联打印纸", 28: "铅笔、自动铅笔"}


def test_every_row_but_the_later_twin_is_found_by_its_full_name() -> None:
    lost = [row.item.row for row in pilot().rows if pilot().named(row.item.name).item != row.item]
    assert lost == [49]


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("订书机", 33),  # the full name of row 33, though also part of row 37's
        ("起订器", 37),
        ("订书机/起订器", 37),
        ("商务仿皮/皮面本", 39),  # and never its twin, 49
        ("皮面本", 39),
        ("鼠标", 11),
        ("大头针", 50),
        ("自动铅笔", 28),
        ("ｕ盘", 10),
    ],
)
def test_a_name_means_one_row(name: str, row: int) -> None:
    item = pilot().named(name).item
    assert item is not None
    assert (item.directory, item.row) == ("encouraged", row)


@pytest.mark.parametrize("name", ["皮", "A4", "本", "打印机", ""])
def test_a_fragment_means_nothing(name: str) -> None:
    assert pilot().named(name).reason is NoDirectoryReason.NO_MATCH


@pytest.mark.parametrize(
    ("path", "name", "row"),
    [
        (("办公耗材", "硒鼓"), "惠普 CF228A", 1),
        (("硒鼓", "其他"), "惠普 CF228A", 1),
        (("文具", "订书机"), "得力 计算器", 33),  # the category says more than the trade name
        ((), "惠普(HP) 硒鼓 CF228A 黑色", 1),
        ((), "罗技键盘，鼠标，键盘/鼠标 套装", 11),
    ],
)
def test_categories_decide_before_the_trade_name(path: tuple[str, ...], name: str, row: int) -> None:
    item = match_directory(path, name, UNMAPPED, TODAY).item
    assert item is not None
    assert (item.directory, item.row) == ("encouraged", row)


@pytest.mark.parametrize(
    ("path", "name", "reason"),
    [
        ((), "罗技无线鼠标垫", NoDirectoryReason.NO_CATEGORY),
        (("外设",), "罗技无线鼠标垫", NoDirectoryReason.NO_MATCH),
        (("外设",), "复印机 硒鼓", NoDirectoryReason.AMBIGUOUS),
        ((), "复印机 硒鼓", NoDirectoryReason.AMBIGUOUS),
    ],
)
def test_a_product_under_no_row_says_why(path: tuple[str, ...], name: str, reason: NoDirectoryReason) -> None:
    match = match_directory(path, name, UNMAPPED, TODAY)
    assert (match.item, match.reason) == (None, reason)


@pytest.mark.parametrize(
    ("entries", "row"),
    [
        ({"办公/耗材": "硒鼓"}, 1),
        ({"办公": "硒鼓"}, 1),
        ({"硒鼓粉盒": "墨盒"}, 2),  # the name of a category alone
        ({"办公": "硒鼓", "办公/耗材/硒鼓粉盒": "墨盒"}, 2),  # the deepest wins
        ({"办公/耗材/硒鼓粉盒": "墨盒", "硒鼓粉盒": "色带"}, 2),  # its path before its name
        ({"办公 / 耗材／硒鼓粉盒": "墨盒"}, 2),
    ],
)
def test_the_map_of_a_supplier_decides_first(entries: dict[str, str], row: int) -> None:
    item = match_directory(("办公", "耗材", "硒鼓粉盒"), "订书机", CategoryMap(entries), TODAY).item
    assert item is not None
    assert item.row == row


@pytest.mark.parametrize("unseen", ["\u200b", "\ufeff", "\u00ad"])
def test_what_cannot_be_seen_hides_no_category(unseen: str) -> None:
    seen = match_directory(("耗材",), "x", CategoryMap({"耗材": "硒鼓"}), TODAY).item
    assert seen is not None
    assert match_directory((f"耗{unseen}材",), "x", CategoryMap({"耗材": "硒鼓"}), TODAY).item == seen
    assert match_directory(("耗材",), "x", CategoryMap({f"耗材{unseen}": f"{unseen}硒鼓"}), TODAY).item == seen
    assert match_directory((f"{unseen}硒鼓",), "x", UNMAPPED, TODAY).item == seen


def test_a_wrong_entry_of_the_map_is_no_match_and_can_be_found_before() -> None:
    categories = CategoryMap({"外设": "无此品目", "耗材": "硒鼓"})
    assert match_directory(("外设",), "鼠标", categories, TODAY).reason is NoDirectoryReason.NO_MATCH
    assert categories.unknown_items(pilot()) == ["无此品目"]


def test_the_last_version_in_effect_counts() -> None:
    old, new = version(date(2017, 4, 21), "a", document="old"), version(date(2020, 1, 1), "a", document="new")
    elsewhere = version(date(2021, 1, 1), "a", document="elsewhere", jurisdiction="110000")
    versions = [new, elsewhere, old]
    assert in_force(versions, date(2017, 4, 20)) is None
    assert in_force(versions, date(2017, 4, 21)) is old
    assert in_force(versions, date(2019, 12, 31)) is old
    assert in_force(versions, date(2020, 1, 1)) is new
    assert in_force(versions, date(2026, 1, 1)) is new


def test_before_the_first_version_nothing_matches() -> None:
    assert match_directory(("硒鼓",), "硒鼓", UNMAPPED, date(2017, 4, 20)).reason is NoDirectoryReason.NO_MATCH


def test_an_alias_of_two_rows_is_ambiguous_and_a_full_name_is_not() -> None:
    directory = version(date(2030, 1, 1), "甲甲/乙乙", "乙乙/丙丙", "丁丁/戊戊", "丁丁")
    assert directory.named("乙乙").reason is NoDirectoryReason.AMBIGUOUS
    assert directory.named("丁丁").item == directory.rows[3].item
    assert directory.named("甲甲").item == directory.rows[0].item


@given(path=st.lists(st.text(min_size=1, max_size=10), max_size=4), name=st.text(min_size=1, max_size=30))
def test_every_product_gets_an_item_or_a_reason(path: list[str], name: str) -> None:
    match = match_directory(path, name, CategoryMap({"x": "硒鼓"}), TODAY)
    assert (match.item is None) != (match.reason is None)
