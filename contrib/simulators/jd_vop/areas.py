"""The supplier's own tree of areas: provinces, cities, counties, towns. Not the national codes, and it changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from contrib.simulators.jd_vop.draws import draw

PROVINCES: dict[str, int] = {
    "北京": 1, "上海": 2, "天津": 3, "重庆": 4, "河北": 5, "山西": 6, "河南": 7, "辽宁": 8, "吉林": 9,
    "黑龙江": 10, "内蒙古": 11, "江苏": 12, "山东": 13, "安徽": 14, "浙江": 15, "福建": 16, "湖北": 17, "湖南": 18,
    "广东": 19, "广西": 20, "江西": 21, "四川": 22, "海南": 23, "贵州": 24, "云南": 25, "西藏": 26, "陕西": 27,
    "甘肃": 28, "青海": 29, "宁夏": 30, "新疆": 31, "台湾": 32, "港澳": 52993,
}  # fmt: skip
HENAN: dict[str, int] = {
    "郑州市": 412, "开封市": 420, "洛阳市": 427, "平顶山市": 438, "焦作市": 446, "鹤壁市": 454, "新乡市": 458,
    "安阳市": 468, "濮阳市": 475, "许昌市": 482, "漯河市": 489, "三门峡市": 495, "南阳市": 502, "商丘市": 517,
    "周口市": 527, "驻马店市": 538, "信阳市": 549, "济源市": 2780,
}  # fmt: skip
ZHENGZHOU: tuple[str, ...] = (
    "中原区", "二七区", "金水区", "管城回族区", "惠济区", "上街区", "经开区", "高新区", "郑东新区", "中牟县", "巩义市",
    "荥阳市", "新密市", "新郑市", "登封市",
)  # fmt: skip
ZHONGYUAN = 3545
"""The first county of Zhengzhou, under the number that the supplier has for it; other counties are counted through."""
_SIDES = ("东", "西", "南", "北", "城", "新", "青", "永", "长", "安", "兴", "平")
_NAMES = ("湖", "山", "陵", "阳", "河", "源", "川", "丰", "华", "宁", "关", "台")


@dataclass(frozen=True, slots=True)
class Area:
    """One area. level: 1 province to 4 town; parent: 0 for a province."""

    id: int
    name: str
    parent: int
    level: int


class Areas:
    """The whole tree, small enough to be held: some 120 cities, 900 counties, 5,000 towns."""

    def __init__(self, seed: int) -> None:
        self._areas = {area.id: area for area in _grow(seed)}
        self._children: dict[int, dict[int, None]] = {}
        for area in self._areas.values():
            self._children.setdefault(area.parent, {})[area.id] = None

    def __len__(self) -> int:
        return len(self._areas)

    def get(self, area: int) -> Area | None:
        """The area of this id."""
        return self._areas.get(area)

    def children(self, parent: int) -> list[Area]:
        """The areas right below one; below 0 are the provinces."""
        return [self._areas[area] for area in self._children.get(parent, ())]

    def put(self, area: Area) -> None:
        """Add an area, or give the one of this id another name."""
        self._areas[area.id] = area
        self._children.setdefault(area.parent, {})[area.id] = None

    def drop(self, area: Area) -> None:
        """Take an area out; what was below it stays addressable, as in the wild."""
        del self._areas[area.id]
        del self._children[area.parent][area.id]

    def any(self, level: int, pick: int) -> Area:
        """One area of a level, told by a number."""
        of_level = [area for area in self._areas.values() if area.level == level]
        return of_level[pick % len(of_level)]

    def next_id(self) -> int:
        """An id that no area has had."""
        return max(self._areas) + 1


def _grow(seed: int) -> Iterator[Area]:
    for name, province in PROVINCES.items():
        yield Area(province, name, 0, 1)
        for city, id_ in _cities(name, province).items():
            yield Area(id_, city, province, 2)
            yield from _counties(seed, city, id_)


def _cities(name: str, province: int) -> dict[str, int]:
    if province == 7:
        return HENAN
    first = 2800 + 40 * (province % 100)
    return {f"{name}{_SIDES[place]}{_NAMES[place]}市": first + place for place in range(3)}


def _counties(seed: int, city: str, id_: int) -> Iterator[Area]:
    bits = draw(seed, id_, "county")
    names = ZHENGZHOU if id_ == 412 else [_SIDES[bits[n] % 12] + _NAMES[n] + "区县"[bits[n] % 2] for n in range(7)]
    for place, name in enumerate(names):
        counted = 3000 + 16 * id_ + place + (0 if id_ < 2800 else 10_000)
        county = ZHONGYUAN if name == ZHENGZHOU[0] else counted
        yield Area(county, name, id_, 3)
        # The last county of a city has no towns: there the supplier answers 3405.
        towns = 0 if place == len(names) - 1 else 3 + bits[place + 16] % 6
        for town in range(towns):
            place_name = _SIDES[(bits[place] + town) % 12] + _NAMES[bits[town + 24] % 12]
            yield Area(1_000_000 + 10 * county + town, place_name + ("街道", "镇", "乡")[town % 3], county, 4)
