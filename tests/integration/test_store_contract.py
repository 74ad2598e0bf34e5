"""PostgreSQL keeps the contract of an event store, and the contract notices a store that does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import pytest

from eventlib.aggregate import Aggregate
from eventlib.errors import ConcurrencyError
from eventlib.events import Event, Metadata
from eventlib.store.event_store import Appended, Store
from eventlib.store.snapshots import Loaded
from eventlib.testing import StoreContract


@pytest.fixture
def another_store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as opened:
        yield opened


class TestPostgres(StoreContract):
    """All promises."""


class ForgetfulStore(Store):
    """Loses the last event of a batch."""

    def append(
        self,
        aggregate: Aggregate[Any, Any],
        aggregate_id: UUID,
        expected_version: int,
        events: Sequence[Event],
        metadata: Metadata | Sequence[Metadata],
    ) -> Appended:
        kept = events[:-1] if len(events) > 1 else events
        return super().append(aggregate, aggregate_id, expected_version, kept, metadata)


class CarelessStore(Store):
    """Appends at whatever version there is."""

    def append(
        self,
        aggregate: Aggregate[Any, Any],
        aggregate_id: UUID,
        expected_version: int,
        events: Sequence[Event],
        metadata: Metadata | Sequence[Metadata],
    ) -> Appended:
        try:
            return super().append(aggregate, aggregate_id, expected_version, events, metadata)
        except ConcurrencyError as error:
            return super().append(aggregate, aggregate_id, error.actual, events, metadata)


class TrustingStore(Store):
    """Believes any snapshot."""

    def load(
        self,
        aggregate: Aggregate[Any, Any],
        aggregate_id: UUID,
        known: Loaded[Any] | None = None,
        *,
        use_snapshots: bool = True,
    ) -> Loaded[Any]:
        newest = self.connection.execute(
            "SELECT version FROM aggregate_snapshots WHERE aggregate_id = %s ORDER BY version DESC", [aggregate_id]
        ).fetchone()
        if not use_snapshots or newest is None:
            return super().load(aggregate, aggregate_id, known, use_snapshots=False)
        return super().load(aggregate, aggregate_id, Loaded(aggregate.initial(), newest[0]))


@pytest.mark.parametrize(
    ("broken", "promise", "arguments"),
    [
        (ForgetfulStore, "test_an_append_gives_versions_without_a_gap_and_rising_positions", ()),
        (CarelessStore, "test_another_expected_version_is_refused_and_writes_nothing", (0,)),
        (TrustingStore, "test_a_load_with_a_snapshot_equals_a_load_without", ()),
        (TrustingStore, "test_a_snapshot_that_lies_is_not_believed", ("state = '{}'",)),
    ],
)
def test_the_contract_notices_a_store_that_breaks_it(
    store: Store, broken: type[Store], promise: str, arguments: Sequence[Any]
) -> None:
    getattr(StoreContract(), promise)(store, *arguments)
    # What is not raised where it should be is pytest's own exception, and not an AssertionError.
    with pytest.raises((AssertionError, pytest.fail.Exception, ConcurrencyError)):
        getattr(StoreContract(), promise)(broken(store.connection), *arguments)
