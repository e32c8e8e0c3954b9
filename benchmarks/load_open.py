"""An open load: whether its rate is reached, how late operations begin, and whether its latency is the truth.

The first two at 10 000 and 20 000 arrivals a second, on an nginx with a small fixed answer, generator and server each
on a core of its own: the share of the schedule that was sent, and the 99th percentile of actual less intended start.

The third with a server that stands still for a second every ten and says when (`benchmarks.stalling_server`). An
arrival while it stands still is answered when it goes on, any other at once; so the response time of every arrival of
the schedule is known without any measuring, and so are its quantiles. A generator that waits for answers would send
one operation into each stall instead of hundreds, and find a p99 that is a hundred times too good.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks import Figure, Options, Result
from benchmarks.load_http import GENERATOR_CORE, SERVER_CORE, nginx, on_core
from resilience.columns import Samples
from resilience.load.drivers.locust import LocustDriver
from resilience.model import OUTCOMES, Json, Load, LoadOrder, Operation, Outcome
from resilience.record.samples import read_samples
from resilience.spec.profile import arrivals

RATES = (10_000, 20_000)
SECONDS = 8.0
SETTLE_S = 2.0
"""The first connections are made in the beginning; what is judged comes after."""
SPUN_S = 1.0
STALLED_RATE, STALLED_S = 200.0, 40.0
GOAL = {
    "off_10000_percent": "<= 0.5",
    "off_20000_percent": "<= 0.5",
    "lag_p99_10000_ms": "<= 2",
    "stalled_p99_off_percent": "<= 2",
    "stalled_p999_off_percent": "<= 2",
}
_LIMITS = {name: float(text.split()[1]) for name, text in GOAL.items()}


def _run(url: str, folder: Path, load: Load, seconds: float) -> tuple[Samples, LoadOrder, dict[str, Figure]]:
    """One open load to its end: samples, the order, and what its generator used."""
    with on_core(GENERATOR_CORE):
        driver = LocustDriver(f"load-open-{os.getpid()}")
        driver.prepare()
    samples, order, account = whole_run(driver, url, folder, load, seconds)
    return samples, order, {"cpu_share": round(float(str(account["cpu_s"])) / float(str(account["wall_s"])), 2)}


def whole_run(
    driver: LocustDriver, url: str, folder: Path, load: Load, seconds: float, lead_s: float = 1.0, *, seed: int = 1
) -> tuple[Samples, LoadOrder, Mapping[str, Json]]:
    """One load to its end, by a driver that is ready: samples, the order, and the driver's account.

    Args:
        driver: sends it, and is closed.
        url: of the server.
        folder: of the record, made here.
        load: what is sent.
        seconds: it lasts.
        lead_s: until it begins.
        seed: of what is drawn.
    """
    folder.mkdir()
    try:
        order = LoadOrder(
            run="0badcafe",
            seed=seed,
            zero_ns=time.monotonic_ns() + int(lead_s * 1e9),
            base_url=url,
            folder=str(folder),
            load=load,
            max_s=seconds,
        )
        handle = driver.start(order)
        time.sleep(lead_s + seconds + 0.5)
        account = handle.stop(60.0)
    finally:
        driver.close()
    samples, problems = read_samples(folder, ordered=True)
    if problems or len(samples) != account["offered"]:
        raise SystemExit(f"the record is not whole: {problems}, {len(samples)} of {account['offered']} samples")
    return samples, order, account


def _spinning() -> dict[str, Figure]:
    """What the machine gives a process that only spins: on one that takes the core away, no generator is in time."""
    with on_core(GENERATOR_CORE):
        began_s, cpu_s = time.monotonic(), time.process_time()
        last_s, longest_s = began_s, 0.0
        while last_s - began_s < SPUN_S:
            now_s = time.monotonic()
            longest_s, last_s = max(longest_s, now_s - last_s), now_s
        share = (time.process_time() - cpu_s) / (last_s - began_s)
    return {"spinning_share": round(share, 2), "spinning_longest_gap_ms": round(longest_s * 1000, 1)}


def _rate(rate: int, url: str, folder: Path) -> dict[str, Figure]:
    """How exactly one rate is reached."""
    operation = Operation(name="get", weight=1.0, method="GET", path="/x", timeout_s=5.0)
    load = Load(rate=float(rate), operations=(operation,), max_in_flight=1000)
    samples, _, used = _run(url, folder, load, SECONDS)
    settled = samples.start_ns >= int(SETTLE_S * 1e9)
    within = settled & (samples.start_ns < int((SECONDS - 0.5) * 1e9))
    sent = int(np.count_nonzero(within & (samples.outcome != OUTCOMES.index(Outcome.DROPPED))))
    wanted = rate * (SECONDS - 0.5 - SETTLE_S)
    lag_ms = (samples.start_ns - samples.arrival_ns)[within] / 1e6
    return {
        f"achieved_{rate}_per_s": round(sent / (SECONDS - 0.5 - SETTLE_S), 1),
        f"off_{rate}_percent": round(abs(sent / wanted - 1) * 100, 3),
        f"lag_p50_{rate}_ms": round(float(np.quantile(lag_ms, 0.5)), 3),
        f"lag_p99_{rate}_ms": round(float(np.quantile(lag_ms, 0.99)), 3),
        f"not_ok_{rate}": int(np.count_nonzero(samples.outcome != OUTCOMES.index(Outcome.OK))),
        f"cpu_share_{rate}": used["cpu_share"],
    }


def _stalled(folder: Path) -> dict[str, Figure]:
    """Quantiles of response time with a server that stalls, measured and computed."""
    with on_core(SERVER_CORE):
        server = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.stalling_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        operation = Operation(name="get", weight=1.0, method="GET", path="/x", timeout_s=5.0)
        load = Load(rate=STALLED_RATE, operations=(operation,), max_in_flight=1000)
        samples, order, _ = _run(url, folder, load, STALLED_S)
        server.stdin.close()
        stalls = json.loads(server.stdout.readline())
    finally:
        server.kill()
        server.wait(10)
    due = np.fromiter(arrivals(load, 1, STALLED_S), np.int64) + order.zero_ns
    truth = np.zeros(len(due), np.float64)
    for begin_ns, end_ns in stalls:
        inside = (due >= begin_ns) & (due < end_ns)
        truth[inside] = (end_ns - due[inside]) / 1e6
    measured = (samples.end_ns - samples.arrival_ns) / 1e6
    figures: dict[str, Figure] = {"stalls": len(stalls), "stalled_operations": len(due)}
    figures["stalled_not_ok"] = int(np.count_nonzero(samples.outcome != OUTCOMES.index(Outcome.OK)))
    figures["stalled_missing"] = len(due) - len(samples)
    for name, quantile in (("p99", 0.99), ("p999", 0.999)):
        found, computed = float(np.quantile(measured, quantile)), float(np.quantile(truth, quantile))
        figures[f"stalled_{name}_ms"] = round(found, 1)
        figures[f"stalled_{name}_computed_ms"] = round(computed, 1)
        figures[f"stalled_{name}_off_percent"] = round(abs(found / computed - 1) * 100, 2)
    return figures


def measure(options: Options) -> Result:
    """Each rate once, and the stalling server."""
    figures: dict[str, Figure] = _spinning()
    with tempfile.TemporaryDirectory(prefix="load-open-", dir="/tmp") as name:
        folder = Path(name)
        with nginx(folder) as url:
            for rate in RATES:
                options.say(f"{rate} a second")
                figures |= _rate(rate, url, folder / str(rate))
        options.say("a server that stalls")
        figures |= _stalled(folder / "stalled")
    met = all(float(str(figures[name])) <= limit for name, limit in _LIMITS.items())
    return Result(figures=figures, goal=GOAL, met=met and not figures["stalled_missing"])
