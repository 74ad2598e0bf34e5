"""What the embedded servers share: how they are described, started apart from their starter, recognised and ended."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import psutil
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from eventlib.errors import ServiceUnavailable

Health = Literal["healthy", "stopped", "broken"]

INSTALL_HINT = "pip install 'eventlib[embedded]'"

LOCK_SECONDS = 300.0
"""How long one `up` or `down` waits for another one on the same state folder; a first start may have to download."""

# The shell leaves at once, so that the server is nobody's child: no zombie when its starter lives long, and no pipe of
# the starter's is kept open by it. The shell is the first of its own session, so no Ctrl-C of a terminal arrives.
_DETACH = 'console=$1; shift; "$@" </dev/null >"$console" 2>&1 & echo $!'


@dataclass(frozen=True)
class ServiceStatus:
    """How a server is.

    Attributes:
        name: "postgres" or "kafka".
        health: "healthy" answers; "stopped" was never started or was stopped on purpose; "broken" is neither.
        detail: one sentence or two; for "broken" what is wrong and what heals it.
        address: a database URL or a Kafka bootstrap address; None unless healthy.
        embedded: False for a server of the user's own.
        pid: the process id; None unless an embedded server runs.
    """

    name: str
    health: Health
    detail: str
    address: str | None
    embedded: bool
    pid: int | None


@dataclass(frozen=True)
class SystemUser:
    """The system user that a server runs as, when that is not the one who starts it."""

    name: str
    uid: int
    gid: int


class ServerProcess:
    """The one process of an embedded server, which outlives the command that started it.

    It is known by its pid and its start time, recorded under the state folder, and by its command line, which carries
    `marker`: a pid alone may by now belong to a stranger. Where the record does not help (it is lost, or the clock was
    set meanwhile), it is looked for among all processes.
    """

    def __init__(self, name: str, state_dir: Path, *, executable: str, marker: str) -> None:
        """
        Args:
            name: "postgres" or "kafka"; names the record and the lock in the state folder.
            state_dir: the state folder.
            executable: file name of the program.
            marker: an argument that only this server, on this state folder, is started with.
        """
        self.name = name
        self._state_dir = state_dir
        self._record = state_dir / f"{name}.json"
        self._executable = executable
        self._marker = marker

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the lock that lets one command at a time start or stop this server; creates the state folder.

        Raises:
            ServiceUnavailable: another command held the lock for `LOCK_SECONDS`, or the state folder cannot be used.
        """
        try:
            make_state_dir(self._state_dir)
            with (self._state_dir / f"{self.name}.lock").open("a") as lock:
                if not wait_until(lambda: _try_lock(lock.fileno()), LOCK_SECONDS):
                    raise ServiceUnavailable(
                        f"another command has been starting or stopping the embedded {self.name} in {self._state_dir} "
                        f"for {LOCK_SECONDS:.0f} seconds: end that command, then try again"
                    )
                yield
        except OSError as error:
            raise ServiceUnavailable(
                f"the embedded {self.name} with its state folder {self._state_dir}: {error}; "
                "if you may not write there, set EVENTLIB_STATE_DIR to a folder where you may"
            ) from error

    def find(self) -> psutil.Process | None:
        """The running server, or None. A zombie has no command line and does not count."""
        recorded = self._recorded()
        if recorded is not None:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(recorded[0])
                if _is_same(process, recorded[1]) and self._is_mine(process):
                    return process
        # A process just forked by the server still has the server's command line: the oldest is the server.
        return min(filter(self._is_mine, psutil.process_iter()), key=psutil.Process.create_time, default=None)

    def lost(self) -> str | None:
        """Why a server that was started is no longer there, as half a sentence; None if it was not started or stopped.

        To be asked when `find()` has found none.
        """
        recorded = self._recorded()
        if recorded is None:
            return None
        with contextlib.suppress(psutil.NoSuchProcess):
            if not _is_same(psutil.Process(recorded[0]), recorded[1]):
                return f"its recorded pid {recorded[0]} now belongs to another process, which is left alone"
        return f"its process {recorded[0]} was killed or crashed, or the machine was restarted"

    def settle(self) -> None:
        """Wait until a server that was killed has let go of its files and ports, which the next one needs."""
        recorded = self._recorded()
        with contextlib.suppress(psutil.NoSuchProcess):
            if recorded is not None:
                killed = psutil.Process(recorded[0])
                wait_until(lambda: not _is_same(killed, recorded[1]) or not is_alive(killed), 10)

    def spawn(
        self,
        command: Sequence[str | Path],
        *,
        folder: Path,
        console: Path,
        environment: Mapping[str, str],
        user: SystemUser | None = None,
    ) -> psutil.Process:
        """Start the server in a session of its own and record it.

        Args:
            command: program and arguments, the marker among them.
            folder: its working directory.
            console: a file for what it prints, emptied first.
            environment: all of its environment.
            user: whom to run it as.

        Raises:
            ServiceUnavailable: it ended at once; the message has the end of the console file.
        """
        shell = run(
            ["/bin/sh", "-c", _DETACH, "sh", console, *command], folder=folder, environment=environment, user=user
        )
        try:
            process = psutil.Process(int(shell.stdout))
            self.record(process)
        except psutil.NoSuchProcess:
            raise ServiceUnavailable(f"the embedded {self.name} ended at once: {tail(console)}") from None
        return process

    def record(self, process: psutil.Process) -> None:
        """Remember the process as the server, replacing what was recorded."""
        partial = self._record.with_suffix(".partial")
        partial.write_text(json.dumps({"pid": process.pid, "create_time": process.create_time()}))
        partial.replace(self._record)

    def forget(self) -> None:
        """Remove the record: the server was stopped on purpose."""
        self._record.unlink(missing_ok=True)

    def end(self, process: psutil.Process, *signals: signal.Signals, seconds: float = 30) -> None:
        """End the process, wait until it is gone: send each signal, the next one after `seconds`, SIGKILL as the last.

        Raises:
            ServiceUnavailable: not even SIGKILL ended it.
        """
        for number in (*signals, signal.SIGKILL):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
            if wait_until(lambda: not is_alive(process), seconds):
                return
        raise ServiceUnavailable(f"the embedded {self.name}, pid {process.pid}, does not end even when killed")

    def _recorded(self) -> tuple[int, float] | None:
        try:
            record = json.loads(self._record.read_text())
            return int(record["pid"]), float(record["create_time"])
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
            # never written, cut short by a power failure, or the state folder is none
            return None

    def _is_mine(self, process: psutil.Process) -> bool:
        try:
            process.create_time()  # kept by psutil, so that it can be compared even if the process leaves meanwhile
            command = process.cmdline()
        except psutil.Error:  # gone meanwhile, or another user's
            return False
        return bool(command) and Path(command[0]).name == self._executable and self._marker in command


