"""The contract of an event store: what every backend has to promise, one test a promise.

A backend passes it by a subclass of `StoreContract` with two fixtures: `store`, and `another_store`, a second and
independent connection to the same log. Neither has to be empty.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from eventlib.aggregate import Aggregate
from eventlib.errors import ConcurrencyError, DuplicateEvent, InvalidEvent
from eventlib.events import Event, Metadata
from eventlib.store.event_store import Appended, Store
from eventlib.store.handle import handle
from eventlib.store.snapshots import Loaded, save_snapshot
from eventlib.testing.account import ACCOUNT, Account, Deposited, Opened, decide, evolve

HISTORY: list[Event] = [Opened("Ada"), *(Deposited(cents) for cents in range(1, 12))]

OTHER: Aggregate[Account, Event] = Aggregate("another_account", Account, decide, evolve, (Opened, Deposited))


def about() -> Metadata:
    """Metadata of a new command."""
    command_id = uuid4()
    return Metadata(command_id=command_id, correlation_id=command_id, actor="contract")


def opened(store: Store, events: int = len(HISTORY)) -> UUID:
    """A new account with a history, written event by event."""
    account_id = uuid4()
    for version, event in enumerate(HISTORY[:events]):
        store.append(ACCOUNT, account_id, version, [event], about())
    return account_id


def versions(store: Store, account_id: UUID) -> list[int]:
    return [recorded.version for recorded in store.read(ACCOUNT, account_id)]


class StoreContract:
    """The promises. pytest collects them from a subclass whose name begins with `Test`."""

    def test_an_append_gives_versions_without_a_gap_and_rising_positions(self, store: Store) -> None:
        account_id = uuid4()
        first = store.append(ACCOUNT, account_id, 0, HISTORY[:3], about())
        second = store.append(ACCOUNT, account_id, 3, HISTORY[3:5], about())
        assert (first.version, second.version) == (3, 5)
        assert versions(store, account_id) == [1, 2, 3, 4, 5]
        positions = [*first.positions, *second.positions]
        assert positions == sorted(set(positions)) and len(positions) == 5

    def test_what_was_appended_is_read_by_everybody_as_it_was(self, store: Store, another_store: Store) -> None:
        account_id, metadata = uuid4(), about()
        appended = store.append(ACCOUNT, account_id, 0, HISTORY, metadata)
        recorded = list(another_store.read(ACCOUNT, account_id))
        assert [one.event for one in recorded] == HISTORY
        assert {one.metadata for one in recorded} == {metadata}
        assert [one.position for one in recorded] == appended.positions
        assert {one.recorded_at for one in recorded} == {appended.recorded_at}
        assert len({one.event_id for one in recorded}) == len(HISTORY)

    def test_an_unknown_aggregate_is_empty(self, store: Store) -> None:
        account_id = uuid4()
        assert list(store.read(ACCOUNT, account_id)) == [] and store.version(account_id) == 0
        assert store.load(ACCOUNT, account_id) == Loaded(Account(), 0)

    @pytest.mark.parametrize("expected", [0, 1, 4, 6, 99])
    def test_another_expected_version_is_refused_and_writes_nothing(self, store: Store, expected: int) -> None:
        account_id = opened(store, 5)
        with pytest.raises(ConcurrencyError) as caught:
            store.append(ACCOUNT, account_id, expected, [Deposited(1)], about())
        assert (caught.value.expected, caught.value.actual) == (expected, 5)
        assert versions(store, account_id) == [1, 2, 3, 4, 5]

    def test_one_bad_event_among_several_refuses_them_all(self, store: Store) -> None:
        account_id = opened(store, 2)
        bad: list[Event] = [Deposited(1), Deposited("much")]  # type: ignore[arg-type]
        with pytest.raises(InvalidEvent):
            store.append(ACCOUNT, account_id, 2, bad, about())
        assert versions(store, account_id) == [1, 2]

    def test_an_append_without_events_is_refused(self, store: Store) -> None:
        with pytest.raises(InvalidEvent):
            store.append(ACCOUNT, uuid4(), 0, [], about())

    def test_a_stream_belongs_to_one_type_of_aggregate(self, store: Store) -> None:
        account_id = opened(store, 2)
        with pytest.raises(InvalidEvent):
            store.append(OTHER, account_id, 2, [Deposited(1)], about())
        assert list(store.read(OTHER, account_id)) == []

    def test_the_events_of_a_command_are_written_once(self, store: Store) -> None:
        account_id, metadata = opened(store, 1), about()
        store.append(ACCOUNT, account_id, 1, [Deposited(1)], metadata)
        with pytest.raises(DuplicateEvent):
            store.append(ACCOUNT, account_id, 2, [Deposited(1)], metadata)
        assert versions(store, account_id) == [1, 2]
        assert [one.version for one in store.executed(ACCOUNT, account_id, metadata.command_id)] == [2]

    def test_a_repeated_command_gives_the_first_outcome(self, store: Store) -> None:
        account_id, metadata = opened(store, 3), about()
        first = handle(store, ACCOUNT, account_id, Deposited(7), metadata)
        handle(store, ACCOUNT, account_id, Deposited(8), about())
        again = handle(store, ACCOUNT, account_id, Deposited(7), metadata)
        assert (list(again.events), again.version, again.repeated) == (list(first.events), first.version, True)
        assert store.version(account_id) == 5

    def test_part_of_a_stream_by_version(self, store: Store) -> None:
        account_id = opened(store)
        for after in range(len(HISTORY) + 1):
            for until in (after, after + 1, len(HISTORY), None):
                found = [one.event for one in store.read(ACCOUNT, account_id, after=after, until=until)]
                assert found == HISTORY[after:until], (after, until)

    def test_part_of_a_stream_by_time(self, store: Store) -> None:
        account_id = opened(store)
        times = [one.recorded_at for one in store.read(ACCOUNT, account_id)]
        found = store.read(ACCOUNT, account_id, recorded_from=times[3], recorded_before=times[8])
        assert [one.recorded_at for one in found] == [at for at in times if times[3] <= at < times[8]]
        assert not list(store.read(ACCOUNT, account_id, recorded_before=times[0]))
        assert not list(store.read(ACCOUNT, account_id, recorded_from=times[-1] + timedelta(microseconds=1)))

    def test_part_of_a_stream_by_kind(self, store: Store) -> None:
        account_id = opened(store)
        assert [one.event for one in store.read(ACCOUNT, account_id, kinds=[Opened])] == HISTORY[:1]
        assert [one.event for one in store.read(ACCOUNT, account_id, kinds=[Deposited])] == HISTORY[1:]
        assert list(store.read(ACCOUNT, account_id, kinds=[])) == []

    def test_streams_do_not_mix(self, store: Store) -> None:
        ids = sorted(opened(store, events) for events in (1, 5, 12))
        told = {one: [recorded.event for recorded in events] for one, events in store.read_many(ACCOUNT, ids)}
        assert list(told) == ids
        assert all(told[one] == HISTORY[: store.version(one)] for one in ids)

    def test_a_long_stream_is_read_and_loaded_whole(self, store: Store) -> None:
        account_id = uuid4()
        deposits: list[Event] = [Deposited(cents) for cents in range(4_500)]
        store.append(ACCOUNT, account_id, 0, [Opened("Ada"), *deposits], about())
        assert [one.event for one in store.read(ACCOUNT, account_id, after=1)] == deposits
        [(_, streamed)] = [(one, [*events]) for one, events in store.read_many(ACCOUNT, [account_id])]
        assert len(streamed) == 4_501
        assert store.load(ACCOUNT, account_id).state.cents == sum(range(4_500))

    def test_a_load_is_the_fold_of_what_is_read(self, store: Store) -> None:
        account_id = opened(store)
        folded = Loaded(ACCOUNT.fold(one.event for one in store.read(ACCOUNT, account_id)), len(HISTORY))
        assert store.load(ACCOUNT, account_id) == folded
        for version in range(len(HISTORY) + 1):
            known = Loaded(ACCOUNT.fold(HISTORY[:version]), version)
            assert store.load(ACCOUNT, account_id, known) == folded

    def test_a_load_with_a_snapshot_equals_a_load_without(self, store: Store) -> None:
        account_id = opened(store)
        whole = store.load(ACCOUNT, account_id, use_snapshots=False)
        for version in range(1, len(HISTORY) + 1):
            state = Loaded(ACCOUNT.fold(HISTORY[:version]), version)
            save_snapshot(store.connection, ACCOUNT, account_id, state)
            assert store.load(ACCOUNT, account_id) == whole

    @pytest.mark.parametrize(
        "damage",
        ["state = '{}'", "sha256 = ''", "version = 99", "event_id = gen_random_uuid()", "state_schema = 'old'"],
    )
    def test_a_snapshot_that_lies_is_not_believed(self, store: Store, damage: str) -> None:
        account_id = opened(store)
        save_snapshot(store.connection, ACCOUNT, account_id, store.load(ACCOUNT, account_id))
        store.append(ACCOUNT, account_id, len(HISTORY), [Deposited(1)], about())
        whole = store.load(ACCOUNT, account_id, use_snapshots=False)
        store.connection.execute(
            f"UPDATE aggregate_snapshots SET {damage} WHERE aggregate_id = %s",  # noqa: S608 - constants above
            [account_id],
        )
        assert store.load(ACCOUNT, account_id) == whole

    def test_of_two_writers_at_one_version_one_wins(self, store: Store, another_store: Store) -> None:
        account_id = opened(store, 1)
        for version in range(1, 21):
            won, lost = race(ACCOUNT, account_id, version, store, another_store)
            assert (len(won), len(lost)) == (1, 1)
            assert lost[0].actual == version + 1
        assert versions(store, account_id) == list(range(1, 22))

    def test_what_is_rolled_back_was_never_there(self, store: Store, another_store: Store) -> None:
        account_id = opened(store, 2)
        with pytest.raises(ZeroDivisionError), store.connection.transaction():
            store.append(ACCOUNT, account_id, 2, [Deposited(1)], about())
            assert store.version(account_id) == 3 and another_store.version(account_id) == 2
            raise ZeroDivisionError
        assert store.version(account_id) == another_store.version(account_id) == 2
        assert store.append(ACCOUNT, account_id, 2, [Deposited(2)], about()).version == 3


def race(
    aggregate: Aggregate[Account, Event], account_id: UUID, version: int, *stores: Store
) -> tuple[list[Appended], list[ConcurrencyError]]:
    """Append through every store at once, all at the same expected version; who won and who lost."""
    together = threading.Barrier(len(stores))
    won: list[Appended] = []
    lost: list[ConcurrencyError] = []

    def write(store: Store) -> None:
        together.wait()
        try:
            won.append(store.append(aggregate, account_id, version, [Deposited(version)], about()))
        except ConcurrencyError as error:
            lost.append(error)

    threads = [threading.Thread(target=write, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won, lost
