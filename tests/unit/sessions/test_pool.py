"""What follows from messages, whatever they hold."""

from collections.abc import Sequence

import pytest

from gateway.sdk import ContractError, FollowUp, Http, Message, Reread, RereadAreas
from gateway.sessions.pool import key_of, understand
from schemas.catalog import Facet


class Hears:
    """An adapter whose messages name what they are about."""

    async def fetch(self, http: Http, pool: str) -> Sequence[Message]:
        return []

    def follow_ups(self, message: Message) -> Sequence[FollowUp]:
        match message.type:
            case "price":
                return [Reread(message.raw.decode(), frozenset({Facet.PRICE}))]
            case "new":
                return [Reread(message.raw.decode(), frozenset(Facet))]
            case "areas":
                return [RereadAreas("7")]
            case "bug":
                raise KeyError("sku")
            case _:
                raise ContractError("no such type")

    async def acknowledge(self, http: Http, pool: str, messages: Sequence[Message]) -> None:
        return


def test_a_burst_about_one_sku_is_one_reread_of_each_facet():
    messages = [Message(str(number), "price", b"S1") for number in range(50)] + [Message("x", "new", b"S1")]
    understood = understand(Hears(), messages, "acme")
    assert understood.subjects == {(facet.value, "S1") for facet in Facet}
    assert not understood.letters


def test_areas_are_a_subject_of_their_own():
    assert understand(Hears(), [Message("1", "areas", b"")], "acme").subjects == {("areas", "7")}


@pytest.mark.parametrize(("type_", "code"), [("odd", "unknown_message"), ("bug", "processing_failed")])
def test_what_is_not_understood_becomes_a_letter_and_stops_no_other(type_: str, code: str):
    messages = [Message("1", type_, b'{"odd": 1}'), Message("2", "price", b"S1")]
    understood = understand(Hears(), messages, "acme")
    assert understood.subjects == {("price", "S1")}
    [letter] = understood.letters
    assert (letter.code, letter.original, letter.supplier) == (code, b'{"odd": 1}', "acme")
    assert letter.key == f"{type_}:1".encode()


def test_letters_of_two_suppliers_are_two_letters():
    message = Message("1", "odd", b"{}")
    letters = [understand(Hears(), [message], supplier).letters[0].id for supplier in ("acme", "other")]
    assert len(set(letters)) == 2


def test_an_id_under_two_types_or_with_other_content_is_another_message():
    keys = {key_of(message) for message in (Message("1", "2", b"a"), Message("1", "4", b"a"), Message("1", "2", b"b"))}
    assert len(keys) == 3


@pytest.mark.parametrize("sku", ["9" * 9_000, "A\0", ""])
def test_a_sku_that_no_table_takes_becomes_a_letter_and_stops_no_other(sku: str):
    messages = [Message("1", "price", sku.encode()), Message("2", "price", b"S1")]
    understood = understand(Hears(), messages, "acme")
    assert understood.subjects == {("price", "S1")}
    assert [letter.code for letter in understood.letters] == ["unknown_message"]


def test_ids_are_kept_as_columns_take_them_and_told_apart_by_their_content():
    first, second = (key_of(Message("\0" + "9" * 9_000, "t\0", raw)) for raw in (b"a", b"b"))
    assert first != second
    assert len(first[1]) <= 200
    assert "\0" not in "".join(first[:2])
