"""Repetitions of one experiment, judged together: passing, failing, or flaky. Pure.

One pass says that it can pass. The share of all such runs that would pass is known only to an interval (Clopper,
Pearson, 1934, exact): after three passes of three it may still be as low as 37 % (one-sided 95 %).

* **Pass**: every repetition passed.
* **Fail**: at least one failed. It is *failing* if none passed; if some passed it is *flaky*: what decides is not in
  the file. Flaky is never a pass.
* **Unknown**: none failed, and at least one is unknown.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from resilience.judge.statistics import binomial_tail, cox_bounds
from resilience.model import Answer, Json

_CONFIDENCE = 0.95
_FOR_INTERVAL = 3
_STEPS = 60


@dataclass(frozen=True, slots=True)
class Repetition:
    """One run of several: its answer, and `recovery.mttr_s` where there is one; the folder is where its record is."""

    answer: Answer
    because: str
    recovery_s: float | None
    folder: str
    seed: int


@dataclass(frozen=True, slots=True)
class Repeats:
    """What several runs of one experiment come to.

    Attributes:
        stability: `passing`, `failing`, `flaky`, `unknown`.
        low, high: two-sided 95 % bounds of the share of runs that pass, of those that could be judged.
        recovery_s: mean of the recoveries; low and high are one-sided 95 % bounds (Cox) with three or more, else the
            shortest and the longest.
    """

    answer: Answer
    stability: str
    because: str
    passed: int
    judged: int
    low: float
    high: float
    recovery_s: float | None
    recovery_low_s: float | None
    recovery_high_s: float | None
    runs: tuple[Repetition, ...]

    def json(self) -> dict[str, Json]:
        """As a document."""
        skipped = {"runs", "answer"}
        document: dict[str, Json] = {name: getattr(self, name) for name in self.__slots__ if name not in skipped}
        return {
            "answer": self.answer.value,
            **document,
            "runs": [
                {
                    "answer": run.answer.value,
                    "because": run.because,
                    "recovery_s": run.recovery_s,
                    "folder": run.folder,
                    "seed": run.seed,
                }
                for run in self.runs
            ],
        }


def repeats(runs: Sequence[Repetition]) -> Repeats:
    """Judge repetitions together."""
    count = Counter(run.answer for run in runs)
    passed, failed = count[Answer.PASS], count[Answer.FAIL]
    judged = passed + failed
    answer = Answer.worst(run.answer for run in runs)
    stability = (
        "flaky" if passed and failed else "failing" if failed else "passing" if answer is Answer.PASS else "unknown"
    )
    low, high = clopper_pearson(passed, judged)
    known = [run.recovery_s for run in runs if run.recovery_s is not None]
    mean = math.fsum(known) / len(known) if known else None
    if len(known) >= _FOR_INTERVAL and min(known) > 0:
        bounds: tuple[float | None, float | None] = cox_bounds(known)
    else:
        bounds = (min(known), max(known)) if known else (None, None)
    share = f"with 95 % confidence between {low * 100:.3g} % and {high * 100:.3g} % of such runs pass"
    told = f"{passed} of {len(runs)} passed, {failed} failed, {count[Answer.UNKNOWN]} are unknown"
    because = f"{stability}: {told}; {share}" if judged else f"{stability}: {told}"
    return Repeats(answer, stability, because, passed, judged, low, high, mean, *bounds, tuple(runs))


def clopper_pearson(successes: int, n: int, confidence: float = _CONFIDENCE) -> tuple[float, float]:
    """Exact two-sided bounds of a proportion: those at which so many, or so few, would just be likely enough."""
    if n <= 0:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else _solve(lambda p: binomial_tail(successes, n, p) - tail)
    high = 1.0 if successes == n else 1 - _solve(lambda p: binomial_tail(n - successes, n, p) - tail)
    return low, high


def _solve(rising: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2


def repetition(document: Mapping[str, Json], folder: str, seed: int) -> Repetition:
    """One run from its `verdict.json`; an answer that cannot be read is unknown."""
    told, recovery = document.get("answer"), document.get("recovery")
    answer = Answer(told) if told in {one.value for one in Answer} else Answer.UNKNOWN
    mean = recovery.get("mttr_s") if isinstance(recovery, Mapping) else None
    return Repetition(
        answer,
        str(document.get("because", "it left no verdict")),
        float(mean) if isinstance(mean, int | float) else None,
        folder,
        seed,
    )
