"""Reading declarations: everything that is wrong is said at once, with its place, and no secret is quoted."""

from datetime import date
from typing import Any

import pytest

from gateway.registry import Registry
from gateway.sdk.errors import ConfigError
from gateway.suppliers.declarations import Declaration, parse, path_of

DAY = date(2026, 1, 1)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry()


def table(**changes: Any) -> dict[str, Any]:
    return {"name": "Acme 办公", "adapter": "native", "facets": ["product", "price"], **changes}


def problems_of(document: object, registry: Registry) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(document, registry, DAY)
    return list(caught.value.problems)


def test_a_whole_declaration_is_read(registry: Registry) -> None:
    document = {
        "suppliers": {
            "acme": table(
                periods={"price": "24h"},
                category_map={"办公设备/打印机": "激光式打印机"},
                limits={"feeds_per_minute": 30},
                secrets={"api_password": "hunter2"},
            ),
            "bolt": table(),
        }
    }
    [acme, bolt] = parse(document, registry, DAY)
    assert (acme.config.supplier, bolt.config.supplier) == ("acme", "bolt")
    assert acme.config.limits.feeds_per_minute == 30
    assert acme.secrets["api_password"].get_secret_value() == "hunter2"
    assert bolt.secrets == {}


def test_a_declaration_never_shows_its_secrets(registry: Registry) -> None:
    [declaration] = parse({"suppliers": {"acme": table(secrets={"api_password": "hunter2"})}}, registry, DAY)
    assert isinstance(declaration, Declaration)
    assert "hunter2" not in repr(declaration)


def test_everything_that_is_wrong_is_said_at_once(registry: Registry) -> None:
    document = {
        "version": 1,
        "suppliers": {
            "Acme": table(),
            "bolt": table(adapter="nativ", colour="red", periods={"price": "soon"}),
            "core": table(options={"speed": 1}, category_map={"办公/纸": "复印机纸箱"}),
            "dell": {"facets": ["price"], "secrets": {"Bad": "x", "empty": ""}},
            "ecco": 5,
            "fine": table(supplier="other"),
            "gate": table(adapter="nativ"),
        },
    }
    problems = problems_of(document, registry)
    assert [problem.split(": ", 1)[0] for problem in problems] == [
        "version",
        "suppliers.Acme",
        "suppliers.bolt.periods.price",
        "suppliers.bolt.colour",
        "suppliers.core.options.speed",
        'suppliers.core.category_map."办公/纸"',
        "suppliers.dell.name",
        "suppliers.dell.adapter",
        "suppliers.dell.secrets.Bad",
        "suppliers.dell.secrets.empty",
        "suppliers.ecco",
        "suppliers.fine.supplier",
        "suppliers.gate.adapter",
    ]
    assert problems[3] == "suppliers.bolt.colour: unknown key"
    assert "native" in problems[-1]


@pytest.mark.parametrize("secret", [12345678, {"nested": "hunter2"}, "hunter2" * 2000])
def test_a_problem_never_quotes_a_secret(registry: Registry, secret: object) -> None:
    problems = problems_of({"suppliers": {"acme": table(secrets={"api_password": secret})}}, registry)
    assert problems[0].startswith("suppliers.acme.secrets.api_password: ")
    assert "hunter2" not in problems[0]
    assert "12345678" not in problems[0]


@pytest.mark.parametrize("document", [None, [], {}, {"suppliers": []}, {"supplier": {}}, "text", 1])
def test_a_document_of_another_shape_is_refused(registry: Registry, document: object) -> None:
    assert problems_of(document, registry)


def test_a_path_is_written_as_toml_writes_it() -> None:
    assert path_of(("suppliers", "acme", "category_map", "办公/纸", 0)) == 'suppliers.acme.category_map."办公/纸".0'
