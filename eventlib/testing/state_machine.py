"""A state machine that appends, races, crashes, takes snapshots and damages them, and compares the store with a list."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any
from uuid import uuid4

import psycopg
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from eventlib.aggregate import Aggregate
from eventlib.errors import ConcurrencyError, DomainError
from eventlib.events import Event, Metadata
from eventlib.store.event_store import Store
from eventlib.store.handle import handle
from eventlib.store.snapshots import save_snapshot
from eventlib.temporal.as_of import as_of_version


def store_machine(
    open_store: Callable[[], AbstractContextManager[Store]],
    aggregate: Aggregate[Any, Any],
    commands: st.SearchStrategy[Any],
    max_examples: int = 25,
    steps: int = 20,
) -> type[RuleBasedStateMachine]:
    """A machine for one aggregate on one store; run it with `hypothesis.stateful.run_state_machine_as_test`.

    Args:
        open_store: opens the store on a connection of its own, each time another one.
        commands: makes commands; illegal ones are as welcome as legal ones.
        max_examples: histories that are tried.
        steps: of each history.
    """

    class StoreMachine(RuleBasedStateMachine):
        """The model is the list of events that were acknowledged; everything else must follow from it."""

        def __init__(self) -> None:
            super().__init__()
            self.opened = ExitStack()
            self.store, self.rival = (self.opened.enter_context(open_store()) for _ in range(2))
            self.aggregate_id = uuid4()
            self.model: list[Event] = []
            self.sent: list[tuple[Any, Metadata, list[Event], int]] = []

        def teardown(self) -> None:
            self.opened.close()

        @rule(command=commands)
        def append(self, command: Any) -> None:
            self._execute(self.store, command)

        @rule(command=commands, others=commands)
        def race(self, command: Any, others: Any) -> None:
            """A rival writes between load and append: who has seen less must not write."""
            loaded = self.store.load(aggregate, self.aggregate_id)
            before = len(self.model)
            self._execute(self.rival, others)
            decided = self._decided(loaded.state, command)
            if not decided:
                return
            try:
                self.store.append(aggregate, self.aggregate_id, loaded.version, decided, _about())
            except ConcurrencyError as error:
                assert len(self.model) > before and error.actual == len(self.model)
            else:
                assert len(self.model) == before, "an append went through although a rival had written"
                self.model += decided

        @rule(command=commands, killed=st.booleans())
        def crash(self, command: Any, killed: bool) -> None:
            """A writer ends between its append and its commit, by a rollback or by losing its connection."""
            decided = self._decided(aggregate.fold(self.model), command)
            if not decided:
                return
            try:
                with open_store() as doomed, doomed.connection.transaction(force_rollback=True):
                    doomed.append(aggregate, self.aggregate_id, len(self.model), decided, _about())
                    if killed:
                        backend = doomed.connection.info.backend_pid
                        self.rival.connection.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
            except psycopg.OperationalError:
                assert killed

        @precondition(lambda self: bool(self.sent))
        @rule(data=st.data())
        def repeat(self, data: st.DataObject) -> None:
            """A command that has caused events is executed once, however often it is sent."""
            command, metadata, events, version = data.draw(st.sampled_from(self.sent))
            outcome = handle(self.store, aggregate, self.aggregate_id, command, metadata)
            assert (list(outcome.events), outcome.version, outcome.repeated) == (events, version, True)

        @precondition(lambda self: bool(self.model))
        @rule()
        def snapshot(self) -> None:
            loaded = self.store.load(aggregate, self.aggregate_id)
            save_snapshot(self.store.connection, aggregate, self.aggregate_id, loaded)

        @rule(damage=st.sampled_from(["sha256 = sha256(sha256)", "state = '{}'", "version = version + 1"]))
        def damage(self, damage: str) -> None:
            """Something changes the newest snapshot behind everybody's back."""
            self.store.connection.execute(
                f"UPDATE aggregate_snapshots SET {damage} WHERE (aggregate_id, version) = "  # noqa: S608 - constants above
                "(SELECT aggregate_id, max(version) FROM aggregate_snapshots WHERE aggregate_id = %s GROUP BY 1)",
                [self.aggregate_id],
            )

        @precondition(lambda self: bool(self.model))
        @rule(data=st.data())
        def as_of(self, data: st.DataObject) -> None:
            version = data.draw(st.integers(1, len(self.model)))
            events = as_of_version(list(self.store.read(aggregate, self.aggregate_id)), version)
            assert aggregate.fold(one.event for one in events) == aggregate.fold(self.model[:version])

        @invariant()
        def the_log_is_what_was_acknowledged(self) -> None:
            recorded = list(self.rival.read(aggregate, self.aggregate_id))
            assert [one.event for one in recorded] == self.model
            assert [one.version for one in recorded] == list(range(1, len(self.model) + 1))

        @invariant()
        def a_load_is_the_fold_with_snapshots_and_without(self) -> None:
            folded = aggregate.fold(self.model)
            for use_snapshots in (True, False):
                loaded = self.rival.load(aggregate, self.aggregate_id, use_snapshots=use_snapshots)
                assert (loaded.state, loaded.version) == (folded, len(self.model))

        def _decided(self, state: Any, command: Any) -> list[Event]:
            try:
                return list(aggregate.decide(state, command))
            except DomainError:
                return []

        def _execute(self, store: Store, command: Any) -> None:
            metadata = _about()
            try:
                outcome = handle(store, aggregate, self.aggregate_id, command, metadata)
            except DomainError:
                return
            self.model += outcome.events
            if outcome.events:
                self.sent.append((command, metadata, list(outcome.events), outcome.version))

    StoreMachine.TestCase.settings = settings(
        max_examples=max_examples, stateful_step_count=steps, deadline=None, print_blob=False
    )
    return StoreMachine


def _about() -> Metadata:
    command_id = uuid4()
    return Metadata(command_id=command_id, correlation_id=command_id, actor="state machine")
