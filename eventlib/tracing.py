"""Traces from a command to the read models: OpenTelemetry where it is installed and told where to send, otherwise nothing.

A trace crosses Kafka in the events' metadata, as a `traceparent` of the W3C recommendation "Trace Context" (level 1).
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""Where spans are sent, by the convention of OpenTelemetry; without it nothing is traced."""

TIMEOUTS = {"OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"}
TIMEOUT_S = 2
"""How long spans are tried to be sent, unless one of these says otherwise: whoever ends waits for that."""

log = logging.getLogger(__name__)

_tracer: Any = None


class _Traced(msgspec.Struct):
    traceparent: Any = None


_decode = msgspec.json.Decoder(_Traced).decode


def start_tracing() -> None:
    """Trace from now on, if somebody has said where to."""
    global _tracer  # noqa: PLW0603 - a process traces or does not
    if _tracer is not None or not os.environ.get(ENDPOINT):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ModuleNotFoundError as error:
        log.warning("%s is set, but nothing is traced (%s): pip install 'eventlib[tracing]'", ENDPOINT, error)
        return
    named = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": "eventlib"}
    provider = TracerProvider(resource=Resource.create(named))
    # By default it tries for ten seconds, and an end waits for it.
    exporter = OTLPSpanExporter() if os.environ.keys() & TIMEOUTS else OTLPSpanExporter(timeout=TIMEOUT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = provider.get_tracer("eventlib")


def tracing() -> bool:
    """Whether this process traces."""
    return _tracer is not None


@contextmanager
def span(name: str, parent: str | None = None) -> Iterator[str | None]:
    """A span around a block, with its own traceparent; None when nothing is traced."""
    if _tracer is None:
        yield None
        return
    with _tracer.start_as_current_span(name, context=_context_of(parent)) as present:
        about = present.get_span_context()
        yield f"00-{about.trace_id:032x}-{about.span_id:016x}-{about.trace_flags:02x}"


def record(name: str, metadata: str | bytes, began_ns: int, attributes: Mapping[str, str | int]) -> None:
    """A span that ends now, if this process traces and the metadata of its event name a trace.

    Args:
        metadata: of the event, as JSON.
        began_ns: since the epoch.
    """
    if _tracer is None or b"traceparent" not in (metadata if isinstance(metadata, bytes) else metadata.encode()):
        return
    try:
        parent = _decode(metadata).traceparent
    except msgspec.MsgspecError:
        return
    if isinstance(parent, str):  # else somebody else has written it, and it is no reason to fail after a commit
        made = _tracer.start_span(name, context=_context_of(parent), start_time=began_ns, attributes=dict(attributes))
        made.end(time.time_ns())


def _context_of(traceparent: str | None) -> Any:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415 - an extra

    return TraceContextTextMapPropagator().extract({"traceparent": traceparent}) if traceparent else None
