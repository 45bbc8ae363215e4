"""The check of private words, on small modules and trees; `make check` runs it on this one."""

from pathlib import Path

import pytest

from contrib.checks.words import find_in_modules, find_words, main


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("def told(): ...", "told"),
        ("class ToldRequest: ...", "told"),
        ("_MOST_TOLD = 1", "told"),
        ("def keep(what_was_said): ...", "said"),
        ("class Step:\n    begins_anew: bool = False", "anew"),
        ("class Run:\n    def __init__(self):\n        self._patience = 1", "patience"),
        ("async def refuse_for_good(): ...", "for_good"),
        ("for sighting in (): ...", "sighting"),
    ],
)
def test_a_private_word_in_an_identifier_is_refused(text: str, word: str) -> None:
    [found] = find_words("gateway/example.py", text)
    assert (found.word, found.path) == (word, "gateway/example.py")


@pytest.mark.parametrize("name", ["untold", "toldest", "aforesaid", "mourning_dove", "good"])
def test_a_word_that_only_holds_one_is_none(name: str) -> None:
    assert list(find_words("gateway/example.py", f"{name} = 1")) == []


@pytest.mark.parametrize(
    ("text", "word", "line"),
    [
        ('"""Reads orders anew."""', "anew", 1),
        ('def end():\n    """End it.\n\n    It is refused for\n    good.\n    """', "for good", 4),
        ('LIMIT = 1\n"""What is known of a supplier."""', "what is known of", 2),
    ],
)
def test_a_private_word_in_a_docstring_is_refused_where_it_stands(text: str, word: str, line: int) -> None:
    [found] = find_words("gateway/example.py", text)
    assert (found.word, found.where, found.line) == (word, "docstring", line)


def test_a_published_member_keeps_its_name() -> None:
    assert list(find_words("schemas/orders/invoices.py", "class Mismatch:\n    told: str")) == []
    assert len(list(find_words("schemas/orders/events.py", "class Mismatch:\n    told: str"))) == 1


def test_a_refused_word_in_the_name_of_a_module_is_found(tmp_path: Path) -> None:
    (tmp_path / "patiently.py").write_text('"""Waits."""\n')
    assert [each.word for each in find_in_modules([tmp_path / "patiently.py"])] == ["patiently"]


@pytest.mark.parametrize(("text", "status"), [("def report(): ...\n", 0), ("def told(): ...\n", 1)])
def test_a_tree_with_a_private_word_fails_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, status: int
) -> None:
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway" / "example.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert main() == status
