"""What the check digit of a barcode says."""

from __future__ import annotations

from stdnum import ean

from schemas.catalog import BarcodeCheck


def barcode_check(barcode: str | None) -> BarcodeCheck:
    """Check of a GTIN-8, -12, -13 or -14; any other length is invalid, so is a digit that is not ASCII."""
    if barcode is None:
        return BarcodeCheck.ABSENT
    return BarcodeCheck.VALID if barcode.isascii() and ean.is_valid(barcode) else BarcodeCheck.INVALID
