"""The registry of topics, and what is said of topics that are not as declared."""

from __future__ import annotations

import pytest

from gateway.kafka import BULK, CATALOG_TOPIC, DEADLETTERS, EXPRESS, REPORTS, TOPICS, TopicSpec
from gateway.kafka.admin import Layout, problems
from schemas.catalog import Facet, Listing, Price, Product, Stock

DAY = "86400000"
MONTH = str(30 * 86400000)
LAYOUT = Layout("", partitions=12, replication=3)


def described(partitions: int = 12, copies: int = 3) -> list[dict[str, object]]:
    """A topic as the admin client tells it."""
    return [{"partition": number, "replicas": list(range(copies))} for number in range(partitions)]


def test_every_topic_is_declared_under_its_name() -> None:
    assert len(TOPICS) == 12
    assert all(name == spec.name and name.endswith(".v1") for name, spec in TOPICS.items())


def test_every_facet_has_a_topic_with_the_model_of_its_items() -> None:
    models = {facet: TOPICS[name].values for facet, name in CATALOG_TOPIC.items()}
    assert models == {
        Facet.PRODUCT: (Product,),
        Facet.PRICE: (Price,),
        Facet.STOCK: (Stock,),
        Facet.LISTING: (Listing,),
    }


@pytest.mark.parametrize("name", CATALOG_TOPIC.values())
def test_catalog_topics_keep_the_last_state_of_every_key(name: str) -> None:
    settings = TOPICS[name].settings(3)
    assert settings["cleanup.policy"] == "compact"
    assert settings["min.compaction.lag.ms"] == DAY
    assert settings["delete.retention.ms"] == MONTH
    assert "retention.ms" not in settings


@pytest.mark.parametrize(("name", "days"), [(EXPRESS, 7), (BULK, 7), (REPORTS, 14), (DEADLETTERS, 30)])
def test_other_topics_delete_what_is_old(name: str, days: int) -> None:
    settings = TOPICS[name].settings(3)
    assert settings["cleanup.policy"] == "delete"
    assert settings["retention.ms"] == str(days * 86400000)


def test_chunks_with_the_largest_record_fit_their_topics() -> None:
    assert all(TOPICS[name].max_bytes >= 4 * 1024 * 1024 for name in (EXPRESS, BULK))


@pytest.mark.parametrize(("copies", "in_sync"), [(1, "1"), (2, "1"), (3, "2"), (5, "2")])
def test_writes_need_two_copies_where_there_are_three(copies: int, in_sync: str) -> None:
    settings = TOPICS[EXPRESS].settings(copies)
    assert settings["min.insync.replicas"] == in_sync
    assert settings["unclean.leader.election.enable"] == "false"


def test_a_topic_as_declared_has_no_problems() -> None:
    spec = TOPICS[EXPRESS]
    assert list(problems(spec, LAYOUT, described(), spec.settings(3))) == []


def test_more_copies_than_asked_for_are_no_problem() -> None:
    spec = TOPICS[EXPRESS]
    assert list(problems(spec, LAYOUT, described(copies=4), spec.settings(4))) == []


def test_each_difference_is_a_line() -> None:
    spec = TopicSpec("t", "none", "delete", 1000, "", partitions=2)
    settings = spec.settings(3) | {"unclean.leader.election.enable": "true"}
    assert list(problems(spec, LAYOUT, described(partitions=12, copies=1), settings)) == [
        "has 12 partitions, should have 2",
        "keeps 1 copies, should keep 3",
        "unclean.leader.election.enable is true, should be false",
    ]


def test_a_missing_topic_is_one_line() -> None:
    assert list(problems(TOPICS[EXPRESS], LAYOUT, [], {})) == ["does not exist"]
