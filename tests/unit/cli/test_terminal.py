"""What vendors' texts can do to an operator's terminal: nothing."""

from io import StringIO

import orjson
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from gateway.cli.output import cell
from gateway.cli.terminal import Terminal, escaped, visible

STEERING = "\x1b]0;owned\x07 \x9b2J \u202etxt.exe \u2066 \u200b \ufeff \u00ad \u2028 \U000e0041 \x08\x08 \r"


def shown(thing: object) -> str:
    out = StringIO()
    Terminal(file=out, width=400, force_terminal=False).print(thing, markup=False)
    return out.getvalue()


def test_what_a_display_obeys_is_written_out() -> None:
    assert visible("A\u202eB\x9bC\x1bD") == "A[U+202E]B[U+009B]C[U+001B]D"
    assert visible("办公用纸 A4\n\t70g") == "办公用纸 A4\n\t70g"


def test_no_way_of_printing_lets_it_through() -> None:
    table = Table()
    table.add_column("sku")
    table.add_row(cell(STEERING))
    for printed in (shown(STEERING), shown(Text(STEERING, style="red")), shown(table)):
        assert printed.rstrip("\n").replace("\n", "").isprintable()
        assert "[U+202E]" in printed
        assert "[U+001B]" in printed


def test_json_keeps_its_meaning() -> None:
    assert escaped(orjson.dumps({"sku": "A\u202e\x9b\U000e0041办"}).decode()) == (
        '{"sku":"A\\u202e\\u009b\\udb40\\udc41办"}'
    )


@given(st.text())
def test_nothing_that_steers_is_left_and_json_reads_the_same(text: str) -> None:
    document = escaped(orjson.dumps([text]).decode())
    assert orjson.loads(document) == [text]
    assert visible(document) == document
    assert visible(visible(text)) == visible(text)
