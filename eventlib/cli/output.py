"""What the commands print: results to standard output, notes and progress bars to standard error."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

WIDTH_WITHOUT_TERMINAL = 200

# No markup: what is printed may come from a file or a message, and [/b] in it is text.
results = Console(
    highlight=False, soft_wrap=True, markup=False, width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL
)
notes = Console(
    stderr=True,
    highlight=False,
    soft_wrap=True,
    markup=False,
    width=None if sys.stderr.isatty() else WIDTH_WITHOUT_TERMINAL,
)


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON object to standard output, for scripts."""
    results.print(msgspec.json.encode(document).decode())


def rate_progress() -> Progress:
    """A progress bar for many small things: also how many of them in a second."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=notes,
    )


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


def progress() -> Progress:
    """A progress bar on standard error: what, how much of how much, for how long, how long still."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=notes,
    )
