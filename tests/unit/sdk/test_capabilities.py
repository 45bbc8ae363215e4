"""A capability is one row of one table: manifest, kit and documents take a made-up one as it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import jiter
import orjson
import pytest

from gateway import sdk
from gateway.cli.readme import ADAPTERS_TABLES, capabilities, rendered
from gateway.cli.selftest_page import page
from gateway.sdk.capabilities import CAPABILITIES, CapabilitySpec, MethodSpec, table_of
from gateway.sdk.errors import ConfigError
from gateway.sdk.manifest import mismatches, parse
from gateway.sdk.testing import Subject, examine, report
from tests.conformance.shop import AT

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is to be lent."""

    title: str
    copies: int = 1


@dataclass(frozen=True, slots=True)
class Loan:
    """What became of it."""

    number: str
    parcels: tuple[Parcel, ...]


@runtime_checkable
class LendsBooks(Protocol):
    """Has a library lend books."""

    async def lend(self, http: sdk.Http, parcel: Parcel) -> Loan:
        """Lend."""
        ...


LENDING = CapabilitySpec(
    "lends_books",
    LendsBooks,
    "图书出借",
    "has a library lend books",
    {"lend": MethodSpec("writes", repeatable=False, cases=("success", "error"))},
)
TABLE = table_of((*CAPABILITIES.values(), LENDING))

MANIFEST = """
id = "library"
name = "A library"
docs = "README.md"
capabilities = ["lends_books"]
http = { rate_per_second = 10 }
operations = { lend = { path = "/loans", reads = false } }
"""


class Adapter(sdk.Adapter):
    """The library's."""

    async def lend(self, http: sdk.Http, parcel: Parcel) -> Loan:
        reply = await http.call(sdk.Request("lend", form={"title": parcel.title, "copies": str(parcel.copies)}))
        try:
            number = jiter.from_json(reply.body)["loan"]
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise sdk.ContractError(operation="lend", reply=reply.body) from error
        if not isinstance(number, str):
            raise sdk.ContractError(operation="lend", reply=reply.body)
        return Loan(number, (parcel,))

    def judge(self, reply: sdk.Reply) -> None:
        if reply.body.startswith(b"refused"):
            raise sdk.RejectedError(operation=reply.operation, supplier_code="refused")


def a_case(name: str, body: str, **end: Any) -> dict[str, Any]:
    """A case's file: asking for two copies, which is answered with this body."""
    request = {"operation": "lend", "form": {"title": "Momo", "copies": "2"}}
    return {
        "description": name,
        "capability": "lends_books",
        "call": {"method": "lend", "args": {"parcel": {"title": "Momo", "copies": 2}}},
        "exchanges": [{"request": request, "reply": {"body": body}}],
        **end,
    }


LENT = a_case("lent", '{"loan":"7"}', result={"number": "7", "parcels": [{"title": "Momo", "copies": 2}]})
REFUSED = a_case("refused", "refused", error={"class": "RejectedError", "supplier_code": "refused"})


def library(folder: Path, manifest: str = MANIFEST, **cases: dict[str, Any]) -> Subject:
    """The library in a folder of its own, with these cases."""
    (folder / "library" / "cases").mkdir(parents=True)
    (folder / "library" / "README.md").write_text("# A library\n", encoding="utf-8")
    for name, case in cases.items():
        (folder / "library" / "cases" / f"call__lends_books_{name}.json").write_bytes(orjson.dumps(case))
    return Subject.read(parse(manifest, "library", TABLE), Adapter, folder / "library")


def findings(subject: Subject) -> dict[str, list[str]]:
    """The checks that failed, with what they found."""
    return {
        result.check: [problem for trial in result.found for problem in trial.problems]
        for result in examine(subject)
        if result.verdict == "failed"
    }


def test_a_made_up_capability_passes_the_kit(tmp_path: Path):
    assert findings(library(tmp_path, lent=LENT, refused=REFUSED)) == {}


