"""The gallery lists what is published, and nothing else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from eventlib.reporting.gallery import rebuild_gallery
from eventlib.reporting.result import Result, Software
from eventlib.reporting.verdict import Check, Evidence, Outcome, Verdict, exit_code

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


def publish(reports_dir: Path, folder: str, outcome: Outcome | None, minute: int = 0, title: str = "A title") -> None:
    verdict = None if outcome is None else Verdict(title, [Check("It", outcome, "So.")])
    result = Result(
        report="probe",
        title="A probe",
        parameters={"name": "<b>", "empty": ""},
        started_at=NOON + timedelta(minutes=minute),
        finished_at=NOON + timedelta(minutes=minute, seconds=1.5),
        outcome=outcome,
        exit_code=exit_code(outcome) if outcome else 2,
        error=None if outcome else "the kernel died",
        verdict=verdict,
        evidence=Evidence("x", "now", 1, 1, "00", {}) if outcome else None,
        software=Software("0", None, "3"),
    )
    path = reports_dir / "probe" / folder
    path.mkdir(parents=True)
    (path / "result.json").write_bytes(msgspec.json.encode(result))


def test_an_empty_gallery_says_how_to_begin(tmp_path: Path) -> None:
    assert "No report has been run yet" in rebuild_gallery(tmp_path / "new").read_text()


def test_the_newest_comes_first_with_its_verdict(tmp_path: Path) -> None:
    publish(tmp_path, "a", Outcome.VERIFIED, minute=1, title="First & <foremost>")
    publish(tmp_path, "c", Outcome.NOT_COVERED, minute=2, title="Second")
    publish(tmp_path, "b", Outcome.FAILED, minute=3, title="Third")
    publish(tmp_path, "d", None, minute=4)
    html = rebuild_gallery(tmp_path).read_text()

    places = [
        html.index(text) for text in ("A probe could not be run", "Third", "Second", "First &amp; &lt;foremost&gt;")
    ]
    assert places == sorted(places)
    for text in (
        'href="probe/b/index.html"',
        "the kernel died",
        "1.5 s",
        "&lt;b&gt;",
        "4 runs: 1 error, 1 failed, 1 not covered",
    ):
        assert text in html
    for word in ("Verified", "Failed", "Not covered", "Error"):
        assert f"{word}</span>" in html
    assert "empty:" not in html and "<script" not in html


def test_what_is_unfinished_or_broken_is_passed_over(tmp_path: Path) -> None:
    publish(tmp_path, ".20250301T120000Z-abc", Outcome.VERIFIED)
    publish(tmp_path, "cut", Outcome.VERIFIED)
    (tmp_path / "probe" / "cut" / "result.json").write_bytes(b'{"report": "pro')
    (tmp_path / "a file").write_text("x")
    assert "No report has been run yet" in rebuild_gallery(tmp_path).read_text()


def test_many_at_once_lose_nobody_and_leave_nothing(tmp_path: Path) -> None:
    def run(number: int) -> None:
        publish(tmp_path, f"run-{number:02}", Outcome.VERIFIED, minute=number)
        rebuild_gallery(tmp_path)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(24)))
    html = (tmp_path / "index.html").read_text()
    assert html.endswith("</html>") and "24 runs" in html
    assert sorted(path.name for path in tmp_path.iterdir()) == [".gallery.lock", "index.html", "probe"]
