"""Objectives that end a run: watched while it goes on, on what the load generator reports a few times a second.

An objective with `over 10s` is looked at over its last full window, any other over the whole phase so far, both only in
its own phase and not before `delay_abort` of it. Counts are exact. A response time comes from a histogram whose buckets
are 2 % wide, and of its two bounds the one is taken that speaks for the target, so a run is never ended by rounding.
Operations count when they end, or are dropped.
"""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from resilience.model import HISTOGRAM_BASE, Comparison, Json, Objective, Outcome, Phase, Slice
from resilience.runtime.conditions import holds

LEAST_S = 1.0
"""Nothing is said of less of a phase than this: one operation that fails first is not all of them."""

_UPPER = (Comparison.GT, Comparison.GE)


@dataclass(frozen=True, slots=True)
class Crossed:
    """An objective that was seen not to hold.

    Attributes:
        phase: label of the phase: `fault(redis-down)`.
        value: what it was, in the objective's own unit.
        from_s, until_s: the stretch in which operations ended that it was measured over.
    """

    objective: Objective
    phase: str
    value: float
    from_s: float
    until_s: float

    @property
    def reason(self) -> str:
        """Why the run is stopped, in one sentence."""
        about = "" if self.objective.operation == "all" else f" of {self.objective.operation}"
        text = self.objective.expression
        return f"objective missed: {text}{about} was {self.value:.4g} in {self.phase} at {self.until_s:.2f} s"

    @property
    def detail(self) -> dict[str, Json]:
        """The same for the record."""
        return {
            "objective": self.objective.expression,
            "operation": self.objective.operation,
            "phase": self.phase,
            "value": self.value,
            "from_s": self.from_s,
            "until_s": self.until_s,
        }


@dataclass(slots=True)
class _Tally:
    """Slices added up."""

    ended: Counter[str] = field(default_factory=Counter)
    well: Counter[str] = field(default_factory=Counter)
    histogram: Counter[int] = field(default_factory=Counter)
    degraded: int = 0
    from_s: float = 0.0
    until_s: float = 0.0

    def add(self, piece: Slice) -> None:
        if not self.until_s:
            self.from_s = piece.start_s
        self.until_s = piece.end_s
        for operation, counts in piece.counts.items():
            self.ended[operation] += sum(counts.values())
            self.well[operation] += counts.get(Outcome.OK, 0)
        self.histogram.update(piece.histogram)
        self.degraded += piece.degraded

    @property
    def length_s(self) -> float:
        return self.until_s - self.from_s


class Thresholds:
    """Watches the objectives of a run that may end it.

    Args:
        objectives: of the experiment; those without `abort` are none of its business.
    """

    def __init__(self, objectives: Sequence[Objective]) -> None:
        self._objectives = [one for one in objectives if one.abort]
        self._longest_s = max((one.window_s or 0.0 for one in self._objectives), default=0.0)
        self._phase: Phase | None = None
        self._whole = _Tally()
        self._recent: deque[Slice] = deque()

    def look(self, pieces: Sequence[Slice], phase: Phase | None) -> Crossed | None:
        """Take what came since the last look; the first objective that does not hold, if there is one.

        Args:
            pieces: in order of time; what began before the present phase is left out.
            phase: the present one; None before the first.
        """
        if phase is None or not self._objectives:
            return None
        if phase != self._phase:
            self._phase, self._whole = phase, _Tally()
            self._recent.clear()
        for piece in pieces:
            if piece.start_s >= phase.start_s:
                self._whole.add(piece)
                self._recent.append(piece)
        while self._recent and self._recent[0].end_s <= self._whole.until_s - self._longest_s - 1.0:
            self._recent.popleft()
        for objective in self._objectives:
            if objective.phase is phase.name and phase.about(objective.fault):
                crossed = self._crossed(objective, phase)
                if crossed is not None:
                    return crossed
        return None

    def _crossed(self, objective: Objective, phase: Phase) -> Crossed | None:
        if self._whole.until_s - phase.start_s < max(objective.delay_abort_s, LEAST_S):
            return None
        tally = self._whole
        if objective.window_s is not None:
            if tally.length_s < objective.window_s:
                return None
            tally = _Tally()
            for piece in self._recent:
                if piece.end_s > self._whole.until_s - objective.window_s:
                    tally.add(piece)
        value = _value(objective, tally)
        if value is None or holds(objective.comparison, value, objective.limit):
            return None
        return Crossed(objective, phase.label, value, tally.from_s, tally.until_s)


def _value(objective: Objective, tally: _Tally) -> float | None:
    """The value of an objective over what was added up; None if there is nothing to measure."""
    about = [name for name in tally.ended if objective.operation in {"all", name}]
    ended, well = sum(tally.ended[name] for name in about), sum(tally.well[name] for name in about)
    match objective.aggregate:
        case "rps":
            return well / tally.length_s if tally.length_s > 0 else None
        case "rate":
            return (ended - well) / ended if ended else None
        case "availability":
            return well / ended if ended else None
        case "degraded":
            return tally.degraded / well if well else None
        case _:
            return _time_ms(objective, tally.histogram) if well else None


def _time_ms(objective: Objective, histogram: Mapping[int, int]) -> float | None:
    """A response time from a histogram, as the bound of its bucket that speaks for the target."""
    count = sum(histogram.values())
    if not count:
        return None
    up = 1 if objective.comparison in _UPPER else 0

    def bound_ms(bucket: int) -> float:
        return float(HISTOGRAM_BASE ** (bucket + up) / 1e3)

    if objective.aggregate == "avg":
        return sum(bound_ms(bucket) * many for bucket, many in histogram.items()) / count
    percent = {"med": 50.0, "max": 100.0}.get(objective.aggregate, objective.quantile or 0.0)
    left = max(1.0, count * percent / 100)
    for bucket in sorted(histogram):
        left -= histogram[bucket]
        if left <= 0:
            return bound_ms(bucket)
    return bound_ms(max(histogram))
