"""Ten million acknowledged writes in a real PostgreSQL, with errors planted anywhere: all found, and none else.

A process of its own does what a run does when it ends: it reads the truth until it is settled, saves it, reads ledger
and truth back from the run folder, and judges them, canary and all. Its time is compared with that of psql copying the
same table to nowhere, measured just before and just after; its memory is the most that it ever had.
"""

import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psycopg

from benchmarks import Figure, Options, Result
from resilience.columns import Mark
from resilience.entry import body_of, format_id, tails_of
from resilience.judge.canary import run_canary
from resilience.judge.entries import index
from resilience.judge.taxonomy import CLASSES, classify
from resilience.observe.truth import read_settled
from resilience.observe.truth_postgres import PostgresTruth
from resilience.record import truth as truths
from resilience.record.ledger import LedgerWriter, read_ledger
from resilience.stack.embedded import EmbeddedStack

RUN = "0badcafe"
WRITERS = 64
PLANTED = 100
"""Of each class."""
RATIO, MEMORY_MB = 2.5, 300
GOAL = {
    "found_rightly": f"{4 * PLANTED}: all that were planted, by name",
    "found_wrongly": "0",
    "ratio": f"at most {RATIO:g}: reading and judging, to the copy",
    "peak_mb": f"at most {MEMORY_MB}",
}
QUERY = "SELECT id, body, position FROM writes WHERE id LIKE %(prefix)s || '%%'"
TABLE = "CREATE TABLE writes (id text NOT NULL, body text NOT NULL, position bigint NOT NULL)"
SLICE = 1 << 13


def plant(count: int, seed: int) -> dict[str, list[int]]:
    """Which writes meet which error; a phantom stands behind the one that it is named with."""
    drawn = random.Random(seed).sample(range(count), 4 * PLANTED)
    names = ("lost", "duplicated", "corrupted", "phantom")
    return {name: sorted(drawn[at * PLANTED : (at + 1) * PLANTED]) for at, name in enumerate(names)}


def load(connection: psycopg.Connection, count: int, planted: dict[str, list[int]]) -> None:
    """Fill the table: writer after writer in turn, a position for each row."""
    special = {number: name for name, numbers in planted.items() for number in numbers}
    position = 0
    connection.execute(TABLE)
    with connection.cursor().copy("COPY writes FROM STDIN") as copy:
        for begin in range(0, count, SLICE):
            numbers = np.arange(begin, min(count, begin + SLICE))
            writer, seq = numbers % WRITERS, numbers // WRITERS
            tails = tails_of(RUN, writer, np.zeros_like(writer), seq)
            lines = []
            for number, tail in zip(numbers.tolist(), tails, strict=True):
                entry_id = name_of(number)
                body = entry_id + tail.tobytes().decode()
                rows = [(entry_id, body)]
                match special.get(number):
                    case "lost":
                        rows = []
                    case "duplicated":
                        rows *= 2
                    case "corrupted":
                        place = number % len(body)
                        rows = [(entry_id, f"{body[:place]}#{body[place + 1 :]}")]
                    case "phantom":
                        foreign = format_id(RUN, number % WRITERS, 0, count + number)
                        rows.append((foreign, body_of(foreign)))
                for row_id, row_body in rows:
                    position += 1
                    lines.append(f"{row_id}\t{row_body}\t{position}\n")
            copy.write("".join(lines))
    connection.execute("VACUUM ANALYZE writes")


