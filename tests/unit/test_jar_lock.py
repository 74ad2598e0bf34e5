"""Only jars with the locked checksum run, half downloads stay nowhere, and without jars the error names the ways on."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import pytest
import requests

from eventlib.embedded import jars
from eventlib.errors import ServiceUnavailable

CONTENT = b"a jar"
JAR = jars.LockedJar("org.example", "thing", "1.2", hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache in the place of jgo's, and no network."""
    monkeypatch.setenv("M2_REPO", str(tmp_path / "cache"))
    monkeypatch.setenv("JGO_CONFIG_FILE", str(tmp_path / "none.conf"))
    serve(monkeypatch, None)
    return tmp_path / "cache"


def serve(monkeypatch: pytest.MonkeyPatch, content: bytes | None) -> None:
    """Answer every request with that content; with None no server is reached."""

    def answer(method: str, url: str, **options: Any) -> requests.Response:
        if content is None:
            raise requests.ConnectionError("no route to host")
        response = requests.Response()
        response.status_code = 404 if url.endswith(".sha1") else 200
        response.raw = io.BytesIO(content)
        return response

    monkeypatch.setattr(requests, "request", answer)


def files(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("lock_file", "roots"), [(jars.LOCK_FILE, jars.ROOTS), (jars.CONNECT_LOCK_FILE, jars.CONNECT_ROOTS)]
)
def test_the_lock_names_every_jar_once_with_a_checksum_and_no_address(lock_file: Path, roots: tuple[str, ...]) -> None:
    locked = jars.read_lock(lock_file)
    assert len({(jar.group, jar.artifact) for jar in locked}) == len(locked)
    assert all(len(bytes.fromhex(jar.sha256)) == 32 for jar in locked)
    assert set(roots) <= {jar.coordinate for jar in locked}
    assert "//" not in lock_file.read_text()


def test_every_part_of_kafka_has_the_same_version() -> None:
    locked = jars.read_lock(jars.LOCK_FILE) + jars.read_lock(jars.CONNECT_LOCK_FILE)
    assert {jar.version for jar in locked if jar.group == "org.apache.kafka"} == {"4.3.1"}


def test_a_missing_jar_is_downloaded_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, CONTENT)
    assert [path.read_bytes() for path in jars.locked_jars([JAR])] == [CONTENT]
    serve(monkeypatch, None)
    assert [path.name for path in jars.locked_jars([JAR])] == ["thing-1.2.jar"]


def test_a_jar_with_another_checksum_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, CONTENT)
    [path] = jars.locked_jars([JAR])
    path.write_bytes(b"another jar")
    with pytest.raises(ServiceUnavailable, match=r"org\.example:thing:1\.2 is not the locked one"):
        jars.locked_jars([JAR])


def test_half_a_download_is_refused_and_kept_nowhere(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, CONTENT[:2])
    with pytest.raises(ServiceUnavailable, match=r"org\.example:thing:1\.2"):
        jars.locked_jars([JAR])
    assert files(cache) == []


def test_without_a_network_the_error_names_the_ways_on(cache: Path) -> None:
    with pytest.raises(ServiceUnavailable, match="no route to host") as caught:
        jars.kafka_jars(None)
    assert "EVENTLIB_KAFKA_BOOTSTRAP" in str(caught.value)
    assert "EVENTLIB_KAFKA_HOME" in str(caught.value)


def test_a_distribution_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "libs").mkdir()
    for name in ("kafka_2.13-4.3.0.jar", "other-1.jar", "README"):
        (tmp_path / "libs" / name).touch()
    assert [jar.name for jar in jars.kafka_jars(tmp_path)] == ["kafka_2.13-4.3.0.jar", "other-1.jar"]


def test_a_folder_without_kafka_is_no_distribution(tmp_path: Path) -> None:
    with pytest.raises(ServiceUnavailable, match=r"EVENTLIB_KAFKA_HOME names .* holds no kafka_"):
        jars.kafka_jars(tmp_path)
