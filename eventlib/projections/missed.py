"""Messages that were gone from a topic before a projection had read them; a rebuild makes up for them."""

from __future__ import annotations

from collections.abc import Sequence

from eventlib.store.connection import Connection
from eventlib.store.queries import query


def missed_counts(connection: Connection, projections: Sequence[str]) -> dict[str, int]:
    """How many messages projections have missed since they were rebuilt; those that have missed none are not named."""
    return dict(connection.execute(query("missed_counts"), {"projections": list(projections)}).fetchall())
