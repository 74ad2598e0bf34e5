"""The statements of `sql/queries`, by name."""

from __future__ import annotations

import functools

from eventlib.resources import resource


@functools.cache
def query(name: str) -> str:
    """The text of `sql/queries/<name>.sql`, without its leading comment, so that the server logs only the statement.

    Raises:
        FileNotFoundError: there is no such query.
    """
    text = resource("sql", "queries", f"{name}.sql").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    return "\n".join(lines).strip()
