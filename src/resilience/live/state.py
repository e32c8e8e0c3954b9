"""What a live view knows: events and slices folded into one object, read as frozen snapshots.

The run's own thread writes, a painting thread reads; a lock that is held for microseconds is all they share.
"""

import math
import threading
from collections import Counter, deque
from dataclasses import dataclass, replace

from resilience.live.figures import Figures, fold, quantile_ms
from resilience.live.unusual import Unusual, Watching
from resilience.model import Event, EventKind, Experiment, Json, Outcome, PhaseName, Plan, PlannedPhase, Slice

WINDOW_S = 2.0
"""Length of the stretch that "now" means."""

_KEPT_PROBLEMS = 8


@dataclass(frozen=True, slots=True)
class Stretch:
    """A phase on the time line: as it happened, or as it is still planned."""

    name: PhaseName
    fault: str
    start_s: float
    end_s: float
    begun: bool
    called: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FaultState:
    """A fault and how far it has come; instants are None until they happen. `planned_s` is when it is expected."""

    name: str
    kind: str = ""
    on: str = ""
    planned_s: float | None = None
    requested_s: float | None = None
    confirmed_s: float | None = None
    reverting_s: float | None = None
    clear_s: float | None = None
    trouble: str = ""
    strike: bool = False

    @property
    def word(self) -> str:
        """The state in one word: planned, requested, active, reverting, clear; of a strike, struck."""
        if self.strike and self.confirmed_s is not None:
            return "struck"
        if self.clear_s is not None:
            return "clear"
        if self.reverting_s is not None:
            return "reverting"
        if self.confirmed_s is not None:
            return "active"
        return "planned" if self.requested_s is None else "requested"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a picture needs, at one instant.

    Attributes:
        now_s: seconds since the run began, by the reader's clock.
        stretches: the whole time line, in order; `current` is the index of the phase that runs now, or None.
        left_s: time left as planned; 0 when the run has ended.
        now, total: figures of the last `WINDOW_S` and of the whole run (`total` has no histogram).
        p95s: second of the run → p95 in ms of what ended in it; None if nothing ended although load was offered.
        silent_s: how long the generator has reported nothing; None before its first report and after the end.
        problems: the last few, (seconds, text); `problem_count` counts all of them.
        unusual: figures that are not as in the baseline now.
    """

    now_s: float
    stretches: tuple[Stretch, ...]
    current: int | None
    left_s: float
    now: Figures
    total: Figures
    p95s: dict[int, float | None]
    silent_s: float | None
    faults: tuple[FaultState, ...]
    problems: tuple[tuple[float, str], ...]
    problem_count: int
    ended: bool
    interrupted: str
    unusual: tuple[Unusual, ...] = ()


class State:
    """Folds what happens. `seen_s` is when the caller got it, on any steady clock of its own, in seconds."""

    def __init__(self, experiment: Experiment, plan: Plan) -> None:
        self._lock = threading.Lock()
        self._zero_s: float | None = None  # the run's zero on the clock of `seen_s`
        self._latest_s = 0.0
        self._begun: list[tuple[PhaseName, str, float]] = []
        self._planned: list[PlannedPhase | None] = []  # the phase of the plan that each of these is, if any
        self._ahead = list(plan.phases)
        self._ended_s: float | None = None
        self._interrupted = ""
        self._faults = {
            fault.name: FaultState(fault.name, fault.kind, fault.on, strike=fault.strike) for fault in experiment.faults
        }
        self._problems: deque[tuple[float, str]] = deque(maxlen=_KEPT_PROBLEMS)
        self._problem_count = 0
        self._window: deque[Slice] = deque()
        self._total = Figures()
        self._outcomes: Counter[Outcome] = Counter()
        self._p95s: dict[int, float | None] = {}
        self._second = -1
        self._histogram: Counter[int] = Counter()
        self._ended: Counter[Outcome] = Counter()
        self._watching = Watching()
        self._heard_s: float | None = None

    def on_event(self, event: Event, seen_s: float) -> None:
        """Take an event in."""
        with self._lock:
            at_s = self._tick(event.at_s, seen_s)
            match event.kind:
                case EventKind.PHASE:
                    self._begin(event, at_s)
                case EventKind.END:
                    self._ended_s = at_s
                case EventKind.INTERRUPTED:
                    self._interrupted = words_of(event.detail.get("reason")) or "no reason given"
                case EventKind.PROBLEM:
                    self._problem(at_s, event.name, event.detail.get("message"))
                case _:
                    self._fault(event, at_s)

    def on_slice(self, piece: Slice, seen_s: float) -> None:
        """Take a slice of load in."""
        with self._lock:
            end_s = self._tick(piece.end_s, seen_s)
            self._heard_s = seen_s
            self._window.append(piece)
            while len(self._window) > 1 and not self._window[0].end_s > end_s - WINDOW_S:
                self._window.popleft()
            for counts in piece.counts.values():
                self._outcomes.update(counts)
            self._total = replace(
                fold((piece,)),
                length_s=end_s,
                outcomes={},
                histogram={},
                offered=self._total.offered + piece.offered,
                degraded=self._total.degraded + piece.degraded,
            )
            self._count_second(piece, end_s)

    def snapshot(self, seen_s: float) -> Snapshot:
        """What there is to show at an instant of the reader's clock."""
        with self._lock:
            running = self._zero_s is not None and self._ended_s is None
            now_s = (
                max(self._latest_s, seen_s - self._zero_s) if running and self._zero_s is not None else self._latest_s
            )
            stretches = self._stretches(now_s)
            current = len(self._begun) - 1 if self._begun and self._ended_s is None else None
            last_s = stretches[-1].end_s if stretches else now_s
            return Snapshot(
                now_s=now_s,
                stretches=stretches,
                current=current,
                left_s=0.0 if self._ended_s is not None else max(0.0, last_s - now_s),
                now=fold(self._window),
                total=replace(self._total, outcomes=dict(self._outcomes)),
                p95s=dict(self._p95s),
                silent_s=None if self._heard_s is None or not running else max(0.0, seen_s - self._heard_s),
                faults=tuple(_expected(fault, stretches) for fault in self._faults.values()),
                problems=tuple(self._problems),
                problem_count=self._problem_count,
                ended=self._ended_s is not None,
                interrupted=self._interrupted,
                unusual=self._watching.now if running else (),
            )

    def _tick(self, at_s: float, seen_s: float) -> float:
        """Learn where the run's zero lies; return the instant, or the latest known one if it is not a number.

        News can only be late, never early, so the earliest zero that any of it suggests is the nearest to the truth.
        """
        if not math.isfinite(at_s):
            return self._latest_s
        zero_s = seen_s - at_s
        self._zero_s = zero_s if self._zero_s is None else min(self._zero_s, zero_s)
        self._latest_s = max(self._latest_s, at_s)
        return at_s

    def _begin(self, event: Event, at_s: float) -> None:
        if event.name not in set(PhaseName):
            self._problem(at_s, "display", f"a phase of unknown name began: {event.name}")
            return
        name, fault = PhaseName(event.name), words_of(event.detail.get("fault"))
        self._begun.append((name, fault, at_s))
        met = (index for index, phase in enumerate(self._ahead) if phase.name is name and fault in {"", phase.fault})
        index = next(met, None)
        self._planned.append(None if index is None else self._ahead[index])
        self._ahead = self._ahead if index is None else self._ahead[index + 1 :]

    def _fault(self, event: Event, at_s: float) -> None:
        known = self._faults.get(event.name, FaultState(event.name))
        match event.kind:
            case EventKind.REQUESTED:
                kind = words_of(event.detail.get("kind")) or known.kind
                on = words_of(event.detail.get("on")) or known.on
                changed = FaultState(known.name, kind, on, known.planned_s, at_s, strike=known.strike)
            case EventKind.STRUCK:
                changed = replace(known, confirmed_s=at_s, strike=True)
            case EventKind.CONFIRMED:
                changed = replace(known, confirmed_s=at_s)
            case EventKind.REVERTING:
                changed = replace(known, reverting_s=at_s)
            case EventKind.CLEAR:
                changed = replace(known, clear_s=at_s)
            case EventKind.FAULT_PROBLEM:
                step = words_of(event.detail.get("step"))
                changed = replace(known, trouble=step or "trouble")
                self._problem(at_s, f"fault {event.name} {step}".rstrip(), event.detail.get("message"))
            case _:
                return
        self._faults[event.name] = changed

    def _problem(self, at_s: float, source: str, message: Json) -> None:
        self._problem_count += 1
        self._problems.append((at_s, f"{source}: {words_of(message)}" if source else words_of(message)))

    def _count_second(self, piece: Slice, end_s: float) -> None:
        second = int(max(0.0, (piece.start_s + end_s) / 2)) if math.isfinite(piece.start_s) else int(max(0.0, end_s))
        if second != self._second:
            self._watch(second)
            self._second, self._histogram, self._ended = second, Counter(), Counter()
        self._histogram.update(piece.histogram)
        for counts in piece.counts.values():
            self._ended.update(counts)
        p95 = quantile_ms(self._histogram, 0.95)
        if p95 is not None or piece.offered:
            self._p95s[second] = p95

    def _watch(self, second: int) -> None:
        """Compare the second that is over with the baseline."""
        ended = sum(self._ended.values())
        errors = 1 - self._ended[Outcome.OK] / ended if ended else None
        phase = self._begun[-1][0] if self._begun else None
        self._watching.second(float(second), phase, self._p95s.get(self._second), errors)

    def _stretches(self, now_s: float) -> tuple[Stretch, ...]:
        """The time line: phases as they began; the rest of the plan, moved by however late we are."""
        line: list[Stretch] = []
        for index, (name, fault, start_s) in enumerate(self._begun):
            if index + 1 < len(self._begun):
                end_s = self._begun[index + 1][2]
            elif self._ended_s is not None:
                end_s = self._ended_s
            else:
                planned = self._planned[index]
                end_s = max(now_s, start_s + (0.0 if planned is None else _length(planned)))
            line.append(Stretch(name, fault, start_s, max(start_s, end_s), begun=True))
        if self._ended_s is not None:
            return tuple(line)
        at_s = line[-1].end_s if line else 0.0
        for phase in self._ahead:
            length_s = _length(phase)
            line.append(Stretch(phase.name, phase.fault, at_s, at_s + length_s, begun=False, called=phase.called))
            at_s += length_s
        return tuple(line)


def _expected(fault: FaultState, stretches: tuple[Stretch, ...]) -> FaultState:
    """A fault that is still to come, with the instant at which it is expected by now."""
    if fault.requested_s is not None:
        return fault
    ahead = (one.start_s for one in stretches if fault.name in (one.fault, *one.called) and one.name is PhaseName.FAULT)
    return replace(fault, planned_s=next(ahead, None))


def _length(phase: PlannedPhase) -> float:
    return max(0.0, phase.end_s - phase.start_s)


def words_of(value: Json) -> str:
    """A detail of an event as text; empty if there is none."""
    return "" if value is None else str(value)
