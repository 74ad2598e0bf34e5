"""Verdicts, results and checks: never green by default."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import combinations_with_replacement
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from eventlib.audit.checks import check_complete, check_consistent, check_legal, offences
from eventlib.audit.digest import digest_of
from eventlib.events import Event, Recorded
from eventlib.orders import ORDER
from eventlib.orders import events as e
from eventlib.orders.order import Order
from eventlib.orders.remarks import remarks
from eventlib.orders.retelling import command_of
from eventlib.projections.reconcile import FieldComparison, Reconciliation
from eventlib.projections.staleness import Staleness
from eventlib.reporting.result import Result, Software
from eventlib.reporting.verdict import Check, Evidence, HandedOver, Outcome, Verdict, exit_code
from eventlib.reporting.verdict_box import summary, verdict_box
from eventlib.temporal.transitions import replay
from tests.orders import USER, metadata

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
EVIDENCE = Evidence("order 1", "now", 3, 30, "ab", {"order_id": "1"})
GOOD, BAD, OPEN = Outcome.VERIFIED, Outcome.FAILED, Outcome.NOT_COVERED


def verdict(*outcomes: Outcome) -> Verdict:
    return Verdict("Title", [Check("A check", outcome, "It was so.") for outcome in outcomes])


def recorded(*events: Event, **changed: Any) -> list[Recorded[Event]]:
    return [
        Recorded(uuid4(), UUID(int=1), "order", version, version * 10, NOON, event, metadata(**changed))
        for version, event in enumerate(events, 1)
    ]


@pytest.mark.parametrize("outcomes", [c for n in range(4) for c in combinations_with_replacement(Outcome, n)])
def test_the_worst_outcome_counts_and_nothing_is_not_good(outcomes: Sequence[Outcome]) -> None:
    overall = verdict(*outcomes).outcome
    if BAD in outcomes:
        assert overall is BAD
    elif not outcomes or OPEN in outcomes:
        assert overall is OPEN
    else:
        assert overall is GOOD


def test_limits_are_said_and_change_nothing() -> None:
    with_limits = Verdict("Title", verdict(GOOD).checks, ["The moon."])
    box = verdict_box(with_limits, EVIDENCE)
    assert with_limits.outcome is GOOD and "The moon." in box.html


def test_only_a_verified_report_exits_with_zero() -> None:
    assert {outcome: exit_code(outcome) for outcome in Outcome} == {GOOD: 0, BAD: 1, OPEN: 3}


def test_a_verdict_survives_being_handed_over() -> None:
    handed = HandedOver(verdict(GOOD, OPEN), EVIDENCE)
    read_back = HandedOver.from_json_object(handed.to_json_object())
    assert msgspec.json.encode(read_back) == msgspec.json.encode(handed)
    assert read_back.verdict.outcome is OPEN


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"verdict": "verified"},
        {"verdict": {"title": "x", "checks": [{"name": "a", "outcome": "green", "finding": "b"}]}},
        {"verdict": {"title": "x", "checks": []}, "evidence": {}, "outcome": "verified"},
    ],
)
def test_what_is_not_a_verdict_is_not_read_as_one(document: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        HandedOver.from_json_object(document)


def test_the_summary_counts() -> None:
    assert summary(verdict(GOOD, BAD, OPEN)) == "1 of 3 checks passed, 1 failed, 1 could not be made"
    assert summary(verdict()) == "nothing was checked"


def result(**changed: Any) -> Result:
    told: dict[str, Any] = {
        "report": "probe",
        "title": "A probe",
        "parameters": {},
        "started_at": NOON,
        "finished_at": NOON,
        "outcome": BAD,
        "exit_code": 1,
        "error": None,
        "verdict": verdict(BAD),
        "evidence": EVIDENCE,
        "software": Software("0", None, "3"),
    }
    return Result(**{**told, **changed})


@pytest.mark.parametrize(
    "lie",
    [
        {"exit_code": 0},
        {"outcome": GOOD, "exit_code": 0},
        {"verdict": None, "outcome": None, "exit_code": 2},
        {"verdict": None, "outcome": GOOD, "exit_code": 0, "error": "none"},
        {"error": "but it failed"},
        {"verdict": None, "outcome": None, "exit_code": 0, "error": "died"},
    ],
)
def test_a_result_that_contradicts_itself_is_neither_made_nor_read(lie: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="contradict"):
        result(**lie)
    document = {**msgspec.to_builtins(result()), **msgspec.to_builtins(lie)}
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(document), type=Result)


PLACED = e.OrderPlaced(USER, "EUR")
ADDED = e.OrderItemAdded("LAMP-7", 1, 4999, "x")


def test_complete() -> None:
    check = check_complete(recorded(PLACED, ADDED, e.OrderSubmitted(4999)))
    assert check == Check("Complete", GOOD, "Versions 1 to 3 are there: no gap, no duplicate, in the order of the log.")


def test_incomplete() -> None:
    events = recorded(PLACED, ADDED, ADDED, ADDED)
    assert check_complete(events[1:]).finding == "Version 1 is missing."
    assert check_complete([*events[:2], events[3]]).outcome is BAD
    assert check_complete([events[0], *events]).finding.startswith("Version 1 is there more than once; event id")
    backdated = msgspec.structs.replace(events[1], position=5)
    assert check_complete([events[0], backdated]).finding == "Version 2 stands before version 1 in the log."
    assert check_complete([events[0], *recorded(*[ADDED] * 40)[9:]]).finding == (
        "Version 2 is missing; version 3 is missing; version 4 is missing; and 5 more."
    )


def test_legal_decides_every_event_again() -> None:
    def check(*events: Event) -> Check:
        replayed = replay(ORDER, recorded(*events))
        return check_legal("order", replayed, offences(ORDER, replayed, command_of))

    assert check(PLACED, ADDED, e.OrderSubmitted(4999)).outcome is GOOD
    assert check(PLACED, ADDED, e.OrderSubmitted(4998)).finding.startswith("Event 3: the rules lead to OrderSubmitted")
    assert check(PLACED, e.OrderSubmitted(0)).finding == "Event 2: an empty cart cannot be submitted."
    assert check(PLACED, e.OrderDelivered()).finding.startswith("Event 2: the order cannot be delivered")
    assert check(PLACED, e.OrderShippingCostSet(0)).finding == "Event 2: the rules lead to no event there."
    assert check(PLACED, e.OrderItemQuantityChanged("GHOST", 1, "x")).finding == "Event 2: GHOST is not in the cart."


def test_legal_names_an_event_that_cannot_be_replayed() -> None:
    def brittle(order: Order, event: Event) -> Order:
        raise KeyError("GHOST")

    replayed = replay(dataclasses.replace(ORDER, evolve=brittle), recorded(PLACED))
    check = check_legal("order", replayed, offences(ORDER, replayed, command_of))
    assert check.outcome is BAD and "cannot be replayed" in check.finding


def reconciled(projected: int | None, *fields: FieldComparison, logged: int = 3) -> Reconciliation:
    return Reconciliation(UUID(int=1), logged, projected, NOON, fields)


def test_consistent() -> None:
    same, other = FieldComparison("status", "paid", "paid"), FieldComparison("total_cents", 1, 2)
    fresh = Staleness(0, 0.0)
    assert check_consistent("rows", reconciled(3, same), fresh).outcome is GOOD
    assert check_consistent("rows", reconciled(3, same, other), fresh).outcome is BAD
    assert check_consistent("rows", reconciled(4, same), fresh).outcome is BAD
    assert check_consistent("rows", reconciled(None), None).outcome is OPEN
    assert check_consistent("rows", None, None).outcome is OPEN
    behind = check_consistent("rows", reconciled(2, same), Staleness(1, 0.038))
    assert behind.outcome is GOOD
    assert behind.finding.endswith("at version 2; 1 newer event is not projected yet, for 38 ms.")


def test_a_digest_changes_with_everything_that_was_read() -> None:
    events = recorded(PLACED, ADDED)
    replace = msgspec.structs.replace
    changed = [
        events[:1],
        [events[1], events[0]],
        [events[0], replace(events[1], event=e.OrderItemAdded("LAMP-7", 1, 4998, "x"))],
        [events[0], replace(events[1], metadata=metadata(reason="other"))],
        [events[0], replace(events[1], recorded_at=datetime(2025, 3, 2, tzinfo=UTC))],
        [events[0], replace(events[1], event_id=uuid4())],
        [events[0], replace(events[1], position=21)],
    ]
    digests = {digest_of(one) for one in (events, *changed)}
    assert len(digests) == 1 + len(changed) and digest_of(list(events)) in digests


def test_a_refund_approved_by_who_requested_it_is_pointed_out() -> None:
    same = recorded(e.RefundRequested("R-1", 5), e.RefundApproved("R-1", 5), actor="agent 1")
    assert remarks(same) == {2: "approved by who requested it (event 1)"}
    other = recorded(e.RefundRequested("R-1", 5), actor="agent 1") + recorded(
        e.RefundApproved("R-1", 5), actor="lead 2"
    )
    assert remarks(other) == {}
