"""Delivery through a gateway, unless the push service as a whole is away."""

from __future__ import annotations

import time
from uuid import UUID

from eventlib.errors import PushRefused, PushServiceUnavailable
from eventlib.notifications.gateways import Gateway, Push
from eventlib.stopping import Stop

FAILURES = 5
"""So many different pushes have to fail, and none to get through between them, for the push service to be left alone."""

REST_S = 10.0


class Delivery:
    """Sends pushes, each once.

    After failures of five different pushes with no success between them the service is left alone for ten seconds, or as
    long as it wants; then one push tries whether it is back. One push that fails again and again says nothing of it.
    """

    def __init__(self, gateway: Gateway, rest_s: float = REST_S) -> None:
        self._gateway = gateway
        self._rest_s = rest_s
        self._failed: set[UUID] = set()
        self._rests_until = 0.0

    def send(self, push: Push, stop: Stop) -> None:
        """Send one push.

        Raises:
            PushRefused: the service will never take it.
            PushServiceUnavailable: it has not taken it now.
        """
        try:
            self._gateway.send(push, stop)
        except PushRefused:  # what it refuses, it has heard
            self._failed.clear()
            raise
        except Exception as error:  # whatever a gateway raises is trouble with this push, and not the end of the others
            failure = (
                error
                if isinstance(error, PushServiceUnavailable)
                else PushServiceUnavailable(f"the gateway has failed: {type(error).__name__}")
            )
            self._failed.add(push.key)
            if len(self._failed) >= FAILURES:
                self._rests_until = time.monotonic() + max(self._rest_s, failure.retry_after_s)
            raise failure from error
        self._failed.clear()

    @property
    def resting(self) -> bool:
        """Whether the service is being left alone."""
        return time.monotonic() < self._rests_until
