"""The jars of the embedded Kafka and Kafka Connect: got by `jgo` and checked against lock files, or the user's own broker's.

A lock file names every jar and its SHA-256: what runs is what was tried. To change a version, change the roots and run

    python -m eventlib.embedded.jars

which resolves anew, writes the lock files, and leaves their review to `git diff`.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eventlib.embedded.service import INSTALL_HINT
from eventlib.errors import ServiceUnavailable

if TYPE_CHECKING:
    from jgo.maven import Artifact, MavenContext

LOCK_FILE = Path(__file__).with_name("jars.lock")

# Each is resolved on its own, and the first to bring an artifact decides its version: resolved together, a logging
# bridge has been seen to swap kafka-clients for an older one. The bridge is the one for slf4j 1.x, which Kafka uses.
ROOTS = ("org.apache.kafka:kafka_2.13:4.3.1", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4")

CONNECT_LOCK_FILE = Path(__file__).with_name("connect.lock")

# What Kafka Connect brings comes first, and Debezium shares it. By junixsocket the PostgreSQL driver can use a Unix socket.
CONNECT_ROOTS = (
    "org.apache.kafka:connect-runtime:4.3.1",
    "io.debezium:debezium-connector-postgres:3.7.0.Final",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
    "com.kohlschutter.junixsocket:junixsocket-common:2.10.1",
    "com.kohlschutter.junixsocket:junixsocket-native-common:2.10.1",
)

WAYS_ON = (
    "name a Kafka of your own in EVENTLIB_KAFKA_BOOTSTRAP (host:port), "
    "or an unpacked Kafka distribution in EVENTLIB_KAFKA_HOME"
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LockedJar:
    """One line of the lock file: where the jar is in the world's naming, and the SHA-256 of its content in hex."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def coordinate(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"


def kafka_jars(kafka_home: Path | None) -> list[Path]:
    """The jars of the broker's class path.

    Args:
        kafka_home: an unpacked distribution, whose jars are taken as they are; None for the locked ones, which are
            looked for in jgo's cache (the usual one of Maven) and downloaded to there when missing.

    Raises:
        ServiceUnavailable: they cannot be had, or one is not the locked one.
    """
    if kafka_home is None:
        return locked_jars(read_lock(LOCK_FILE))
    jars = sorted((kafka_home / "libs").glob("*.jar"))
    if not any(jar.name.startswith("kafka_") for jar in jars):
        raise ServiceUnavailable(
            f"EVENTLIB_KAFKA_HOME names {kafka_home}, but {kafka_home / 'libs'} holds no kafka_*.jar: "
            "name the folder that a Kafka distribution was unpacked to"
        )
    return jars


def locked_jars(jars: Iterable[LockedJar]) -> list[Path]:
    """The locked jars as files, each with its checksum checked; what is missing in jgo's cache is downloaded.

    Raises:
        ServiceUnavailable: jgo is not installed, a jar cannot be downloaded, or one has another checksum.
    """
    cache = _maven()
    found = {jar: _cached_path(cache, jar) for jar in jars}
    missing = [jar for jar, path in found.items() if not path.exists()]
    if missing:
        _log.info("downloading %d jars of Apache Kafka to %s", len(missing), cache.repo_cache)
        _download(missing, cache)
    for jar, path in found.items():
        check(jar, path)
    return list(found.values())


def check(jar: LockedJar, path: Path) -> None:
    """Raise ServiceUnavailable, naming the jar, unless the file's content is the locked one."""
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != jar.sha256:
        raise ServiceUnavailable(
            f"the jar {jar.coordinate} is not the locked one: {path} has the SHA-256 {actual}, not {jar.sha256}. "
            f"Delete that file to have it downloaded again; if it comes back the same, do not run it: {WAYS_ON}"
        )


def read_lock(lock_file: Path) -> list[LockedJar]:
    """The jars of a lock file: per line `group:artifact:version sha256`; lines that start with # are comments."""
    jars = []
    for line in lock_file.read_text().splitlines():
        if not line.startswith("#"):
            coordinate, sha256 = line.split()
            group, artifact, version = coordinate.split(":")
            jars.append(LockedJar(group, artifact, version, sha256))
    return jars


def write_lock(lock_file: Path, roots: Iterable[str]) -> None:
    """Resolve roots anew and write the lock file. Trusts what it downloads: review the difference.

    Raises:
        ServiceUnavailable: jgo is not installed.
        OSError, RuntimeError: a jar cannot be downloaded.
    """
    _maven()  # complains in our words where jgo is missing
    import jgo  # noqa: PLC0415 - from an extra

    chosen: dict[tuple[str, str], Artifact] = {}
    for root in roots:
        for jar in jgo.resolve(root):
            chosen.setdefault((jar.groupId, jar.artifactId), jar)
    lines = [
        f"{group}:{artifact}:{jar.version} {hashlib.sha256(jar.resolve().read_bytes()).hexdigest()}\n"
        for (group, artifact), jar in sorted(chosen.items())
    ]
    heading = "# Written by `python -m eventlib.embedded.jars`: group:artifact:version sha256\n"
    lock_file.write_text(heading + "".join(lines))


def _maven(repo_cache: Path | None = None) -> MavenContext:
    """jgo's access to Maven repositories: cache and mirrors as the user has configured them for jgo."""
    try:
        from jgo.config import GlobalSettings  # noqa: PLC0415 - from an extra
        from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415
        from jgo.maven import MavenContext  # noqa: PLC0415
    except ModuleNotFoundError:
        raise ServiceUnavailable(f"the embedded Kafka is not installed: {INSTALL_HINT}; or {WAYS_ON}") from None
    settings = GlobalSettings.load()
    return MavenContext(
        repo_cache=repo_cache or settings.repo_cache,
        remote_repos={**settings.repositories, "central": MAVEN_CENTRAL_URL},
    )


def _artifact(maven: MavenContext, jar: LockedJar) -> Artifact:
    return maven.project(jar.group, jar.artifact).at_version(jar.version).artifact()


def _cached_path(maven: MavenContext, jar: LockedJar) -> Path:
    path = _artifact(maven, jar).cached_path
    assert path is not None  # our contexts all have a cache
    return path


def _download(jars: Iterable[LockedJar], cache: MavenContext) -> None:
    # jgo writes straight to its cache, so an interrupted download would leave half a jar there: download aside, check,
    # and only then move it in, which is one step also for two commands that do so at once.
    try:
        cache.repo_cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".eventlib-", dir=cache.repo_cache) as aside:
            maven = _maven(Path(aside))
            for jar in jars:
                downloaded = _artifact(maven, jar).resolve()
                check(jar, downloaded)
                target = _cached_path(cache, jar)
                target.parent.mkdir(parents=True, exist_ok=True)
                downloaded.replace(target)
    except (OSError, RuntimeError) as error:  # requests' errors are OSErrors; jgo's own are RuntimeErrors
        raise ServiceUnavailable(
            f"the jars of Apache Kafka cannot be downloaded to {cache.repo_cache}: {error}. "
            f"Try again with a network, or {WAYS_ON}"
        ) from error


if __name__ == "__main__":
    write_lock(LOCK_FILE, ROOTS)
    write_lock(CONNECT_LOCK_FILE, CONNECT_ROOTS)
