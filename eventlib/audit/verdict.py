"""A verdict: what was checked, what came of it, and what was not looked at. Never green by default."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    """What came of a check, or of all checks together."""

    VERIFIED = "verified"
    FAILED = "failed"
    NOT_COVERED = "not_covered"


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question to the data.

    Attributes:
        name: such as `Complete`.
        outcome: of this check.
        finding: one sentence that says what was found.
    """

    name: str
    outcome: Outcome
    finding: str


class Verdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All checks of one report.

    Attributes:
        title: the finding, in words, as the heading of the report.
        checks: what was looked at.
        limits: sentences about what this kind of report never looks at. They are said, and change no outcome.
    """

    title: str
    checks: Sequence[Check]
    limits: Sequence[str] = ()

    @property
    def outcome(self) -> Outcome:
        """FAILED if a check failed; else NOT_COVERED if one could not be made, or none was; else VERIFIED."""
        outcomes = {check.outcome for check in self.checks}
        if Outcome.FAILED in outcomes:
            return Outcome.FAILED
        return Outcome.VERIFIED if outcomes == {Outcome.VERIFIED} else Outcome.NOT_COVERED

    def count(self, outcome: Outcome) -> int:
        """How many checks ended so."""
        return sum(check.outcome is outcome for check in self.checks)
