"""Reading the whole log: filters, pages, checkpoints, and logs that have moved or were set back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from uuid import UUID, uuid4

import msgspec
import pytest

from eventlib.errors import ServiceUnavailable, StaleCheckpoint
from eventlib.orders import ORDER
from eventlib.orders.commands import PlaceOrder
from eventlib.stopping import Stop
from eventlib.store import global_read
from eventlib.store.connection import connect
from eventlib.store.event_store import Store
from eventlib.store.global_read import (
    Checkpoint,
    Page,
    follow,
    keep_checkpoint,
    kept_checkpoint,
    read_all,
    read_page,
)
from eventlib.store.queries import query
from tests.orders import CART, USER, execute, metadata


def positions(pages: Iterator[Page] | list[Page]) -> list[int]:
    return [stored.position for page in pages for stored in page.events]


def in_log(store: Store) -> list[int]:
    return [row[0] for row in store.connection.execute("SELECT position FROM event_store ORDER BY position")]


def test_an_empty_log_is_read_at_once(store: Store) -> None:
    (page,) = read_all(store.connection)
    assert (page.events, page.caught_up) == ([], True)


@pytest.mark.parametrize("limit", [1, 2, 5, 6, 7, 1000])
def test_pages_of_any_size_give_the_log(store: Store, limit: int) -> None:
    for _ in range(3):
        execute(store, uuid4(), *CART)
    pages = list(read_all(store.connection, limit=limit))
    assert positions(pages) == in_log(store)
    assert all(len(page.events) <= limit for page in pages) and pages[-1].caught_up


def test_a_page_holds_events_as_they_are_stored(store: Store) -> None:
    order_id = uuid4()
    execute(store, order_id, *CART)
    (page,) = read_all(store.connection)
    assert list(page.events) == list(store.read_stored(ORDER, order_id))
    assert [one for stored in page.events for one in ORDER.recorded(stored)] == list(store.read(ORDER, order_id))


def test_filters_by_aggregate_and_event_type(store: Store) -> None:
    execute(store, uuid4(), *CART)
    added = list(read_all(store.connection, event_types=["OrderItemAdded"]))
    assert [stored.event_type for page in added for stored in page.events] == ["OrderItemAdded"] * 2
    assert positions(read_all(store.connection, aggregate_types=["order"])) == in_log(store)
    assert positions(read_all(store.connection, aggregate_types=["cart"])) == []
    assert positions(read_all(store.connection, aggregate_types=[])) == []


def test_reading_goes_on_after_a_checkpoint_that_was_written_down(store: Store) -> None:
    execute(store, uuid4(), *CART)
    first = read_page(store.connection, limit=4)
    keep_checkpoint(store.connection, "me", first.checkpoint)
    execute(store, uuid4(), *CART)
    rest = list(read_all(store.connection, kept_checkpoint(store.connection, "me"), limit=4))
    assert [*positions([first]), *positions(rest)] == in_log(store)
    assert kept_checkpoint(store.connection, "somebody else") is None


def test_a_checkpoint_is_kept_with_the_effect_or_not_at_all(store: Store) -> None:
    execute(store, uuid4(), *CART)
    with pytest.raises(RuntimeError), store.connection.transaction():
        page = read_page(store.connection)
        keep_checkpoint(store.connection, "me", page.checkpoint)
        raise RuntimeError("the effect failed")
    assert kept_checkpoint(store.connection, "me") is None


def test_what_others_commit_while_a_window_is_paged_comes_in_the_next_one(store: Store) -> None:
    execute(store, uuid4(), *CART)
    seen, checkpoint = [], None
    for number in range(20):
        page = read_page(store.connection, checkpoint, limit=2)
        checkpoint = page.checkpoint
        seen += positions([page])
        if number < 5:
            execute(store, uuid4(), PlaceOrder(USER, "EUR"))
    assert sorted(seen) == in_log(store) and len(seen) == len(set(seen))


def test_following_waits_for_more_and_ends_when_asked(store: Store, database_url: str) -> None:
    execute(store, uuid4(), *CART)
    stop, seen = Stop(), []

    def follower() -> None:
        with connect(database_url) as connection:
            for page in follow(connection, stop):
                seen.extend(positions([page]))
                if len(seen) == 2 * len(CART):
                    stop.set()

    thread = threading.Thread(target=follower)
    thread.start()
    execute(store, uuid4(), *CART)
    thread.join(30)
    assert not thread.is_alive() and seen == in_log(store)


def test_a_follower_of_rare_events_gets_to_keep_its_checkpoint(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(global_read, "FEW", 3)
    execute(store, uuid4(), *CART)
    page = next(follow(store.connection, Stop(), event_types=["NeverHappens"]))
    assert page.events == [] and page.checkpoint.high >= len(CART)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"log_id": UUID(int=1)}, "of log 00000000-0000-0000-0000-000000000001"),
        ({"epoch": 2}, "epoch 2 .* never was in"),
        ({"cluster": "1/00000001"}, "never was in"),
        ({"high": 10**9}, "has seen position 1000000000, and the log, which was set back"),
        ({"seen": "999999999:999999999:"}, "set back"),
        ({"window": "999999999:999999999:"}, "set back"),
    ],
)
def test_a_checkpoint_that_the_log_does_not_bear_out_is_refused(
    store: Store, change: dict[str, object], reason: str
) -> None:
    execute(store, uuid4(), *CART)
    checkpoint = msgspec.structs.replace(read_page(store.connection).checkpoint, **change)
    with pytest.raises(StaleCheckpoint, match=reason):
        read_page(store.connection, checkpoint)


@pytest.mark.parametrize("document", ["", "{}", "[]", '{"epoch": 1}', "null"])
def test_what_is_not_a_checkpoint_is_refused(document: str) -> None:
    with pytest.raises(StaleCheckpoint, match="not one of eventlib's"):
        Checkpoint.from_json(document)


def moved(store: Store) -> None:
    """Let the log be one that has come from another cluster, where numbers of transactions were far higher."""
    with store.connection.transaction():
        store.connection.execute("ALTER TABLE event_store DISABLE TRIGGER USER")
        store.connection.execute("UPDATE event_store SET tx_id = (tx_id::text::bigint + 1000000)::text::xid8")
        for trigger in ("event_store_append_only", "event_store_no_truncate"):
            store.connection.execute(f"ALTER TABLE event_store ENABLE ALWAYS TRIGGER {trigger}")
        store.connection.execute("UPDATE log_epochs SET cluster = 'elsewhere/00000001'")


def shifted(snapshot: str | None) -> str | None:
    """The moment as the other cluster would have numbered it."""
    if snapshot is None:
        return None
    xmin, xmax, in_progress = snapshot.split(":")
    late = ",".join(str(int(one) + 1_000_000) for one in in_progress.split(",") if one)
    return f"{int(xmin) + 1_000_000}:{int(xmax) + 1_000_000}:{late}"


def test_after_a_move_followers_wait_for_the_new_epoch_and_then_go_on_where_they_were(
    store: Store, database_url: str
) -> None:
    execute(store, uuid4(), *CART)
    with Store.open(database_url) as late, late.connection.transaction():
        execute(late, uuid4(), PlaceOrder(USER, "EUR"))
        everything = read_page(store.connection)
        in_the_middle = read_page(store.connection, limit=4)
    execute(store, uuid4(), PlaceOrder(USER, "EUR"))
    checkpoints = [
        msgspec.structs.replace(
            page.checkpoint,
            cluster="elsewhere/00000001",
            seen=shifted(page.checkpoint.seen),
            window=shifted(page.checkpoint.window),
        )
        for page in (everything, in_the_middle)
    ]
    moved(store)
    with pytest.raises(ServiceUnavailable, match="run `eventlib init`"):
        read_page(store.connection, checkpoints[0])
    execute(store, uuid4(), *CART)  # before anybody has said that the log has moved
    store.connection.execute(query("epoch_begin"))
    execute(store, uuid4(), *CART)
    assert sorted(positions(read_all(store.connection))) == in_log(store)
    for page, checkpoint in zip((everything, in_the_middle), checkpoints):
        rest = positions(read_all(store.connection, checkpoint, limit=3))
        assert sorted([*positions([page]), *rest]) == in_log(store)


def test_a_log_that_came_back_shorter_than_a_follower_has_read_is_noticed(store: Store) -> None:
    execute(store, uuid4(), *CART)
    ahead = msgspec.structs.replace(read_page(store.connection).checkpoint, cluster="elsewhere/00000001", high=10_000)
    moved(store)
    store.connection.execute(query("epoch_begin"))
    with pytest.raises(StaleCheckpoint, match="has seen position 10000"):
        read_page(store.connection, ahead)


def test_an_append_of_the_readers_own_transaction_is_not_lost(store: Store) -> None:
    checkpoint = read_page(store.connection).checkpoint
    with store.connection.transaction():
        store.append(ORDER, uuid4(), 0, [CART_EVENT], metadata())
        page = read_page(store.connection, checkpoint)
    later = list(read_all(store.connection, page.checkpoint))
    assert [*positions([page]), *positions(later)] == in_log(store)


CART_EVENT = ORDER.decide(ORDER.initial(), CART[0])[0]
