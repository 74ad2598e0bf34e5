"""The notifier: from Kafka to a real HTTP service, at most once for each event and recipient."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from eventlib.errors import PushRefused, PushServiceUnavailable
from eventlib.events import Recorded
from eventlib.notification import Notice
from eventlib.notifications.delivery import FAILURES, Delivery
from eventlib.notifications.gateways import HttpGateway, LogGateway, Push
from eventlib.notifications.notifier import Notifier
from eventlib.notifications.status import notification_status
from eventlib.orders import ORDER
from eventlib.orders.commands import AddItem, AuthorizePayment, CancelOrder, DeclinePayment, PlaceOrder, SubmitOrder
from eventlib.orders.notifications import ORDER_NOTIFICATIONS, TEMPLATES
from eventlib.orders.order import Order
from eventlib.outbox.relay import Relay
from eventlib.stopping import Stop
from eventlib.store.event_store import Store
from eventlib.store.handle import handle
from eventlib.streaming.clients import KafkaAddress
from tests.conftest import TOPIC_PARTITIONS
from tests.messages import messages_of
from tests.orders import CART, USER, execute, metadata
from tests.processes import background, eventlib
from tests.push_service import PushService, push_service
from tests.running import running
from tests.waiting import wait_for


@pytest.fixture
def phone() -> Iterator[PushService]:
    with push_service() as service:
        yield service


@pytest.fixture
def notifier(store: Store, kafka: KafkaAddress, phone: PushService) -> Notifier[Order]:
    gateway = HttpGateway(phone.url, "a token", timeout_s=5)
    return Notifier(store.connection, kafka, TOPIC_PARTITIONS, ORDER_NOTIFICATIONS, gateway)


def ordered(store: Store, relay: Relay, number: int = 1) -> list[UUID]:
    """The ids of so many new orders, each submitted, whose events are in the topic."""
    orders = [uuid4() for _ in range(number)]
    for order_id in orders:
        execute(store, order_id, *CART)
    relay.publish_batch()
    return orders


def states(store: Store) -> dict[str, int]:
    return notification_status(store.connection).states


def test_who_has_ordered_is_told_once(
    store: Store, relay: Relay, kafka: KafkaAddress, phone: PushService, notifier: Notifier[Order]
) -> None:
    (order_id,) = ordered(store, relay)
    execute(store, order_id, CancelOrder("customer 7f3c"))
    relay.publish_batch()
    with running(notifier):
        wait_for(lambda: len(phone.requests) == 2)
    (key, body, headers), (other_key, cancelled, _) = phone.requests
    assert body == {
        "recipient": str(USER),
        "title": "Thank you for your order",
        "body": f"We have your order {str(order_id)[:8]} of 34.88 EUR.",
        "data": {
            "aggregate_type": "order",
            "aggregate_id": str(order_id),
            "version": len(CART),
            "event_type": "OrderSubmitted",
        },
    }
    assert cancelled["title"] == "Cancelled" and key != other_key
    assert headers["Authorization"] == "Bearer a token" and headers["Content-Type"] == "application/json"
    # Whatever comes again, even from the topic's beginning, tells nobody anything.
    for _ in range(2):
        messages = messages_of(kafka)
        assert notifier.deliver(messages, Stop()) == (len(messages), "")
    assert len(phone.requests) == 2 and states(store) == {"sent": 2}


def test_it_goes_on_where_it_was(
    store: Store, relay: Relay, kafka: KafkaAddress, phone: PushService, notifier: Notifier[Order]
) -> None:
    ordered(store, relay, 3)
    with running(notifier):
        wait_for(lambda: len(phone.delivered) == 3)
    store.connection.execute("DELETE FROM notifications")
    ordered(store, relay, 2)
    with running(notifier):
        wait_for(lambda: len(phone.delivered) == 5)
    assert len(phone.requests) == 5


def test_killed_between_sending_and_settling_it_sends_again_with_the_same_key(
    store: Store, relay: Relay, phone: PushService, eventlib_environment: dict[str, str]
) -> None:
    ordered(store, relay, 8)
    environment = {**eventlib_environment, "EVENTLIB_PUSH_URL": phone.url}
    killed = 0
    while len(phone.delivered) < 8:
        with background(environment, "run", "notifier") as process:

            def kill(number: int, process: object = process) -> int:
                if number % 3 == 0:  # the push has arrived, and nobody will ever settle it
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                return 200

            phone.answer = kill
            wait_for(lambda process=process: len(phone.delivered) == 8 or process.poll() is not None)
            killed += process.poll() == -signal.SIGKILL
    assert killed >= 2
    phone.answer = lambda number: 200
    with background(environment, "run", "notifier"):
        wait_for(lambda: states(store) == {"sent": 8})
    # Some were sent twice; by its key a phone shows each once.
    assert len(phone.by_key) == 8 and max(phone.by_key.values()) == 2
    assert len(phone.requests) == 8 + killed


def test_a_service_that_is_away_for_a_while_misses_nothing(
    store: Store, relay: Relay, phone: PushService, notifier: Notifier[Order]
) -> None:
    phone.answer = lambda number: 503 if number <= FAILURES else 200
    notifier._delivery._breaker.reset_timeout = 0.5
    ordered(store, relay, 4)
    with running(notifier):
        wait_for(lambda: states(store) == {"sent": 4}, 60)
    assert len(phone.delivered) == 4 and len(phone.requests) == 4 + FAILURES


def test_one_that_is_refused_is_noted_and_the_others_are_sent(
    store: Store, relay: Relay, phone: PushService, notifier: Notifier[Order]
) -> None:
    phone.answer = lambda number: 422 if number == 2 else 200
    ordered(store, relay, 3)
    with running(notifier):
        wait_for(lambda: states(store) == {"refused": 1, "sent": 2})
    status = notification_status(store.connection)
    assert status.problems == ["1 pushes were refused or could not be made within the last 24 hours"]
    assert "answers 422" in (status.unsent[0].error or "") and len(phone.requests) == 3


def test_history_and_what_is_too_late_is_told_nobody(
    store: Store, relay: Relay, kafka: KafkaAddress, phone: PushService, notifier: Notifier[Order]
) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    for command in CART:
        handle(store, ORDER, UUID(int=1), command, metadata(occurred_at=yesterday))
    ordered(store, relay)
    messages = messages_of(kafka)
    hurried = Notifier(
        store.connection, kafka, TOPIC_PARTITIONS, ORDER_NOTIFICATIONS, LogGateway(), timedelta(microseconds=1)
    )
    assert hurried.deliver(messages, Stop()) == (len(messages), "")
    # The imported order leaves no trace; of the other it is noted that it was too late, also for who comes later.
    assert states(store) == {"expired": 1}
    assert notifier.deliver(messages, Stop()) == (len(messages), "")
    assert [body["data"]["aggregate_id"] for _, body, _ in phone.requests] != [str(UUID(int=1))]


def test_a_push_that_was_tried_until_too_late_is_given_up(
    store: Store, relay: Relay, kafka: KafkaAddress, phone: PushService, notifier: Notifier[Order]
) -> None:
    ordered(store, relay)
    messages = messages_of(kafka)
    phone.answer = lambda number: 500
    done, problem = notifier.deliver(messages, Stop())
    assert done < len(messages) and "answers 500" in problem and states(store) == {"sending": 1}
    hurried = Notifier(
        store.connection, kafka, TOPIC_PARTITIONS, ORDER_NOTIFICATIONS, LogGateway(), timedelta(microseconds=1)
    )
    hurried.deliver(messages, Stop())
    assert states(store) == {"expired": 1}


def test_a_notice_that_cannot_be_made_is_noted_and_the_others_are_sent(
    store: Store, relay: Relay, kafka: KafkaAddress, phone: PushService
) -> None:
    first, _ = ordered(store, relay, 2)

    def notices(order: Order, recorded: Recorded) -> list[Notice]:
        return [Notice("me", "x", str({first: "unused"}[UUID(int=0)] if recorded.aggregate_id == first else "y"))]

    broken = replace(ORDER_NOTIFICATIONS, notices=notices)
    made = Notifier(store.connection, kafka, TOPIC_PARTITIONS, broken, HttpGateway(phone.url))
    messages = messages_of(kafka)
    assert made.deliver(messages, Stop()) == (len(messages), "")
    assert states(store) == {"failed": 1, "sent": 1}
    (unsent,) = notification_status(store.connection).unsent
    assert (unsent.aggregate_id, unsent.recipient) == (
        first,
        "",
    ) and "its notice cannot be made: KeyError" in unsent.error


def test_events_of_old_shapes_and_without_a_customer(
    store: Store, relay: Relay, kafka: KafkaAddress, phone: PushService, notifier: Notifier[Order]
) -> None:
    order_id = uuid4()
    execute(store, order_id, PlaceOrder(USER, "EUR"), AddItem("LAMP-7", 1, 4999, "me"), SubmitOrder())
    execute(store, order_id, DeclinePayment("p1", "card", 4999), AuthorizePayment("p2", "card", 4999))
    store.connection.execute(
        "WITH appended AS (INSERT INTO event_store (aggregate_id, aggregate_type, event_type, schema_version, event_data, "
        "metadata, version) SELECT aggregate_id, aggregate_type, 'OrderCancelled', 1, '{}', metadata, 6 "
        "FROM event_store WHERE version = 1 RETURNING *) INSERT INTO outbox (event_id, aggregate_id, aggregate_type, "
        "event_type, event_data, metadata, version, schema_version, position, created_at) SELECT event_id, aggregate_id, "
        "aggregate_type, event_type, event_data, metadata, version, schema_version, position, created_at FROM appended"
    )
    relay.publish_batch()
    messages = messages_of(kafka)
    assert notifier.deliver(messages, Stop()) == (len(messages), "")
    titles = [body["title"] for _, body, _ in phone.requests]
    assert titles == ["Thank you for your order", "Your payment was declined", "Cancelled"]
    assert phone.requests[1][1]["body"].startswith("49.99 EUR for your order")


def a_push() -> Push:
    return Push(uuid4(), Notice("me", "Hello", "world"), "order", uuid4(), 1, "OrderPlaced")


@pytest.mark.parametrize("status", [301, 401, 404, 408, 409, 429, 500, 503])
def test_what_may_pass_is_no_refusal(phone: PushService, status: int) -> None:
    phone.answer = lambda number: status
    with pytest.raises(PushServiceUnavailable, match=f"127.0.0.1 answers {status}"):
        HttpGateway(phone.url).send(a_push())


@pytest.mark.parametrize("status", [400, 410, 413, 422])
def test_what_says_something_of_this_push_is_one(phone: PushService, status: int) -> None:
    phone.answer = lambda number: status
    with pytest.raises(PushRefused, match=f"answers {status}"):
        HttpGateway(phone.url).send(a_push())


def test_a_service_that_does_not_answer_in_time_is_not_waited_for(phone: PushService) -> None:
    phone.answer = lambda number: time.sleep(1) or 200
    with pytest.raises(PushServiceUnavailable, match="does not answer: ReadTimeout"):
        HttpGateway(phone.url, timeout_s=0.2).send(a_push())


def test_a_service_that_is_down_is_left_alone_for_a_while(phone: PushService) -> None:
    phone.answer = lambda number: 500
    delivery, push = Delivery(HttpGateway(phone.url), rest_s=0.3), a_push()
    for _ in range(3):
        with pytest.raises(PushServiceUnavailable):
            delivery.send(push, Stop())
    assert len(phone.requests) == FAILURES and delivery.resting
    phone.answer = lambda number: 422
    time.sleep(0.4)
    with pytest.raises(PushRefused):  # it is back: what it refuses, it has heard
        delivery.send(push, Stop())
    assert not delivery.resting


def test_a_stop_is_not_kept_waiting_by_attempts(phone: PushService) -> None:
    phone.answer = lambda number: 500
    stop = Stop()
    stop.set()
    with pytest.raises(PushServiceUnavailable):
        Delivery(HttpGateway(phone.url)).send(a_push(), stop)
    assert len(phone.requests) == 1


def test_every_template_can_be_filled_from_its_event() -> None:
    examples = {type(event): event for event in ORDER.examples}
    order = Order(user_id=USER, currency="EUR")
    for kind in TEMPLATES:
        recorded = Recorded(uuid4(), uuid4(), "order", 1, 1, datetime.now(UTC), examples[kind], metadata())
        (notice,) = ORDER_NOTIFICATIONS.notices(order, recorded)
        assert notice.recipient == str(USER) and notice.title and notice.body and "{" not in notice.body
        assert not ORDER_NOTIFICATIONS.notices(Order(), recorded)


def test_the_status_says_how_pushes_fare(
    store: Store, relay: Relay, phone: PushService, eventlib_environment: dict[str, str]
) -> None:
    assert "none yet" in eventlib(eventlib_environment, "notifications", "status").stdout
    phone.answer = lambda number: 410 if number == 1 else 200
    ordered(store, relay, 2)
    with background({**eventlib_environment, "EVENTLIB_PUSH_URL": phone.url}, "run", "all"):
        wait_for(lambda: states(store) == {"refused": 1, "sent": 1})
    shown = eventlib(eventlib_environment, "notifications", "status")
    assert shown.returncode == 1 and "1 refused, 1 sent" in shown.stdout and "410" in shown.stdout
    as_json = eventlib(eventlib_environment, "notifications", "status", "--json")
    assert '"refused":1' in as_json.stdout.replace(" ", "") and as_json.returncode == 1
