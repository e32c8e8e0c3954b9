"""Whether response times and errors are as in the baseline, second by second while a run lasts: for the eye.

The detector is the judge's (`judge.anomaly`), so what is flagged here is what the verdict marks later, from better
figures. It never ends or judges anything.
"""

import math
from dataclasses import dataclass

import numpy as np

from resilience.judge.anomaly import Anomaly, Usual, Watch
from resilience.model import PhaseName
from resilience.text import milliseconds, percent

LEAST = {"p95": math.log(1.1), "errors": 0.01}


@dataclass(frozen=True, slots=True)
class Unusual:
    """An anomaly that goes on: a figure, since when, what it was at most (or least), what it usually is."""

    figure: str
    since_s: float
    seen: str
    usual: str
    more: bool


class Watching:
    """Learns the baseline, then watches. Give it each second of the run once, in order."""

    def __init__(self) -> None:
        self._learned: dict[str, list[float]] = {name: [] for name in LEAST}
        self._watches: dict[str, tuple[Usual, Watch]] = {}
        self._last_s = -math.inf

    def second(self, at_s: float, phase: PhaseName | None, p95_ms: float | None, errors: float | None) -> None:
        """Take a second that is over.

        Args:
            at_s: when it ended.
            phase: in which it lay, None if it is not known.
            p95_ms: of what ended in it; None if nothing did.
            errors: share of it that did not end ok; None as well.
        """
        if at_s <= self._last_s or phase is None or phase is PhaseName.WARM_UP:
            return
        self._last_s = at_s
        figures = {"p95": math.log(p95_ms) if p95_ms else math.nan, "errors": math.nan if errors is None else errors}
        if phase is PhaseName.BASELINE:
            for name, value in figures.items():
                self._learned[name].append(value)
            return
        if not self._watches:
            for name, values in self._learned.items():
                usual = Usual.of(np.asarray(values, dtype=np.float64), LEAST[name])
                if usual is not None:
                    self._watches[name] = usual, Watch(usual)
        for name, (_, watch) in self._watches.items():
            watch.reading(at_s, figures[name])

    @property
    def now(self) -> tuple[Unusual, ...]:
        """The anomalies that go on."""
        return tuple(
            _told(name, usual, watch.current)
            for name, (usual, watch) in self._watches.items()
            if watch.current is not None
        )


def _told(name: str, usual: Usual, current: Anomaly) -> Unusual:
    if name == "p95":
        seen, middle = (milliseconds(math.exp(value)) for value in (current.seen, usual.middle))
    else:
        seen, middle = percent(current.seen), percent(usual.middle)
    return Unusual(name, current.start_s, seen, middle, current.more)
