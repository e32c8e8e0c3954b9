"""How much the healthy reference target serves on one core: it must not be the bottleneck of its own tests.

The operations are those of `experiments/redis-failure.yaml`: 70 % cached reads, 20 % read-backs, 10 % orders. The
target has the last core for itself; PostgreSQL, Redis and the generator share the first, without proxies between. Each
round has two stretches: users who ask again as soon as they are answered, for the most that is served, and then the
promised rate, open, for the time that answers take at it. Beside it a bare route of Starlette on the same server and
core (`bare_service`): what is above that is the target's own and its drivers'.

And events in batches of 500, each stored by one statement and answered after the commit: how many a second.
"""

import contextlib
import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path

import numpy as np
import psutil

from benchmarks import Figure, Options, Result
from resilience.load.drivers.locust import LocustDriver
from resilience.model import OUTCOMES, Expect, Json, Load, LoadOrder, Operation, Outcome, Role, Think
from resilience.record.samples import read_samples
from resilience.spec.parse import parse
from resilience.spec.stages import laid_out
from resilience.stack import loopback
from resilience.stack.embedded import EmbeddedStack

FILE = Path(__file__).parent.parent / "experiments" / "redis-failure.yaml"
PROMISED = 1500
USERS = 32
EVENTS = 10_000
BATCH, SENDERS = 500, 4
CORES = sorted(os.sched_getaffinity(0))
SETTLE_S, MEASURED_S = 3.0, 8.0
"""Before it counts, the cache fills: the keys are skewed, so most are there after a moment."""
GOAL = {
    "ops_per_s": f">= {PROMISED}, median of the rounds",
    "events_per_s": f">= {EVENTS}, stored when they are answered",
    "failed_or_unknown": "0",
    "p95_ms": f"told, at {PROMISED} a second",
    "cpu_us_per_operation": f"told; {1_000_000 // PROMISED} is what one core allows",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Stretch:
    """What came of one stretch of load.

    Attributes:
        ops_per_s: right answers per second.
        cpu_us: processor time of what was asked, per right answer, in microseconds.
        p95_ms: from when an operation was due to its answer.
        wrong: operations that were not ok.
    """

    ops_per_s: float
    cpu_us: float
    p95_ms: float
    wrong: int


def mix() -> tuple[Operation, ...]:
    """The operations of the shipped experiment."""
    return parse(FILE.read_bytes(), FILE.name, str(FILE.parent)).load.operations


def batches() -> Operation:
    """Events as browsers send them, in the largest batches that there may be."""
    event: Json = {"name": "click", "data": {"page": "items", "x": 312, "y": 1180, "after_ms": 5230}}
    return Operation(
        name="store-events",
        weight=1.0,
        role=Role.WRITE,
        method="POST",
        path="/events",
        headers={"Idempotency-Key": "${write_id}"},
        json={"id": "${write_id}", "events": [event] * BATCH},
        expect=Expect(status=(200, 201)),
        timeout_s=5.0,
    )


def stretch(load: Load, url: str, process: psutil.Process, seed: int) -> Stretch:
    """Ask for a while, and count what was due after the first moments."""
    with tempfile.TemporaryDirectory(prefix="bench-target-", dir="/tmp") as folder:
        driver = LocustDriver(f"bench-target-{time.monotonic_ns()}")
        try:
            driver.prepare()
            zero_ns = time.monotonic_ns() + int(1.5e9)
            order = LoadOrder(
                run=f"{time.monotonic_ns() & 0xFFFFFFFF:08x}",
                seed=seed,
                zero_ns=zero_ns,
                base_url=url,
                folder=folder,
                load=load,
                max_s=SETTLE_S + MEASURED_S + 30,
            )
            handle = driver.start(order)
            time.sleep(max(0.0, zero_ns / 1e9 + SETTLE_S - time.monotonic()))
            began_ns, cpu_s = time.monotonic_ns() - zero_ns, _cpu_s(process)
            time.sleep(MEASURED_S)
            ended_ns, cpu_s = time.monotonic_ns() - zero_ns, _cpu_s(process) - cpu_s
            handle.stop(30.0)
        finally:
            driver.close()
        samples, problems = read_samples(Path(folder), finished=True)
    if problems:
        raise RuntimeError(f"the record is not whole: {problems}")
    right = samples.outcome == OUTCOMES.index(Outcome.OK)
    counted = samples.where((samples.end_ns >= began_ns) & (samples.end_ns < ended_ns))
    ok = counted.where(counted.outcome == OUTCOMES.index(Outcome.OK))
    seconds = (ended_ns - began_ns) / 1e9
    return Stretch(
        ops_per_s=len(ok) / seconds,
        cpu_us=cpu_s / len(ok) * 1e6,
        p95_ms=float(np.percentile(ok.end_ns - ok.arrival_ns, 95)) / 1e6,
        wrong=int(np.count_nonzero(~right)),
    )


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


@contextlib.contextmanager
def _program(module: str, port: int, path: str, environment: Mapping[str, str]) -> Iterator[psutil.Process]:
    """A program on the last core, from when it answers 200 at a path."""
    argv = [sys.executable, "-m", module, str(port)]
    os.sched_setaffinity(0, {CORES[-1]})
    try:
        process = subprocess.Popen(argv, env={**os.environ, **environment}, stderr=subprocess.DEVNULL)
    finally:
        os.sched_setaffinity(0, {CORES[0]})
    try:
        give_up_s = time.monotonic() + 30
        while not _answers(port, path):
            if process.poll() is not None or time.monotonic() > give_up_s:
                raise RuntimeError(f"{module} does not answer at {path}")
            time.sleep(0.1)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(15)


def _answers(port: int, path: str) -> bool:
    with contextlib.suppress(OSError):
        return loopback.get(port, path)[0] == HTTPStatus.OK
    return False


@contextlib.contextmanager
def _servers() -> Iterator[dict[str, str]]:
    """PostgreSQL and Redis; what tells the target where they are."""
    stack = EmbeddedStack(None, tag=f"bench-{time.monotonic_ns()}", experiment_folder=".")
    try:
        stack.start()
        postgres, redis = stack.places()["postgres"], stack.places()["redis"]
        yield {
            "DATABASE_URL": f"postgresql://{postgres.user}@{postgres.host}:{postgres.port}/{postgres.user}",
            "PGPASSFILE": postgres.passfile,
            "REDIS_URL": f"redis://{redis.host}:{redis.port}/0",
            "REDIS_PASSWORD_FILE": redis.passfile,
            "TARGET_BUGS": "",
        }
    finally:
        stack.stop()


def measure(options: Options) -> Result:
    """Measure in turns; `count` rounds."""
    operations, rounds = mix(), options.count or 3
    common = Load(operations=operations, keys=2000, zipf=1.1)
    busy = dataclasses.replace(common, users=USERS, think=Think(mean_s=0.0))
    paced = dataclasses.replace(common, rate=float(PROMISED), arrivals="poisson")
    plain = dataclasses.replace(busy, operations=(Operation(name="get", weight=1.0, path="/x"),))
    many = dataclasses.replace(busy, users=SENDERS, operations=(batches(),))
    found: dict[str, list[Stretch]] = {"busy": [], "paced": [], "events": [], "bare": []}
    ports = loopback.Reservation(2)
    service, bare = ports.ports
    ports.close()
    os.sched_setaffinity(0, {CORES[0]})
    try:
        with _servers() as environment:
            for number in range(rounds):
                told = {**environment, "PORT": str(service)}
                with _program("fixtures.target", service, "/ready", told) as process:
                    for name, load in (("busy", busy), ("paced", paced), ("events", many)):
                        done = laid_out(load) or load
                        found[name].append(stretch(done, f"http://127.0.0.1:{service}", process, options.seed + number))
                with _program("benchmarks.bare_service", bare, "/", {}) as process:
                    done = laid_out(plain) or plain
                    found["bare"].append(stretch(done, f"http://127.0.0.1:{bare}", process, options.seed + number))
                for name, each in found.items():
                    options.say(f"round {number + 1} of {rounds}: {name:5} {each[-1]}")
    finally:
        os.sched_setaffinity(0, set(CORES))
    figures: dict[str, Figure] = {
        "users": USERS,
        "ops_per_s": _median(found["busy"], "ops_per_s"),
        "cpu_us_per_operation": _median(found["busy"], "cpu_us"),
        "p95_ms": _median(found["paced"], "p95_ms"),
        "paced_ops_per_s": _median(found["paced"], "ops_per_s"),
        "p95_busy_ms": _median(found["busy"], "p95_ms"),
        "events_per_s": round(BATCH * _median(found["events"], "ops_per_s")),
        "cpu_us_per_event": round(_median(found["events"], "cpu_us") / BATCH, 2),
        "bare_ops_per_s": _median(found["bare"], "ops_per_s"),
        "bare_cpu_us_per_operation": _median(found["bare"], "cpu_us"),
        "failed_or_unknown": sum(one.wrong for name in ("busy", "paced", "events") for one in found[name]),
    }
    enough = float(str(figures["ops_per_s"])) >= PROMISED and float(str(figures["events_per_s"])) >= EVENTS
    return Result(figures=figures, goal=GOAL, met=enough and not figures["failed_or_unknown"])


def _median(found: Sequence[Stretch], name: str) -> float:
    values: list[float] = [getattr(one, name) for one in found]
    return round(statistics.median(values), 2)
