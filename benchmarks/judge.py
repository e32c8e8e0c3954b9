"""What judging a record of 10 million samples takes: read back from disk and judged, by a process of its own.

The record is written by the run's own writer into a temporary folder, a file for each second of load as in a run. Time
is that of `read_record` and `judge` together, memory the most that the process ever had, interpreter and all.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import Options, Result
from resilience.columns import Record, Samples
from resilience.judge.verdict import judge
from resilience.model import EventKind
from resilience.record.documents import save_experiment, save_plan
from resilience.record.events import EventLog
from resilience.record.reader import read_record
from resilience.record.samples import SampleWriter
from tests.judge.simulator import World

SAMPLES = 10_000_000
RATE = 10_000.0
LIMIT_S, LIMIT_MB = 10.0, 1000.0
GOAL = {"total_s": f"at most {LIMIT_S:g} s", "peak_mb": f"at most {LIMIT_MB:g} MB", "answer": "pass"}


@dataclass
class Told:
    """A clock that says what it is told."""

    at_s: float = 0.0

    def now_s(self) -> float:
        """The time."""
        return self.at_s

    def sleep_until(self, at_s: float) -> None:
        """Be there."""
        self.at_s = at_s


def write_record(folder: Path, count: int, seed: int) -> int:
    """A record of about so many samples with one outage; how many it has."""
    world = World(seed=seed, rate=RATE, noise=0.001)
    record = World(seed=seed, rate=RATE, noise=0.001, watched_s=max(12.0, count / RATE - world.back_s)).scene().record()
    save_experiment(folder, record.experiment)
    save_plan(folder, record.plan)
    write_events(folder, record)
    write_samples(folder, record.samples)
    return len(record.samples)


def write_events(folder: Path, record: Record) -> None:
    """The events, each at its own time."""
    clock = Told()
    log = EventLog(folder / "events.jsonl", clock, header={"run": record.plan.run, "stack": record.stack})
    for event in record.events:
        clock.sleep_until(event.at_s)
        if event.kind not in {EventKind.HEADER, EventKind.FOOTER}:
            log.emit(event.kind, event.name, **event.detail)
    log.close()


def write_samples(folder: Path, samples: Samples) -> None:
    """The samples, a second of arrivals to a file."""
    writer = SampleWriter(folder, "load", samples.operations)
    columns = (samples.arrival_ns, samples.start_ns, samples.end_ns, samples.operation, samples.outcome, samples.status)
    step = round(RATE)
    for first in range(0, len(samples), step):
        part = slice(first, first + step)
        details = [samples.details[number] for number in samples.detail[part].tolist()]
        lists = [column[part].tolist() for column in (*columns, samples.degraded)]
        for row in zip(*lists, details, strict=True):
            writer.add(*row)
        writer.flush()
    writer.close()


def judged(folder: Path) -> dict[str, float | str | int]:
    """Read and judge a record, here and now."""
    begun = time.perf_counter()
    record = read_record(folder)
    read = time.perf_counter()
    verdict = judge(record)
    done = time.perf_counter()
    return {
        "samples": len(record.samples),
        "read_s": round(read - begun, 2),
        "judge_s": round(done - read, 2),
        "total_s": round(done - begun, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
        "answer": verdict.answer.value,
        "because": verdict.because,
    }


def measure(options: Options) -> Result:
    """Write the record once, judge it `count` times; the slowest counts."""
    with tempfile.TemporaryDirectory(prefix="judge-") as name:
        folder = Path(name)
        writer = [sys.executable, "-m", "benchmarks.judge", "write", name, str(SAMPLES), str(options.seed)]
        subprocess.run(writer, check=True, timeout=1800)  # apart, so that what it needs is not counted
        size = sum(path.stat().st_size for path in (folder / "samples").iterdir())
        runs = []
        for _ in range(options.count or 1):
            argv = [sys.executable, "-m", "benchmarks.judge", "judge", name]
            done = subprocess.run(argv, check=True, capture_output=True, timeout=600)
            runs.append(json.loads(done.stdout))
            options.say(f"{runs[-1]}")
    worst = max(runs, key=lambda run: run["total_s"])
    figures = {key: value for key, value in worst.items() if key != "because"}
    figures |= {"record_bytes_per_sample": round(size / worst["samples"], 1), "processors": os.cpu_count()}
    met = all(run["total_s"] <= LIMIT_S and run["peak_mb"] <= LIMIT_MB and run["answer"] == "pass" for run in runs)
    return Result(figures=figures, goal=GOAL, met=met)


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write_record(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        print(json.dumps(judged(Path(sys.argv[2]))))
