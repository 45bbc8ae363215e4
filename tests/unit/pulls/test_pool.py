"""What follows from messages, whatever they hold."""

from collections.abc import Sequence

import pytest

from gateway.pulls.pool import key_of, understand
from gateway.sdk import (
    ContractError,
    FollowUp,
    Http,
    Message,
    OrderRefusedError,
    OrderTree,
    Reread,
    RereadAreas,
    RereadOrder,
    Track,
    UnknownMessageError,
)
from schemas.catalog import Facet
from schemas.orders.events import SupplierMessage


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
            case "order":
                return [RereadOrder(message.raw.decode())]
            case "bug":
                raise KeyError("sku")
            case "odd":
                raise ContractError("no sku")
            case _:
                raise UnknownMessageError("no such type")

    async def acknowledge(self, http: Http, pool: str, messages: Sequence[Message]) -> None:
        return


def test_a_burst_about_one_sku_is_one_reread_of_each_facet():
    messages = [Message(str(number), "price", b"S1") for number in range(50)] + [Message("x", "new", b"S1")]
    understood = understand(Hears(), messages, "acme")
    assert understood.subjects == {(facet.value, "S1") for facet in Facet}
    assert not understood.letters


def test_areas_are_a_subject_of_their_own():
    assert understand(Hears(), [Message("1", "areas", b"")], "acme").subjects == {("areas", "7")}


def test_a_message_about_an_order_waits_for_whoever_reads_orders():
    messages = [Message("1", "order", b"3001"), Message("2", "price", b"S1")]
    understood = understand(Hears(), messages, "acme")
    assert understood.subjects == {("price", "S1")}
    assert not understood.letters
    assert not understood.orders
    assert list(understood.unknown) == [key_of(messages[0])]


class ReadsOrdersToo(Hears):
    """One that can read what such messages name."""

    async def read_order(self, http: Http, supplier_order_no: str) -> OrderTree:
        raise OrderRefusedError

    async def read_track(self, http: Http, supplier_order_no: str) -> Track:
        return Track()


def test_a_message_about_an_order_asks_for_it_once_and_the_last_message_is_named():
    messages = [Message("1", "order", b"3001"), Message("2", "order", b"3001"), Message("3", "order", b"3002")]
    understood = understand(ReadsOrdersToo(), messages, "acme")
    assert not understood.unknown
    assert not understood.subjects
    assert understood.orders == {
        "3001": SupplierMessage(type="order", id="2"),
        "3002": SupplierMessage(type="order", id="3"),
    }
    assert understood.asked == {("orders", "3001"), ("orders", "3002")}


@pytest.mark.parametrize("number", ["", "9" * 200, "3\x00", " 3"])
def test_what_no_order_can_be_called_is_a_letter(number: str):
    understood = understand(ReadsOrdersToo(), [Message("1", "order", number.encode())], "acme")
    assert not understood.orders
    assert [letter.code for letter in understood.letters] == ["unknown_message"]


@pytest.mark.parametrize("odd", ["", "\x00", "9" * 9000, "\ud800", " 1"])
def test_a_message_whose_id_no_event_can_name_is_named_by_a_digest(odd: str):
    messages = [Message(odd, "order", b"1"), Message(odd + "x", "order", b"2"), Message(odd, "order", b"3")]
    named = understand(ReadsOrdersToo(), messages, "acme").orders
    assert all(SupplierMessage.model_validate(each.model_dump()) == each for each in named.values())
    assert named["1"] != named["2"]


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


def test_a_type_that_nobody_knows_waits_and_asks_for_nothing():
    messages = [Message("1", "order", b"{}"), Message("2", "price", b"S1")]
    understood = understand(Hears(), messages, "acme")
    assert understood.subjects == {("price", "S1")}
    assert not understood.letters
    [(key, letter)] = understood.unknown.items()
    assert (key, letter.code) == (key_of(messages[0]), "unknown_message")


@pytest.mark.parametrize("sku", ["9" * 9000, "S\x001", "", " S1"])
def test_a_sku_that_no_key_can_have_is_a_letter_and_its_neighbours_go_on(sku: str):
    messages = [Message("1", "price", sku.encode()), Message("2", "price", b"S1")]
    understood = understand(Hears(), messages, "acme")
    assert understood.subjects == {("price", "S1")}
    [letter] = understood.letters
    assert letter.code == "unknown_message"


@pytest.mark.parametrize("odd", ["1\x00", "9" * 9000, "\ud800"])
def test_an_id_or_type_that_no_column_holds_is_told_apart_by_its_digest(odd: str):
    keys = {key_of(Message(odd, "2", b"")), key_of(Message(odd + "x", "2", b"")), key_of(Message("1", odd, b""))}
    assert len(keys) == 3
    assert all(len(text) <= 128 and text.isascii() and "\0" not in text for key in keys for text in key[:2])
