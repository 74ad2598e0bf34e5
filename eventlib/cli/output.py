"""What the commands print: results to standard output, notes and progress bars to standard error."""

from __future__ import annotations

from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

results = Console(highlight=False, soft_wrap=True)
notes = Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON object to standard output, for scripts."""
    results.print(msgspec.json.encode(document).decode(), markup=False)


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
