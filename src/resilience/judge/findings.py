"""What the checkers of degradation say of one thing each: an answer and one sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

from resilience.model import Answer, Json


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was judged."""

    answer: Answer
    because: str


@dataclass(frozen=True, slots=True)
class Judged:
    """Several things that were judged, and the figures of it for `verdict.json`."""

    findings: tuple[Finding, ...]
    rows: tuple[Json, ...] = ()


NOTHING = Judged(())
"""Nothing was asked for."""


def within(value: float, limit: float, said: str) -> Finding:
    """Pass if a value is at most its limit."""
    return Finding(Answer.PASS if value <= limit else Answer.FAIL, said)


def worst(findings: Sequence[Finding]) -> Finding | None:
    """The first of the gravest; None if there is none."""
    return max(findings, key=lambda one: one.answer.severity, default=None)
