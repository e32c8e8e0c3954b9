"""How often two runs of the same thing are told apart, and an operation that is 20 % slower is found.

Two kinds of pairs, kept apart in the figures:

* **Real**: whole loads of three operations on a server whose answers take a known time, recorded by our own
  generator, as ever and with one operation 20 % slower in turn. With n runs of each, every pair of like runs is one of
  identical runs, 2 · n · (n - 1) in all with either first, and every run as ever beside every slower one is a pair to
  be found, n². The pairs of one run are not independent of each other.
* **Drawn**: 200 pairs of each kind, each side put together from stretches of five seconds of one of these real runs,
  drawn with replacement, so that what is alike in neighbouring seconds stays alike; the two sides are always from
  different runs, so that what differs from run to run differs here too. Of the slower side the operation's response
  times are 20 % longer. What is drawn from a run differs from it by as much again as the run does from the truth, so
  such pairs are harder than real ones.

Each is compared as a run with a single earlier run: the hardest case, in which what runs differ by is assumed.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import numpy as np

from benchmarks import Figure, Options, Result
from benchmarks.load_open import whole_run
from resilience.columns import Samples
from resilience.judge.quantiles import NS
from resilience.judge.regression.compare import compare
from resilience.judge.regression.slices import estimates
from resilience.judge.regression.strain import LAG
from resilience.load.drivers.locust import LocustDriver
from resilience.model import Baseline, Change, Load, Measured, Operation, Regression

RUNS = 6
SECONDS, WARM_UP_S = 27.0, 2.0
RATE = 200.0
MEDIAN_MS = 50.0
"""Of the operation that is made slower: long beside what the machine itself adds, so that 20 % are seen as 20 %."""
SLOWER = 1.2
PAIRS = 200
BLOCK_S = 5
NAMES = ("read", "list", "write")
WEIGHTS = (2.0, 1.0, 1.0)
GOAL = {
    "drawn_false_alarms_share": "< 0.02",
    "drawn_found_share": ">= 0.95",
    "real_false_alarms_share": "< 0.02",
    "real_found_share": ">= 0.95",
}


def measure(options: Options) -> Result:
    """`count` real runs of each kind, six if not said; then pairs."""
    count = options.count or RUNS
    runs: dict[float, list[Samples]] = {1.0: [], SLOWER: []}
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(count):
            for factor, done in runs.items():
                folder = Path(scratch) / f"{number}-{factor}"
                done.append(_real(factor, folder, options.seed + number))
                options.say(f"run {number + 1} of {count}, {factor:g}: {_told(done[-1])}")
    as_ever, slower = ([_measured(one) for one in runs[factor]] for factor in (1.0, SLOWER))
    like = [*permutations(as_ever, 2), *permutations(slower, 2)]
    real_alarms = [_answer(one, other) for one, other in like]
    real_found = [_answer(one, other) for one, other in product(as_ever, slower)]
    rng = np.random.default_rng(options.seed)
    drawn_alarms, drawn_found = [], []
    for _ in range(PAIRS):
        for factor, answers in ((1.0, drawn_alarms), (SLOWER, drawn_found)):
            one, other = rng.choice(len(as_ever), 2, replace=False)
            pair = (_drawn(runs[1.0][one], rng, 1.0), _drawn(runs[1.0][other], rng, factor))
            answers.append(_answer(*(_measured(side) for side in pair)))
    figures: dict[str, Figure] = {
        "real_runs": 2 * count,
        "real_identical_pairs": len(real_alarms),
        "real_false_alarms_share": _share(real_alarms, {Change.WORSE, Change.BETTER}),
        "real_slower_pairs": len(real_found),
        "real_found_share": _share(real_found, {Change.WORSE}),
        "drawn_identical_pairs": len(drawn_alarms),
        "drawn_false_alarms_share": _share(drawn_alarms, {Change.WORSE, Change.BETTER}),
        "drawn_slower_pairs": len(drawn_found),
        "drawn_found_share": _share(drawn_found, {Change.WORSE}),
        "identical_shown_same_share": _share(real_alarms, {Change.SAME}),
        "run_to_run_p50_percent": _run_to_run(as_ever),
        "seconds_of_each_run": SECONDS - WARM_UP_S,
    }
    alarms = [float(str(figures[f"{kind}_false_alarms_share"])) for kind in ("real", "drawn")]
    found = [float(str(figures[f"{kind}_found_share"])) for kind in ("real", "drawn")]
    return Result(figures=figures, goal=GOAL, met=max(alarms) < 0.02 and min(found) >= 0.95)


@contextmanager
def _server(factor: float) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.latency_server", str(factor), str(MEDIAN_MS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait(30)


def _real(factor: float, folder: Path, seed: int) -> Samples:
    """Samples of one real run, without its warm-up."""
    operations = tuple(
        Operation(name=name, weight=weight, method="GET", path=f"/{name}", timeout_s=2.0)
        for name, weight in zip(NAMES, WEIGHTS, strict=True)
    )
    load = Load(rate=RATE, operations=operations, arrivals="poisson", max_in_flight=500)
    with _server(factor) as url:
        driver = LocustDriver(f"regression-{os.getpid()}-{folder.name}")
        driver.prepare()
        samples, _, _ = whole_run(driver, url, folder, load, SECONDS, seed=seed)
    arrived = samples.arrival_ns / NS
    return samples.where((arrived >= WARM_UP_S) & (arrived < SECONDS))


def _measured(samples: Samples) -> Measured:
    """What comparing needs of it: each operation, and how late the generator was."""
    begin_s = WARM_UP_S
    names = list(samples.operations)
    cells = {name: estimates(samples.where(samples.operation == names.index(name)), begin_s, SECONDS) for name in NAMES}
    lag_ms = float(np.quantile(samples.start_ns - samples.arrival_ns, 0.99)) / 1e6
    return Measured(run="0badcafe", at="", answer="pass", cells={"baseline": cells}, counts={LAG: lag_ms})


def _answer(before: Measured, after: Measured) -> Change:
    return compare(Baseline(experiment="latency", runs=(before,)), [after], Regression()).answer


def _drawn(samples: Samples, rng: np.random.Generator, factor: float) -> Samples:
    """A run put together from stretches of a real one, with one operation slower by a factor."""
    blocks = int((SECONDS - WARM_UP_S) // BLOCK_S)
    length = BLOCK_S * NS
    first = int(WARM_UP_S * NS)
    order = [int(place) for place in rng.integers(0, int((SECONDS - WARM_UP_S - BLOCK_S) * 10) + 1, blocks)]
    rows, shifts = [], []
    for index, place in enumerate(order):
        begin = first + place * NS // 10
        inside = np.flatnonzero((samples.arrival_ns >= begin) & (samples.arrival_ns < begin + length))
        rows.append(inside)
        shifts.append(np.full(len(inside), first + index * length - begin, np.int64))
    where = np.concatenate(rows)
    shift = np.concatenate(shifts)
    found = samples.where(where)
    slower = np.where(found.operation == list(samples.operations).index("read"), factor, 1.0)
    arrival = found.arrival_ns + shift
    times = np.round((found.end_ns - found.arrival_ns) * slower).astype(np.int64)
    return replace(found, arrival_ns=arrival, start_ns=found.start_ns + shift, end_ns=arrival + times)


def _share(answers: Sequence[Change], wanted: set[Change]) -> float:
    return round(sum(one in wanted for one in answers) / len(answers), 4)


def _run_to_run(runs: Sequence[Measured]) -> float:
    """Standard deviation of the median of `read` from run to run, in percent."""
    medians = [run.cells["baseline"]["read"]["p50_ms"].value for run in runs]
    return round(float(np.std(np.log(medians), ddof=1)) * 100, 2)


def _told(samples: Samples) -> str:
    found = _measured(samples)
    cell = found.cells["baseline"]["read"]
    return f"read p50 {cell['p50_ms'].value:.2f} ms, p95 {cell['p95_ms'].value:.2f} ms, late {found.counts[LAG]:.2f} ms"
