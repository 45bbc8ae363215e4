"""Brands as suppliers write them, folded to one spelling so that offers can be compared.

`联想`, `联想/Lenovo`, `联想(Lenovo)`, `Ｌenovo` and `LENOVO` are one brand. The names of a spelling are what brackets
and slashes keep apart; the first one that `data/brands.toml` knows decides. A brand that it does not know keeps its
first name in Chinese characters, else its first name. Nothing is guessed from parts of a name.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files

from schemas.text import folded

SEPARATORS = re.compile(r"[/|\\()\[\]{}<>【】〔〕《》「」『』]")
"""What stands between the names of one brand, once width is folded."""

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]+")
"""A run of Chinese characters."""

LONGEST = 500
"""Characters of the longest brand in a message."""


@cache
def aliases() -> Mapping[str, str]:
    """Every folded name of the table's brands, and the brand it stands for."""
    table = tomllib.loads(files("schemas").joinpath("data/brands.toml").read_text(encoding="utf-8"))
    return {folded(name): brand for brand, names in table["brands"].items() for name in (brand, *names)}


@lru_cache(maxsize=8192)
def fold_brand(raw: str | None) -> str | None:
    """The one spelling of a brand, at most 500 characters; None where `raw` is None or holds no name.

    Folding what is folded changes nothing.
    """
    if raw is None:
        return None
    names = [name for part in SEPARATORS.split(folded(raw)) if (name := part.strip())]
    known = next((brand for name in names if (brand := _known(name))), None)
    name = known or next(filter(HAN.search, names), None) or next(iter(names), None)
    return name and name[:LONGEST].strip()  # a few characters become eighteen when their width is folded


def _known(name: str) -> str | None:
    """The table's brand, also of a name such as `联想 lenovo` whose parts in either script all mean the same one."""
    if brand := aliases().get(name):
        return brand
    parts = [part for piece in re.split(rf"({HAN.pattern})", name) if (part := piece.strip())]
    brands = {aliases().get(part) for part in parts}
    return brands.pop() if len(brands) == 1 else None
