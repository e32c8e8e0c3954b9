"""What it costs to write a run down: a write's two entries in the ledger, and samples at 50 000 a second.

Processor time of this process alone, the kernel's included, with the very writers that the load process has. Samples
are made as a load of that rate would leave them, and flushed once a second; what they take on disk is all their files.
"""

import random
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks import Figure, Options, Result
from resilience.columns import Mark
from resilience.load.writes import Writers
from resilience.record.ledger import LedgerWriter
from resilience.record.samples import SampleWriter, warm_up

RATE = 50_000
WRITES = 50_000
WRITE_US, SAMPLE_BYTES, PERCENT = 5.0, 24.0, 10.0
GOAL = {
    "write_us": f"at most {WRITE_US:g} µs: the attempt and the outcome, with the choice of its name",
    "bytes_per_sample": f"at most {SAMPLE_BYTES:g}",
    "samples_percent_of_core": f"at most {PERCENT:g} % at {RATE:,} samples a second",
}
OPERATIONS = ("read-item", "read-order", "place-order")

Row = tuple[int, int, int, int, int, int, bool, str]


def write_us(folder: Path) -> float:
    """Microseconds for each write, begun and settled by one of 64 writers."""
    ledger = LedgerWriter(folder / "writes" / "load.ledger", "0badcafe")
    writers = Writers("0badcafe", 1, 64, ledger)
    began = time.process_time()
    for number in range(WRITES):
        entry = writers.begin(number % 64, 1000 * number)
        writers.settle(entry, Mark.ACKNOWLEDGED, 1000 * number + 500, 201)
    used = time.process_time() - began
    ledger.close()
    return used / WRITES * 1e6


def second(draw: random.Random, begin_ns: int) -> list[Row]:
    """One second of samples: arrivals at random, late by up to 0.2 ms, answered after some milliseconds."""
    rows, arrival = [], float(begin_ns)
    for _ in range(RATE):
        arrival += draw.expovariate(RATE) * 1e9
        start = int(arrival) + draw.randrange(20_000, 200_000)
        end = start + int(draw.lognormvariate(0, 0.5) * 3e6)
        failed = draw.random() < 0.03
        detail = draw.choice(("connection reset", "timed out")) if failed else ""
        rows.append((int(arrival), start, end, draw.randrange(3), int(failed), 0 if failed else 200, False, detail))
    return rows


def samples(folder: Path, draw: random.Random, seconds: int) -> tuple[float, float]:
    """Percent of one core while samples come at the rate, and bytes on disk for each."""
    writer = SampleWriter(folder, "load", OPERATIONS)
    used = 0.0
    for number in range(seconds):
        rows = second(draw, number * 10**9)
        began = time.process_time()
        for row in rows:
            writer.add(*row)
        writer.flush()
        used += time.process_time() - began
    writer.close()
    size = sum(path.stat().st_size for path in (folder / "samples").iterdir())
    return 100 * used / seconds, size / (seconds * RATE)


def measure(options: Options) -> Result:
    """Each `count` times."""
    count = options.count or 5
    draw = random.Random(options.seed)
    warm_up()
    took, cores, sizes = [], [], []
    for number in range(count):
        with tempfile.TemporaryDirectory(prefix="record-") as name:
            took.append(write_us(Path(name)))
            core, size = samples(Path(name), draw, 4)
        cores.append(core)
        sizes.append(size)
        options.say(f"{number + 1}: {took[-1]:.2f} µs a write, {core:.1f} % of a core, {size:.2f} bytes a sample")
    figures: dict[str, Figure] = {
        "turns": count,
        "write_us": round(statistics.median(took), 2),
        "write_max_us": round(max(took), 2),
        "bytes_per_sample": round(max(sizes), 2),
        "samples_percent_of_core": round(statistics.median(cores), 2),
        "samples_max_percent_of_core": round(max(cores), 2),
    }
    met = statistics.median(took) <= WRITE_US and max(sizes) <= SAMPLE_BYTES and statistics.median(cores) <= PERCENT
    return Result(figures=figures, goal=GOAL, met=met)
