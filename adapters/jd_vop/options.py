"""In what suppliers of the interface differ, from a supplier's row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, Strict, StringConstraints, field_validator

from adapters.jd_vop.areas import bare
from gateway import sdk
from schemas.catalog import PriceBasis, WebAddress
from schemas.orders import PaymentKind

AREA_PATH = r"^[1-9][0-9]{0,9}(_[0-9]{1,10}){2,3}$"

AreaPath = Annotated[str, StringConstraints(pattern=AREA_PATH)]
"""Province, city, county and perhaps town of the supplier's tree, such as `7_412_3545`; 0 where it goes no deeper."""


class Options(sdk.Options):
    """Facts of one contract.

    areas: where stock is asked for, at least one where stock is fed; price_basis: which price the contract fixes;
    image_host: what relative addresses of images begin with; paged: pools are listed page by page (`getSkuByPage`),
    else at once (`getSku`); even_pages: all pages of a pool but the last are equally long, anything else is a cut.

    most_lines: of one order, 50 in old contracts and 100 in new ones; invoice_state: when an invoice is made out, `2`
    for many orders together, `4` when the order is complete; payments: the contract's `paymentType` of ways of paying,
    beside the usual ones; invoice_org: number of the office that makes invoices out, without it nothing can be applied
    for.
    """

    areas: Annotated[tuple[AreaPath, ...], Strict(False), Field(max_length=100)] = ()
    price_basis: Annotated[PriceBasis, Strict(False)] = PriceBasis.GROSS
    image_host: WebAddress = "https://img13.360buyimg.com/n0/"
    paged: bool = True
    even_pages: bool = True
    most_lines: Annotated[int, Field(ge=1, le=100)] = 50
    invoice_state: Literal["2", "4"] = "2"
    invoice_org: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}$")] | None = None
    payments: Mapping[Annotated[PaymentKind, Strict(False)], Literal["1", "4", "5", "20", "101", "102"]] = {}

    @field_validator("areas")
    @classmethod
    def _once(cls, areas: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(map(bare, areas))) != len(areas):
            raise ValueError("should name each area once")
        return areas
