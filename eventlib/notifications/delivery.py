"""Delivery through a gateway, unless the push service as a whole is away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pybreaker
from tenacity import RetryCallState, Retrying, wait_exponential_jitter

from eventlib.errors import PushRefused, PushServiceUnavailable
from eventlib.notifications.gateways import Gateway, Push
from eventlib.stopping import Stop

FAILURES = 5
"""So many different pushes have to fail, and none to get through between them, for the push service to be left alone."""

REST_S = 10.0

_PAUSE = wait_exponential_jitter(initial=1, max=300, jitter=1)


def pause_s(attempts: int) -> float:
    """How long a push waits after so many attempts, in seconds: exponential, with jitter, 5 minutes at most.

    >>> all(min(2 ** (attempts - 1), 300) <= pause_s(attempts) <= 301 for attempts in (1, 5, 20))
    True
    """
    # The waits outlive the process, so they stand in the table; the library only says how long each is.
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempts
    return _PAUSE(state)


class Delivery:
    """Sends pushes, each once.

    After failures of five different pushes with no success between them the service is left alone for ten seconds; then one
    push tries whether it is back. One push that fails again and again says nothing of the service.
    """

    def __init__(self, gateway: Gateway, rest_s: float = REST_S) -> None:
        self._gateway = gateway
        self._rest = timedelta(seconds=rest_s)
        self._failed: set[UUID] = set()
        self._circuit = pybreaker.CircuitMemoryStorage(pybreaker.STATE_CLOSED)
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=FAILURES,
            reset_timeout=rest_s,
            exclude=[PushRefused],  # what it refuses, it has heard
            state_storage=self._circuit,
            throw_new_error_on_trip=False,
        )

    def send(self, push: Push, stop: Stop) -> None:
        """Send one push.

        Raises:
            PushRefused: the service will never take it.
            PushServiceUnavailable: it has not taken it now.
        """
        told_before = push.key in self._failed and self._circuit.state == pybreaker.STATE_CLOSED
        try:
            if told_before:
                self._gateway.send(push, stop)
            else:
                self._breaker.call(self._gateway.send, push, stop)
        except PushRefused:
            self._heard()
            raise
        except Exception as error:  # whatever a gateway raises is trouble with this push, and not the end of the others
            self._failed.add(push.key)
            if isinstance(error, PushServiceUnavailable):
                raise
            raise PushServiceUnavailable(f"the gateway has failed: {type(error).__name__}") from error
        self._heard()

    @property
    def resting(self) -> bool:
        """Whether the service is being left alone."""
        opened_at = self._circuit.opened_at
        if self._circuit.state != pybreaker.STATE_OPEN or opened_at is None:
            return False
        return datetime.now(UTC) < opened_at + self._rest  # the breaker itself sees that it is over when it is called

    def _heard(self) -> None:
        self._failed.clear()
        self._breaker.close()
