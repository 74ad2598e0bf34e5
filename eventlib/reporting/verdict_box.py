"""The verdict as the reader sees it first: the outcome, what was checked, and what was not looked at."""

from __future__ import annotations

from eventlib.reporting.fragment import Fragment, rendered
from eventlib.reporting.verdict import VERDICT_MIME, Evidence, HandedOver, Outcome, Verdict

WORDS = {Outcome.VERIFIED: "Verified", Outcome.FAILED: "Failed", Outcome.NOT_COVERED: "Not covered"}


def verdict_box(verdict: Verdict, evidence: Evidence) -> Fragment:
    """Show a verdict, and hand it over to the runner."""
    html = rendered("fragments/verdict.html.j2", verdict=verdict, words=WORDS, summary=summary(verdict))
    lines = [f"{WORDS[verdict.outcome].upper()}: {verdict.title}"]
    lines += [f"  {WORDS[check.outcome]}: {check.name}. {check.finding}" for check in verdict.checks]
    handed_over = HandedOver(verdict, evidence).to_json_object()
    return Fragment(html, "\n".join(lines), {VERDICT_MIME: handed_over})


def summary(verdict: Verdict) -> str:
    """How many checks ended how, such as `2 of 3 checks passed, 1 failed`."""
    number = len(verdict.checks)
    if not number:
        return "nothing was checked"
    failed, open_ = verdict.count(Outcome.FAILED), verdict.count(Outcome.NOT_COVERED)
    passed = f"{verdict.count(Outcome.VERIFIED)} of {number} checks passed"
    return passed + (f", {failed} failed" if failed else "") + (f", {open_} could not be made" if open_ else "")
