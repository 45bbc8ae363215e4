"""What judging a feed needs of its supplier: the adapter with its options, the periods, the category map."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.feeds.normalise import Rules
from gateway.registry import Registry
from gateway.sdk.adapter import NormalisesFeeds, PullsFeeds
from gateway.sdk.errors import InvalidMessageError, Issue
from gateway.suppliers import SupplierConfig, Suppliers
from schemas.catalog import Facet
from schemas.directories import CategoryMap

KEPT = 1_000
"""Profiles held in memory."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One revision of one supplier, ready to be judged by."""

    adapter: NormalisesFeeds
    config: SupplierConfig
    categories: CategoryMap

    def rules(self, facet: Facet, received_at: datetime) -> Rules:
        """What records of a facet, received then, are normalised by."""
        return Rules(facet, received_at, self.categories, self.config.price_mismatch, self.pulled)

    @property
    def pulled(self) -> bool:
        """Whether records are exchanges; nobody pushes to a supplier that is pulled."""
        return isinstance(self.adapter, PullsFeeds)

    def period(self, facet: Facet) -> timedelta | None:
        """How long the supplier says a fact of this facet holds; None: for ever."""
        seconds = self.config.periods.get(facet)
        return None if seconds is None else timedelta(seconds=seconds)


class Profiles:
    """Profiles by supplier and revision; a revision never changes, so what was read once holds."""

    def __init__(self, suppliers: Suppliers, registry: Registry) -> None:
        self._suppliers = suppliers
        self._registry = registry
        self._kept: OrderedDict[tuple[str, int], Profile] = OrderedDict()

    async def get(self, supplier: str, revision: int) -> Profile:
        """The profile. Raises InvalidMessageError(unknown_supplier) when there is no such supplier or revision."""
        key = (supplier, revision)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        config = await self._suppliers.revision(supplier, revision)
        if config is None:
            issue = Issue("unknown_supplier", path="/gw-supplier", actual=f"{supplier}, revision {revision}")
            raise InvalidMessageError(issue)
        self._kept[key] = self._made(config)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]

    def _made(self, config: SupplierConfig) -> Profile:
        adapter = self._registry.adapter(config.adapter, config.options)
        if not isinstance(adapter, NormalisesFeeds):
            raise InvalidMessageError(Issue("unknown_supplier", actual=f"adapter {config.adapter} takes no feeds"))
        return Profile(adapter, config, CategoryMap(config.category_map))
