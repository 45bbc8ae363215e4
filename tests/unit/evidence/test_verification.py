"""What a verifier says of evidence files: whole ones hold, and of a damaged one the first bad link is named."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.evidence import verification
from gateway.evidence.entry import BEGINNING, Entry, canonical, instant, linked
from gateway.evidence.verification import DamageError, verify
from tests.evidence_file import SALT, SUPPLIER, Line, chained, manifest, signed, text_of, written

SAID = [
    {"kind": "received", "command_id": "c1", "facts": {"operation": "order.submit"}, "private": {"value": "王芳 138"}},
    {"kind": "attempt", "command_id": "c1", "facts": {"attempt": 1}},
    {"kind": "exchange", "command_id": "c1", "facts": {"status": 200}, "private": {"reply": {"text": '{"ok":1}'}}},
    {"kind": "outcome", "command_id": "c1", "facts": {"outcome": "confirmed"}},
    {"kind": "event", "command_id": "c1", "facts": {"event": "order.confirmed"}, "private": {"event": "…"}},
]
Lines = list[Line]


def found_in(path: Path, lines: Lines, **changes: Any) -> tuple[str, int | None]:
    """Kind and position of the damage of these lines under the manifest of the whole chain."""
    written(path, text_of(lines), signed(manifest(chained(SAID), **changes)))
    with pytest.raises(DamageError) as caught:
        verify(str(path))
    return caught.value.kind, caught.value.position


def test_a_whole_file_holds_and_shows_its_head(tmp_path: Path) -> None:
    lines = chained(SAID)
    _, [chain] = verify(str(written(tmp_path / "e.zip", text_of(lines), signed(manifest(lines)))))
    assert (chain.supplier, chain.entries, chain.head) == (SUPPLIER, 5, lines[-1]["hash"])


def test_a_file_without_what_is_personal_holds_as_well(tmp_path: Path) -> None:
    lines = [{name: line[name] for name in ("entry", "hash")} for line in chained(SAID)]
    said = signed(manifest(lines, redacted=True))
    verify(str(written(tmp_path / "e.zip", text_of(lines), said)))
    assert "王芳" not in text_of(lines).decode()


def test_that_something_was_left_out_of_a_whole_file_is_seen(tmp_path: Path) -> None:
    lines = chained(SAID)
    del lines[2]["content"]
    assert found_in(tmp_path / "e.zip", lines) == ("content_changed", 3)


def edit(name: str, value: object) -> Callable[[Lines], None]:
    def change(lines: Lines) -> None:
        lines[2]["entry"][name] = value

    return change


def _content(lines: Lines) -> None:
    lines[2]["content"]["value"]["reply"]["text"] = '{"ok":2}'


def _remove(lines: Lines) -> None:
    del lines[2]


def _swap(lines: Lines) -> None:
    lines[1], lines[2] = lines[2], lines[1]


def _append(lines: Lines) -> None:
    lines.append(chained([*SAID, {"kind": "event"}])[-1])


def _cut(lines: Lines) -> None:
    del lines[3:]


def _other(lines: Lines) -> None:
    lines[2] = chained(SAID, order_no="ORDER-2")[2]


def _anew(lines: Lines) -> None:
    """An entry that is another, with a hash that fits."""
    other = copy.deepcopy(SAID)
    other[2]["facts"] = {"status": 500}
    lines[2] = chained(other)[2]


def _whole_chain(lines: Lines) -> None:
    other = copy.deepcopy(SAID)
    other[0]["facts"] = {"operation": "order.cancel"}
    lines[:] = chained(other)


@pytest.mark.parametrize(
    ("change", "damage"),
    [
        pytest.param(edit("kind", "event"), ("entry_changed", 3), id="a fact changed"),
        pytest.param(edit("private", "0" * 64), ("entry_changed", 3), id="the digest of the content changed"),
        pytest.param(_content, ("content_changed", 3), id="the content changed"),
        pytest.param(_remove, ("entry_missing", 3), id="an entry removed"),
        pytest.param(_swap, ("entry_missing", 2), id="two entries swapped"),
        pytest.param(_append, ("entry_appended", 6), id="an entry appended"),
        pytest.param(_cut, ("end_missing", 4), id="the end cut off"),
        pytest.param(_other, ("other_order", 3), id="an entry of another order"),
        pytest.param(_anew, ("link_broken", 4), id="an entry replaced with its hash"),
        pytest.param(_whole_chain, ("head_differs", 5), id="all hashes made anew"),
    ],
)
def test_the_first_bad_link_is_named(tmp_path: Path, change: Callable[[Lines], None], damage: tuple[str, int]) -> None:
    lines = chained(SAID)
    change(lines)
    assert found_in(tmp_path / "e.zip", lines) == damage


@pytest.mark.parametrize(
    ("name", "value"), [("order_no", "ORDER-2"), ("exported_by", "nobody"), ("redacted", True), ("gateway", "0")]
)
def test_an_edited_manifest_is_seen(tmp_path: Path, name: str, value: object) -> None:
    lines = chained(SAID)
    said = {**signed(manifest(lines)), name: value}
    with pytest.raises(DamageError) as caught:
        verify(str(written(tmp_path / "e.zip", text_of(lines), said)))
    assert caught.value.kind == "manifest_damaged"


def test_a_manifest_of_another_order_is_seen_though_its_digest_fits(tmp_path: Path) -> None:
    said = manifest(chained(SAID))
    said["order_no"] = said["chains"][0]["order_no"] = "ORDER-2"
    with pytest.raises(DamageError) as caught:
        verify(str(written(tmp_path / "e.zip", text_of(chained(SAID)), signed(said))))
    assert (caught.value.kind, caught.value.position) == ("other_order", 1)


def test_a_file_that_nobody_mentions_is_seen(tmp_path: Path) -> None:
    lines = chained(SAID)
    with pytest.raises(DamageError, match="other files"):
        verify(str(written(tmp_path / "e.zip", text_of(lines), signed(manifest(lines)), readme=b"read me first")))


def test_a_chain_that_was_made_anew_as_a_whole_does_not_lead_through_a_link_noted_earlier(tmp_path: Path) -> None:
    true, false = chained(SAID), chained([{"kind": "received"}, *SAID[1:]])
    known = (4, true[3]["hash"])
    verify(str(written(tmp_path / "true.zip", text_of(true), signed(manifest(true)))), known)
    with pytest.raises(DamageError) as caught:
        verify(str(written(tmp_path / "false.zip", text_of(false), signed(manifest(false)))), known)
    assert (caught.value.kind, caught.value.position) == ("not_linked", 4)


def test_a_link_of_one_chain_is_not_looked_for_in_the_others(tmp_path: Path) -> None:
    """Of an order at two suppliers each has a chain."""
    one, two = chained(SAID), chained(SAID, supplier="acme")
    said = manifest(one)
    described = {**said["chains"][0], "file": "entries-2.jsonl", "supplier": "acme", "head": two[-1]["hash"]}
    path = written(
        tmp_path / "e.zip",
        text_of(one),
        signed({**said, "chains": [*said["chains"], described]}),
        **{"entries-2.jsonl": text_of(two)},
    )
    for lines in (one, two):
        _, chains = verify(str(path), (2, lines[1]["hash"]))
        assert [chain.supplier for chain in chains] == [SUPPLIER, "acme"]


@pytest.mark.parametrize("line", ['{"entry":1,"hash":"a"}', "[]", "{", '{"a":1.0}', '{"a":NaN}', "\udcff", ""])
def test_what_is_no_line_is_seen(tmp_path: Path, line: str) -> None:
    entries = text_of(chained(SAID)[:2]) + line.encode("utf-8", "surrogateescape") + b"\n"
    with pytest.raises(DamageError) as caught:
        verify(str(written(tmp_path / "e.zip", entries, signed(manifest(chained(SAID))))))
    assert (caught.value.kind, caught.value.position) == ("line_damaged", 3)


def test_a_second_member_of_one_name_is_seen(tmp_path: Path) -> None:
    """A reader that takes the first of two members would show what the hash does not cover."""
    entries = text_of(chained(SAID)).replace(b'"entry":{', b'"entry":{"kind":"refused",', 1)
    with pytest.raises(DamageError) as caught:
        verify(str(written(tmp_path / "e.zip", entries, signed(manifest(chained(SAID))))))
    assert (caught.value.kind, caught.value.position) == ("line_damaged", 1)


@given(st.data())
def test_whatever_byte_of_the_entries_is_changed_added_or_removed_is_seen(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / f"bytes-{os.getpid()}.zip"
    whole = text_of(chained(SAID))
    place = data.draw(st.integers(0, len(whole) - 1))
    byte = bytes([data.draw(st.integers(0, 255))])
    how = data.draw(st.sampled_from(["change", "add", "remove"]))
    after = {
        "change": whole[:place] + byte + whole[place + 1 :],
        "add": whole[:place] + byte + whole[place:],
        "remove": whole[:place] + whole[place + 1 :],
    }[how]
    written(path, after, signed(manifest(chained(SAID))))
    if after == whole:
        verify(str(path))
        return
    with pytest.raises(DamageError) as caught:
        verify(str(path))
    line = whole[:place].count(b"\n") + 1
    assert caught.value.position is None or caught.value.position <= line + 1


@given(order=st.permutations(range(len(SAID))), kept=st.integers(0, len(SAID)), again=st.integers(0, 4))
def test_lines_in_another_order_left_out_or_repeated_are_seen(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], kept: int, again: int
) -> None:
    path = tmp_path_factory.getbasetemp() / f"lines-{os.getpid()}.zip"
    lines = chained(SAID)
    tampered = [lines[each] for each in order][:kept] + lines[:again]
    written(path, text_of(tampered), signed(manifest(lines)))
    if tampered == lines:
        verify(str(path))
        return
    with pytest.raises(DamageError) as caught:
        verify(str(path))
    wrong = next((n for n, (is_, was) in enumerate(zip(tampered, lines, strict=False), 1) if is_ != was), None)
    assert caught.value.position == (wrong or min(len(tampered), len(lines)) + 1)


@given(st.data())
def test_a_file_that_is_damaged_anywhere_says_the_same_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / f"file-{os.getpid()}.zip"
    lines = chained(SAID)
    whole = written(path, text_of(lines), signed(manifest(lines))).read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        path.write_bytes(whole[:place])
    else:
        path.write_bytes(whole[:place] + bytes([data.draw(st.integers(0, 255))]) + whole[place + 1 :])
    try:
        _, [chain] = verify(str(path))
    except DamageError:
        return
    assert (chain.entries, chain.head) == (5, lines[-1]["hash"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(JSON)
def test_the_gateway_writes_the_json_that_the_script_hashes(value: object) -> None:
    assert canonical(value) == verification.canonical(json.loads(orjson.dumps(value)))


@given(st.lists(st.tuples(st.dictionaries(st.text("ab狐\n", max_size=3), JSON, max_size=3), JSON), max_size=4))
def test_the_gateway_chains_as_the_format_says(said: list[tuple[dict[str, Any], object]]) -> None:
    given_ = [{"kind": "event", "facts": facts, "private": {"value": value}} for facts, value in said]
    before, made = BEGINNING, []
    for line in chained(given_):
        at = time_of(line)
        entry = Entry(SUPPLIER, "ORDER-1", "event", None, line["entry"]["facts"], line["content"]["value"])
        found = linked(entry, before, at, SALT)
        before = found.link
        made.append((orjson.loads(found.text), found.link.hash))
    assert made == [(line["entry"], line["hash"]) for line in chained(given_)]


def time_of(line: Line) -> str:
    return instant(datetime.fromisoformat(line["entry"]["at"]))


def test_numbers_with_a_fraction_are_kept_as_text() -> None:
    """1e16 is written in two ways: what another reader writes otherwise could never be verified."""
    facts = {"seconds": 1e16, "within": [{"rate": 0.5}], "count": 3, "on": True}
    entry = linked(Entry(SUPPLIER, "O", "breaker_open", facts=facts), BEGINNING, time_of(chained(SAID)[0]), SALT)
    assert orjson.loads(entry.text)["facts"] == {
        "seconds": "1e+16",
        "within": [{"rate": "0.5"}],
        "count": 3,
        "on": True,
    }


@pytest.mark.parametrize("spoilt", [False, True])
def test_the_script_runs_alone_and_its_status_tells(tmp_path: Path, spoilt: bool) -> None:
    lines = chained(SAID)
    text = text_of(lines).replace(b'"status":200', b'"status":201') if spoilt else text_of(lines)
    path = written(tmp_path / "e.zip", text, signed(manifest(lines)))
    script = tmp_path / "verify.py"
    script.write_bytes(Path(verification.__file__).read_bytes())
    ran = subprocess.run(
        [sys.executable, "-I", "-S", script, path], capture_output=True, text=True, check=False, encoding="utf-8"
    )
    assert ran.returncode == spoilt
    wanted = "DAMAGED (entry_changed) at entry 3 of jd" if spoilt else "OK: order ORDER-1, with everything"
    assert ran.stdout.startswith(wanted)