class EmbeddedServer(ABC):
    """What both servers do alike."""

    def __init__(self, process: ServerProcess) -> None:
        self._process = process

    def stop(self) -> bool:
        """Stop the server; what it holds stays. True if it was running.

        Raises:
            ServiceUnavailable: it cannot be stopped.
        """
        with self._process.exclusive():
            process = self._process.find()
            if process is not None:
                self._end(process)
            self._process.forget()
        return process is not None

    def _status(self, health: Health, detail: str, process: psutil.Process | None = None) -> ServiceStatus:
        address = self._address if health == "healthy" else None
        return ServiceStatus(self._process.name, health, detail, address, True, process.pid if process else None)

    @property
    @abstractmethod
    def _address(self) -> str: ...

    @abstractmethod
    def _end(self, process: psutil.Process) -> None: ...


def make_state_dir(state_dir: Path) -> None:
    """Create the state folder if it is missing: for its owner alone; as root, passable for the servers' system user."""
    if not state_dir.exists():
        state_dir.mkdir(parents=True, exist_ok=True)
        state_dir.chmod(0o711 if os.geteuid() == 0 else 0o700)


def run(
    command: Sequence[str | Path],
    *,
    folder: Path,
    environment: Mapping[str, str],
    user: SystemUser | None = None,
    text: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, away from the terminal.

    Args:
        command: program and arguments.
        folder: its working directory.
        environment: all of its environment.
        user: whom to run it as.
        text: what it reads from its standard input.
    """
    return subprocess.run(  # noqa: S603 - no word of the command comes from outside, and no shell splits it
        command,
        input=text,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        check=False,
        cwd=folder,
        env=environment,
        start_new_session=True,
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=[] if user else None,
    )


def is_alive(process: psutil.Process) -> bool:
    """Whether the process runs: it exists, its pid was not given to another one, and it is no zombie."""
    try:
        # A killed process shows as a zombie while other threads of it are still leaving, with its files and ports.
        return process.is_running() and (process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)
    except psutil.NoSuchProcess:
        return False


def up_since(process: psutil.Process) -> str:
    """For a status line: `pid 123, up since 2026-01-31 09:30:00 UTC`."""
    started = datetime.fromtimestamp(process.create_time(), UTC)
    return f"pid {process.pid}, up since {started:%Y-%m-%d %H:%M:%S} UTC"


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask until the condition holds; False if it still does not after that many seconds. What it raises passes."""
    asking = Retrying(
        stop=stop_after_delay(seconds), wait=wait_fixed(0.05), retry=retry_if_result(lambda holds: not holds)
    )
    try:
        return asking(condition)
    except RetryError:
        return False


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log file, for an error message; says so when there are none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            last = file.read().decode(errors="backslashreplace").splitlines()[-lines:]
    except FileNotFoundError:
        last = []
    return "\n".join([f"the end of {log}:", *last]) if last else f"{log} is empty"


def _is_same(process: psutil.Process, create_time: float) -> bool:
    return abs(process.create_time() - create_time) < 0.1


def _try_lock(file_descriptor: int) -> bool:
    try:
        fcntl.flock(file_descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
