"""What the store counts, in the default registry of prometheus-client."""

from __future__ import annotations

from prometheus_client import Counter

SNAPSHOT_FALLBACKS = Counter(
    "eventlib_snapshot_fallbacks",
    "Snapshots that a load came upon and did not use: corrupt, of a stale state class, or ending with an unknown event.",
    ["aggregate_type", "reason"],
)
