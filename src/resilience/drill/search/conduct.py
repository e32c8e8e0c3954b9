"""A search on a running session: what the machine says is tried, measured and written down, until it is over.

Healthy first, and then with each of the named faults in place for as long as its search lasts. Every fault is a lease;
a session that is interrupted, or dies, gives everything back as in any other run.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from resilience.drill.search.steps import LONG_LOOKS, LOOKS, Clock, Measurer
from resilience.judge.search.machine import DOWNS, RESTS, Purpose, Seen, Tried, Try, next_try
from resilience.judge.search.scale import Scale
from resilience.judge.search.step import Judged
from resilience.judge.search.told import END, HEALTHY, REST, STEP
from resilience.model import FaultSpec, Json, Search, Undo
from resilience.spec.searches import varied

MARGIN_S: Final = 10.0
"""A fault is given back so long before its lease would be over, and a search ends so long before its run must."""


class Steered(Clock, Protocol):
    """The session's means: `runtime.steering.Steering`."""

    def level(self, level: float) -> float:
        """Tell another level of the load; from when on."""

    def hold(self, spec: FaultSpec) -> AbstractContextManager[Undo]:
        """A lease."""

    def note(self, name: str, text: str, **detail: Json) -> None:
        """Write something down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What the target is searched under.

    Attributes:
        search: what is looked for; `scale` are its levels.
        rate: arrivals per second of a load that is not varied; None of a closed one.
        fault: that a search over a setting varies; None of others.
        faults: with each of which it is made again.
        downs: how many steps must break on the way down, before that is hysteresis.
        longest_step_s: the longest that one step can take.
        until_s: when everything must be over.
        max_fault_s: no lease may be longer.
    """

    search: Search
    scale: Scale
    rate: float | None
    fault: FaultSpec | None
    faults: tuple[FaultSpec, ...]
    longest_step_s: float
    until_s: float
    max_fault_s: float
    downs: int = DOWNS


@dataclass(slots=True)
class Conductor:
    """See the module.

    Attributes:
        means: the session's.
        measurer: measures steps.
        conditions: what is done.
        say: told of every step: condition, try, what it showed.
    """

    means: Steered
    measurer: Measurer
    conditions: Conditions
    say: Callable[[str, Try, Judged], None]
    _back: bool = field(default=True, init=False)
    _leases: int = field(default=0, init=False)

    def conduct(self) -> None:
        """Search under every condition.

        Raises:
            Interrupted: the run was told to stop. FaultError: a fault could not be held.
        """
        for fault in (None, *self.conditions.faults):
            name = HEALTHY if fault is None else fault.written
            if not self._back and not self._rested(name):
                self.means.note(END, f"{name}: not searched, the target did not come back", condition=name, why="stuck")
                continue
            self._search(name, fault)

    def _search(self, name: str, fault: FaultSpec | None) -> None:
        limit_s = self.conditions.until_s - MARGIN_S
        with self._held(fault) as fault_until_s:
            until_s = min(limit_s, fault_until_s)
            tried: list[Tried] = []
            while (wanted := self._next(tried)) is not None:
                if self.means.now_s() + self.conditions.longest_step_s > until_s:
                    self.means.note(END, f"{name}: out of time", condition=name, why="out of time")
                    break
                judged = self._step(wanted)
                tried.append(Tried(wanted.level, wanted.purpose, judged.seen, wanted.long))
                self._note(STEP, name, wanted, judged)
            else:
                self.means.note(END, f"{name}: over", condition=name, why="")
        self._back = bool(tried) and tried[-1].seen is Seen.HOLDS

    def _next(self, tried: list[Tried]) -> Try | None:
        return next_try(self.conditions.scale, tried, downs=self.conditions.downs)

    def _step(self, wanted: Try) -> Judged:
        search = self.conditions.search
        step_s, looks = (search.confirm_s, LONG_LOOKS) if wanted.long else (search.step_s, LOOKS)
        if self.conditions.fault is None:
            since_s = self.means.level(wanted.level)
            rate = wanted.level if search.over == "rate" else None
            return self.measurer.measure(since_s, rate, step_s=step_s, looks=looks)
        self._leases += 1
        spec = varied(search, self.conditions.fault, wanted.level)
        name = f"{spec.name}-{self._leases}"
        with self.means.hold(replace(spec, name=name, duration_s=self.conditions.longest_step_s)):
            return self.measurer.measure(self.means.now_s(), self.conditions.rate, step_s=step_s, looks=looks)

    def _rested(self, name: str) -> bool:
        """Whether the target holds at the start again, with nothing in place."""
        for _ in range(RESTS):
            wanted = Try(self.conditions.scale.start, Purpose.REST)
            judged = self._step(wanted)
            self._note(REST, name, wanted, judged)
            if judged.seen is Seen.HOLDS:
                return True
        return False

    def _note(self, kind: str, name: str, wanted: Try, judged: Judged) -> None:
        self.say(name, wanted, judged)
        text = f"{name}: {wanted.purpose} {wanted.level:g}: {judged.seen}{f' ({judged.why})' if judged.why else ''}"
        self.means.note(
            kind,
            text,
            condition=name,
            level=wanted.level,
            purpose=wanted.purpose.value,
            long=wanted.long,
            start_s=judged.start_s,
            end_s=judged.end_s,
            seen=judged.seen.value,
        )

    @contextmanager
    def _held(self, fault: FaultSpec | None) -> Iterator[float]:
        """The fault in place, and until when it may be."""
        if fault is None:
            with nullcontext():
                yield float("inf")
            return
        length_s = min(self.conditions.max_fault_s, self.conditions.until_s - self.means.now_s())
        self.means.level(self.conditions.scale.start)
        with self.means.hold(replace(fault, duration_s=length_s)):
            yield self.means.now_s() + length_s - MARGIN_S
