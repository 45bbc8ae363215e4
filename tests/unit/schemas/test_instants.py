"""An instant is the same bytes in every record and receipt, whether it comes from memory, a supplier or PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any, cast, get_args

import pytest
from pydantic import AwareDatetime, BaseModel, TypeAdapter, ValidationError

from gateway.feeds.message import Stamper
from gateway.intake import order_views, views
from schemas import catalog, deadletters, envelope, orders, reports
from schemas.base import Instant, Model, written
from schemas.catalog import Facet
from schemas.contracts.commands import AnnouncedNotice, ContractCommandBase, FiledNotice
from schemas.envelope import Envelope, encode
from schemas.orders import COMMANDS
from schemas.orders.commands import Command

MODULES = (catalog, deadletters, envelope, orders, reports, views, order_views)
"""Where everything that the mall core and vendors are told is declared."""

AS_IT_IS = "2026-11-23T09:30:00+08:00"
ZONES = (timezone(timedelta(hours=8)), UTC, timezone(timedelta(hours=-5)))
SAME = [datetime.fromisoformat(AS_IT_IS).astimezone(zone) for zone in ZONES]


def models(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Every model that stands on this one, whoever adds one."""
    for each in base.__subclasses__():
        if each.__module__.startswith(("schemas.", "gateway.intake.")):
            yield each
        yield from models(each)


def names_instant(annotation: Any) -> bool:
    """Whether a field holds an instant itself, and not only a model that does."""
    return annotation in (datetime, AwareDatetime) or any(map(names_instant, get_args(annotation)))


def instants() -> dict[str, tuple[type[BaseModel], TypeAdapter[Any]]]:
    found = {}
    for model in {*models(Model), *models(views.View)}:
        for name, field in model.model_fields.items():
            if names_instant(field.annotation) or any(map(names_instant, field.metadata)):
                adapter: TypeAdapter[Any] = TypeAdapter(cast(Any, Annotated[field.annotation, field]))
                found[f"{model.__qualname__}.{name}"] = model, adapter
    return found


FIELDS = instants()
FROM_THE_CORE = (Command, ContractCommandBase, AnnouncedNotice, FiledNotice)
AS_SENT = {name for name, (model, _) in FIELDS.items() if issubclass(model, FROM_THE_CORE)}
"""What the mall core wrote is handed on as it wrote it: its commands are told from others by their bytes."""


def test_all_that_is_told_is_looked_at() -> None:
    assert MODULES
    assert {"Price.observed_at", "FeedReport.received_at", "Envelope.time", "FeedView.received_at"} <= FIELDS.keys()
    assert {f"{model.__qualname__}.deadline" for model in COMMANDS.values()} <= AS_SENT


@pytest.mark.parametrize("name", sorted(FIELDS.keys() - AS_SENT))
def test_every_public_instant_is_written_in_one_zone(name: str) -> None:
    _, adapter = FIELDS[name]
    assert {adapter.dump_json(adapter.validate_python(at)) for at in SAME} == {b'"%b"' % AS_IT_IS.encode()}


def test_headers_and_stamped_records_are_written_in_it_too() -> None:
    assert {written(at) for at in SAME} == {AS_IT_IS}
    for at in SAME:
        told = Envelope(id="1", source="/x", type="t", time=at)
        assert dict(encode(told))["ce_time"] == AS_IT_IS.encode()
        stamped = Stamper(Facet.PRICE, "acme", timedelta(hours=1)).stamp(b"{}", 7, at)
        assert b'"observed_at":"2026-11-23T09:30:00+08:00","expires_at":"2026-11-23T11:30:00+08:00"' in stamped


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_an_instant_that_the_zone_cannot_hold_is_refused_in_words(at: str) -> None:
    with pytest.raises(ValidationError, match="years 1 to 9999"):
        TypeAdapter[Any](Instant).validate_python(datetime.fromisoformat(at))
