"""The gateway to a push service: what it takes for an answer, from a real HTTP service that does its worst."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from eventlib.errors import PushRefused, PushServiceUnavailable
from eventlib.notification import Notice
from eventlib.notifications.delivery import FAILURES, Delivery
from eventlib.notifications.gateways import HttpGateway, LogGateway, Push
from eventlib.stopping import Stop
from tests.push_service import PushService


def a_push() -> Push:
    return Push(uuid4(), Notice("me", "Hello", "world"), "order", uuid4(), 1, "OrderPlaced")


@pytest.mark.parametrize("status", [301, 401, 408, 409, 429, 500, 503])
def test_what_may_pass_is_no_refusal(phone: PushService, status: int) -> None:
    phone.answer = lambda number: status
    with pytest.raises(PushServiceUnavailable, match=f"127.0.0.1 answers {status}"):
        HttpGateway(phone.url).send(a_push(), Stop())


@pytest.mark.parametrize("status", [400, 404, 410, 413, 422])
def test_what_says_something_of_this_push_is_one(phone: PushService, status: int) -> None:
    phone.answer = lambda number: status
    with pytest.raises(PushRefused, match=f"answers {status}"):
        HttpGateway(phone.url).send(a_push(), Stop())


def test_a_service_that_does_not_answer_in_time_is_not_waited_for(phone: PushService) -> None:
    phone.answer = lambda number: time.sleep(1) or 200
    with pytest.raises(PushServiceUnavailable, match="does not answer"):
        HttpGateway(phone.url, timeout_s=0.2).send(a_push(), Stop())


def dripping() -> Iterator[bytes]:
    """A body that comes slowly, and never ends."""
    while True:
        yield b"."
        time.sleep(0.05)


def endless() -> Iterator[bytes]:
    """A body that comes as fast as it is taken, and never ends."""
    while True:
        yield b"x" * 65536


@pytest.mark.parametrize("body", [dripping, endless])
def test_a_body_without_an_end_keeps_nobody_waiting(phone: PushService, body: Callable[[], Iterator[bytes]]) -> None:
    phone.bodies = body
    HttpGateway(phone.url, timeout_s=3600).send(a_push(), Stop())  # a success is one by its status line
    phone.answer = lambda number: 422
    with pytest.raises(PushRefused, match="answers 422"):
        HttpGateway(phone.url, timeout_s=0.5).send(a_push(), Stop())


def test_headers_that_never_end_are_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            with listening.accept()[0] as connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                while True:
                    connection.sendall(b"a: b\r\n")
                    time.sleep(0.05)

        thread = threading.Thread(target=drip)
        thread.start()
        gateway = HttpGateway(f"http://127.0.0.1:{listening.getsockname()[1]}", timeout_s=0.5)
        with pytest.raises(PushServiceUnavailable, match="does not answer within"):
            gateway.send(a_push(), Stop())
        thread.join(5)


def test_a_success_that_cannot_be_decoded_is_one(phone: PushService) -> None:
    phone.headers, phone.bodies = {"Content-Encoding": "gzip"}, lambda: iter([b"this is no gzip"])
    HttpGateway(phone.url).send(a_push(), Stop())


def test_a_stop_is_kept_waiting_for_seconds_at_most(phone: PushService) -> None:
    let_go = threading.Event()
    phone.answer = lambda number: let_go.wait(30) or 200
    stop = Stop()
    threading.Timer(0.2, stop.set).start()
    with pytest.raises(PushServiceUnavailable, match="does not answer"):
        HttpGateway(phone.url, timeout_s=60).send(a_push(), stop)
    let_go.set()


def test_no_secret_is_told_when_a_request_cannot_be_made() -> None:
    with pytest.raises(PushServiceUnavailable) as told:
        HttpGateway("http://me:hidden@127.0.0.1:9/send", "s3cret\n").send(a_push(), Stop())
    assert "s3cret" not in str(told.value) and "hidden" not in str(told.value)


def test_a_service_that_is_down_is_left_alone_for_a_while(phone: PushService) -> None:
    phone.answer = lambda number: 500
    delivery = Delivery(HttpGateway(phone.url), rest_s=0.3)
    for number in range(FAILURES):
        assert not delivery.resting, number
        with pytest.raises(PushServiceUnavailable):
            delivery.send(a_push(), Stop())
    assert delivery.resting
    phone.answer = lambda number: 422
    time.sleep(0.4)
    with pytest.raises(PushRefused):  # it is back: what it refuses, it has heard
        delivery.send(a_push(), Stop())
    phone.answer = lambda number: 500
    with pytest.raises(PushServiceUnavailable):
        delivery.send(a_push(), Stop())
    assert not delivery.resting


@pytest.mark.parametrize(
    ("said", "waits_s"),
    [("7", 7.0), ("", 0.0), ("soon", 0.0), ("-3", 0.0), ("9" * 400, 300.0), ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0)],
)
def test_it_says_for_how_long(phone: PushService, said: str, waits_s: float) -> None:
    phone.answer, phone.headers = (lambda number: 503), {"Retry-After": said}
    with pytest.raises(PushServiceUnavailable) as told:
        HttpGateway(phone.url).send(a_push(), Stop())
    assert told.value.retry_after_s == waits_s


def test_what_a_gateway_raises_is_trouble_with_one_push() -> None:
    class Broken(LogGateway):
        def send(self, push: Push, stop: Stop) -> None:
            raise RuntimeError("a defect")

    with pytest.raises(PushServiceUnavailable, match="the gateway has failed: RuntimeError"):
        Delivery(Broken()).send(a_push(), Stop())
