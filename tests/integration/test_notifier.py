"""The notifier: from Kafka to a real HTTP service, at most once for each event and recipient."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from confluent_kafka import Message

from eventlib.events import Event, Recorded
from eventlib.notification import Notice
from eventlib.notifications.delivery import FAILURES
from eventlib.notifications.gateways import HttpGateway, LogGateway
from eventlib.notifications.notifier import ROUNDS, Notifier
from eventlib.notifications.status import notification_status
from eventlib.orders import ORDER
from eventlib.orders.commands import AddItem, AuthorizePayment, CancelOrder, DeclinePayment, PlaceOrder, SubmitOrder
from eventlib.orders.notifications import ORDER_NOTIFICATIONS, TEMPLATES
from eventlib.orders.order import Order
from eventlib.outbox.relay import Relay
from eventlib.stopping import Stop
from eventlib.store.connection import connect
from eventlib.store.event_store import Store
from eventlib.store.handle import handle
from eventlib.store.log_identity import log_id
from eventlib.streaming.clients import KafkaAddress, producer, reach
from eventlib.streaming.messages import outgoing_message
from eventlib.streaming.topics import ensure_topic
from tests.conftest import TOPIC_PARTITIONS
from tests.messages import TOPIC, messages_of
from tests.orders import CART, USER, execute, metadata
from tests.processes import background, eventlib, on_terminal
from tests.push_service import PushService
from tests.running import running
from tests.waiting import wait_for

OTHER_USER = UUID("7f3c0000-0000-4000-8000-000000000002")
BAD_USER = UUID("7f3c0000-0000-4000-8000-00000000dead")

OUTBOX_ROW = """
    SELECT event_id::text, aggregate_id::text, aggregate_type, event_type, schema_version, event_data::text, metadata::text,
           version, position, ce_time
    FROM outbox WHERE aggregate_id = %s AND version = %s"""


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


def order_of(store: Store, user: UUID) -> UUID:
    """A new order of somebody, submitted."""
    order_id = uuid4()
    execute(store, order_id, PlaceOrder(user, "EUR"), AddItem("LAMP-7", 1, 4999, "me"), SubmitOrder())
    return order_id


def states(store: Store) -> dict[str, int]:
    return notification_status(store.connection).states


def due_now(store: Store) -> None:
    """What waits need wait no longer."""
    store.connection.execute("UPDATE notifications SET due_at = clock_timestamp() WHERE state = 'sending'")


def take(notifier: Notifier[Order], messages: Sequence[Message]) -> None:
    """One round: note what is to be told, and send what is due."""
    notifier.note(messages)
    notifier.send(Stop())


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
        take(notifier, messages_of(kafka))
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
    environment = {**eventlib_environment, "EVENTLIB_PUSH_URL": phone.url, "EVENTLIB_PUSH_TIMEOUT_S": "0.5"}
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
    notifier._delivery._rest_s = 0.5
    ordered(store, relay, FAILURES + 2)
    with running(notifier):
        wait_for(lambda: states(store) == {"sent": FAILURES + 2})
    assert len(phone.delivered) == FAILURES + 2 and len(phone.requests) == 2 * FAILURES + 2


@pytest.mark.parametrize("status", [404, 410, 422])
def test_one_that_is_refused_is_noted_and_the_others_are_sent(
    store: Store, relay: Relay, phone: PushService, notifier: Notifier[Order], status: int
) -> None:
    phone.answer_to = {str(BAD_USER): status}.get
    for user in (USER, BAD_USER, OTHER_USER):
        order_of(store, user)
    relay.publish_batch()
    with running(notifier):
        wait_for(lambda: states(store) == {"refused": 1, "sent": 2})
    found = notification_status(store.connection)
    assert found.problems == ["1 push was refused by the push service within the last 24 hours"]
    assert f"answers {status}" in (found.unsent[0].error or "")
    assert sorted(phone.recipients) == sorted(map(str, (USER, BAD_USER, OTHER_USER)))


def test_one_that_is_not_taken_delays_nobody_else_and_nothing_of_its_order_overtakes_it(
    store: Store, relay: Relay, kafka: KafkaAddress, phone: PushService, notifier: Notifier[Order]
) -> None:
    phone.answer_to = {str(BAD_USER): 500}.get
    bad = order_of(store, BAD_USER)
    execute(store, bad, CancelOrder("customer 7f3c"))
    for _ in range(FAILURES + 1):
        order_of(store, USER)
    relay.publish_batch()
    take(notifier, messages_of(kafka))
    assert states(store) == {"sending": 2, "sent": FAILURES + 1}
    for _ in range(FAILURES + 1):
        due_now(store)
        notifier.send(Stop())
    # However often it fails: it says nothing of the service as a whole.
    assert not notifier._delivery.resting and Counter(phone.recipients)[str(BAD_USER)] == FAILURES + 2
    assert {body["title"] for _, body, _ in phone.requests} == {"Thank you for your order"}
    # The offsets went on meanwhile: who comes next knows it from the table, and uses the same key.
    phone.answer_to = lambda recipient: None
    due_now(store)
    later = Notifier(store.connection, kafka, TOPIC_PARTITIONS, ORDER_NOTIFICATIONS, HttpGateway(phone.url))
    later.send(Stop())
    assert [body["title"] for _, body, _ in phone.requests[-2:]] == ["Thank you for your order", "Cancelled"]
    assert phone.by_key[phone.requests[-2][0]] == FAILURES + 3 and states(store) == {"sent": FAILURES + 3}


def test_a_notifier_that_was_away_for_too_long_joins_again(
    store: Store, relay: Relay, kafka: KafkaAddress, phone: PushService
) -> None:
    hurried = KafkaAddress(kafka.bootstrap, {"max.poll.interval.ms": "6000"})
    notifier = Notifier(store.connection, hurried, TOPIC_PARTITIONS, ORDER_NOTIFICATIONS, HttpGateway(phone.url))
    phone.answer = lambda number: 200
    send, slept = notifier.send, threading.Event()

    def slow(stop: Stop) -> None:
        if phone.requests and not slept.is_set():
            time.sleep(8)
            slept.set()
        send(stop)

    notifier.send = slow
    ordered(store, relay)
    with running(notifier):
        wait_for(slept.is_set)
        ordered(store, relay)
        wait_for(lambda: states(store) == {"sent": 2})


def test_one_that_is_taken_by_a_notifier_is_not_sent_by_another(
    store: Store, relay: Relay, kafka: KafkaAddress, phone: PushService, notifier: Notifier[Order]
) -> None:
    ordered(store, relay)
    other = Notifier(store.connection, kafka, TOPIC_PARTITIONS, ORDER_NOTIFICATIONS, HttpGateway(phone.url))
    phone.answer = lambda number: other.send(Stop()) or 200
    with connect(store.connection.info.dsn) as connection:
        other._connection, other._store = connection, Store(connection)
        take(notifier, messages_of(kafka))
    assert len(phone.requests) == 1 and states(store) == {"sent": 1}


def test_the_service_says_how_long_a_push_waits(
    store: Store, relay: Relay, kafka: KafkaAddress, phone: PushService, notifier: Notifier[Order]
) -> None:
    ordered(store, relay)
    phone.answer, phone.headers = (lambda number: 429), {"Retry-After": "120"}
    take(notifier, messages_of(kafka))
    waits = "SELECT extract(epoch FROM due_at - clock_timestamp())::float FROM notifications"
    assert 100 < store.connection.execute(waits).fetchall()[0][0] <= 120
    phone.headers = {"Retry-After": "99999999"}
    due_now(store)
    notifier.send(Stop())
    assert 200 < store.connection.execute(waits).fetchall()[0][0] <= 300


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
    take(hurried, messages)
    # The imported order leaves no trace; of the other it is noted that it was too late, also for who comes later.
    assert states(store) == {"expired": 1}
    take(notifier, messages)
    (timely,) = ordered(store, relay)
    take(notifier, messages_of(kafka))
    assert [body["data"]["aggregate_id"] for _, body, _ in phone.requests] == [str(timely)]
    assert notification_status(store.connection).problems == ["1 push was too late to be sent within the last 24 hours"]


def test_a_push_that_was_tried_until_too_late_is_given_up(
    store: Store, relay: Relay, kafka: KafkaAddress, phone: PushService, notifier: Notifier[Order]
) -> None:
    ordered(store, relay)
    phone.answer = lambda number: 500
    take(notifier, messages_of(kafka))
    assert states(store) == {"sending": 1}
    due_now(store)
    notifier._within = timedelta(microseconds=1)
    notifier.send(Stop())
    assert states(store) == {"expired": 1} and len(phone.requests) == 1
    (unsent,) = notification_status(store.connection).unsent
    assert "answers 500" in (unsent.error or "")


def test_a_push_that_was_tried_often_enough_is_given_up(
    store: Store, relay: Relay, kafka: KafkaAddress, phone: PushService, notifier: Notifier[Order]
) -> None:
    ordered(store, relay)
    phone.answer = lambda number: 500
    take(notifier, messages_of(kafka))
    for _ in range(ROUNDS + 1):
        due_now(store)
        notifier.send(Stop())
    assert states(store) == {"failed": 1} and len(phone.requests) == ROUNDS
    (unsent,) = notification_status(store.connection).unsent
    assert f"given up after {ROUNDS} rounds" in (unsent.error or "") and "answers 500" in (unsent.error or "")


def test_pushes_are_forgotten_in_time(
    store: Store, relay: Relay, phone: PushService, notifier: Notifier[Order]
) -> None:
    ordered(store, relay, 2)
    with running(notifier):
        wait_for(lambda: states(store) == {"sent": 2})
    old = "UPDATE notifications SET noted_at = noted_at - interval '31 days' WHERE aggregate_id = %s"
    store.connection.execute(old, [phone.requests[0][1]["data"]["aggregate_id"]])
    with running(notifier):  # it looks once an hour
        time.sleep(0.5)
    assert states(store) == {"sent": 2}
    notifier._forget_at = 0.0
    with running(notifier):
        wait_for(lambda: states(store) == {"sent": 1})


@pytest.mark.parametrize("body", [b"not\x00here", bytes(range(256)), "\ud800".encode(errors="surrogatepass")])
def test_whatever_a_service_says_can_be_kept(
    store: Store, relay: Relay, kafka: KafkaAddress, phone: PushService, notifier: Notifier[Order], body: bytes
) -> None:
    phone.bodies = lambda: iter([body])
    phone.answer = lambda number: 500 if number == 1 else 422
    ordered(store, relay, 2)
    take(notifier, messages_of(kafka))
    assert states(store) == {"sending": 1, "refused": 1}
    errors = [one.error or "" for one in notification_status(store.connection).unsent]
    assert all("answers" in error and error.isprintable() for error in errors)


def _raises(order: Order, recorded: Recorded) -> list[Notice]:
    raise KeyError("unused")


@pytest.mark.parametrize(
    ("notices", "why"),
    [
        (_raises, "its notice cannot be made: KeyError"),
        (lambda order, recorded: [Notice("m" * 257, "x", "y")], "a recipient of 257 characters"),
        (lambda order, recorded: [Notice("", "x", "y")], "a recipient of 0 characters"),
        (lambda order, recorded: [Notice("me\0", "x", "y")], "a NUL or a lone surrogate"),
        (lambda order, recorded: [Notice("me", "\ud800", "y")], "a NUL or a lone surrogate"),
    ],
)
def test_a_notice_that_cannot_be_made_is_noted_and_the_others_are_sent(
    store: Store,
    relay: Relay,
    kafka: KafkaAddress,
    phone: PushService,
    notices: Callable[[Order, Recorded], list[Notice]],
    why: str,
) -> None:
    first, _ = ordered(store, relay, 2)

    def some(order: Order, recorded: Recorded) -> list[Notice]:
        return notices(order, recorded) if recorded.aggregate_id == first else [Notice("me", "x", "y")]

    broken = replace(ORDER_NOTIFICATIONS, notices=some)
    take(Notifier(store.connection, kafka, TOPIC_PARTITIONS, broken, HttpGateway(phone.url)), messages_of(kafka))
    assert states(store) == {"failed": 1, "sent": 1}
    found = notification_status(store.connection)
    (unsent,) = found.unsent
    assert (unsent.aggregate_id, unsent.recipient) == (first, "") and why in (unsent.error or "")
    assert found.problems == ["1 push was given up, or could not be made, within the last 24 hours"]


def test_a_fold_that_fails_fails_its_own_pushes_only(
    store: Store, relay: Relay, kafka: KafkaAddress, phone: PushService
) -> None:
    order_of(store, BAD_USER)
    order_of(store, USER)
    relay.publish_batch()
    fails_at_sending = False

    def evolve(order: Order, event: Event) -> Order:
        if order.user_id == (USER if fails_at_sending else BAD_USER):
            raise ZeroDivisionError("in the fold")
        return ORDER.evolve(order, event)

    broken = replace(ORDER_NOTIFICATIONS, aggregate=replace(ORDER, evolve=evolve))
    notifier = Notifier(store.connection, kafka, TOPIC_PARTITIONS, broken, HttpGateway(phone.url))
    notifier.note(messages_of(kafka))
    assert states(store) == {"failed": 1, "sending": 1}
    fails_at_sending = True
    notifier.send(Stop())
    assert states(store) == {"failed": 2} and not phone.requests
    assert all("ZeroDivisionError" in (one.error or "") for one in notification_status(store.connection).unsent)


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
    take(notifier, messages_of(kafka))
    titles = [body["title"] for _, body, _ in phone.requests]
    assert titles == ["Thank you for your order", "Your payment was declined", "Cancelled"]
    assert phone.requests[1][1]["body"].startswith("49.99 EUR for your order")


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
    refused = str(notification_status(store.connection).unsent[0].aggregate_id)
    with on_terminal(eventlib_environment, "notifications", "status") as shown_narrow:
        wait_for(lambda: "1 push was refused" in shown_narrow())
        assert refused in shown_narrow()
    as_json = eventlib(eventlib_environment, "notifications", "status", "--json")
    assert '"refused":1' in as_json.stdout.replace(" ", "") and as_json.returncode == 1


def test_an_event_that_kafka_has_before_others_see_it_is_waited_for(
    store: Store, database_url: str, kafka: KafkaAddress, phone: PushService, notifier: Notifier[Order]
) -> None:
    order_id = uuid4()
    execute(store, order_id, *CART[:-1])
    ensure_topic(reach(kafka), TOPIC, TOPIC_PARTITIONS)
    with running(notifier):
        with Store.open(database_url) as writer, writer.connection.transaction():
            # As change data capture publishes it while the commit still waits for a synchronous standby.
            execute(writer, order_id, CART[-1])
            (row,) = writer.connection.execute(OUTBOX_ROW, [order_id, len(CART)]).fetchall()
            message = outgoing_message(log_id(store.connection), *row)
            sink = producer(kafka)
            sink.produce(message.topic, message.value, message.key, headers=message.headers)  # type: ignore[arg-type]
            sink.flush()
            time.sleep(0.5)  # in which the notifier finds it
        wait_for(lambda: phone.requests)
    assert states(store) == {"sent": 1}


def test_several_notifications_tell_the_same_people_of_the_same_events(
    store: Store, database_url: str, relay: Relay, kafka: KafkaAddress, phone: PushService, notifier: Notifier[Order]
) -> None:
    def notices(order: Order, recorded: Recorded) -> list[Notice]:
        return [Notice(str(order.user_id), "Your letter", "..."), Notice("warehouse", "Pack it", "...")]

    with connect(database_url) as connection:
        letters = replace(ORDER_NOTIFICATIONS, name="letters", notices=notices)
        other = Notifier(connection, kafka, TOPIC_PARTITIONS, letters, HttpGateway(phone.url))
        ordered(store, relay)
        for one in (notifier, other):
            one.note(messages_of(kafka))
        for one in (other, notifier):
            one.send(Stop())
    assert sorted(body["title"] for _, body, _ in phone.requests) == [
        "Pack it",
        "Thank you for your order",
        "Your letter",
    ]
    assert len(phone.delivered) == 3 and states(store) == {"sent": 3}
