"""Which topics were made anew, by their ids, and what operators are told."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.recreated_topics import commands_missing, describe_loss, facets_missing, recreated_topics
from gateway.kafka import ORDER_COMMANDS
from schemas.catalog import Facet

ONE, TWO = UUID(int=1), UUID(int=2)

ids = st.dictionaries(st.sampled_from("abcd"), st.sampled_from([ONE, TWO]))


def test_a_topic_with_another_id_was_made_anew() -> None:
    assert recreated_topics({"a": ONE, "b": ONE}, {"a": ONE, "b": TWO}) == ["b"]


def test_a_topic_that_was_never_seen_or_has_no_id_or_is_gone_was_not() -> None:
    assert recreated_topics({"b": None, "c": ONE}, {"a": ONE, "b": ONE}) == []


@given(ids)
def test_what_is_as_it_was_is_never_made_anew(known: dict[str, UUID]) -> None:
    assert recreated_topics(known, known) == []


def test_operators_are_told_the_command_for_each_facet() -> None:
    assert describe_loss([]) == "no topic is missing, and none has lost records"
    assert describe_loss([], facets_missing({})) == "no topic is missing, and none has lost records"
    assert describe_loss([Facet.PRICE], [Facet.PRICE]) == "the price topic is missing: mallgate catalog rebuild price"
    assert describe_loss([Facet.STOCK, Facet.PRICE]) == (
        "the price topic lost records: mallgate catalog rebuild price; "
        "the stock topic lost records: mallgate catalog rebuild stock"
    )


def test_operators_are_told_that_no_commands_can_come() -> None:
    assert commands_missing({"a": ONE})
    assert not commands_missing({ORDER_COMMANDS: ONE})
    assert not commands_missing({})  # Kafka tells no ids
    assert describe_loss([Facet.PRICE], commands=True) == (
        "the price topic lost records: mallgate catalog rebuild price; mall.orders.commands.v1 is missing: "
        "a gateway makes it as it starts; the mall core writes again what was not read"
    )
