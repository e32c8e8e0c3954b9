"""How quickly a fault takes effect and goes: from inject to the first affected operation, from revert to the last one.

A client in a process of its own sends 500 operations a second to Redis by the way on which the service comes, open
loop. An operation is affected if it was not answered well, or took much longer than without a fault. What counts is
when it was begun: an operation begun before the inject and caught by it counts as 0 ms.

Packets that were lost on an open connection are sent again when TCP's timer says so, 200 ms or more later, whatever
lost them. So faults of the network are judged by operations that open a connection each, as the first try after a
failure does; what they do to open connections is measured as well and told, not judged.
"""

import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import Figure, Options, Result
from resilience.errors import FaultError
from resilience.faults import registry
from resilience.model import FaultSpec, Place
from resilience.ports import Fault
from resilience.stack.embedded import EmbeddedStack

LIMIT_MS = 20.0
GOAL = {
    "*_inject_p95_ms": f"at most {LIMIT_MS:g} ms",
    "*_revert_p95_ms": f"at most {LIMIT_MS:g} ms",
    "network_*_by_ping_*": "told only: they have TCP's timer in them",
}
HELD_S = 0.3
BETWEEN_S = 0.4
WARM_S = 10.0
"""So long nothing is done: five thousand operations show how slow one is by chance on this machine, now."""
SLOW_MS = 10.0
"""Affected is what is not answered well, or takes longer than this and than all but `RARE` of those without a fault."""
RARE = 0.0002
"""After a revert a hundred operations are looked at: of a hundred turns two have a slow one by chance."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A kind with its settings, and the operation by which it is seen."""

    kind: str
    operation: str = "ping"
    settings: dict[str, object] = field(default_factory=dict)
    judged: bool = True

    @property
    def name(self) -> str:
        """In the figures."""
        return self.kind.replace(".", "_").replace("-", "_") + ("" if self.judged else f"_by_{self.operation}")

    @property
    def spec(self) -> FaultSpec:
        """On Redis."""
        return FaultSpec(name="timed", kind=self.kind, on="redis", duration_s=30.0, settings=self.settings)


TRIED = (
    Tried("toxiproxy.down"),
    Tried("toxiproxy.latency", settings={"latency_ms": 100}),
    Tried("toxiproxy.timeout"),
    Tried("toxiproxy.reset"),
    Tried("redis.readonly", "set"),
    Tried("redis.out-of-memory", "set"),
    Tried("redis.hung"),
    Tried("redis.max-clients", "connect"),
    Tried("process.pause"),
    Tried("network.partition", "connect"),
    Tried("network.loss", "connect", {"percent": 100}),
    Tried("network.partition", judged=False),
    Tried("network.loss", settings={"percent": 100}, judged=False),
    Tried("cgroup.cpu", "work", {"percent": 1}),
)


@dataclass(frozen=True, slots=True)
class Turn:
    """When a fault was injected and reverted, monotonic nanoseconds."""

    inject_ns: int
    revert_ns: int
    gone_ns: int


def _turn(tried: Tried, place: Place) -> Turn:
    fault = registry.build(tried.spec, place)
    assert isinstance(fault, Fault)
    undo = fault.prepare()
    inject_ns = time.monotonic_ns()
    try:
        fault.inject(undo)
        time.sleep(HELD_S)
    finally:
        revert_ns = time.monotonic_ns()
        fault.revert(undo)
    deadline = time.monotonic() + 5.0
    while time.monotonic() < deadline:
        try:
            if not fault.active(undo):
                break
        except FaultError:
            pass
        time.sleep(0.02)
    else:
        raise FaultError(f"{tried.kind} was not given back")
    return Turn(inject_ns, revert_ns, time.monotonic_ns())


def _rows(path: Path) -> list[tuple[int, int, bool]]:
    """Start, end, answered well."""
    flat = array("q")
    flat.frombytes(path.read_bytes())
    return [(flat[i], flat[i + 1], bool(flat[i + 2])) for i in range(0, len(flat), 3)]


def delays(rows: list[tuple[int, int, bool]], turns: list[Turn]) -> tuple[list[float], list[float]]:
    """Milliseconds from inject to the first affected operation, and from revert to the last; one each a turn."""
    plain = sorted(end - start for start, end, well in rows if well and not any(_within(start, turn) for turn in turns))
    slow_ns = max(SLOW_MS * 1e6, plain[int((1 - RARE) * (len(plain) - 1))])
    affected = [(start, end) for start, end, well in rows if not well or end - start > slow_ns]
    first, last = [], []
    for turn in turns:
        own = [start for start, end in affected if end > turn.inject_ns and start < turn.revert_ns]
        if not own:
            raise FaultError("no operation was affected while a fault was in place")
        first.append(max(0, min(own) - turn.inject_ns) / 1e6)
        late = [start for start, _ in affected if turn.revert_ns <= start < turn.gone_ns + BETWEEN_S * 1e9 / 2]
        last.append(max(0, max(late) - turn.revert_ns) / 1e6 if late else 0.0)
    return first, last


def _within(start: int, turn: Turn) -> bool:
    return turn.inject_ns - 300_000_000 < start < turn.gone_ns + 300_000_000


def _p95(values: list[float]) -> float:
    return round(sorted(values)[max(0, -(-95 * len(values) // 100) - 1)], 2)


def _measure(tried: Tried, stack: EmbeddedStack, count: int) -> tuple[list[float], list[float]]:
    place = stack.places()["redis"]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows"
        words = (place.host, str(place.via_port), place.passfile, tried.operation, str(out))
        client = subprocess.Popen([sys.executable, "-m", "benchmarks.prober", *words])
        try:
            time.sleep(WARM_S)
            turns = []
            for _ in range(count):
                turns.append(_turn(tried, place))
                time.sleep(BETWEEN_S)
        finally:
            client.send_signal(signal.SIGTERM)
            client.wait(10)
        return delays(_rows(out), turns)


def measure(options: Options) -> Result:
    """Every kind in `TRIED` that this machine can do, `count` times each."""
    count = options.count or 50
    figures: dict[str, Figure] = {"turns": count, "rate_per_s": 500}
    met, stack = True, EmbeddedStack(None, tag=f"bench-{secrets.token_hex(4)}", experiment_folder=Path.cwd())
    try:
        stack.start()
        for tried in TRIED:
            problems = registry.check(tried.spec) or registry.fits(tried.spec, stack.places()["redis"])
            if problems:
                options.say(f"{tried.kind}: not possible here: {problems[0]}")
                figures[f"{tried.name}_not_possible"] = str(problems[0])
                met = False
                continue
            first, last = _measure(tried, stack, count)
            for moment, values in (("inject", first), ("revert", last)):
                figures[f"{tried.name}_{moment}_p50_ms"] = round(statistics.median(values), 2)
                figures[f"{tried.name}_{moment}_p95_ms"] = _p95(values)
            if tried.judged:
                met = met and _p95(first) <= LIMIT_MS and _p95(last) <= LIMIT_MS
            options.say(
                f"{tried.kind} by {tried.operation}: "
                f"inject p50 {statistics.median(first):.1f}, p95 {_p95(first):.1f} ms; "
                f"revert p50 {statistics.median(last):.1f}, p95 {_p95(last):.1f} ms"
            )
    finally:
        stack.stop()
    return Result(figures=figures, goal=GOAL, met=met)
