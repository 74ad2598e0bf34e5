"""An embedded Kafka Connect 4.3, standalone, with Debezium's PostgreSQL connector: change data capture of the outbox."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from eventlib.embedded.jars import CONNECT_LOCK_FILE, locked_jars, read_lock
from eventlib.embedded.java import HOST, LOGGING, java, java_environment
from eventlib.embedded.service import (
    EmbeddedServer,
    ServerProcess,
    ServiceStatus,
    is_alive,
    tail,
    up_since,
    wait_until,
)
from eventlib.errors import ServiceUnavailable

START_SECONDS = 90.0

_WORKER = """\
bootstrap.servers={bootstrap}
listeners=http://{host}:{port}
offset.storage.file.filename=offsets
offset.flush.interval.ms=1000
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
connector.client.config.override.policy=All
plugin.discovery=SERVICE_LOAD
plugin.path=plugins
topic.creation.enable=true
"""


@dataclass(frozen=True)
class Connector:
    """What Kafka Connect says of a connector: `RUNNING`, `FAILED` and so on, and with what error."""

    state: str
    error: str | None


class EmbeddedConnect(EmbeddedServer):
    """One Kafka Connect worker with one connector, its offsets under a state folder, its door on the loopback interface."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir.resolve()
        self._folder = self._state_dir / "connect"
        self._console = self._folder / "console.log"
        self._port_file = self._folder / "port"
        self._marker = f"-Deventlib.folder={self._folder}"
        super().__init__(ServerProcess("connect", self._state_dir, executable="java", marker=self._marker))

    def run_connector(self, bootstrap: str, name: str, config: Mapping[str, str]) -> ServiceStatus:
        """Start the worker with a connector, anew if it runs; return once the connector and its task run.

        Args:
            bootstrap: `host:port` of Kafka, in plain text.
            name: of the connector.
            config: of the connector; with `database.password` in it, which is written to a file for the user alone.

        Raises:
            ServiceUnavailable: it cannot be started, or the connector fails; the message says why.
        """
        with self._process.exclusive():
            running = self._process.find()
            if running is not None:
                self._end(running)
            else:
                self._process.settle()
            self._prepare(bootstrap, name, config)
            process = self._launch()
            wait_until(lambda: not is_alive(process) or self._settled(name), START_SECONDS)
            found = self.connector(name)
            if found is None or found.state != "RUNNING":
                last_words = tail(self._folder / "log" / "server.log", 20)
                if is_alive(process):
                    self._end(process)
                self._process.forget()
                reason = found.error if found and found.error else last_words
                raise ServiceUnavailable(f"the connector {name} does not run: {reason}")
        return self.status()

    def status(self) -> ServiceStatus:
        """How the worker is; starts and changes nothing."""
        process = self._process.find()
        if process is None:
            lost = self._process.lost()
            if lost is None:
                return self._status("stopped", "Kafka Connect is not running; `eventlib cdc up` starts it")
            return self._status("broken", f"Kafka Connect is not running: {lost}; `eventlib cdc up` starts it again")
        return self._status("healthy", f"Kafka Connect, {up_since(process)}", process)

    def connector(self, name: str) -> Connector | None:
        """What the worker says of its connector; None when it says nothing."""
        try:
            answer = httpx.get(f"{self._address}/connectors/{name}/status", timeout=5)
            answer.raise_for_status()
            document = answer.json()
        except (httpx.HTTPError, ValueError, ServiceUnavailable):
            return None
        states = [document["connector"], *document["tasks"]]
        failed = next((one for one in states if one["state"] == "FAILED"), None)
        if failed is not None:
            return Connector("FAILED", str(failed.get("trace", "")).splitlines()[0] if failed.get("trace") else None)
        waiting = next((one["state"] for one in states if one["state"] != "RUNNING"), None)
        return Connector(waiting or ("RUNNING" if document["tasks"] else "STARTING"), None)

    @property
    def _address(self) -> str:
        try:
            return f"http://{HOST}:{int(self._port_file.read_text())}"
        except (FileNotFoundError, ValueError):
            raise ServiceUnavailable(f"no Kafka Connect was ever started in {self._state_dir}") from None

    def _settled(self, name: str) -> bool:
        found = self.connector(name)
        return found is not None and found.state in {"RUNNING", "FAILED"}

    def _prepare(self, bootstrap: str, name: str, config: Mapping[str, str]) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        (self._folder / "plugins").mkdir(exist_ok=True)
        shutil.rmtree(self._folder / "log", ignore_errors=True)  # what it says is of this run
        with socket.create_server((HOST, 0)) as free:
            port: int = free.getsockname()[1]
        self._port_file.write_text(str(port))
        (self._folder / "log4j2.properties").write_text(LOGGING)
        worker = _WORKER.format(bootstrap=bootstrap, host=HOST, port=port)
        (self._folder / "worker.properties").write_text(worker)
        connector = self._folder / "connector.json"
        connector.touch(mode=0o600)
        connector.write_text(json.dumps({"name": name, "config": dict(config)}))

    def _launch(self) -> psutil.Process:
        class_path = os.pathsep.join(str(jar) for jar in locked_jars(read_lock(CONNECT_LOCK_FILE)))
        return self._process.spawn(
            [
                java(),
                "-Xmx512m",
                "-XX:+ExitOnOutOfMemoryError",
                "-XX:-UsePerfData",
                "--enable-native-access=ALL-UNNAMED",
                self._marker,
                "-Dlog4j2.configurationFile=log4j2.properties",
                "-cp",
                class_path,
                "org.apache.kafka.connect.cli.ConnectStandalone",
                "worker.properties",
                "connector.json",
            ],
            folder=self._folder,
            console=self._console,
            environment=java_environment(),
        )

    def _end(self, process: psutil.Process) -> None:
        # It writes its offsets before it leaves.
        self._process.end(process, signal.SIGTERM)
