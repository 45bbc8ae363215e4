"""Adapters are found without running them, and everything wrong with those in use is said at once."""

import sys
from pathlib import Path

import pytest

from gateway.registry import Registry
from gateway.sdk.errors import ConfigError

MANIFEST = """
id = "{id}"
name = "A supplier's interface"
docs = "README.md"
capabilities = ["normalises_feeds"]
facets = ["price"]
"""

CODE = """
from gateway.sdk import Adapter as Base, Options as BaseOptions

class Options(BaseOptions):
    polarity: str = "on"

class Adapter(Base):
    options_model = Options

    def normalise(self, record):
        return []
"""


class Shelf:
    """A package of adapters on disk, importable for the length of a test."""

    def __init__(self, root: Path, package: str) -> None:
        self.package = package
        self.folder = root / package
        self.folder.mkdir()
        (self.folder / "__init__.py").write_text("", encoding="utf-8")

    def put(self, name: str, *, manifest: str | None = MANIFEST, code: str = CODE) -> None:
        folder = self.folder / name
        folder.mkdir()
        (folder / "__init__.py").write_text(code, encoding="utf-8")
        if manifest is not None:
            (folder / "manifest.toml").write_text(manifest.replace("{id}", name), encoding="utf-8")

    def registry(self) -> Registry:
        return Registry(package=self.package, group=f"test.{self.package}")


@pytest.fixture
def shelf(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """An empty shelf of its own name, so that no test finds what another one imported."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return Shelf(tmp_path, f"shelf_{abs(hash(request.node.nodeid))}")


def problems_of(registry: Registry, *names: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        registry.check(names)
    return caught.value.problems


def test_the_native_adapter_is_found_and_made():
    registry = Registry()
    assert "native" in registry.names()
    assert registry.load("native").manifest.id == "native"
    assert registry.adapter("native", {}) is not registry.adapter("native", {})


def test_nothing_is_imported_before_it_is_used(shelf: Shelf):
    shelf.put("used")
    shelf.put("unused", code="raise RuntimeError('imported')")
    registry = shelf.registry()
    assert registry.names() == {"used", "unused"}
    registry.check(["used"])
    assert f"{shelf.package}.used" in sys.modules
    assert f"{shelf.package}.unused" not in sys.modules


def test_a_broken_adapter_harms_only_those_who_use_it(shelf: Shelf):
    shelf.put("good")
    shelf.put("broken", manifest="id = ")
    assert shelf.registry().adapter("good", {"polarity": "off"})


def test_every_problem_of_every_adapter_is_reported_at_once(shelf: Shelf):
    shelf.put("torn", manifest="id = ")
    shelf.put("bare", manifest=None)
    shelf.put("crashing", code="raise RuntimeError('no licence')")
    shelf.put("empty", code="")
    shelf.put("mute", code="from gateway.sdk import Adapter")
    shelf.put("wordy", manifest=MANIFEST + 'colour = "red"\nowner = 1')
    shelf.put("misnamed", manifest=MANIFEST.replace("{id}", "other"))
    shelf.put("good")
    registry = shelf.registry()
    problems = "\n".join(problems_of(registry, *registry.names(), "absent"))
    for expected in (
        "adapter torn: manifest.toml: ",
        f"adapter bare: no manifest.toml in {shelf.package}.bare",
        "adapter crashing: cannot be imported: RuntimeError: no licence",
        f"adapter empty: {shelf.package}.empty has no class Adapter",
        "adapter mute: declares normalises_feeds, which it does not implement",
        "adapter wordy: manifest.toml: colour: ",
        "adapter wordy: manifest.toml: owner: ",
        "adapter misnamed: its manifest says id 'other'",
        "no adapter 'absent'; there are bare, crashing, ",
    ):
        assert expected in problems
    assert "good:" not in problems


def test_what_is_implemented_must_be_declared(shelf: Shelf):
    shelf.put("shy", manifest=MANIFEST.replace('["normalises_feeds"]', "[]").replace('facets = ["price"]', ""))
    assert problems_of(shelf.registry(), "shy") == (
        "adapter shy: implements normalises_feeds, which its manifest does not declare",
    )


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        (
            MANIFEST.replace("normalises_feeds", "sells_pets"),
            "unknown capabilities sells_pets; there are normalises_feeds",
        ),
        (MANIFEST.replace('["price"]', "[]"), "facets go with normalises_feeds: name both or neither"),
        (
            MANIFEST.replace('"price"', '"weather"'),
            "facets.0: Input should be 'product', 'price', 'stock' or 'listing'",
        ),
        (MANIFEST.replace("docs", "documents"), "docs: Field required"),
    ],
)
def test_a_manifest_says_only_what_it_may(shelf: Shelf, manifest: str, problem: str):
    shelf.put("odd", manifest=manifest)
    assert any(problem in found for found in problems_of(shelf.registry(), "odd"))


def test_options_that_let_unknown_names_pass_are_refused(shelf: Shelf):
    shelf.put("lax", code=CODE.replace("    polarity", '    model_config = {"extra": "ignore"}\n    polarity'))
    assert problems_of(shelf.registry(), "lax") == ("adapter lax: its options let unknown names pass",)


def test_options_it_does_not_take_are_named_but_not_quoted(shelf: Shelf):
    shelf.put("good")
    with pytest.raises(ConfigError) as caught:
        shelf.registry().adapter("good", {"polarity": ["s3cret"], "colour": "s3cret"})
    assert [problem.split(":")[:2] for problem in caught.value.problems] == [
        ["options of good", " polarity"],
        ["options of good", " colour"],
    ]
    assert "s3cret" not in str(caught.value)


def test_options_model_is_what_a_row_may_hold(shelf: Shelf):
    shelf.put("good")
    assert set(shelf.registry().options_model("good").model_fields) == {"polarity"}


def announce(root: Path, group: str, name: str, package: str) -> None:
    """What installing a distribution with an entry point leaves on disk."""
    folder = root / f"{package.replace('.', '_')}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Name: {package}\nVersion: 1.0\n", encoding="utf-8")
    (folder / "entry_points.txt").write_text(f"[{group}]\n{name} = {package}\n", encoding="utf-8")


def test_an_announced_adapter_is_found_but_not_imported(shelf: Shelf, tmp_path: Path):
    other = Shelf(tmp_path, f"{shelf.package}_other")
    (other.folder / "__init__.py").write_text(CODE, encoding="utf-8")
    (other.folder / "manifest.toml").write_text(MANIFEST.replace("{id}", "outside"), encoding="utf-8")
    announce(tmp_path, f"test.{shelf.package}", "outside", other.package)
    registry = shelf.registry()
    assert registry.names() == {"outside"}
    assert other.package not in sys.modules
    assert registry.adapter("outside", {})


def test_two_adapters_of_one_id_are_both_named(shelf: Shelf, tmp_path: Path):
    shelf.put("twin")
    announce(tmp_path, f"test.{shelf.package}", "twin", "elsewhere_twin")
    [problem] = problems_of(shelf.registry(), "twin")
    assert f"{shelf.package}.twin" in problem
    assert "elsewhere_twin" in problem
