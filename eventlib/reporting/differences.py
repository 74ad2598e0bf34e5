"""Where two JSON values differ. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ABSENT = "not there"


def differences(folded: Any, projected: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    """The innermost values that differ, each with its path.

    >>> list(differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}))
    [('a.c', '2', '3')]
    """
    if isinstance(folded, dict) and isinstance(projected, dict):
        for key in {**folded, **projected}:
            inner = f"{path}.{key}" if path else str(key)
            if key not in folded or key not in projected:
                yield inner, _shown(folded.get(key, ABSENT)), _shown(projected.get(key, ABSENT))
            else:
                yield from differences(folded[key], projected[key], inner)
    elif folded != projected:
        yield path, _shown(folded), _shown(projected)


def _shown(value: Any) -> str:
    return "null" if value is None else str(value)
