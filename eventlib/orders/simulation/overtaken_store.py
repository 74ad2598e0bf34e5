"""A store that loses a race when it is told to: for real, against the database, and at a moment that is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from eventlib.aggregate import Aggregate, S
from eventlib.errors import ConcurrencyError
from eventlib.events import Event, Metadata
from eventlib.store.connection import Connection
from eventlib.store.event_store import Appended, Store


class OvertakenStore(Store):
    """A store whose next append is overtaken by a rival, who appends through a connection of its own.

    Attributes:
        races_lost: appends that failed with `ConcurrencyError`, whoever won.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.races_lost = 0
        self._rival: Callable[[], object] | None = None

    @contextmanager
    def overtaken_by(self, rival: Callable[[], object]) -> Iterator[None]:
        """Inside, the first append is preceded by `rival`: after its writer has loaded and decided.

        When nothing is appended inside, nobody is overtaken, and `rival` is called at the end.
        """
        self._rival = rival
        yield
        self._let_overtake()

    def _let_overtake(self) -> None:
        if self._rival is not None:
            rival, self._rival = self._rival, None
            rival()

    def append(
        self,
        aggregate: Aggregate[S, Any],
        aggregate_id: UUID,
        expected_version: int,
        events: Sequence[Event],
        metadata: Metadata | Sequence[Metadata],
    ) -> Appended:
        self._let_overtake()
        try:
            return super().append(aggregate, aggregate_id, expected_version, events, metadata)
        except ConcurrencyError:
            self.races_lost += 1
            raise
