"""How a notebook hands its verdict to whoever runs it, and what exit code a verdict becomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from eventlib.audit.verdict import Check, Outcome, Verdict

__all__ = ["EXIT_ERROR", "VERDICT_MIME", "Check", "Evidence", "HandedOver", "Outcome", "Verdict", "exit_code"]

VERDICT_MIME = "application/vnd.eventlib.verdict+json"
"""The type of the one output of a report's notebook that carries a `HandedOver`, beside its HTML."""

EXIT_ERROR = 2
"""Of a report that could not be run: its caller has learnt nothing about the data."""

_EXIT_CODES = {Outcome.VERIFIED: 0, Outcome.FAILED: 1, Outcome.NOT_COVERED: 3}


def exit_code(outcome: Outcome) -> int:
    """0 for VERIFIED alone; 1 for FAILED, 3 for NOT_COVERED. `EXIT_ERROR` is for a report without an outcome."""
    return _EXIT_CODES[outcome]


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a report was made of: events of the log, or a measurement, which has none of the fields that may be None.

    Attributes:
        subject: such as `order 881a2c04-…`.
        as_of: up to when, in words.
        events: how many were read.
        log_position: the highest position in the log among them.
        digest: SHA-256 over them, in hex.
        repeat: parameters that make the same report of the same data, also when more has been recorded since; of a
            measurement, those that measure the same again.
        measured_on: of a measurement, what it was made on, by name.
    """

    subject: str
    as_of: str | None
    events: int | None
    log_position: int | None
    digest: str | None
    repeat: Mapping[str, str]
    measured_on: Mapping[str, str] = {}


class HandedOver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the notebook hands over."""

    verdict: Verdict
    evidence: Evidence

    def to_json_object(self) -> Any:
        """As what a notebook's output may hold."""
        return msgspec.to_builtins(self)

    @classmethod
    def from_json_object(cls, document: Any) -> HandedOver:
        """Read it back.

        Raises:
            msgspec.ValidationError: it is not what `to_json_object` gives.
        """
        return msgspec.convert(document, cls)
