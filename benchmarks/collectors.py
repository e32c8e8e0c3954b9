"""What it costs to read resources: processor time of all collectors at one reading a second, on the running target.

The embedded stack runs the reference target under the load of `experiments/redis-failure.yaml`. In turns, a process
that only waits, and the same one with all collectors that such a run has and the target's own metrics besides: system
(machine and every process), PostgreSQL, Redis, toxiproxy, `/metrics`, and the writing of the record. Time on a
processor is the kernel's own count of every thread of that process; what the servers take to answer is told besides.
Beside the reading of processes stands psutil's, for the same figures of the same processes.
"""

import contextlib
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from benchmarks import Figure, Options, Result
from benchmarks.lease import cpu_ns
from resilience.host import usage
from resilience.load.drivers.locust import LocustDriver
from resilience.model import Experiment, LoadOrder, Metrics, Observing, Place, Taken
from resilience.observe.resources import Collectors, watchers_of
from resilience.observe.watcher import FAILURES, Watcher
from resilience.record.redact import Redactor
from resilience.record.resources import read_resources
from resilience.spec.parse import parse
from resilience.stack.embedded import EmbeddedStack

FILE = Path(__file__).parent.parent / "experiments" / "redis-failure.yaml"
LIMIT = 3.0
HELD_S = 20.0
SETTLE_S = 3.0
POOL = Taken(
    name="pool.used",
    metric='shop_database_pool{what="used"}',
    limit_metric='shop_database_pool{what="most"}',
)
OBSERVING = Observing(metrics=(Metrics(part="service", take=(POOL, Taken(name="uses", metric="shop_cache_total"))),))
GOAL = {
    "collectors_percent_of_core": f"<= {LIMIT:g} %, median of the turns",
    "gaps": "told: readings that were missing or late",
    "process_reading_ratio_to_psutil": "told: processor time, psutil's is 1",
}


@contextlib.contextmanager
def _loaded(experiment: Experiment, url: str, seed: int) -> Iterator[None]:
    """The load of the experiment for the length of a block, from a process of its own."""
    with tempfile.TemporaryDirectory(prefix="bench-collectors-", dir="/tmp") as folder:
        driver = LocustDriver(f"bench-collectors-{time.monotonic_ns()}")
        try:
            driver.prepare()
            zero_ns = time.monotonic_ns() + int(1.5e9)
            order = LoadOrder(
                run=f"{time.monotonic_ns() & 0xFFFFFFFF:08x}",
                seed=seed,
                zero_ns=zero_ns,
                base_url=url,
                folder=folder,
                load=experiment.load,
                max_s=600.0,
            )
            handle = driver.start(order)
            time.sleep(max(0.0, zero_ns / 1e9 + SETTLE_S - time.monotonic()))
            yield
            handle.stop(30.0)
        finally:
            driver.close()


def _held(places: dict[str, Place]) -> tuple[float, float]:
    """Percent of one core that this process takes while it waits; and PostgreSQL's and Redis's, together."""
    servers = [pid for name in ("postgres", "redis") for pid in _pids(places[name])]
    before, theirs, began = cpu_ns(os.getpid()), sum(map(_of, servers)), time.monotonic_ns()
    time.sleep(HELD_S)
    took_ns = time.monotonic_ns() - began
    return 100 * (cpu_ns(os.getpid()) - before) / took_ns, 100 * (sum(map(_of, servers)) - theirs) / took_ns


def _pids(place: Place) -> tuple[int, ...]:
    assert place.identity is not None
    return usage.families({place.name: place.identity})[place.name]


def _of(pid: int) -> int:
    with contextlib.suppress(OSError):
        return cpu_ns(pid)
    return 0


