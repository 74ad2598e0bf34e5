"""Histories that nobody would think of: append, race, crash, repeat, snapshot, damage, load, as of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from eventlib.aggregate import Aggregate
from eventlib.orders import ORDER
from eventlib.orders import commands as c
from eventlib.store.event_store import Store
from eventlib.testing import check_aggregate, store_machine
from eventlib.testing.account import ACCOUNT, Deposited, Opened
from tests.orders import USER

SKUS = st.sampled_from(["A", "B"])

ORDER_COMMANDS = st.one_of(
    st.builds(c.AddItem, SKUS, st.integers(1, 3), st.just(100), st.just("me")),
    st.builds(c.RemoveItem, SKUS, st.just("me")),
    st.builds(c.SetShippingCost, st.sampled_from([0, 490])),
    st.just(c.PlaceOrder(USER, "EUR")),
    st.just(c.SubmitOrder()),
    st.just(c.CancelOrder("me")),
)


@pytest.mark.parametrize(
    ("aggregate", "commands"),
    [(ORDER, ORDER_COMMANDS), (ACCOUNT, st.builds(Opened, st.just("Ada")) | st.builds(Deposited, st.integers(1, 9)))],
    ids=["order", "account"],
)
def test_whatever_happens_the_store_is_the_list_of_acknowledged_events(
    database_url: str, aggregate: Aggregate[Any, Any], commands: st.SearchStrategy[Any]
) -> None:
    run_state_machine_as_test(store_machine(lambda: Store.open(database_url), aggregate, commands))


@pytest.mark.parametrize("aggregate", [ORDER, ACCOUNT], ids=["order", "account"])
def test_the_aggregate_holds_to_what_every_aggregate_has_to(aggregate: Aggregate[Any, Any]) -> None:
    check_aggregate(aggregate)
