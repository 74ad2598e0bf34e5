"""The command line as its users meet it: what it prints, and an exit code that tells the truth."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from uuid import uuid4

import pytest
from psycopg.conninfo import conninfo_to_dict

from eventlib import __version__
from eventlib.store.event_store import Store
from eventlib.store.scratch_database import scratch_database
from tests.orders import CART, execute
from tests.processes import background, eventlib
from tests.waiting import wait_for


def test_status_of_a_healthy_system(store: Store, eventlib_environment: dict[str, str], database_url: str) -> None:
    execute(store, uuid4(), *CART)
    done = eventlib(eventlib_environment, "status", "--json")
    assert done.returncode == 0, done.stderr
    status = json.loads(done.stdout)
    assert conninfo_to_dict(status["database_url"]) == conninfo_to_dict(database_url)
    assert status["kafka_bootstrap"] == eventlib_environment["EVENTLIB_KAFKA_BOOTSTRAP"]
    assert {part["name"]: part["health"] for part in status["parts"]} == {
        "postgres": "healthy",
        "kafka": "healthy",
        "schema": "healthy",
    }
    assert status["backlog"]["unpublished"] == len(CART)


def test_status_of_a_system_that_is_down(eventlib_environment: dict[str, str]) -> None:
    down = {
        **eventlib_environment,
        "EVENTLIB_DATABASE_URL": "postgresql://me:hunter2@127.0.0.1:1/x",
        "EVENTLIB_KAFKA_BOOTSTRAP": "127.0.0.1:1",
    }
    done = eventlib(down, "status", "--json", timeout_s=30)
    assert done.returncode == 1
    assert "hunter2" not in done.stdout + done.stderr
    assert {part["health"] for part in json.loads(done.stdout)["parts"]} <= {"broken", "stopped"}


def test_a_database_without_the_schema_is_said(empty_database_url: str, eventlib_environment: dict[str, str]) -> None:
    bare = {**eventlib_environment, "EVENTLIB_DATABASE_URL": empty_database_url}
    for command in (("projections", "verify"), ("simulate",), ("run", "relay")):
        done = eventlib(bare, *command)
        assert done.returncode == 1 and "run `eventlib init`" in done.stderr, done.stderr
    assert "run `eventlib init`" in eventlib(bare, "status").stdout


def test_init_is_idempotent_and_keeps_the_number_of_partitions(
    empty_database_url: str, eventlib_environment: dict[str, str]
) -> None:
    bare = {**eventlib_environment, "EVENTLIB_DATABASE_URL": empty_database_url}
    assert "applied 0001_event_store" in eventlib(bare, "init", "--partitions", "2").stderr
    again = eventlib(bare, "init", "--partitions", "2")
    assert again.returncode == 0 and "applied" not in again.stderr
    other = eventlib(bare, "init", "--partitions", "4")
    assert other.returncode == 1 and "event_store has 2 partitions, for ever" in other.stderr


def test_simulating_twice_adds_nothing(eventlib_environment: dict[str, str], store: Store) -> None:
    arguments = ("simulate", "--orders", "20", "--hot-orders", "1", "--hot-events", "60", "--json")
    first, second = (eventlib(eventlib_environment, *arguments) for _ in range(2))
    assert first.returncode == second.returncode == 0
    assert json.loads(first.stdout)["events"] > 100 and json.loads(second.stdout)["events"] == 0
    assert json.loads(first.stdout)["interesting_order_id"] == json.loads(second.stdout)["interesting_order_id"]


def test_the_read_model_is_verified_with_a_true_exit_code(store: Store, eventlib_environment: dict[str, str]) -> None:
    order_id = uuid4()
    execute(store, order_id, *CART[:-1])
    not_covered = eventlib(eventlib_environment, "projections", "verify", "--json")
    assert (not_covered.returncode, json.loads(not_covered.stdout)["missing"]) == (3, 1)
    assert eventlib(eventlib_environment, "run", "all", "--until-caught-up").returncode == 0
    execute(store, order_id, CART[-1])
    behind = eventlib(eventlib_environment, "projections", "verify", "--json")
    assert (behind.returncode, json.loads(behind.stdout)["behind"]) == (3, 1)
    assert eventlib(eventlib_environment, "run", "all", "--until-caught-up").returncode == 0
    verified = eventlib(eventlib_environment, "projections", "verify")
    assert verified.returncode == 0 and "1 of 1 orders are what the log says" in verified.stdout
    store.connection.execute("UPDATE order_projections SET status = 'paid'")
    failed = eventlib(eventlib_environment, "projections", "verify")
    assert failed.returncode == 1 and "status: the log says submitted, the row paid" in failed.stderr


@pytest.mark.parametrize(
    ("variables", "arguments", "code", "said"),
    [
        ({"EVENTLIB_DATABASE_URI": "x"}, ("status",), 1, "did you mean EVENTLIB_DATABASE_URL"),
        ({}, ("import", "olist", "/nowhere"), 1, "/nowhere"),
        ({}, ("simulate", "--orders", "-1"), 2, "--orders"),
        ({}, ("simulate", "--hot-events", "3"), 2, "--hot-events"),
        ({}, ("fly",), 2, "No such command"),
        ({"EVENTLIB_KAFKA_OPTIONS": '{"foo": "bar"}'}, ("status",), 1, 'No such configuration property: "foo"'),
        (
            {"EVENTLIB_KAFKA_OPTIONS": '{"max.in.flight.requests.per.connection": "10"}'},
            ("run", "relay"),
            1,
            "EVENTLIB_KAFKA_OPTIONS: librdkafka refuses them",
        ),
        ({"EVENTLIB_DATABASE_URL": "postgresql://127.0.0.1:1/[/red]"}, ("projections", "verify"), 1, "[/red]"),
    ],
)
def test_wrong_input_is_refused_with_a_reason_and_no_traceback(
    variables: dict[str, str], arguments: tuple[str, ...], code: int, said: str, eventlib_environment: dict[str, str]
) -> None:
    done = eventlib({**eventlib_environment, **variables}, *arguments)
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (code, True, False), done.stderr


def test_what_only_reads_the_log_needs_no_kafka(store: Store, eventlib_environment: dict[str, str]) -> None:
    execute(store, uuid4(), *CART)
    without = {**eventlib_environment, "EVENTLIB_KAFKA_BOOTSTRAP": "127.0.0.1:1"}
    assert eventlib(without, "projections", "verify").returncode == 3


def test_a_scratch_database_is_gone_afterwards_whatever_happens(database_url: str, store: Store) -> None:
    with pytest.raises(RuntimeError, match="in between"), scratch_database(database_url, 2):
        raise RuntimeError("in between")
    names = "SELECT count(*) FROM pg_database WHERE datname LIKE 'eventlib_scratch_%' AND datname <> current_database()"
    assert store.connection.execute(names).fetchall() == [(0,)]


def test_what_a_file_says_is_printed_as_it_is(eventlib_environment: dict[str, str], tmp_path: Path) -> None:
    header = "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,order_delivered_carrier_date"
    times = "order_delivered_customer_date,order_estimated_delivery_date"
    orders = f"{header},{times}\n{'a' * 32},{'b' * 32},[/red],2017-01-01 00:00:00,,,,\n"
    (tmp_path / "olist_orders_dataset.csv").write_text(orders)
    items = "order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,freight_value\n"
    (tmp_path / "olist_order_items_dataset.csv").write_text(items)
    payments = "order_id,payment_sequential,payment_type,payment_installments,payment_value\n"
    (tmp_path / "olist_order_payments_dataset.csv").write_text(payments)
    header = "customer_id,customer_unique_id,customer_zip_code_prefix,customer_city,customer_state"
    customers = f"{header}\n{'b' * 32},{'c' * 32},1,x,SP\n"
    (tmp_path / "olist_customers_dataset.csv").write_text(customers)
    done = eventlib(eventlib_environment, "import", "olist", str(tmp_path))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "[/red]" in done.stdout and "1 refused" in done.stdout


def test_the_version_is_told() -> None:
    assert eventlib(dict(os.environ), "--version").stdout == f"eventlib {__version__}\n"


def test_a_benchmark_that_is_terminated_leaves_no_database(store: Store, eventlib_environment: dict[str, str]) -> None:
    names = "SELECT count(*) FROM pg_database WHERE datname LIKE 'eventlib_scratch_%' AND datname <> current_database()"
    with background(eventlib_environment, "bench", "append", "--rounds", "1000") as running:
        wait_for(lambda: store.connection.execute(names).fetchall() == [(1,)])
        running.terminate()
        assert running.wait(20) == 128 + signal.SIGTERM
    assert store.connection.execute(names).fetchall() == [(0,)]


def test_a_reason_that_is_no_text_is_refused_with_words(database_url: str) -> None:
    environment = {**os.environ, "EVENTLIB_DATABASE_URL": database_url}
    done = eventlib(environment, "outbox", "park", str(uuid4()), "--reason", os.fsdecode(b"caf\xe9"))
    assert done.returncode == 1 and "--reason is not valid UTF-8" in done.stderr and "Traceback" not in done.stderr
