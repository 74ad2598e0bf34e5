"""Decimal amounts as text, to and from integer cents; a float is never involved."""

from __future__ import annotations

import re

_AMOUNT = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,2}))?")


def cents_of(text: str) -> int:
    """The cents of an amount such as `109.9`.

    >>> cents_of("109.9"), cents_of("0.05"), cents_of("99")
    (10990, 5, 9900)

    Raises:
        ValueError: it is not digits with at most two decimals: signs, exponents and blanks are refused.
    """
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an amount of at least 0 with at most two decimals")
    whole, fraction = match.groups(default="")
    return int(whole) * 100 + int(fraction.ljust(2, "0"))


def amount_of(cents: int) -> str:
    """The text of an amount in cents.

    >>> amount_of(10990), amount_of(-5)
    ('109.90', '-0.05')
    """
    whole, fraction = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole}.{fraction:02}"
