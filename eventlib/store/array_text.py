"""Whole numbers or ids as the text of a PostgreSQL array."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID


def array_text(elements: Iterable[int | UUID]) -> str:
    """The literal of an array: psycopg takes microseconds for each element of a list, which counts for many, or often.

    >>> array_text([1, 20, 3])
    '{1,20,3}'
    """
    return f"{{{','.join(map(str, elements))}}}"
