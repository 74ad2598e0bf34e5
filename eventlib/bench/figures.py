"""How figures are written: as many digits as they deserve, with their unit."""

from __future__ import annotations

from eventlib.bench.measurement import Aim


def number(value: float) -> str:
    """Three significant digits, and from 1,000 on whole numbers.

    >>> number(0.20481), number(3.7), number(34.799), number(2162.4), number(0)
    ('0.205', '3.70', '34.8', '2,162', '0')
    """
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 1 else f"{value:.3f}"


def quantity(value: float, unit: str) -> str:
    """A figure with its unit.

    >>> quantity(2162.4, "events/s")
    '2,162 events/s'
    """
    return f"{number(value)} {unit}"


def share(part: float) -> str:
    """A part of a whole.

    >>> share(0.724)
    '72 %'
    """
    return f"{100 * part:.0f} %"


def size(octets: float) -> str:
    """A number of bytes in the unit that fits.

    >>> size(900), size(1536), size(3 * 2**30)
    ('900 B', '1.50 KiB', '3.00 GiB')
    """
    for unit in ("B", "KiB", "MiB"):
        if octets < 1024:
            return f"{octets:.0f} B" if unit == "B" else f"{number(octets)} {unit}"
        octets /= 1024
    return f"{number(octets)} GiB"


def limit(aim: Aim, unit: str) -> str:
    """An aim in short.

    >>> limit(Aim(0.9, True, "a bare loop"), "events/s"), limit(Aim(0.45, False), "ms")
    ('≥ 0.9', '≤ 0.45 ms')
    """
    return f"{'≥' if aim.at_least else '≤'} {aim.limit:,g}" + ("" if aim.floor else f" {unit}")
