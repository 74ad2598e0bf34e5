"""The gallery: one page that lists every run, made anew from their results."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import msgspec
from markupsafe import Markup

from eventlib.reporting.event_table import stamp
from eventlib.reporting.fragment import rendered, style_sheet
from eventlib.reporting.result import Result
from eventlib.reporting.verdict_box import WORDS, summary
from eventlib.temporal.durations import in_words

LISTED = 500
RESULT = "result.json"
PAGE = "index.html"

_WORDS = {**{str(outcome): word for outcome, word in WORDS.items()}, "error": "Error"}


@dataclass(frozen=True)
class _Entry:
    """One line of the gallery."""

    kind: str
    title: str
    detail: str
    link: str
    parameters: list[tuple[str, str]]
    started: str
    took: str


def rebuild_gallery(reports_dir: Path) -> Path:
    """List all published runs, the newest first, and return the page.

    The page is replaced at once, never half. Of two runs that end at the same time the later one lists both: a run is
    published before it asks for the lock under which the list is made.
    """
    reports_dir.mkdir(parents=True, exist_ok=True)
    with (reports_dir / ".gallery.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        runs = sorted(_runs(reports_dir), key=lambda run: (run[1].started_at, run[0]), reverse=True)
        html = rendered(
            "gallery.html.j2",
            entries=[_entry(folder, result, reports_dir) for folder, result in runs[:LISTED]],
            total=len(runs),
            counts=sorted(Counter(_kind(result) for _, result in runs).items()),
            words=_WORDS,
            style=Markup(style_sheet()),  # noqa: S704 - our own file
        )
        page = reports_dir / PAGE
        with tempfile.NamedTemporaryFile(
            "w", dir=reports_dir, prefix=".gallery-", delete=False, encoding="utf-8"
        ) as new:
            new.write(html)
        Path(new.name).chmod(0o666 & ~_umask())
        Path(new.name).replace(page)
    return page


def _runs(reports_dir: Path) -> Iterator[tuple[Path, Result]]:
    """The published runs; folders that somebody else put there, or that are still being made, are passed over."""
    for path in reports_dir.glob(f"[!.]*/[!.]*/{RESULT}"):
        try:
            yield path.parent, msgspec.json.decode(path.read_bytes(), type=Result)
        except (OSError, msgspec.MsgspecError):
            continue


def _kind(result: Result) -> str:
    return "error" if result.outcome is None else str(result.outcome)


def _entry(folder: Path, result: Result, reports_dir: Path) -> _Entry:
    return _Entry(
        kind=_kind(result),
        title=result.verdict.title if result.verdict else f"{result.title} could not be run",
        detail=f"{result.title} · {summary(result.verdict)}" if result.verdict else result.error or "",
        link=quote(f"{folder.relative_to(reports_dir).as_posix()}/{PAGE}"),
        parameters=[(name, value) for name, value in result.parameters.items() if value],
        started=stamp(result.started_at),
        took=in_words(result.finished_at - result.started_at),
    )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
