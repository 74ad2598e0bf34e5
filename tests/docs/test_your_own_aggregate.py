"""The page on an aggregate of one's own: its code is run as it stands there, and everything else takes that aggregate."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from uuid import uuid4

import pytest
from confluent_kafka import Consumer
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from eventlib.outbox.relay import Relay
from eventlib.store.bulk_load import Stream, bulk_load
from eventlib.store.event_store import Store
from eventlib.store.global_read import read_all
from eventlib.store.handle import handle
from eventlib.store.readability import check_readability
from eventlib.store.snapshotter import Snapshotter
from eventlib.streaming.clients import KafkaAddress
from eventlib.testing import store_machine
from tests.conftest import TOPIC_PARTITIONS
from tests.orders import metadata

PAGE = Path(__file__).parents[2] / "docs" / "your-own-aggregate.md"
FILES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A folder with the files that the reader has written."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def gift_cards(written: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(written)
    yield importlib.import_module("gift_cards")
    del sys.modules["gift_cards"]


def test_the_reader_writes_less_than_60_lines() -> None:
    assert len(FILES) == 3
    assert sum(bool(line.strip()) for text in FILES.values() for line in text.splitlines()) < 60


def test_it_works_as_the_page_says(written: Path, eventlib_environment: dict[str, str]) -> None:
    used = subprocess.run(
        [sys.executable, "use_gift_cards.py"],
        cwd=written,
        env=eventlib_environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert used.returncode == 0, used.stderr
    assert used.stdout == "Loaded(state=GiftCard(issued=True, left=3000), version=2)\n[Issued(cents=5000)]\n"


def test_its_tests_pass(written: Path) -> None:
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=written,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0 and "3 passed" in tested.stdout, tested.stdout


def test_whatever_happens_to_a_card_the_store_is_right(gift_cards: ModuleType, database_url: str) -> None:
    cents = st.integers(1, 900)
    commands = st.builds(gift_cards.Issue, cents) | st.builds(gift_cards.Redeem, cents)
    run_state_machine_as_test(store_machine(lambda: Store.open(database_url), gift_cards.GIFT_CARD, commands))


def test_the_rest_of_eventlib_takes_it(gift_cards: ModuleType, store: Store, kafka: KafkaAddress) -> None:
    card, card_id, loaded_id = gift_cards.GIFT_CARD, uuid4(), uuid4()
    handle(store, card, card_id, gift_cards.Issue(5000), metadata())
    issued = [gift_cards.Issued(100), *[gift_cards.Redeemed(1)] * 59]
    bulk_load(store.connection, card, [Stream(loaded_id, 0, issued, metadata())], publish=True)
    pages = list(read_all(store.connection, aggregate_types=["gift_card"]))
    events = [stored for page in pages for stored in page.events]
    assert Snapshotter(store.connection, [card]).take_due(events) == 1
    assert store.load(card, loaded_id).state.left == 41
    assert check_readability(store.connection, [card]).readable == len(events) == 61
    assert Relay(store.connection, kafka, TOPIC_PARTITIONS).publish_batch() == 61
    reader = Consumer({**kafka.configuration(), "group.id": uuid4().hex, "auto.offset.reset": "earliest"})
    reader.subscribe(["gift_card.events"])
    received = [message for message in reader.consume(61, timeout=30) if message.error() is None]
    reader.close()
    assert {message.key() for message in received} == {str(card_id).encode(), str(loaded_id).encode()}
