"""A kit that cannot fail is decoration: bad adapters, each with one fault, which one check must find and no other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jiter
import orjson
import pytest
from pydantic import BaseModel, ConfigDict, SecretStr

from gateway import sdk
from gateway.sdk import InvalidMessageError, Issue, Item, Record
from gateway.sdk.manifest import Manifest
from gateway.sdk.testing import CHECKS, AnyCase, Case, Subject, examine, unreadable
from schemas.catalog import Facet, ListingFacts, Shelf
from tests.conformance import shop
from tests.conformance.shop import a_call

PUSHED = Manifest(id="bad", name="Bad", docs="README.md", capabilities=("normalises_feeds",), facets=(Facet.LISTING,))


def findings(subject: Subject) -> dict[str, str]:
    """The checks that failed, with everything that they found."""
    return {
        result.check: "\n".join(problem for trial in result.found for problem in trial.problems)
        for result in examine(subject)
        if result.verdict == "failed"
    }


def only(subject: Subject, check: str) -> str:
    """What the one check that should fail has found."""
    found = findings(subject)
    assert set(found) == {check}, found
    return found[check]


# ---- records


def a_case(**changes: object) -> Case:
    """A listing that is taken, with what the test is about changed."""
    told = {
        "name": "listing__on",
        "description": "Put on the shelf.",
        "facet": "listing",
        "received_at": "2026-05-01T12:00:00+08:00",
        "record": '{"sku":"A","shelf":"on"}',
        "items": [{"facts": {"sku": "A", "shelf": "on"}}],
    }
    return Case.model_validate(told | changes)


REFUSED = a_case(name="listing__refused", record="{}", items=None, issues=[{"code": "validation_failed"}])


def pushed(folder: Path, normalise: Callable[[Record], Iterable[Item]], *cases: Case) -> Subject:
    """An adapter whose one method is this function."""
    (folder / "bad").mkdir()
    (folder / "bad" / "README.md").write_text("# Bad\n", encoding="utf-8")
    adapter = type("Planted", (sdk.Adapter,), {"normalise": lambda _, record: normalise(record)})
    return Subject(PUSHED, adapter, folder / "bad", cases or (a_case(), REFUSED))


def careful(record: Record) -> list[Item]:
    """What all of the bad ones should have been."""
    try:
        members = orjson.loads(record.raw)
        return [Item(ListingFacts(sku=members["sku"], shelf=Shelf(members["shelf"])))]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidMessageError(Issue("validation_failed")) from error


def trusting(record: Record) -> list[Item]:
    members = jiter.from_json(record.raw)
    if "sku" not in members:
        raise InvalidMessageError(Issue("validation_failed"))
    return [Item(ListingFacts(sku=members["sku"], shelf=Shelf(members["shelf"])))]


def unvalidated(record: Record) -> list[Item]:
    return [Item(ListingFacts.model_construct(sku=" A ", shelf=Shelf.ON))]


def lazy(record: Record) -> list[Item]:
    return []


def naive_in_time(record: Record) -> list[Item]:
    return [replace(item, observed_at=datetime(2026, 5, 1)) for item in careful(record)]  # noqa: DTZ001 - the fault


def beyond_versions(record: Record) -> list[Item]:
    return [replace(item, source_version=2**53 + 1) for item in careful(record)]


def inventive(record: Record) -> list[Item]:
    raise InvalidMessageError(Issue("no_such_code", actual="x" * 201, expected="\x00"))


def refusing_silently(record: Record) -> list[Any]:
    return [sdk.Refusal("A", ())]


class Extended(ListingFacts):
    """Facts with more than the mall knows."""

    colour: str = "red"


def extending(record: Record) -> list[Item]:
    return [Item(Extended(sku="A", shelf=Shelf.ON))]


def disordered(record: Record) -> list[Item]:
    [item] = careful(record)
    values = vars(item.facts)
    for name in reversed(list(values)):
        values[name] = values.pop(name)
    return [item]


def test_a_careful_adapter_passes(tmp_path: Path):
    assert findings(pushed(tmp_path, careful)) == {}


@pytest.mark.parametrize(
    ("bad", "finding"),
    [
        (unvalidated, "facts are not canonical"),
        (lazy, "neither items nor issues"),
        (naive_in_time, "observed_at has no offset"),
        (beyond_versions, "source_version is out of range"),
        (inventive, "'no_such_code' is not declared"),
        (inventive, "more than 200 characters"),
        (inventive, "holds NUL"),
        (refusing_silently, "refusal of 'A' without an issue"),
        (extending, "Extended instead of ListingFacts"),
        (disordered, "not in canonical order"),
    ],
)
def test_an_unsound_outcome_is_found(tmp_path: Path, bad: Callable[[Record], Iterable[Item]], finding: str):
    assert finding in only(pushed(tmp_path, bad), "sound")


def test_an_adapter_that_trusts_its_input_is_found_by_damage_alone(tmp_path: Path):
    assert "/shelf dropped: raised KeyError" in only(pushed(tmp_path, trusting), "damage_borne")


def test_an_adapter_that_remembers_is_found(tmp_path: Path):
    class Remembering(sdk.Adapter):
        seen: int | None = None

        def normalise(self, record: Record) -> list[Item]:
            items = [replace(item, source_version=self.seen) for item in careful(record)]
            self.seen = 1
            return items

    subject = replace(pushed(tmp_path, careful), adapter=Remembering)
    assert "the same record had two outcomes" in only(subject, "deterministic")


@pytest.mark.parametrize(
    "case",
    [
        a_case(items=[{"facts": {"sku": "A", "shelf": "off"}}]),
        a_case(items=[{"facts": {"sku": "A", "shelf": "on"}, "source_version": 1}]),
        a_case(items=[{"facts": {"sku": "A", "shelf": "on"}, "observed_at": datetime(2026, 5, 1, tzinfo=UTC)}]),
        a_case(items=[{"facts": {"sku": "A", "shelf": "on"}}] * 2),
        a_case(refusals=[{"sku": "B", "issues": [{"code": "not_answered"}]}]),
        a_case(name="listing__wrong", items=None, issues=[{"code": "validation_failed"}]),
        a_case(name="listing__a", record="{}", items=None, issues=[{"code": "validation_failed", "path": "/sku"}]),
        a_case(name="listing__b", record="{}", items=None, issues=[{"code": "validation_failed"}] * 2),
    ],
)
def test_another_outcome_than_the_golden_one_is_found(tmp_path: Path, case: Case):
    assert "expected" in only(pushed(tmp_path, careful, case, a_case(name="listing__taken"), REFUSED), "golden")


def test_other_issues_of_a_refused_sku_are_found(tmp_path: Path):
    [told] = [case for case in shop.CASES if case.name == "price__two_of_three"]
    refusals = [{"sku": "C", "issues": [{"code": "not_answered", "path": "/elsewhere"}]}]
    case = Case.model_validate(told.model_dump() | {"refusals": refusals})
    assert "C: expected" in only(shop.subject(tmp_path, shop.Adapter, case), "golden")


def test_a_facet_without_a_refused_record_is_found(tmp_path: Path):
    found = only(pushed(tmp_path, careful, a_case()), "cases_suffice")
    assert found == "normalises_feeds: no case of an error\nlisting: no case of a record that is refused"


def test_a_text_of_json_inside_a_reply_is_damaged_too(tmp_path: Path):
    class Indexing(shop.Adapter):
        def _prices(self, exchange: sdk.Exchange) -> Any:
            body = exchange.replies["prices"]
            inner = orjson.loads(shop.parsed(shop.Prices, body).prices or "[]")
            if isinstance(inner, list) and inner:
                inner[0]["price"]
            return super()._prices(exchange)

    assert "/prices/0/price dropped: raised KeyError" in findings(shop.subject(tmp_path, Indexing))["damage_borne"]


def test_an_item_of_a_sku_that_was_not_asked_about_is_found(tmp_path: Path):
    class Believing(shop.Adapter):
        def _listing(self, exchange: sdk.Exchange) -> Item:
            return Item(ListingFacts(sku="Z", shelf=Shelf.ON))

    assert "says something of 'Z'" in findings(shop.subject(tmp_path, Believing))["sound"]


# ---- calls


def test_a_careful_adapter_that_is_pulled_passes(tmp_path: Path):
    assert findings(shop.subject(tmp_path)) == {}


class BlankSku(shop.Adapter):
    async def list_skus(self, http: sdk.Http, cursor: Any) -> sdk.SkuPage:
        return replace(await super().list_skus(http, cursor), skus=("A ",))


class ListOfSkus(shop.Adapter):
    async def list_skus(self, http: sdk.Http, cursor: Any) -> Any:
        return (await super().list_skus(http, cursor)).skus


class ForgottenSku(shop.Adapter):
    async def read(self, http: sdk.Http, facet: Facet, skus: Sequence[str], area: str) -> Sequence[sdk.Exchange]:
        return [replace(each, skus=each.skus[1:]) for each in await super().read(http, facet, skus, area)]


class ForeignSku(shop.Adapter):
    async def read(self, http: sdk.Http, facet: Facet, skus: Sequence[str], area: str) -> Sequence[sdk.Exchange]:
        return [replace(each, skus=(*each.skus, "Z")) for each in await super().read(http, facet, skus, area)]


class ListInside(shop.Adapter):
    async def read(self, http: sdk.Http, facet: Facet, skus: Sequence[str], area: str) -> Sequence[sdk.Exchange]:
        listed: Any = list
        return [replace(each, skus=listed(each.skus)) for each in await super().read(http, facet, skus, area)]


class TextInside(shop.Adapter):
    async def read(self, http: sdk.Http, facet: Facet, skus: Sequence[str], area: str) -> Sequence[sdk.Exchange]:
        text: Any = {"prices": "text"}
        return [replace(each, replies=text) for each in await super().read(http, facet, skus, area)]


class SetInside(shop.Adapter):
    async def read(self, http: sdk.Http, facet: Facet, skus: Sequence[str], area: str) -> Sequence[sdk.Exchange]:
        asked: Any = {"at": {1, 2}}
        return [replace(each, asked=asked) for each in await super().read(http, facet, skus, area)]


class MessageNotJson(shop.Adapter):
    async def fetch(self, http: sdk.Http, pool: str) -> Sequence[sdk.Message]:
        return [replace(each, raw=b"<xml/>") for each in await super().fetch(http, pool)]


class NaiveToken(shop.Adapter):
    async def obtain_token(self, http: sdk.Http, secrets: Any, held: Any, now: datetime) -> sdk.Token:
        return replace(await super().obtain_token(http, secrets, held, now), expires_at=datetime(2026, 5, 1))  # noqa: DTZ001


class UnplacedArea(shop.Adapter):
    async def read_areas(self, http: sdk.Http, parent: str) -> Sequence[sdk.Area]:
        return [replace(each, level=0) for each in await super().read_areas(http, parent)]


class Answering(shop.Adapter):
    async def acknowledge(self, http: sdk.Http, pool: str, messages: Sequence[sdk.Message]) -> Any:
        await super().acknowledge(http, pool, messages)
        return True


class Raising(shop.Adapter):
    def follow_ups(self, message: sdk.Message) -> Any:
        raise ValueError("not mine")


@pytest.mark.parametrize(
    ("bad", "finding"),
    [
        (BlankSku, "blanks at its ends"),
        (ListOfSkus, "returned tuple, which list_skus must not"),
        (ForgottenSku, "no exchange is about A"),
        (ForeignSku, "an exchange is about Z, which nobody asked for"),
        (ListInside, "changes on its way through bytes"),
        (TextInside, "changes on its way through bytes"),
        (SetInside, "returned what may not be: 0.asked"),
        (MessageNotJson, "returned what may not be"),
        (NaiveToken, "returned what may not be: expires_at"),
        (UnplacedArea, "returned what may not be: 0.level"),
        (Answering, "returned bool, which acknowledge must not"),
        (Raising, "raised ValueError: not mine, which is no SupplierError"),
    ],
)
def test_an_unsound_result_is_found(tmp_path: Path, bad: type[sdk.Adapter], finding: str):
    assert finding in only(shop.subject(tmp_path, bad), "sound")


class OtherQuestion(shop.Adapter):
    async def list_skus(self, http: sdk.Http, cursor: Any) -> sdk.SkuPage:
        await http.call(sdk.Request("goods", query={"page": str(cursor or 1), "size": "100"}))
        return sdk.SkuPage(("A",))


class OtherAnswer(shop.Adapter):
    def follow_ups(self, message: sdk.Message) -> Sequence[sdk.FollowUp]:
        return [
            replace(each, facets=each.facets | {Facet.STOCK}) if isinstance(each, sdk.Reread) else each
            for each in super().follow_ups(message)
        ]


class FewerQuestions(shop.Adapter):
    async def acknowledge(self, http: sdk.Http, pool: str, messages: Sequence[sdk.Message]) -> None:
        return


class OtherRaw(shop.Adapter):
    async def fetch(self, http: sdk.Http, pool: str) -> Sequence[sdk.Message]:
        return [replace(each, raw=b"{}") for each in await super().fetch(http, pool)]


@pytest.mark.parametrize(
    ("bad", "finding"),
    [
        (OtherQuestion, 'made a request that the case does not have: {"operation":"goods"'),
        (OtherAnswer, 'expected [{"sku":"A"'),
        (OtherRaw, 'expected [{"id":"7"'),
    ],
)
def test_another_call_than_the_golden_one_is_found(tmp_path: Path, bad: type[sdk.Adapter], finding: str):
    assert finding in only(shop.subject(tmp_path, bad), "golden")


def test_a_recorded_request_that_is_not_made_is_found(tmp_path: Path):
    assert (
        'did not make the request {"operation":"forget"' in findings(shop.subject(tmp_path, FewerQuestions))["golden"]
    )


@pytest.mark.parametrize(
    ("error", "finding"),
    [
        ({"class": "RejectedError"}, "expected RejectedError, got UnavailableError"),
        ({"class": "UnavailableError", "supplier_code": "idle"}, "supplier_code: expected 'idle', got 'busy'"),
        ({"class": "UnavailableError", "status": 503}, "status: expected 503, got None"),
    ],
)
def test_another_error_than_the_golden_one_is_found(tmp_path: Path, error: dict[str, Any], finding: str):
    request = {"operation": "goods", "query": {"page": "2"}}
    case = a_call("pulls_feeds_busy", "list_skus", {"cursor": 2}, (request, shop.BUSY), error=error)
    assert finding in only(shop.subject(tmp_path, shop.Adapter, case), "golden")


def test_a_result_where_an_error_was_due_and_the_other_way_round_are_found(tmp_path: Path):
    request = {"operation": "goods", "query": {"page": "2"}}
    reply = '{"ok":true,"skus":[],"pages":2}'
    error = {"class": "AuthError"}
    cases = [
        a_call("pulls_feeds_well", "list_skus", {"cursor": 2}, (request, reply), error=error),
        a_call("pulls_feeds_badly", "list_skus", {"cursor": 2}, (request, shop.BUSY), result={"skus": []}),
    ]
    found = only(shop.subject(tmp_path, shop.Adapter, *cases), "golden")
    assert "expected AuthError, got a result" in found
    assert "raised UnavailableError" in found


def test_an_outcome_that_depends_on_which_answer_comes_first_is_found(tmp_path: Path):
    class Hasty(shop.Adapter):
        async def read(self, http: sdk.Http, facet: Facet, skus: Sequence[str], area: str) -> Sequence[sdk.Exchange]:
            if facet is Facet.PRICE:
                return await super().read(http, facet, skus, area)

            found: list[sdk.Exchange] = []

            async def one(sku: str) -> None:
                reply = await http.call(sdk.Request("shelf", {"sku": sku}))
                found.append(sdk.Exchange((sku,), {"shelf": reply.body}))

            await asyncio.gather(*map(one, skus))
            return found

    assert "the order in which answers come" in only(shop.subject(tmp_path, Hasty), "deterministic")


def test_an_adapter_that_remembers_its_calls_is_found(tmp_path: Path):
    class Paging(shop.Adapter):
        page = 0

        async def list_skus(self, http: sdk.Http, cursor: Any) -> sdk.SkuPage:
            self.page = max(self.page + 1, cursor or 1)
            return await super().list_skus(http, self.page)

    assert "the same call had two outcomes" in findings(shop.subject(tmp_path, Paging))["deterministic"]


class TrustingReply(shop.Adapter):
    async def list_skus(self, http: sdk.Http, cursor: Any) -> sdk.SkuPage:
        page = cursor or 1
        reply = await http.call(sdk.Request("goods", query={"page": str(page)}))
        told = jiter.from_json(reply.body)
        return sdk.SkuPage(tuple(told["skus"]), page + 1 if told["pages"] > page else None)


class TrustingMessage(shop.Adapter):
    def follow_ups(self, message: sdk.Message) -> Sequence[sdk.FollowUp]:
        jiter.from_json(message.raw)["about"]
        return super().follow_ups(message)


class Endless(shop.Adapter):
    async def list_skus(self, http: sdk.Http, cursor: Any) -> sdk.SkuPage:
        while not (page := await super().list_skus(http, cursor)).skus:
            while True:
                with suppress(Exception):
                    await http.call(sdk.Request("goods"))
        return page


@pytest.mark.parametrize(
    ("bad", "finding"),
    [
        (TrustingReply, "reply of goods: /skus dropped: raised KeyError"),
        (TrustingMessage, "/about dropped: raised KeyError"),
        (Endless, "/skus = []: asks on and on"),
    ],
)
def test_an_adapter_that_trusts_its_supplier_is_found_by_damage_alone(
    tmp_path: Path, bad: type[sdk.Adapter], finding: str
):
    assert finding in only(shop.subject(tmp_path, bad), "damage_borne")


class Swallowing(shop.Adapter):
    async def read_areas(self, http: sdk.Http, parent: str) -> Sequence[sdk.Area]:
        with suppress(sdk.AuthError):
            return await super().read_areas(http, parent)
        return []


class Renaming(shop.Adapter):
    async def read_areas(self, http: sdk.Http, parent: str) -> Sequence[sdk.Area]:
        try:
            return await super().read_areas(http, parent)
        except sdk.UnavailableError as error:
            raise sdk.UnavailableError("areas are away") from error


class Impatient(shop.Adapter):
    async def read_areas(self, http: sdk.Http, parent: str) -> Sequence[sdk.Area]:
        try:
            return await super().read_areas(http, parent)
        except sdk.RateLimitError as error:
            raise sdk.RateLimitError from error


class Repeating(shop.Adapter):
    async def read_areas(self, http: sdk.Http, parent: str) -> Sequence[sdk.Area]:
        try:
            return await super().read_areas(http, parent)
        except sdk.UnavailableError:
            return await super().read_areas(http, parent)


class Mistaking(shop.Adapter):
    async def read_areas(self, http: sdk.Http, parent: str) -> Sequence[sdk.Area]:
        try:
            return await super().read_areas(http, parent)
        except sdk.TransientError as error:
            raise sdk.ContractError from error


class Content(shop.Adapter):
    async def acknowledge(self, http: sdk.Http, pool: str, messages: Sequence[sdk.Message]) -> None:
        await super().acknowledge(http, pool, messages)

    def judge(self, reply: sdk.Reply) -> None:
        if reply.operation != "forget":
            super().judge(reply)


@pytest.mark.parametrize(
    ("bad", "finding"),
    [
        (Swallowing, "areas answered by 401: expected AuthError, got a result"),
        (Renaming, "areas answered by time-out: the error of the gateway was replaced"),
        (Impatient, "areas answered by 429, Retry-After: 7: expected retry_after 7, got None"),
        (Repeating, 'areas answered by 500: asked again ({"operation":"areas"'),
        (Mistaking, "areas answered by 500: expected UnavailableError, got ContractError"),
        (Content, "forget answered by 200, HTML: expected UnavailableError or ContractError, got a result"),
    ],
)
def test_a_fault_that_the_gateway_does_not_get_to_see_is_found(tmp_path: Path, bad: type[sdk.Adapter], finding: str):
    assert finding in only(shop.subject(tmp_path, bad), "faults_mapped")


class Careless(shop.Adapter):
    """Keeps what it was given."""

    secrets: Mapping[str, str] | None = None

    async def obtain_token(self, http: sdk.Http, secrets: Any, held: Any, now: datetime) -> sdk.Token:
        self.secrets = secrets
        return await super().obtain_token(http, secrets, held, now)


class Logging(shop.Adapter):
    async def obtain_token(self, http: sdk.Http, secrets: Any, held: Any, now: datetime) -> sdk.Token:
        logging.getLogger("shop").debug("with %s", secrets)
        return await super().obtain_token(http, secrets, held, now)


class Printing(shop.Adapter):
    async def obtain_token(self, http: sdk.Http, secrets: Any, held: Any, now: datetime) -> sdk.Token:
        token = await super().obtain_token(http, secrets, held, now)
        print(token.value)
        return token


class Explaining(shop.Adapter):
    async def obtain_token(self, http: sdk.Http, secrets: Any, held: Any, now: datetime) -> sdk.Token:
        try:
            return await super().obtain_token(http, secrets, held, now)
        except sdk.AuthError as error:
            raise sdk.AuthError(f"{secrets['password']} is not the password", supplier_code="login") from error


class Quoting(shop.Adapter):
    async def _granted(self, http: sdk.Http, form: Mapping[str, str], now: datetime) -> sdk.Token:
        try:
            return await super()._granted(http, form, now)
        except sdk.ContractError as error:
            raise sdk.ContractError(f"cannot read {error.reply!r}") from error


class Sending(Careless):
    async def list_skus(self, http: sdk.Http, cursor: Any) -> sdk.SkuPage:
        if self.secrets:
            await http.call(sdk.Request("goods", query={"password": self.secrets["password"]}))
        return await super().list_skus(http, cursor)


class Keeping(Careless):
    async def read(self, http: sdk.Http, facet: Facet, skus: Sequence[str], area: str) -> Sequence[sdk.Exchange]:
        return [replace(each, asked=dict(self.secrets or {})) for each in await super().read(http, facet, skus, area)]


@pytest.mark.parametrize(
    ("bad", "finding"),
    [
        (Logging, "the log or the output shows canary-password"),
        (Printing, "the log or the output shows canary-token"),
        (Explaining, "the error shows canary-password"),
        (Quoting, "the error shows canary-token"),
        (Sending, "the request goods shows canary-password"),
        (Keeping, "the result shows canary-password"),
    ],
)
def test_a_secret_that_gets_out_is_found(tmp_path: Path, bad: type[sdk.Adapter], finding: str):
    assert finding in only(shop.subject(tmp_path, bad), "secrets_kept")


# ---- confirmations, areas, messages


class SaysTooMuch(shop.Adapter):
    async def still_sold(self, http: sdk.Http, skus: Sequence[str]) -> Collection[str]:
        return {*await super().still_sold(http, skus), "Z"}


class SaysAnything(shop.Adapter):
    async def still_sold(self, http: sdk.Http, skus: Sequence[str]) -> Collection[Any]:
        return [None for _ in await super().still_sold(http, skus)]


@pytest.mark.parametrize(
    ("bad", "finding"),
    [
        (SaysTooMuch, "Z is said to be sold, which nobody asked about"),
        (SaysAnything, "returned NoneType, which still_sold must not"),
    ],
)
def test_a_confirmation_of_what_nobody_asked_about_is_found(tmp_path: Path, bad: type[sdk.Adapter], finding: str):
    assert finding in only(shop.subject(tmp_path, bad), "sound")


def test_a_confirmation_of_too_many_skus_is_found(tmp_path: Path) -> None:
    found = only(shop.subject(tmp_path, confirms=1), "limits_respected")
    assert set(found.splitlines()) == {"asks for 2 skus; confirms is 1"}


class TwoAreas(shop.Adapter):
    def areas(self, facet: Facet) -> Sequence[str]:
        return ("north", "north")


def test_an_area_that_areas_does_not_name_is_found(tmp_path: Path) -> None:
    found = only(shop.subject(tmp_path, TwoAreas), "limits_respected")
    assert "areas of price names an area twice" in found
    assert "reads price in area ''; areas has ['north', 'north']" in found


class DeletesWhatItDoesNotKnow(shop.Adapter):
    def follow_ups(self, message: sdk.Message) -> Sequence[sdk.FollowUp]:
        try:
            return super().follow_ups(message)
        except sdk.UnknownMessageError:
            return []


def test_an_adapter_that_has_messages_deleted_that_it_does_not_know_is_found(tmp_path: Path) -> None:
    found = only(shop.subject(tmp_path, DeletesWhatItDoesNotKnow), "unknown_messages_wait")
    assert "a message of an unheard-of type has to raise UnknownMessageError" in found


# ---- what an adapter says of itself


FEWER = ["normalises_feeds", "pulls_feeds", "confirms_skus", "polls_messages", "obtains_tokens"]


def with_operations(**changes: Any) -> dict[str, Any]:
    return {"operations": {**shop.manifest().model_dump()["operations"], **changes}}


@pytest.mark.parametrize(
    ("changes", "check", "finding"),
    [
        ({"capabilities": FEWER}, "manifest_true", "implements reads_areas, which its manifest does not declare"),
        ({"id": "mall"}, "manifest_true", "its manifest says id 'mall'"),
        ({"docs": "PAPER.md"}, "manifest_true", "there is no PAPER.md in the folder"),
        (with_operations(surplus={"path": "/x"}), "operations_shown", "operations.surplus: no case makes this call"),
        (
            with_operations(areas={"path": "/{of}"}),
            "operations_shown",
            "its path needs ['of'], the request fills in []",
        ),
        ({"pulls": {"price": 1, "listing": 2}}, "limits_respected", "asks for 2 skus; pulls.price is 1"),
        ({"pulls": {"price": 3}}, "limits_respected", "pulls of the manifest has no listing"),
        ({"pools": ["news"]}, "limits_respected", "the manifest has no pool changes"),
    ],
)
def test_a_manifest_that_is_not_true_is_found(tmp_path: Path, changes: dict[str, Any], check: str, finding: str):
    assert finding in only(shop.subject(tmp_path, shop.Adapter, **changes), check)


def test_a_declared_capability_that_is_not_there_is_found(tmp_path: Path):
    assert "declares pulls_feeds, which it does not implement" in "\n".join(
        problem
        for trial in CHECKS["manifest_true"].run(shop.subject(tmp_path, sdk.Adapter))
        for problem in trial.problems
    )


def test_a_call_that_the_manifest_does_not_have_is_found(tmp_path: Path):
    operations = shop.manifest().model_dump()["operations"]
    del operations["areas"]
    found = only(shop.subject(tmp_path, shop.Adapter, operations=operations), "operations_shown")
    assert "the manifest has no operation areas" in found


def test_a_request_for_more_than_was_asked_is_found(tmp_path: Path):
    class Greedy(shop.Adapter):
        async def read(self, http: sdk.Http, facet: Facet, skus: Sequence[str], area: str) -> Sequence[sdk.Exchange]:
            if facet is not Facet.PRICE:
                return await super().read(http, facet, skus, area)
            reply = await http.call(sdk.Request("prices", query={"skus": "A,B,C"}))
            return [sdk.Exchange(tuple(skus), {"prices": reply.body})]

    case = a_call(
        "pulls_feeds_prices",
        "read",
        {"facet": "price", "skus": ["A", "B"]},
        ({"operation": "prices", "query": {"skus": "A,B,C"}}, shop.TWO_PRICES),
        result=[{"skus": ["A", "B"], "replies": {"prices": shop.TWO_PRICES}}],
    )
    found = only(shop.subject(tmp_path, Greedy, case, pulls={"price": 2, "listing": 2}), "limits_respected")
    assert found == "prices carries 3 skus; pulls.price is 2"


@pytest.mark.parametrize(
    ("left_out", "finding"),
    [
        ("call__pulls_feeds_busy", "pulls_feeds: no case of an error"),
        ("call__polls_messages_forgotten", "polls_messages.acknowledge: no case of a success"),
        ("call__pulls_feeds_shelves", "pulls_feeds.read of listing: no case of a success"),
        ("listing__on", "listing: no case of a record that is taken"),
        ("listing__unknown", "listing: no case of a record that is refused"),
    ],
)
def test_what_the_cases_leave_untold_is_found(tmp_path: Path, left_out: str, finding: str):
    whole = shop.subject(tmp_path)
    fewer: tuple[AnyCase, ...] = tuple(case for case in whole.cases if case.name != left_out)
    found = findings(replace(whole, cases=fewer))
    assert set(found) - {"operations_shown"} == {"cases_suffice"}
    assert finding in found["cases_suffice"]


class Account(BaseModel):
    """Of an options model, without care."""

    user: str = ""


class LaxOptions(sdk.Options):
    model_config = ConfigDict(extra="ignore")


class LaxInside(sdk.Options):
    account: Account | None = None


class PlainSecret(sdk.Options):
    api_key: str = ""


class HiddenSecret(sdk.Options):
    api_key: SecretStr | None = None
    token: SecretStr = SecretStr("")


@pytest.mark.parametrize(
    ("options", "finding"),
    [
        (LaxOptions, "LaxOptions lets unknown names pass"),
        (LaxInside, "Account lets unknown names pass"),
        (PlainSecret, "PlainSecret.api_key looks like a secret and is no SecretStr"),
    ],
)
def test_careless_options_are_found(tmp_path: Path, options: type[sdk.Options], finding: str):
    bad = type("Planted", (shop.Adapter,), {"options_model": options})
    assert finding in only(shop.subject(tmp_path, bad), "options_strict")


def test_hidden_secrets_among_options_are_fine(tmp_path: Path):
    good = type("Planted", (shop.Adapter,), {"options_model": HiddenSecret})
    assert findings(shop.subject(tmp_path, good)) == {}


def test_what_the_template_left_to_do_is_found(tmp_path: Path):
    subject = shop.subject(tmp_path)
    (tmp_path / "shop" / "cases").mkdir()
    (tmp_path / "shop" / "cases" / "price__taken.json").write_text(
        '{"a": "to-do: use a real record",\n', encoding="utf-8"
    )
    assert only(subject, "nothing_to_do") == "use a real record"


# ---- waivers


def waiving(*checks: str) -> dict[str, Any]:
    return {"waivers": [{"check": check, "reason": "agreed with the supplier"} for check in checks]}


def test_a_check_that_fails_with_a_reason_is_waived(tmp_path: Path):
    subject = shop.subject(tmp_path, Swallowing, **waiving("faults_mapped"))
    assert findings(subject) == {}
    [waived] = [result for result in examine(subject) if result.verdict == "waived"]
    assert (waived.check, waived.waiver) == ("faults_mapped", "agreed with the supplier")


def test_a_waiver_that_is_not_needed_is_found(tmp_path: Path):
    subject = shop.subject(tmp_path, shop.Adapter, **waiving("faults_mapped", "weather"))
    assert only(subject, "waivers_used") == (
        "waiver of faults_mapped: the check passes, take the waiver out\nwaiver of weather: there is no such check"
    )


def test_an_adapter_that_cannot_be_examined_has_failed():
    result = unreadable(["cases/price__a.json: not a JSON object"])
    assert (result.check, result.verdict, result.trials) == ("readable", "failed", 1)


def test_the_documentation_names_every_check():
    text = (Path(shop.__file__).parents[2] / "adapters" / "README.md").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("| `")] == [
        f"| `{name}` | {check.en} |" for name, check in CHECKS.items()
    ]


def test_every_check_says_what_it_finds_out_in_both_languages():
    assert all(check.en.endswith(".") and check.zh.endswith("。") for check in CHECKS.values())
