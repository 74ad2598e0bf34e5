"""Orders for the tests: commands with metadata, and a history worth looking at."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from eventlib.codec import encode_metadata
from eventlib.events import Metadata, Stored
from eventlib.orders import ORDER
from eventlib.orders.commands import AddItem, Command, PlaceOrder, RemoveItem, SetShippingCost, SubmitOrder
from eventlib.store.event_store import Store
from eventlib.store.handle import Outcome, handle

USER = UUID("7f3c0000-0000-4000-8000-000000000001")

CART: list[Command] = [
    PlaceOrder(USER, "EUR"),
    AddItem("WIDGET-42", 2, 1499, "customer 7f3c"),
    AddItem("LAMP-7", 1, 4999, "customer 7f3c"),
    RemoveItem("LAMP-7", "customer 7f3c"),
    SetShippingCost(490),
    SubmitOrder(),
]


def metadata(**given: Any) -> Metadata:
    """Metadata of a new command, unless `given` says otherwise."""
    command_id = given.pop("command_id", None) or uuid4()
    return Metadata(**{"command_id": command_id, "correlation_id": command_id, "actor": "customer 7f3c", **given})


def stored_event(
    event_type: str, schema_version: int, data: str, version: int = 1, about: str | Metadata | None = None
) -> Stored:
    """An event of an order as the log would hold it; with metadata of its own unless `about` has some."""
    if not isinstance(about, str):
        about = encode_metadata(about or metadata()).decode()
    at = datetime(2025, 3, 1, 12, tzinfo=UTC)
    return Stored(uuid4(), USER, "order", event_type, schema_version, data, about, version, version * 10, at)


def execute(store: Store, order_id: UUID, *commands: Command) -> list[Outcome]:
    """Execute commands on one order, each with metadata of its own."""
    return [handle(store, ORDER, order_id, command, metadata()) for command in commands]
