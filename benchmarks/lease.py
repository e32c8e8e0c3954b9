"""What it costs to hold a lease: processor time of lease, guard and reaper while a fault is held, beside a run without.

The same process waits on the same clock for the same time three times over: with nothing; with a book, a guard and its
reaper; and with a fault of each kind held under a lease besides. Time on a processor is the kernel's own count in
nanoseconds, of every thread of the runner and of the reaper. What starting and ending take is not in it.
"""

import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import Figure, Options, Result
from resilience.faults import registry
from resilience.model import Event, EventKind, FaultSpec, Identity, Json, Place
from resilience.ports import Fault
from resilience.runtime.clock import MonotonicClock
from resilience.runtime.debts import DebtBook
from resilience.runtime.guard import Guard
from resilience.runtime.lease import lease
from resilience.stack.embedded import EmbeddedStack

LIMIT = 1.0
HELD_S = 10.0
TRIED: dict[str, dict[str, Json]] = {
    "toxiproxy.latency": {"latency_ms": 100},
    "process.pause": {},
}
"""Kind → settings: one that is held by another process's memory, one by the kernel."""
GOAL = {"lease_percent_of_core": f"less than {LIMIT:g} %"}


class Sink:
    """Takes events, and keeps none."""

    def emit(self, kind: EventKind, name: str = "", /, **detail: Json) -> Event:
        """Take one."""
        return Event(0.0, kind, name, detail)


def cpu_ns(pid: int) -> int:
    """Nanoseconds that all threads of a process have been on a processor."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def wait(clock: MonotonicClock, others: tuple[Identity, ...] = ()) -> float:
    """Hold for the time; percent of one core that this took here and in the others."""
    pids = (os.getpid(), *(other.pid for other in others))
    before, began = sum(map(cpu_ns, pids)), time.monotonic_ns()
    clock.sleep_until(clock.now_s() + HELD_S)
    return 100 * (sum(map(cpu_ns, pids)) - before) / (time.monotonic_ns() - began)


@contextmanager
def guarded(folder: Path) -> Iterator[tuple[DebtBook, tuple[Identity, ...]]]:
    """A book, with a reaper that watches over it."""
    book = DebtBook.create(folder, secrets.token_hex(4))
    with Guard.start(book) as guard:
        assert guard.identity is not None
        yield book, (guard.identity,)


def held(kind: str, place: Place, folder: Path) -> float:
    """Percent of one core while a fault of that kind is held."""
    spec = FaultSpec(name="held", kind=kind, on=place.name, duration_s=HELD_S + 5, settings=TRIED[kind])
    fault = registry.build(spec, place)
    assert isinstance(fault, Fault)
    clock = MonotonicClock()
    with guarded(folder) as (book, others), lease(fault, spec, book=book, sink=Sink(), clock=clock):
        return wait(clock, others)


def measure(options: Options) -> Result:
    """Each of them `count` times, one after the other."""
    count = options.count or 3
    bare: list[float] = []
    watched: list[float] = []
    leased: dict[str, list[float]] = {kind: [] for kind in TRIED}
    stack = EmbeddedStack(None, tag=f"lease-{secrets.token_hex(6)}", experiment_folder=Path.cwd())
    stack.start()
    try:
        with tempfile.TemporaryDirectory() as name:
            for turn in range(count):
                bare.append(wait(MonotonicClock()))
                with guarded(Path(name)) as (_, others):
                    watched.append(wait(MonotonicClock(), others))
                for kind, figures in leased.items():
                    figures.append(held(kind, stack.places()["redis"], Path(name)))
                shown = ", ".join(f"{kind} {figures[-1]:.3f} %" for kind, figures in leased.items())
                options.say(f"{turn + 1}: nothing {bare[-1]:.3f} %, guard {watched[-1]:.3f} %, {shown}")
    finally:
        stack.stop()
    nothing = statistics.median(bare)
    costs = {kind: statistics.median(figures) - nothing for kind, figures in leased.items()}
    figures: dict[str, Figure] = {
        "held_s": HELD_S,
        "turns": count,
        "nothing_percent_of_core": round(nothing, 3),
        "guard_percent_of_core": round(statistics.median(watched) - nothing, 3),
        **{f"{kind.replace('.', '_')}_percent_of_core": round(cost, 3) for kind, cost in costs.items()},
        "lease_percent_of_core": round(max(costs.values()), 3),
    }
    return Result(figures=figures, goal=GOAL, met=max(costs.values()) < LIMIT)
