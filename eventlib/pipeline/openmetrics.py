"""The signals as OpenMetrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from eventlib.pipeline.readiness import Readiness
from eventlib.pipeline.signals import ProjectionSignals, Signals
from eventlib.projections.lag_histogram import BOUNDS_MS, LagHistogram

OLDEST = "For how long the oldest of them has been in the log; NaN if that cannot be told."


def metrics(signals: Signals | None, parts: Sequence[Readiness]) -> Iterator[Metric]:
    """One family for each signal; times are in seconds, as the format wants it. Without signals, only what is not ready."""
    ready = GaugeMetricFamily("eventlib_ready", "1 if the part does its work.", labels=["part"])
    for part in parts:
        ready.add_metric([part.part], float(part.ready))
    yield ready
    if signals is None:
        return
    outbox = signals.outbox
    yield _gauge("outbox_events", "Events that wait to be published.", outbox.depth)
    yield _gauge(
        "outbox_oldest_seconds", "For how long the oldest of them has waited that is not held back.", outbox.oldest_s
    )
    yield _gauge("outbox_held_aggregates", "Aggregates whose events are held back.", len(outbox.held))
    yield _gauge("relays", "Relays at work.", sum(relay.alive for relay in outbox.relays))
    yield _gauge("pushes_waiting", "Pushes that the push service has not taken yet.", signals.pushes_waiting)
    yield _gauge("pushes_oldest_seconds", "For how long the oldest of them has waited.", signals.pushes_oldest_s)
    lost = GaugeMetricFamily(
        "eventlib_pushes_lost", "Pushes of the last day that nobody will get any more.", labels=["state"]
    )
    for state, count in signals.pushes_lost.items():
        lost.add_metric([state], count)
    yield lost
    if (notifier := signals.notifier) is not None:
        yield _gauge("notifiers", "Notifiers at work.", notifier.members)
        yield _gauge("notifier_unapplied_messages", "Messages whose pushes are not noted yet.", notifier.unapplied)
        yield _gauge("notifier_oldest_seconds", OLDEST, _or_nan(notifier.oldest_s))
    if signals.slot is not None:
        yield _gauge(
            "slot_behind_bytes", "Write-ahead log that the slot's reader has not confirmed.", signals.slot.behind_bytes
        )
        yield _gauge("slot_active", "1 while somebody reads from the slot.", float(signals.slot.active))
    by_projection: dict[str, tuple[str, Callable[[ProjectionSignals], float | bool]]] = {
        "projectors": ("Projectors at work.", lambda one: one.members),
        "projection_unapplied_messages": ("Messages that wait to be applied.", lambda one: one.unapplied),
        "projection_oldest_seconds": (OLDEST, lambda one: _or_nan(one.oldest_s)),
        "projection_parked_aggregates": ("Aggregates left behind at a poison event.", lambda one: one.parked),
        "projection_missed_messages": ("Messages that were gone before they were read.", lambda one: one.missed),
        "projection_paused": ("1 while the projection rests.", lambda one: one.paused),
    }
    for name, (text, value) in by_projection.items():
        family = GaugeMetricFamily(f"eventlib_{name}", text, labels=["projection"])
        for one in signals.projections:
            family.add_metric([one.name], float(value(one)))
        yield family
    lag = GaugeHistogramMetricFamily(
        "eventlib_projection_lag_seconds",
        "From the start of an event's transaction to its being visible, of the last five minutes.",
        labels=["projection", "partition"],
    )
    for one in signals.projections:
        for partition, histogram in sorted(one.lag.items()):
            lag.add_metric([one.name, str(partition)], _buckets(histogram), histogram.total_ms / 1000)
    yield lag


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"eventlib_{name}", text, value=value)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _buckets(histogram: LagHistogram) -> list[tuple[str, float]]:
    """Cumulative counts by upper bound in seconds."""
    bounds: list[tuple[str, float]] = []
    seen = 0
    for bound in BOUNDS_MS:
        seen += histogram.counts[bound]
        bounds.append((str(bound / 1000), seen))
    return [*bounds, ("+Inf", histogram.events)]
