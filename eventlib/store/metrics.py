"""What the store counts, in the default registry of prometheus-client."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import Counter

from eventlib.errors import SettingsError

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""A folder in which all processes of a deployment count together; a convention of prometheus-client."""

SNAPSHOT_FALLBACKS = Counter(
    "eventlib_snapshot_fallbacks",
    "Snapshots that a load came upon and did not use: corrupt, of a stale state class, or ending with an unknown event.",
    ["aggregate_type", "reason"],
)


def count_together() -> None:
    """Make the folder in which processes count together, if somebody has named one and it is not there.

    Raises:
        SettingsError: it cannot be made.
    """
    if folder := os.environ.get(SHARED):
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"{SHARED} names {folder}, which is no folder and cannot become one: {error}") from None
