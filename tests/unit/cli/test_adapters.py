"""`mallgate adapters test` says what an adapter is worth, to people, machines and platforms; `new` begins one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gateway.cli import output, scaffold
from gateway.cli.selftest import examined, show, summary
from gateway.cli.selftest_page import FACETS, page
from gateway.sdk import CAPABILITIES
from gateway.sdk.errors import ConfigError
from gateway.sdk.manifest import parse
from gateway.sdk.testing import CHECKS, Report, Result, Subject, Trial, examine, report, report_unreadable
from schemas.catalog import Facet

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


def mallgate(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns."""
    monkeypatch.setattr(output.console, "_width", 80)


@pytest.fixture(scope="module")
def native() -> Report:
    return examined("native")


@pytest.fixture
def shelf(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An importable package without adapters."""
    folder = tmp_path / f"shelf_{abs(hash(request.node.nodeid))}"
    folder.mkdir()
    (folder / "__init__.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def failing(made: Report) -> Report:
    """The report with one check failed often, and one waived."""
    problems = tuple(Trial("price__quoted", (f"/price = {number}: raised <KeyError>",)) for number in range(30))
    failed = Result("damage_borne", "Bears it.", "可承受。", "failed", 100, problems)
    waived = Result("golden", "Is golden.", "一致。", "waived", 1, (Trial("price__quoted", ("differs",)),), "as agreed")
    return replace(made, results=(failed, waived))


def test_the_adapter_of_the_tree_passes_without_waivers(native: Report):
    assert native.passed
    assert native.waived == ()
    assert {case.verdict for case in native.cases} == {"passed"}


def test_a_person_reads_every_check_and_case_within_eighty_columns(narrow: None, native: Report):
    with output.console.capture() as captured:
        show(native)
    text = captured.get()
    for word in (*CHECKS, *(case.name for case in native.cases), "mallgate 0.1.0", "0 waivers"):
        assert word in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_failure_is_told_in_words_and_a_waiver_with_its_reason(narrow: None, native: Report):
    bad = failing(native)
    with output.console.capture() as captured:
        show(bad)
    text = captured.get()
    assert "price__quoted: /price = 0: raised <KeyError>" in text
    assert "and 20 more" in text
    assert "waived: as agreed" in text
    assert summary(bad).startswith("native failed: checks 1 failed; 1 waiver; ")


class Tags(HTMLParser):
    """What a page is made of: its tags must be closed, and nothing may be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)
        self.fetched += [tag for name, _ in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("bad", [False, True])
def test_a_platform_gets_one_page_that_fetches_nothing(native: Report, bad: bool):
    made = failing(native) if bad else native
    text = page(made)
    tags = Tags()
    tags.feed(text)
    tags.close()
    assert (tags.open, tags.fetched) == ([], [])
    assert not re.search(r"url\(|@import|<script|<link", text)
    assert ("结论：不合格" if bad else "结论：合格") in text
    assert ("raised &lt;KeyError&gt;" in text, "豁免理由 Reason: as agreed" in text) == (bad, bad)
    for words in ("接口自检报告", "供应商", "平台", "签字", native.digest or "?"):
        assert words in text


def test_the_page_names_every_capability_and_facet_in_chinese():
    assert all(not spec.zh.isascii() for spec in CAPABILITIES.values())
    assert set(FACETS) == set(Facet)


def test_a_machine_reads_the_report_as_json():
    ended = mallgate("adapters", "test", "native", "--format", "json")
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["adapter"], told["passed"], told["waivers"]) == (0, "native", True, 0)
    assert [check["check"] for check in told["checks"]] == [*CHECKS, "waivers_used"]
    assert {case["capability"] for case in told["cases"]} == {"normalises_feeds"}
    assert re.fullmatch(r"[0-9a-f]{64}", told["digest"])


def test_the_report_is_written_to_a_file(tmp_path: Path):
    file = tmp_path / "report.html"
    ended = mallgate("adapters", "test", "native", "--format", "html", "--output", str(file))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "native passed" in ended.stdout
    assert "接口自检报告" in file.read_text(encoding="utf-8")


