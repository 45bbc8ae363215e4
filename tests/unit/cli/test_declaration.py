"""A file of suppliers names its secrets; what it names is fetched, and never quoted when it cannot be."""

from pathlib import Path

import pytest

from gateway.cli.declaration import read
from gateway.sdk.errors import ConfigError


def written(folder: Path, text: str) -> Path:
    path = folder / "suppliers.toml"
    path.write_text(text, "utf-8")
    return path


def test_secrets_come_from_the_environment_and_from_files_beside_the_declaration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_PW", "hunter2")
    (tmp_path / "token.txt").write_text("s3cret\n", "utf-8")
    path = written(tmp_path, '[suppliers.acme]\nsecrets = { password = "env:ACME_PW", token = "file:token.txt" }\n')
    assert read(path) == {"suppliers": {"acme": {"secrets": {"password": "hunter2", "token": "s3cret"}}}}


def test_every_secret_that_is_missing_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACME_PW", raising=False)
    (tmp_path / "empty.txt").write_text("\n", "utf-8")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe")
    path = written(
        tmp_path,
        """
        [suppliers.acme.secrets]
        a = "env:ACME_PW"
        b = "file:empty.txt"
        c = "file:none.txt"
        d = "file:binary.txt"
        e = "hunter2"
        f = 5
        """,
    )
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert [problem.split(": ")[0] for problem in caught.value.problems] == [
        f"suppliers.acme.secrets.{name}" for name in "abcdef"
    ]
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["suppliers = 5", "[suppliers]\nacme = 5", "[suppliers.acme]\nsecrets = 5", ""])
def test_what_is_no_table_of_suppliers_is_left_to_the_gateway_to_judge(tmp_path: Path, text: str) -> None:
    assert isinstance(read(written(tmp_path, text)), dict)


def test_a_file_that_cannot_be_read_is_a_problem_of_configuration(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", written(tmp_path, "this is = = no toml")):
        with pytest.raises(ConfigError, match="toml"):
            read(path)