def name_of(number: int) -> str:
    """The id of a write."""
    return format_id(RUN, number % WRITERS, 0, number // WRITERS)


def note(folder: Path, count: int) -> None:
    """Write the ledger: each write attempted, and acknowledged after some others were attempted."""
    ledger = LedgerWriter(folder / "writes" / "load.ledger", RUN)
    for begin in range(0, count, WRITERS):
        numbers = range(begin, min(count, begin + WRITERS))
        for number in numbers:
            ledger.note(Mark.ATTEMPTED, number % WRITERS, 0, number // WRITERS, 1000 * number)
        for number in numbers:
            ledger.note(Mark.ACKNOWLEDGED, number % WRITERS, 0, number // WRITERS, 1000 * number + 500_000, 201)
    ledger.close()


def judge(folder: Path, dsn: str, passfile: str) -> dict[str, object]:
    """What is measured: the end of a run."""
    began, used = time.monotonic(), time.process_time()
    truth = read_settled(PostgresTruth(dsn, passfile, QUERY), RUN, 0.0, lambda: 2**60)
    read = time.monotonic()
    read_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    truths.save(folder, truth)
    del truth
    saved = time.monotonic()
    lines, truth = read_ledger(folder, run=RUN), truths.load(folder)
    checked = time.monotonic()
    entries = index(lines)
    indexed = time.monotonic()
    classified = classify(entries, truth)
    judged = time.monotonic()
    amiss = run_canary(lines, entries, truth, classified)
    ended = time.monotonic()
    named = {name: classified.members[name].tolist() for name in CLASSES if classified.count(name) < 10 * PLANTED}
    return {
        "found": {name: [format_id(RUN, *entries.name(slot)) for slot in slots] for name, slots in named.items()},
        "verified": classified.count("verified"),
        "phantom": classified.phantom,
        "problems": [*entries.problems, *([amiss] if amiss else [])],
        "seconds": {
            "read_s": read - began,
            "save_s": saved - read,
            "check_s": checked - saved,
            "index_s": indexed - checked,
            "classify_s": judged - indexed,
            "canary_s": ended - judged,
            "judge_s": ended - began,
            "cpu_s": time.process_time() - used,
        },
        "read_mb": read_mb,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "truth_bytes": (folder / "writes" / truths.ROWS).stat().st_size,
    }


def copied(dsn: str, environment: dict[str, str]) -> float:
    """Seconds that psql takes to copy the table."""
    began = time.monotonic()
    words = ["psql", "-X", "-q", dsn, "-c", "COPY writes TO STDOUT (FORMAT binary)"]
    subprocess.run(words, env=environment, stdout=subprocess.DEVNULL, check=True, timeout=600)
    return time.monotonic() - began


def measure(options: Options) -> Result:
    """`count` writes, ten million if nothing is said."""
    count = options.count or 10_000_000
    planted = plant(count, options.seed)
    stack = EmbeddedStack(None, tag=f"ledger-{os.getpid()}", experiment_folder=Path.cwd())
    stack.start()
    try:
        place = stack.places()["postgres"]
        environment = {**os.environ, "PGPASSFILE": place.passfile}
        with tempfile.TemporaryDirectory(prefix="ledger-") as name:
            options.say(f"writing down {count:,} writes")
            note(Path(name), count)
            options.say("storing them")
            with psycopg.connect(place.dsn, passfile=place.passfile, autocommit=True) as connection:
                load(connection, count, planted)
            copies = [copied(place.dsn, environment) for _ in range(2)]
            options.say(f"copied in {copies[-1]:.2f} s; judging")
            words = [sys.executable, "-m", "benchmarks.ledger", name, place.dsn, place.passfile]
            done = subprocess.run(words, capture_output=True, check=True, timeout=1200)
            copies.append(copied(place.dsn, environment))
    finally:
        stack.stop()
    return _result(count, planted, json.loads(done.stdout), copies)


def _result(count: int, planted: dict[str, list[int]], told: dict[str, object], copies: list[float]) -> Result:
    expected = {name: sorted(map(name_of, numbers)) for name, numbers in planted.items() if name != "phantom"}
    expected["over_applied"] = expected["duplicated"]  # one attempt, two rows
    found = {name: sorted(ids) for name, ids in told["found"].items()}
    wrong = sum(len(set(found.get(name, ())) ^ set(expected.get(name, ()))) for name in found | expected)
    wrong += abs(told["phantom"] - PLANTED) + abs(told["verified"] - (count - 3 * PLANTED)) + len(told["problems"])
    right = sum(len(set(found[name]) & set(expected[name])) for name in ("lost", "duplicated", "corrupted"))
    copy_s, ratio = statistics.median(copies), told["seconds"]["judge_s"] / statistics.median(copies)
    figures: dict[str, Figure] = {
        "writes": count,
        "found_rightly": right + min(told["phantom"], PLANTED),
        "found_wrongly": wrong,
        "copy_s": round(copy_s, 2),
        **{name: round(seconds, 2) for name, seconds in told["seconds"].items()},
        "ratio": round(ratio, 2),
        "read_mb": round(told["read_mb"]),
        "peak_mb": round(told["peak_mb"]),
        "truth_bytes_per_row": round(told["truth_bytes"] / count, 2),
    }
    met = right == 3 * PLANTED and wrong == 0 and ratio <= RATIO and told["peak_mb"] <= MEMORY_MB
    return Result(figures=figures, goal=GOAL, met=met)


if __name__ == "__main__":
    print(json.dumps(judge(Path(sys.argv[1]), *sys.argv[2:])))