def test_an_adapter_that_is_not_there_is_a_configuration_error():
    ended = mallgate("adapters", "test", "nobody")
    assert (ended.returncode, ended.stdout) == (78, "")
    assert "no adapter 'nobody'; there are " in ended.stderr


def test_an_adapter_that_cannot_be_read_has_failed(native: Report):
    made = report_unreadable("broken", ["manifest.toml: id: Field required"], native.program, AT)
    assert not made.passed
    assert "manifest.toml: id: Field required" in page(made)
    assert made.as_json()["checks"][0]["found"][0]["problems"] == ("manifest.toml: id: Field required",)


def test_the_digest_says_what_was_examined(shelf: Path):
    folder = scaffold.make("acme", shelf, ())
    first = made_of(folder)
    (folder / "README.md").write_text("# acme, changed\n", encoding="utf-8")
    assert made_of(folder).digest != first.digest


def made_of(folder: Path) -> Report:
    return report(subject_of(folder), "mallgate", AT)


def subject_of(folder: Path) -> Subject:
    """The adapter in a folder of an importable package."""
    manifest = parse((folder / "manifest.toml").read_text(encoding="utf-8"), "manifest.toml")
    module = __import__(f"{folder.parent.name}.{folder.name}", fromlist=["Adapter"])
    return Subject.read(manifest, module.Adapter, folder)


def test_a_new_adapter_tells_its_author_what_to_do_and_nothing_else_is_wrong(shelf: Path):
    folder = scaffold.make("acme", shelf, ())
    failed = [result for result in examine(subject_of(folder)) if result.verdict == "failed"]
    assert [result.check for result in failed] == ["nothing_to_do"]
    told = {trial.about for trial in failed[0].found}
    examples = {"cases/price__taken.json", "cases/price__refused.json"}
    assert told == {"README.md", "__init__.py", "manifest.toml", "wire.py", *examples}


def test_a_new_adapter_bears_its_own_name_throughout(shelf: Path):
    folder = scaffold.make("acme", shelf, ())
    texts = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir() if file.is_file()}
    assert not any("gateway.sdk.template" in text for text in texts.values())
    assert parse(texts["manifest.toml"], "").id == "acme"
    assert texts["README.md"].startswith("# acme\n")


def test_nothing_outside_its_folder_changes(shelf: Path):
    before = {path: path.read_bytes() for path in shelf.parent.rglob("*") if path.is_file()}
    ended = mallgate("adapters", "new", "acme", "--into", str(shelf))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "mallgate adapters test acme" in ended.stdout
    after = {path: path.read_bytes() for path in shelf.parent.rglob("*") if path.is_file()}
    made = {path for path in after if shelf / "acme" in path.parents}
    assert {path: after[path] for path in after if path not in made} == before
    assert len(made) == 7


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Acme", "a name is a small letter"),
        ("a", "a name is a small letter"),
        ("1st", "a name is a small letter"),
        ("../acme", "a name is a small letter"),
        ("a" * 33, "a name is a small letter"),
        ("class", "is reserved"),
        ("template", "is reserved"),
        ("native", "already"),
    ],
)
def test_a_name_that_no_adapter_can_have_is_refused(shelf: Path, name: str, problem: str):
    with pytest.raises(scaffold.UnusableNameError, match=problem):
        scaffold.make(name, shelf, {"native"})
    assert [path.name for path in shelf.iterdir()] == ["__init__.py"]


def test_a_folder_that_is_there_is_left_alone(shelf: Path):
    (shelf / "acme").mkdir()
    with pytest.raises(scaffold.UnusableNameError, match="already"):
        scaffold.make("acme", shelf, ())
    assert list((shelf / "acme").iterdir()) == []


def test_adapters_are_made_in_a_package_of_adapters(tmp_path: Path):
    with pytest.raises(scaffold.NoPackageError, match="no __init__"):
        scaffold.make("acme", tmp_path / "nowhere", ())
    assert not (tmp_path / "nowhere").exists()


def test_a_test_of_a_case_that_is_none_is_a_report_and_no_traceback(shelf: Path):
    folder = scaffold.make("acme", shelf, ())
    (folder / "cases" / "price__x.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"price__x\.json: not a JSON object"):
        subject_of(folder)
