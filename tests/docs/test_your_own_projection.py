"""The page on a projection of one's own: its code is run as it stands there, from the log through Kafka to its table."""

from __future__ import annotations

import importlib
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from uuid import uuid4

import pytest

from eventlib.outbox.relay import Relay
from eventlib.projections.projectors import run_projectors
from eventlib.projections.rebuild import rebuild
from eventlib.projections.reconcile import verify
from eventlib.projections.tables import ensure_tables
from eventlib.stopping import Stop
from eventlib.store.connection import connect
from eventlib.store.event_store import Store
from eventlib.store.handle import handle
from eventlib.streaming.clients import KafkaAddress
from tests.conftest import TOPIC_PARTITIONS
from tests.orders import metadata
from tests.waiting import wait_for

DOCS = Path(__file__).parents[2] / "docs"
FENCED = r"```python\n# (\w+\.py)\n(.*?)```"
AGGREGATE = dict(re.findall(FENCED, (DOCS / "your-own-aggregate.md").read_text(encoding="utf-8"), re.DOTALL))
PAGE = dict(re.findall(FENCED, (DOCS / "your-own-projection.md").read_text(encoding="utf-8"), re.DOTALL))


@pytest.fixture
def card_turnover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    for name, text in {**AGGREGATE, **PAGE}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("card_turnover")
    del sys.modules["card_turnover"], sys.modules["gift_cards"]


def test_the_reader_writes_less_than_40_lines() -> None:
    assert sum(bool(line.strip()) for text in PAGE.values() for line in text.splitlines()) < 40


def test_it_works_as_the_page_says(
    card_turnover: ModuleType, store: Store, database_url: str, kafka: KafkaAddress
) -> None:
    projection, card, card_id = card_turnover.CARD_TURNOVER, card_turnover.GIFT_CARD, uuid4()
    cards = importlib.import_module("gift_cards")
    assert ensure_tables(store.connection, [projection]) == ["card_turnover"]
    assert ensure_tables(store.connection, [projection]) == []
    for command in (cards.Issue(5000), cards.Redeem(2000), cards.Redeem(500)):
        handle(store, card, card_id, command, metadata())
    with connect(database_url) as connection:
        Relay(connection, kafka, TOPIC_PARTITIONS).publish_batch()
    stop = Stop()
    worker = threading.Thread(target=run_projectors, args=(database_url, kafka, TOPIC_PARTITIONS, [projection], stop))
    worker.start()
    try:
        wait_for(lambda: verify(store, projection).equal == 1)
    finally:
        stop.set()
        worker.join(20)
    row = "SELECT issued_cents, redeemed_cents, last_event_version, last_at IS NOT NULL FROM card_turnover"
    assert store.connection.execute(row).fetchall() == [(5000, 2500, 3, True)]
    store.connection.execute("UPDATE card_turnover SET issued_cents = 1")
    assert len(verify(store, projection).differing) == 1
    assert rebuild(database_url, projection).rows == verify(store, projection).equal == 1