def _collected(places: dict[str, Place]) -> tuple[float, float, int, int]:
    """The same with all collectors; how many series there were, and how many gaps."""
    with tempfile.TemporaryDirectory(prefix="bench-collectors-", dir="/tmp") as name:
        folder = Path(name)
        watchers, missing = watchers_of(OBSERVING, places, "embedded", folder, {})
        zero_ns = time.monotonic_ns()
        collectors = Collectors(
            watchers, folder, lambda: time.monotonic_ns() - zero_ns, Redactor(), period_s=1.0, missing=missing
        )
        collectors.start()
        try:
            time.sleep(SETTLE_S)  # connections are opened, and what is imported late is there
            percent, theirs = _held(places)
        finally:
            collectors.stop()
        found = read_resources(folder)
    return percent, theirs, len(found.series), len(found.gaps)


def _each_ms(read: Callable[[], object], times: int = 20) -> float:
    """Milliseconds of processor time of this thread for one reading, as they come: a second apart would take long."""
    took: list[float] = []
    for _ in range(5 * times):
        before = time.thread_time()
        with contextlib.suppress(*FAILURES):  # the target is busy, and answers another time
            read()
            took.append(time.thread_time() - before)
        if len(took) > times:
            break
    return statistics.mean(took[1:]) * 1e3  # the first one connects


def _watchers_ms(places: dict[str, Place]) -> dict[str, float]:
    watchers, _ = watchers_of(OBSERVING, places, "embedded", FILE.parent, {})
    found: dict[str, float] = {}

    def measure(watcher: Watcher) -> None:
        found[f"{watcher.collector}_ms"] = round(_each_ms(watcher.read), 3)
        watcher.close()

    for watcher in watchers:  # in a thread of its own each, as in a run
        thread = threading.Thread(target=measure, args=(watcher,))
        thread.start()
        thread.join()
    return found


def _ratio(places: dict[str, Place]) -> float:
    """What our reading of the stack's processes takes, as a share of psutil's."""
    pids = [pid for place in places.values() if place.identity is not None for pid in _pids(place)]
    theirs = [psutil.Process(pid) for pid in pids]

    def ours_read() -> None:
        for pid in pids:
            usage.of_process(pid)

    def theirs_read() -> None:
        for process in theirs:
            with contextlib.suppress(psutil.Error), process.oneshot():
                process.cpu_times()
                process.memory_info()
                process.num_threads()
                process.num_ctx_switches()
                process.io_counters()
                process.num_fds()

    return _each_ms(ours_read) / _each_ms(theirs_read)


def measure(options: Options) -> Result:
    """Without and with, `count` times in turns."""
    count = options.count or 3
    experiment = parse(FILE.read_bytes(), FILE.name, str(FILE.parent))
    bare: list[float] = []
    read: list[float] = []
    servers: list[float] = []
    series = gaps = 0
    stack = EmbeddedStack(
        experiment.stack.service, tag=f"bench-{time.monotonic_ns()}", experiment_folder=str(FILE.parent)
    )
    try:
        stack.start()
        places = dict(stack.places())
        with _loaded(experiment, places["service"].url, options.seed):
            for number in range(count):
                without, at_rest = _held(places)
                percent, asked, series, gaps_now = _collected(places)
                gaps += gaps_now
                bare.append(without)
                read.append(percent)
                servers.append(asked - at_rest)
                options.say(
                    f"turn {number + 1}: {without:.2f} % without, {percent:.2f} % with, servers {servers[-1]:+.2f} %"
                )
            each = _watchers_ms(places)
            ratio = _ratio(places)
    finally:
        stack.stop()
    cost = statistics.median(read) - statistics.median(bare)
    figures: dict[str, Figure] = {
        "collectors_percent_of_core": round(cost, 3),
        "waiting_percent_of_core": round(statistics.median(bare), 3),
        "servers_percent_of_core": round(statistics.median(servers), 3),
        "series": series,
        "gaps": gaps,
        **each,
        "process_reading_ratio_to_psutil": round(ratio, 3),
    }
    return Result(figures=figures, goal=GOAL, met=cost <= LIMIT)
