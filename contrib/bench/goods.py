"""What the benchmarks' vendors sell: records in the gateway's own push format, different at every index."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

LINES_AT_ONCE = 5_000

_PRICE = (
    '{"sku":"B%09d","area":"*","price":"%d.%02d","net_price":"%d.%02d","tax_rate":"13","tax_amount":"%d.%02d",'
    '"market_price":"%d.50","public_price":"%d.00","basis":"gross","version":%d}'
)

_PRODUCT = (
    '{"sku":"B%09d","name":"得力 DL-%06d 商务型激光打印机","brand":"得力(Deli)","model":"DL-%06d","unit":"台",'
    '"category":["办公设备","打印设备","激光打印机"],'
    '"attributes":[{"name":"幅面","value":"A4"},{"name":"打印速度","value":"%d 页/分钟"}],'
    '"images":["https://img.example.com/goods/%09d/main.jpg"],'
    '"description":"<div class=\\"intro\\" onclick=\\"track()\\"><h3>商品介绍</h3><p>型号 <b>DL-%06d</b>，适合'
    "<em>中小型办公室</em>日常打印，支持自动双面与无线网络。</p>"
    "<ul><li>首页输出 %d 秒</li><li>月负荷 30,000 页</li><li>标配硒鼓与数据线</li></ul>"
    '<p><img src=\\"https://img.example.com/goods/%09d/1.jpg\\" alt=\\"正面\\"><a href=\\"https://www.example.com/\\" '
    'target=\\"_blank\\">更多</a></p><script>track()</script></div>","barcode":"6921734900012","origin":"浙江宁波",'
    '"warranty":"一年","version":%d}'
)


def price(index: int) -> bytes:
    """One price row, some 210 bytes; gross, net and tax fit each other."""
    gross = 100 + index * 7919 % 899_900
    net = (200 * gross + 113) // 226  # fen, rounded
    row = (
        index,
        *divmod(gross, 100),
        *divmod(net, 100),
        *divmod(gross - net, 100),
        gross // 100 + 20,
        gross // 100 + 10,
    )
    return (_PRICE % (*row, 1 + index)).encode()


def product(index: int) -> bytes:
    """One product row with an introduction in HTML, some 950 bytes."""
    model = index % 1_000_000
    row = (index, model, model, 20 + index % 40, index, model, 5 + index % 9, index, 1 + index)
    return (_PRODUCT % row).encode()


def lines(record: Callable[[int], bytes], count: int, *, first: int = 0) -> Iterator[bytes]:
    """NDJSON of so many records, some thousand lines at a time."""
    for start in range(first, first + count, LINES_AT_ONCE):
        yield b"".join(record(index) + b"\n" for index in range(start, min(start + LINES_AT_ONCE, first + count)))


def write(path: Path, record: Callable[[int], bytes], count: int) -> Path:
    """NDJSON as a file."""
    with path.open("wb") as file:
        file.writelines(lines(record, count))
    return path


def fitting(record: Callable[[int], bytes], size: int) -> int:
    """How many records come to at least so many bytes."""
    sample = 1_000
    return 1 + size * sample // sum(len(record(index)) + 1 for index in range(sample))
