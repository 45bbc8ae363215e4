"""`mallgate schemas` writes the contracts and says which files differ from the models."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli import app


def test_written_schemas_check_clean(tmp_path: Path) -> None:
    assert app(["schemas", "write", "--root", str(tmp_path)]) == 0
    assert app(["schemas", "check", "--root", str(tmp_path)]) == 0


def test_a_difference_is_named_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app(["schemas", "write", "--root", str(tmp_path)])
    (tmp_path / "schemas/json/price.schema.json").unlink()
    assert app(["schemas", "check", "--root", str(tmp_path)]) == 1
    assert "schemas/json/price.schema.json is missing" in capsys.readouterr().out


def test_the_tree_itself_is_up_to_date() -> None:
    assert app(["schemas", "check"]) == 0
