"""The page at /docs: its files are the vendored ones byte for byte, and its document shows what is really answered."""

import hashlib
import re
from datetime import UTC, datetime
from importlib.resources import files

import orjson
import pytest

from gateway.intake.docs import ASSETS, OURS, PAGE
from gateway.intake.examples import FEED_ANSWER, RECORDS, refusal
from gateway.intake.openapi import openapi
from gateway.intake.openapi_webhooks import page as webhooks_page
from gateway.intake.views import FeedView
from gateway.registry import Registry
from gateway.sdk.adapter import Item, NormalisesFeeds, Record
from gateway.sdk.problems import PROBLEMS
from schemas.catalog import Facet

VENDORED = files("gateway.intake").joinpath("static", "swagger")


def test_vendored_files_are_what_the_lock_says() -> None:
    lines = VENDORED.joinpath("vendor.lock").read_text(encoding="utf-8").splitlines()
    locked = {name: digest for digest, name in (line.split() for line in lines if not line.startswith("#"))}
    present = {file.name: file for file in VENDORED.iterdir() if file.name != "vendor.lock"}
    assert {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in present.items()} == locked


def test_the_page_asks_for_nothing_that_is_not_served() -> None:
    pages = (PAGE, webhooks_page())
    wanted = {each for page in pages for each in re.findall(r'(?:src|href)="/docs/assets/([^"]+)"', page)}
    assert wanted == set(ASSETS)
    assert all(name in OURS or VENDORED.joinpath(name).is_file() for name in ASSETS)


@pytest.mark.parametrize("facet", Facet)
def test_the_example_of_a_record_is_taken_as_it_stands(facet: Facet) -> None:
    adapter = Registry().load("native").adapter
    record = Record(facet, orjson.dumps(RECORDS[facet]), datetime(2026, 5, 1, tzinfo=UTC))
    loaded = adapter(adapter.options_model())
    assert isinstance(loaded, NormalisesFeeds)
    [item] = loaded.normalise(record)
    assert isinstance(item, Item)
    assert item.facts.sku == RECORDS[facet]["sku"]


def test_the_example_of_an_answer_is_one() -> None:
    assert FeedView.model_validate(FEED_ANSWER).model_dump(mode="json").keys() == FEED_ANSWER.keys()


def test_the_example_of_a_refusal_speaks_both_languages() -> None:
    shown = refusal("rate_limited")
    assert (shown["message_zh"], shown["message_en"]) == (PROBLEMS["rate_limited"].zh, PROBLEMS["rate_limited"].en)


def test_every_reference_in_the_document_is_kept() -> None:
    document = orjson.loads(openapi())
    referenced = set(re.findall(r'"#/components/schemas/([A-Za-z]+)"', openapi().decode()))
    assert referenced <= set(document["components"]["schemas"])
