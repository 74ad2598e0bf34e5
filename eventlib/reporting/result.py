"""What is written down about a run, as `result.json` beside its page: for schedulers, the gallery and later readers."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec

import eventlib
from eventlib.reporting.verdict import EXIT_ERROR, Evidence, Outcome, Verdict, exit_code

FORMAT = 1


class Software(msgspec.Struct, frozen=True):
    """What made the report.

    Attributes:
        eventlib: its version.
        git_commit: of the checkout that it ran from, with `-dirty` where files had been changed; None elsewhere.
        python: its version.
    """

    eventlib: str
    git_commit: str | None
    python: str


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a report.

    Attributes:
        report: name of the report.
        title: of the report.
        parameters: as they were given.
        started_at: in UTC.
        finished_at: in UTC.
        outcome: of the verdict; None when the report could not be run.
        exit_code: what the run told its caller.
        error: why it could not be run; None when it could.
        verdict: None when it could not be run.
        evidence: which data it was made of; None when it could not be run.
        software: what made it.
        format: of this document.
    """

    report: str
    title: str
    parameters: Mapping[str, str]
    started_at: datetime
    finished_at: datetime
    outcome: Outcome | None
    exit_code: int
    error: str | None
    verdict: Verdict | None
    evidence: Evidence | None
    software: Software
    format: int = FORMAT

    def __post_init__(self) -> None:
        # A run that lies about itself cannot be written, and none that was tampered with or cut short is read as good.
        expected = None if self.verdict is None else self.verdict.outcome
        code = EXIT_ERROR if expected is None else exit_code(expected)
        if self.outcome is not expected or self.exit_code != code or (self.error is None) is (self.verdict is None):
            raise ValueError("outcome, exit code, verdict and error of a result contradict each other")


def software() -> Software:
    """This program, as it runs."""
    return Software(eventlib.__version__, _git_commit(), platform.python_version())


def _git_commit() -> str | None:
    folder = Path(eventlib.__file__).parent.parent
    if not (folder / ".git").exists():
        return None
    try:
        described = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip() or None
