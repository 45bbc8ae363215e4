"""README says what the code says: its tables, the commands it shows, the files and settings it names."""

import re
from pathlib import Path

import pytest

from gateway import config
from gateway.cli import app, readme

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted(path for path in ROOT.glob("*.md")) + sorted(ROOT.glob("adapters/*/README.md"))


@pytest.mark.parametrize("name", sorted(readme.TABLES))
def test_a_table_is_what_the_code_says(name: str) -> None:
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    assert README.count(start) == README.count(end) == 1
    assert README.partition(start)[2].partition(end)[0] == readme.TABLES[name]()


def test_an_outdated_table_is_brought_up_to_date_and_nothing_else_is_touched() -> None:
    outdated = README.replace("| 78 |", "| 77 |", 1)
    assert outdated != README
    assert readme.rendered(outdated) == README
    assert readme.rendered("no tables here") == "no tables here"


def test_every_command_is_in_the_table_once() -> None:
    listed = re.findall(r"^\| `mallgate ([a-z -]+)` \|", readme.commands(), flags=re.MULTILINE)
    assert len(listed) == len(set(listed)) > 20
    assert {line.split()[0] for line in listed} == {name for name in app if not name.startswith("-")}


def test_every_command_in_the_documents_exists() -> None:
    known = set(re.findall(r"^\| `(mallgate [a-z -]+)` \|", readme.commands(), flags=re.MULTILINE))
    nouns = {" ".join(command.split()[:2]) for command in known}
    for page in PAGES:
        for shown in re.findall(r"mallgate(?: [a-z]+(?:-[a-z]+)*)+", page.read_text(encoding="utf-8")):
            words = shown.split()
            if f"mallgate {words[1]}" in nouns and len(words) > 2 and f"mallgate {words[1]}" not in known:
                assert any(shown.startswith(command) for command in known), f"{page.name}: {shown}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_between_documents_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_setting_named_in_the_documents_exists(page: Path) -> None:
    known = set(re.findall(r"`(MALLGATE_[A-Z_]+)`", readme.settings())) | config.ELSEWHERE
    named = set(re.findall(r"MALLGATE_[A-Z_]+[A-Z]", page.read_text(encoding="utf-8")))
    assert named - known == set()


def test_variables_for_users_that_are_no_settings_are_explained() -> None:
    for name in config.ELSEWHERE - {"MALLGATE_FAULT", "MALLGATE_FAULT_MARK"}:  # crash points: for tests alone
        assert f"`{name}`" in README
