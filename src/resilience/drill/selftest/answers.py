"""What came of a run, and whether it is what had to come of it; pure.

Unknown is never as it must be, but for runs that must be so: a run that cannot tell has caught nothing, and is no false
alarm either. What a run said by its exit code and what it wrote into its verdict must be the same.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from resilience.drill.classes import missed, reported
from resilience.drill.selftest.rows import NEVER, Bug, Mutant
from resilience.drill.selftest.trials import Kind, Trial
from resilience.model import Json

EXITS: Final = {"pass": 0, "fail": 1, "unknown": 2}
NEVER_REACHED: Final = 70
"""The exit code by which a launcher says that what it was to make wrong never came to be."""

SHOWN: Final = 3
"""So many sentences of a class are kept."""


class Outcome(Enum):
    """What a trial came to."""

    RIGHT = "as it must"
    UNCERTAIN = "not certain"
    MISSED = "missed"
    WRONG_REASON = "wrong reason"
    FALSE_ALARM = "false alarm"
    WRONG_PASS = "wrong pass"  # noqa: S105 - not a password
    NOT_READY = "not ready"
    BAD_FILE = "file wrong"
    OWING = "debts outstanding"
    BROKE = "broke"


CODES: Final = {
    Outcome.RIGHT: 0,
    Outcome.UNCERTAIN: 2,
    Outcome.MISSED: 1,
    Outcome.WRONG_REASON: 1,
    Outcome.FALSE_ALARM: 1,
    Outcome.WRONG_PASS: 1,
    Outcome.NOT_READY: 4,
    Outcome.BAD_FILE: 3,
    Outcome.OWING: 5,
    Outcome.BROKE: 2,
}
"""Outcome → the exit code that it asks for."""

AGAIN: Final = frozenset({Outcome.UNCERTAIN, Outcome.NOT_READY})
"""What may be run once more: nothing was found, neither good nor bad."""

KNOWN: Final = {2: Outcome.UNCERTAIN, 3: Outcome.BAD_FILE, 4: Outcome.NOT_READY, 5: Outcome.OWING}
"""Exit codes after which nothing more is known of a run."""

GRAVITY: Final = (0, 2, 1, 3, 4, 5)
"""Exit codes, the gravest last: as where several files are run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A run that is over.

    Attributes:
        code: its exit code; negative if a signal killed it.
        document: `verdict.json`; None if it wrote none.
        said: the end of what it said on standard error.
        took_s: from start to end.
        overdue: it did not end by itself in time.
        owing: what it left owed to its target; `left` what could not be settled after it either.
    """

    code: int
    document: Mapping[str, Json] | None
    said: str = ""
    took_s: float = 0.0
    overdue: bool = False
    owing: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a trial came to, and why.

    Attributes:
        classes: what the verdict complained of: class → sentences.
        because: one sentence.
    """

    outcome: Outcome
    because: str
    answer: str = ""
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def judge(trial: Trial, ended: Ended) -> Result:
    """Compare what came of a run with what had to."""
    document = ended.document or {}
    answer = str(document.get("answer", ""))
    said = str(document.get("because", "")) or _last(ended.said) or f"it said nothing and ended with {ended.code}"
    outcome, because = _came_to(trial, ended, answer, said)
    classes = {name: sentences[:SHOWN] for name, sentences in reported(document).items()}
    return Result(outcome=outcome, because=because, answer=answer, classes=classes)


def _came_to(trial: Trial, ended: Ended, answer: str, said: str) -> tuple[Outcome, str]:
    if (amiss := _amiss(trial, ended, said)) is not None:
        return amiss
    if isinstance(trial.row, Mutant):
        return _of_mutant(trial.row, ended, answer, said)
    if answer and EXITS.get(answer) != ended.code:
        return Outcome.BROKE, f"its verdict is {answer} and its exit code {ended.code}: {said}"
    if trial.kind is Kind.WITHOUT and ended.code == EXITS["unknown"] and answer:
        return Outcome.RIGHT, said
    if ended.code in KNOWN:
        return KNOWN[ended.code], said
    if not answer:
        return Outcome.BROKE, f"it ended with {ended.code} and no verdict: {said}"
    passed = ended.code == NEVER
    if trial.kind is Kind.WITHOUT:
        without = (
            "it passed although its faults did nothing" if passed else "it does not need its fault: without, it fails"
        )
        return (Outcome.WRONG_PASS if passed else Outcome.WRONG_REASON), f"{without}: {said}"
    if trial.kind is Kind.HEALTHY:
        return (Outcome.RIGHT if passed else Outcome.FALSE_ALARM), said
    if passed:
        return Outcome.MISSED, f"it passed: {said}"
    wrong = _wrong_reason(trial.row, ended.document or {})
    return (Outcome.WRONG_REASON, f"it {wrong}: {said}") if wrong else (Outcome.RIGHT, said)


def _amiss(trial: Trial, ended: Ended, said: str) -> tuple[Outcome, str] | None:
    """What went wrong with the run as a program; None if nothing did."""
    may_owe = isinstance(trial.row, Mutant) and Outcome.OWING in {KNOWN.get(code) for code in trial.row.exits}
    if ended.left or (ended.owing and not may_owe):
        after = "which nobody could settle" if ended.left else "settled after it"
        return Outcome.OWING, f"it left debts, {after}: {'; '.join(ended.left or ended.owing)}"
    if ended.overdue:
        return Outcome.BROKE, f"it did not end in {ended.took_s:.0f} s and was ended"
    if trial.words and ended.code == NEVER_REACHED:
        # A run that went to its end without it will never reach it; one that ended early may.
        passed = (ended.document or {}).get("answer") == "pass"
        return (Outcome.BROKE if passed else Outcome.UNCERTAIN), f"what was to go wrong was never reached: {said}"
    return None


def _wrong_reason(row: Bug | None, document: Mapping[str, Json]) -> str:
    """What is wrong with the classes that a failing run complained of; empty if nothing is."""
    if row is None:
        raise AssertionError("the trial of a bug has a row")
    told = set(reported(document))
    lacking = [name for name in row.reported if name not in told]
    strange = sorted(told - set(row.reported) - set(row.also))
    unmet = [text for text in row.objective if text not in missed(document)]
    said = [f"does not complain of {', '.join(lacking)}"] if lacking else []
    said += [f"complains of {', '.join(strange)}"] if strange else []
    said += [f"does not miss {', '.join(unmet)}"] if unmet else []
    return " and ".join(said)


def _of_mutant(row: Mutant, ended: Ended, answer: str, said: str) -> tuple[Outcome, str]:
    """A defect of the tool: neither the exit code nor the verdict may be pass, and the reason must be told."""
    if ended.code == NEVER or answer == "pass":
        return Outcome.WRONG_PASS, f"it passed (exit {ended.code}): {said}"
    if ended.code not in row.exits:
        return Outcome.BROKE, f"it ended with {ended.code}, expected {' or '.join(map(str, row.exits))}: {said}"
    told = f"{json.dumps(ended.document, ensure_ascii=False)}\n{ended.said}"
    if row.says not in told:
        return Outcome.WRONG_REASON, f"it does not say {row.says!r}: {said}"
    return Outcome.RIGHT, said


def _last(text: str) -> str:
    """The last line that says something."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def code_of(outcomes: Iterable[Outcome]) -> int:
    """The exit code of all of them: the gravest; 2 if there are none."""
    return max((CODES[outcome] for outcome in outcomes), key=GRAVITY.index, default=2)
