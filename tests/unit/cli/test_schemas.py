"""`mallgate schemas` writes the contracts and says which files differ from the models."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli import app
from gateway.cli.schemas import StaleSchemasError


def test_written_schemas_check_clean(tmp_path: Path) -> None:
    app(["schemas", "write", str(tmp_path)])
    app(["schemas", "check", str(tmp_path)])


def test_a_difference_is_named(tmp_path: Path) -> None:
    app(["schemas", "write", str(tmp_path)])
    (tmp_path / "schemas/json/price.schema.json").unlink()
    with pytest.raises(StaleSchemasError, match=r"schemas/json/price\.schema\.json is missing"):
        app(["schemas", "check", str(tmp_path)])
