"""Every topic, declared once; creating, verifying and documenting them all start from here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from schemas.catalog import Facet, Listing, Price, Product, Stock
from schemas.contracts import COMMANDS as OF_CONTRACTS
from schemas.contracts import EVENTS as ABOUT_CONTRACTS
from schemas.orders import COMMANDS, EVENTS
from schemas.reports import FeedReport

DAY_MS = 24 * 60 * 60 * 1000
MIB = 1024 * 1024

PRODUCTS = "mall.catalog.products.v1"
PRICES = "mall.catalog.prices.v1"
STOCKS = "mall.catalog.stocks.v1"
LISTINGS = "mall.catalog.listings.v1"
ORDER_COMMANDS = "mall.orders.commands.v1"
CONTRACT_COMMANDS = "mall.contracts.commands.v1"
ORDER_EVENTS = "mall.orders.events.v1"
CONTRACT_EVENTS = "mall.contracts.events.v1"
REPORTS = "mall.feeds.reports.v1"
EXPRESS = "gateway.feeds.express.v1"
BULK = "gateway.feeds.bulk.v1"
DEADLETTERS = "gateway.deadletters.v1"

CATALOG_TOPIC: Mapping[Facet, str] = {
    Facet.PRODUCT: PRODUCTS,
    Facet.PRICE: PRICES,
    Facet.STOCK: STOCKS,
    Facet.LISTING: LISTINGS,
}
"""Where the items of a facet are published."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic.

    key: what its keys are made of, for people; keep_ms: how long a record stays, or a withdrawal on a compacted topic;
    max_bytes: of one record; partitions: None for the gateway's default; values: models of the values that are JSON.
    """

    name: str
    key: str
    policy: Literal["compact", "delete"]
    keep_ms: int
    meaning: str
    values: tuple[type[BaseModel], ...] = ()
    max_bytes: int = MIB
    partitions: int | None = None

    def settings(self, replication: int) -> dict[str, str]:
        """The topic's configuration on a cluster that keeps that many copies."""
        settings = {
            "cleanup.policy": self.policy,
            # The broker counts whole batches with their overhead.
            "max.message.bytes": str(self.max_bytes + 64 * 1024),
            "min.insync.replicas": "2" if replication >= 3 else "1",
            "unclean.leader.election.enable": "false",
        }
        if self.policy == "compact":
            return settings | {"min.compaction.lag.ms": str(DAY_MS), "delete.retention.ms": str(self.keep_ms)}
        return settings | {"retention.ms": str(self.keep_ms)}


def _catalog(name: str, key: str, meaning: str, value: type[BaseModel]) -> TopicSpec:
    return TopicSpec(name, key, "compact", 30 * DAY_MS, meaning, (value,), max_bytes=2 * MIB)


def _messages(name: str, key: str, meaning: str, *values: type[BaseModel]) -> TopicSpec:
    return TopicSpec(name, key, "delete", 14 * DAY_MS, meaning, values)


def _chunks(name: str, meaning: str) -> TopicSpec:
    return TopicSpec(name, "none: spread", "delete", 7 * DAY_MS, meaning, max_bytes=4 * MIB)


def _declared() -> Iterator[TopicSpec]:
    by_sku, by_area = "supplier:sku", "supplier:sku:area"
    yield _catalog(PRODUCTS, by_sku, "Products; null withdraws one.", Product)
    yield _catalog(PRICES, by_area, "Prices; null withdraws one.", Price)
    yield _catalog(STOCKS, by_area, "Stock levels; null withdraws one.", Stock)
    yield _catalog(LISTINGS, by_sku, "Whether products are on the shelf; null withdraws one.", Listing)
    yield _messages(ORDER_COMMANDS, "order_no", "What the core asks suppliers to do with an order.", *COMMANDS.values())
    asked = "What the core asks suppliers to do with a contract, and tells them of it."
    yield _messages(CONTRACT_COMMANDS, "contract_no", asked, *OF_CONTRACTS.values())
    yield _messages(ORDER_EVENTS, "order_no", "What became of orders at suppliers.", *EVENTS.values())
    yield _messages(CONTRACT_EVENTS, "contract_no", "What became of contracts at suppliers.", *ABOUT_CONTRACTS.values())
    yield _messages(REPORTS, "supplier", "Finished feeds: counts and the most frequent problems.", FeedReport)
    yield _chunks(EXPRESS, "Raw records of small feeds, and of re-reads that messages asked for.")
    yield _chunks(BULK, "Raw records of all other feeds.")
    yield TopicSpec(
        DEADLETTERS, "original key", "delete", 30 * DAY_MS, "Export of dead letters: original bytes.", max_bytes=4 * MIB
    )


TOPICS: Mapping[str, TopicSpec] = {spec.name: spec for spec in _declared()}
"""All topics by name."""