def test_the_kit_finds_another_result_in_the_words_of_a_case(tmp_path: Path):
    other = LENT | {"result": {"number": "8", "parcels": [{"title": "Momo"}]}}
    found = findings(library(tmp_path, lent=other, refused=REFUSED))
    assert found == {
        "golden": [
            'expected {"number":"8","parcels":[{"title":"Momo","copies":1}]}, '
            'got {"number":"7","parcels":[{"title":"Momo","copies":2}]}'
        ]
    }


def test_the_kit_demands_the_cases_that_the_table_names(tmp_path: Path):
    assert findings(library(tmp_path, lent=LENT)) == {
        "cases_suffice": ["lends_books: no case of an error", "lends_books.lend: no case of an error"]
    }


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"result": {"number": "7"}}, "result: parcels: "),
        ({"result": {"number": "7", "parcels": [], "more": 1}}, "result: more: "),
        ({"call": {"method": "lend", "args": {"parcel": {"copies": 1}}}}, "args: parcel.title: "),
        ({"call": {"method": "borrow", "args": {}}}, "'borrow': lends_books has the methods lend"),
    ],
)
def test_a_case_is_read_by_the_types_of_the_protocol(tmp_path: Path, change: dict[str, Any], problem: str):
    with pytest.raises(ConfigError) as caught:
        library(tmp_path, lent=LENT | change)
    assert problem in "\n".join(caught.value.problems)


def test_the_manifest_knows_the_capabilities_of_its_table():
    manifest = parse(MANIFEST, "library", TABLE)
    assert manifest.specs == (LENDING,)
    assert list(mismatches(manifest, Adapter, "library")) == []
    assert list(mismatches(manifest, sdk.Adapter, "library")) == ["declares lends_books, which it does not implement"]
    with pytest.raises(ConfigError, match="unknown capabilities lends_books"):
        parse(MANIFEST, "library")
    with pytest.raises(ConfigError, match=r"http and operations go with .*lends_books"):
        parse(MANIFEST.partition("http =")[0], "library", TABLE)


def test_pages_and_documents_name_it(tmp_path: Path):
    made = report(library(tmp_path, lent=LENT, refused=REFUSED), "mallgate", datetime.fromisoformat(AT))
    assert "图书出借 lends_books" in page(made)
    row = "| 图书出借: has a library lend books | `lends_books` | `lend` (writes) | `http`, `operations` |"
    assert row in capabilities(TABLE).splitlines()


def test_a_write_that_may_not_be_repeated_hides_behind_no_other_call(tmp_path: Path):
    careless = table_of([CapabilitySpec("lends_books", LendsBooks, "", "", {"lend": MethodSpec("writes")})])
    subject = library(tmp_path, lent=LENT, refused=REFUSED)
    manifest = parse(MANIFEST, "library", careless)
    found = findings(Subject.read(manifest, Adapter, subject.folder))
    assert set(found["operations_shown"]) == {"lend may not be repeated, and lend has to be"}


class Hopeful(Adapter):
    """Takes what nobody knows for an outage, after which the gateway would ask again."""

    async def lend(self, http: sdk.Http, parcel: Parcel) -> Loan:
        try:
            return await super().lend(http, parcel)
        except sdk.OutcomeUnknownError as error:
            raise sdk.UnavailableError from error


def test_a_write_that_may_have_happened_must_not_end_as_an_outage(tmp_path: Path):
    found = findings(replace(library(tmp_path, lent=LENT, refused=REFUSED), adapter=Hopeful))
    assert set(found) == {"faults_mapped"}
    assert any("lend answered by time-out: expected OutcomeUnknownError" in each for each in found["faults_mapped"])


@pytest.mark.parametrize(
    ("methods", "problem"),
    [
        ({}, "its methods are lend"),
        ({"lend": MethodSpec()}, "given `http` exactly when it has an effect"),
    ],
)
def test_a_row_that_its_protocol_contradicts_is_refused(methods: dict[str, MethodSpec], problem: str):
    with pytest.raises(ValueError, match=problem):
        CapabilitySpec("lends_books", LendsBooks, "", "", methods)


def test_the_committed_tables_of_adapters_are_up_to_date():
    text = (ROOT / "adapters" / "README.md").read_text(encoding="utf-8")
    assert rendered(text, ADAPTERS_TABLES) == text
    assert all(f"`{name}`" in text for name in CAPABILITIES)
