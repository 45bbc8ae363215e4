"""Which dead letters a command acts on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class LetterSelection:
    """Open letters that are all of this; at least one of id, group, supplier and feed has to be said."""

    id: Annotated[list[str] | None, Parameter(help="This letter; may be repeated.", negative="")] = None
    group: Annotated[str | None, Parameter(help="Those of this group.")] = None
    supplier: Annotated[str | None, Parameter(help="Those of this supplier.")] = None
    feed: Annotated[int | None, Parameter(help="Those of this feed.")] = None
    code: Annotated[str | None, Parameter(help="Those with this problem.")] = None
    limit: Annotated[int | None, Parameter(help="The oldest so many.")] = None

    def selection(self) -> dict[str, Any]:
        """As the API words it."""
        asked = {
            "ids": self.id,
            "fingerprint": self.group,
            "supplier": self.supplier,
            "feed": self.feed,
            "code": self.code,
            "limit": self.limit,
        }
        return {name: value for name, value in asked.items() if value is not None}

    @property
    def single(self) -> str | None:
        """The one letter that is meant by its id alone."""
        return self.id[0] if self.id and len(self.id) == 1 and len(self.selection()) == 1 else None
