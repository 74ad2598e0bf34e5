"""Money in words: integer minor units of a currency as people read them."""

from __future__ import annotations

# ISO 4217 lists these with another number of decimals than two.
_DECIMALS = dict.fromkeys(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
    0,
) | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3) | dict.fromkeys(("CLF", "UYW"), 4)  # fmt: skip

MINUS = "\N{MINUS SIGN}"


def amount(minor_units: int, currency: str | None) -> str:
    """An amount without its currency, such as `1,234.50`; minor units as they are when the currency is not known.

    >>> amount(123450, "EUR"), amount(-5, "EUR"), amount(1200, "JPY"), amount(1200, None)
    ('1,234.50', '−0.05', '1,200', '1,200 minor units')
    """
    sign, size = (MINUS if minor_units < 0 else ""), abs(minor_units)
    if currency is None:
        return f"{sign}{size:,} minor units"
    decimals = _DECIMALS.get(currency, 2)
    whole, fraction = divmod(size, 10**decimals)
    return f"{sign}{whole:,}.{fraction:0{decimals}}" if decimals else f"{sign}{whole:,}"


def money(minor_units: int, currency: str | None) -> str:
    """An amount with its currency.

    >>> money(4999, "EUR"), money(1500, "KWD"), money(0, None)
    ('49.99 EUR', '1.500 KWD', '0 minor units')
    """
    return amount(minor_units, currency) + (f" {currency}" if currency else "")
