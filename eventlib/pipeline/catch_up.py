"""Waiting until the read models have caught up with the log, or until it is plain that they will not."""

from __future__ import annotations

import time
from collections.abc import Callable

from eventlib.errors import PipelineStuck, ServiceUnavailable
from eventlib.pipeline.backlog import Backlog
from eventlib.stopping import Stop

POLL_S = 0.1
PATIENCE_S = 60.0


def catch_up(
    measure: Callable[[], Backlog],
    stop: Stop,
    between: Callable[[Backlog], None] = lambda backlog: None,
    patience_s: float = PATIENCE_S,
) -> Backlog:
    """Measure the backlog again and again until nothing is left, or `stop`.

    Args:
        measure: measures it; when it raises `ServiceUnavailable`, that counts as no change.
        between: told of each measurement, to tend workers or to show progress.
        patience_s: seconds without any change after which the pipeline counts as stuck.

    Returns:
        The last measurement; after a `stop` there may be something left.

    Raises:
        PipelineStuck: the backlog has not changed for `patience_s`; the message says what is left.
    """
    last = measure()
    changed = time.monotonic()
    while last.left and not stop:
        between(last)
        stop.wait(POLL_S)
        try:
            now, trouble = measure(), ""
        except ServiceUnavailable as error:  # a server that is being restarted: as long as one is patient
            now, trouble = last, f" ({error})"
        if (now.unpublished, now.unapplied) != (last.unpublished, last.unapplied):
            changed = time.monotonic()
        elif time.monotonic() - changed > patience_s:
            raise PipelineStuck(f"nothing has moved for {patience_s:.0f} s: {now}{trouble}")
        last = now
    between(last)
    return last
