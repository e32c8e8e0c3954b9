"""One load from two processes: is its rate reached, how late operations begin, and what it costs beside one process.

The same schedule and the same nginx, once from one process and once from two, on all cores that there are, of which the
server needs a part of one. Every operation is a sample, and every arrival of the schedule must be among them. What two
cost is the processor time of the workers for an operation.
"""

import os
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import Figure, Options, Result
from benchmarks.load_http import nginx
from benchmarks.load_open import whole_run
from resilience.load.drivers.locust import LocustDriver
from resilience.model import OUTCOMES, Gathering, Load, Operation, Outcome

RATES = (10_000, 20_000)
SECONDS, SETTLE_S = 7.0, 2.0
GOAL = {
    "off_10000_percent": "<= 0.5 from two processes",
    "off_20000_percent": "<= 0.5 from two processes",
    "lag_p99_10000_ms": "<= 2",
    "missing": "0",
    "cpu_ratio_10000": "<= 1.25 of what one process takes",
}


def _run(workers: int, rate: int, url: str, folder: Path) -> dict[str, float]:
    gathering = Gathering(local=workers, remote=0, listen="127.0.0.1:0", wait_s=60.0, token="benchmark")  # noqa: S106
    driver = LocustDriver(f"load-workers-{os.getpid()}", gathering=gathering if workers > 1 else None)
    driver.prepare()
    operation = Operation(name="get", weight=1.0, method="GET", path="/x", timeout_s=5.0)
    load = Load(rate=float(rate), operations=(operation,), max_in_flight=1000)
    samples, _, account = whole_run(driver, url, folder, load, SECONDS, lead_s=1.5)
    measured_s = SECONDS - 0.5 - SETTLE_S
    within = (samples.start_ns >= SETTLE_S * 1e9) & (samples.start_ns < (SETTLE_S + measured_s) * 1e9)
    sent = int(np.count_nonzero(within & (samples.outcome != OUTCOMES.index(Outcome.DROPPED))))
    lag_ms = (samples.start_ns - samples.arrival_ns)[within] / 1e6
    return {
        "achieved": sent / measured_s,
        "lag_ms": float(np.quantile(lag_ms, 0.99)),
        "not_ok": float(np.count_nonzero(samples.outcome != OUTCOMES.index(Outcome.OK))),
        "missing": abs(rate * SECONDS - len(samples)),
        "cpu_us": float(str(account["cpu_s"])) / len(samples) * 1e6,
    }


def measure(options: Options) -> Result:
    """Each rate from one process and from two."""
    figures: dict[str, Figure] = {}
    missing = 0.0
    with tempfile.TemporaryDirectory(prefix="load-workers-", dir="/tmp") as name:
        folder = Path(name)
        with nginx(folder) as url:
            for rate in RATES:
                found = {}
                for workers in (1, 2):
                    options.say(f"{rate} a second from {workers}")
                    found[workers] = _run(workers, rate, url, folder / f"{rate}-{workers}")
                one, two = found[1], found[2]
                missing += two["missing"]
                figures |= {
                    f"achieved_{rate}_per_s": round(two["achieved"], 1),
                    f"off_{rate}_percent": round(abs(two["achieved"] / rate - 1) * 100, 3),
                    f"lag_p99_{rate}_ms": round(two["lag_ms"], 3),
                    f"not_ok_{rate}": int(two["not_ok"]),
                    f"alone_achieved_{rate}_per_s": round(one["achieved"], 1),
                    f"alone_lag_p99_{rate}_ms": round(one["lag_ms"], 3),
                    f"cpu_us_{rate}": round(two["cpu_us"], 1),
                    f"alone_cpu_us_{rate}": round(one["cpu_us"], 1),
                    f"cpu_ratio_{rate}": round(two["cpu_us"] / one["cpu_us"], 2),
                }
    figures["missing"] = int(missing)
    met = not missing and all(
        float(str(figures[name])) <= float(GOAL[name].split()[1]) for name in GOAL if name != "missing"
    )
    return Result(figures=figures, goal=GOAL, met=met)
