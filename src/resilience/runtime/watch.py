"""The watch over a run, in a thread of its own: hands load slices to displays, and stops a run that must not go on.

Reasons to stop: the reaper is gone (a fault could outlive us), the load generator is gone, the run is longer than
allowed, an abort was asked for (a file named `abort` in the run folder, which is what `resilience abort` writes), an
abort objective is breached live. Stopping means: the clock is cancelled, so whatever the main thread waits for raises
`Interrupted`, and every lease reverts.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from resilience.model import Comparison, Objective, Outcome, Phase, Slice
from resilience.ports import Clock, Display, LoadHandle

ABORT = "abort"
_PERIOD_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What ends a run early."""

    max_duration_s: float
    abort: tuple[Objective, ...]


class Watch:
    """See the module. `start` and `stop` it; it calls `interrupt(reason)` at most once."""

    def __init__(
        self,
        *,
        clock: Clock,
        load: LoadHandle,
        guard_alive: Callable[[], bool],
        phase: Callable[[], Phase | None],
        displays: Sequence[Display],
        folder: Path,
        limits: Limits,
        interrupt: Callable[[str], None],
    ) -> None:
        """Take everything that is watched; nothing happens before `start`."""
        self._clock = clock
        self._load = load
        self._guard_alive = guard_alive
        self._phase = phase
        self._displays = displays
        self._abort_file = folder / ABORT
        self._limits = limits
        self._interrupt = interrupt
        self._recent: deque[Slice] = deque()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; the slices that are still there are handed on."""
        self._ended.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout=5.0)

    def _run(self) -> None:
        interrupted = False
        while not self._ended.wait(_PERIOD_S):
            self._hand_on()
            if not interrupted and (reason := self._reason()):
                interrupted = True
                self._interrupt(reason)
        self._hand_on()

    def _hand_on(self) -> None:
        for piece in self._load.slices():
            for display in self._displays:
                display.on_slice(piece)
            self._recent.append(piece)
        longest = max((objective.window_s or 0.0 for objective in self._limits.abort), default=0.0)
        while self._recent and self._recent[0].start_s < self._recent[-1].end_s - longest - 1.0:
            self._recent.popleft()

    def _reason(self) -> str:
        if self._abort_file.exists():
            return "an abort was asked for"
        if not self._guard_alive():
            return "the reaper is gone: without it a fault could outlive this program"
        if self._clock.now_s() > self._limits.max_duration_s:
            return f"the run is longer than safety.max_duration allows ({self._limits.max_duration_s:g} s)"
        if not self._load.alive():
            return "the load generator ended before it was told to"
        phase = self._phase()
        for objective in self._limits.abort:
            if phase is None or phase.name is not objective.phase or objective.fault not in ("", phase.fault):
                continue
            value = live_value(objective, [piece for piece in self._recent if piece.start_s >= phase.start_s])
            if value is not None and not holds(objective, value):
                return f"abort objective breached: {objective.expression} (is {value:.4g})"
        return ""


def holds(objective: Objective, value: float) -> bool:
    """Whether a value meets an objective's comparison."""
    limit = objective.limit
    return {
        Comparison.LT: value < limit,
        Comparison.LE: value <= limit,
        Comparison.GT: value > limit,
        Comparison.GE: value >= limit,
        Comparison.EQ: value == limit,
        Comparison.NE: value != limit,
    }[objective.comparison]


def live_value(objective: Objective, slices: Sequence[Slice]) -> float | None:
    """The error rate or the ok operations per second of the last full window; None before one is full.

    These are what a slice holds exactly, per operation; `spec.checks` refuses to abort on anything else.

    Args:
        objective: with a window.
        slices: those of the present phase, in order of time.
    """
    if not slices or objective.window_s is None or slices[-1].end_s - slices[0].start_s < objective.window_s:
        return None
    begin_s = slices[-1].end_s - objective.window_s
    total = well = 0
    for piece in slices:
        if piece.end_s > begin_s:
            for operation, counts in piece.counts.items():
                if objective.operation in ("all", operation):
                    total += sum(counts.values())
                    well += counts.get(Outcome.OK, 0)
    if objective.aggregate == "rps":
        return well / objective.window_s
    return (total - well) / total if total else None
