"""Numbers that contradict the price basis of a contract are refused, and no others."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given
from hypothesis import strategies as st

from adapters.jd_vop import Adapter
from adapters.jd_vop.options import Options
from gateway import sdk
from schemas.catalog import Facet, PriceBasis

CENT = Decimal("0.01")


def read(
    basis: PriceBasis, price: Decimal, net: Decimal, tax: int | None, told: Decimal | None = None
) -> sdk.Item | sdk.Refusal:
    rate, amount = ("null" if each is None else each for each in (tax, told))
    return read_row(basis, f'"price":{price},"nakedPrice":{net},"tax":{rate},"taxPrice":{amount}')


def read_row(basis: PriceBasis, members: str) -> sdk.Item | sdk.Refusal:
    body = f'{{"success":true,"resultCode":"0000","result":[{{"skuId":31,{members}}}]}}'.encode()
    exchange = sdk.Exchange(("31",), {"get_sell_price": body})
    record = sdk.Record(Facet.PRICE, exchange.encode(), datetime(2026, 5, 1, tzinfo=UTC))
    (found,) = Adapter(Options(price_basis=basis)).normalise(record)
    return found


@given(
    net=st.decimals("0.01", "99999", places=2),
    tax=st.sampled_from([0, 1, 3, 6, 9, 13, 16, 17]),
    off=st.sampled_from([-1, 0, 1]),
)
def test_the_numbers_have_to_be_of_the_basis_beyond_rounding(net, tax, off):
    gross = (net * (100 + tax) / 100).quantize(CENT, ROUND_HALF_UP)
    told = max(CENT, net + off * CENT)
    assert isinstance(read(PriceBasis.GROSS, gross, told, tax), sdk.Item) or gross - net <= 4 * CENT
    assert isinstance(read(PriceBasis.NET, net, told, tax), sdk.Item) or gross - net <= 4 * CENT
    if gross - net > 4 * CENT:
        for found in (read(PriceBasis.GROSS, net, told, tax), read(PriceBasis.NET, gross, told, tax)):
            assert isinstance(found, sdk.Refusal)
            assert found.issues[0].code == "contract_error"
            assert "price_basis" in found.issues[0].expected


def test_where_no_rate_is_told_the_tax_itself_tells_the_basis() -> None:
    net, tax = Decimal("100.00"), Decimal("13.00")
    for basis, right, wrong in ((PriceBasis.GROSS, net + tax, net), (PriceBasis.NET, net, net + tax)):
        assert isinstance(read(basis, right, net, None, tax), sdk.Item)
        found = read(basis, wrong, net, None, tax)
        assert isinstance(found, sdk.Refusal)
        assert "price_basis" in found.issues[0].expected
    assert isinstance(read(PriceBasis.GROSS, net, net, None, Decimal(0)), sdk.Item)


def taxed(net: Decimal, rate: int) -> tuple[Decimal, tuple[tuple[Decimal, PriceBasis, PriceBasis], ...]]:
    """The tax on a net price, and what each kind of contract fixes: the price, its basis, and the other one."""
    tax = (net * rate / 100).quantize(CENT, ROUND_HALF_UP)
    return tax, ((net, PriceBasis.NET, PriceBasis.GROSS), (net + tax, PriceBasis.GROSS, PriceBasis.NET))


@given(net=st.decimals("0.01", "99999", places=2), rate=st.sampled_from([1, 3, 6, 9, 13, 16, 17]))
def test_without_a_net_price_the_tax_tells_the_basis(net, rate):
    tax, contracts = taxed(net, rate)
    for price, basis, other in contracts:
        told = f'"price":{price},"tax":{rate},"taxPrice":{tax}'
        assert isinstance(read_row(basis, told), sdk.Item)
        if rate * tax > 1 and tax > 4 * CENT:
            found = read_row(other, told)
            assert isinstance(found, sdk.Refusal)
            assert found.issues[0].path.endswith("/price")


@given(net=st.decimals("0.01", "99999", places=2), rate=st.sampled_from([0, 1, 3, 6, 9, 13, 16, 17]))
def test_without_a_rate_the_net_price_and_the_tax_tell_the_basis(net, rate):
    tax, contracts = taxed(net, rate)
    for price, basis, other in contracts:
        told = f'"price":{price},"nakedPrice":{net},"taxPrice":{tax}'
        assert isinstance(read_row(basis, told), sdk.Item)
        assert isinstance(read_row(other, told), sdk.Item if tax <= 2 * CENT else sdk.Refusal)
