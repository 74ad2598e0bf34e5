"""Delivery through a gateway that may be away for a while: some attempts, and a circuit breaker before the next ones."""

from __future__ import annotations

import pybreaker
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from tenacity.stop import stop_base

from eventlib.errors import PushRefused, PushServiceUnavailable
from eventlib.notifications.gateways import Gateway, Push
from eventlib.stopping import Stop

ATTEMPTS = 4
FAILURES = 5
"""Failures in a row after which the push service is left alone for a while."""

REST_S = 10.0


class Delivery:
    """Sends pushes, each up to four times with exponential back-off and jitter.

    After five failures in a row nothing is sent for ten seconds; then one push tries whether the service is back.
    """

    def __init__(self, gateway: Gateway, rest_s: float = REST_S) -> None:
        self._gateway = gateway
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=FAILURES, reset_timeout=rest_s, exclude=[PushRefused], throw_new_error_on_trip=False
        )

    def send(self, push: Push, stop: Stop) -> None:
        """Send one push.

        Raises:
            PushRefused: the service will never take it.
            PushServiceUnavailable: all attempts have failed, the service is being left alone, or it is time to stop.
        """

        def rest(seconds: float) -> None:
            stop.wait(seconds)

        attempts: stop_base = stop_after_attempt(ATTEMPTS)
        retrying = Retrying(
            retry=retry_if_exception_type(PushServiceUnavailable),
            stop=lambda state: attempts(state) or self.resting or bool(stop),
            wait=wait_random_exponential(0.2, max=5),
            sleep=rest,
            reraise=True,
        )
        try:
            retrying(self._breaker.call, self._gateway.send, push)
        except pybreaker.CircuitBreakerError:
            raise PushServiceUnavailable(
                f"the push service has failed {FAILURES} times in a row and is left alone for some seconds"
            ) from None

    @property
    def resting(self) -> bool:
        """Whether the service is being left alone."""
        return bool(self._breaker.current_state == pybreaker.STATE_OPEN)
