"""The committed schemas and the AsyncAPI document are what the models say, and a difference is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import contracts

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    contracts.write(tmp_path)
    return tmp_path


def test_the_committed_files_are_up_to_date() -> None:
    assert contracts.check(ROOT) == [], "run `make schemas` and commit what changes"


def test_what_was_written_checks_clean(tree: Path) -> None:
    assert contracts.check(tree) == []


def test_a_missing_file_is_noticed(tree: Path) -> None:
    (tree / "schemas/json/price.schema.json").unlink()
    assert contracts.check(tree) == ["schemas/json/price.schema.json is missing"]


def test_an_edited_file_is_noticed(tree: Path) -> None:
    document = tree / "schemas/asyncapi.json"
    document.write_text(document.read_text(encoding="utf-8").replace("mallgate", "other"), encoding="utf-8")
    assert contracts.check(tree) == ["schemas/asyncapi.json differs from the models"]


def test_a_schema_of_no_model_is_noticed_and_goes_away(tree: Path) -> None:
    (tree / "schemas/json/gone.schema.json").write_text("{}", encoding="utf-8")
    assert contracts.check(tree) == ["schemas/json/gone.schema.json belongs to no published model"]
    contracts.write(tree)
    assert contracts.check(tree) == []
