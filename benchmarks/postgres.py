"""PostgreSQL asked directly: 10 000 reads and 1000 inserts a second at once, beside pgbench doing the same.

One server, the same statements by the prepared protocol, the same rates, in turns: ours with a raw sample of every
operation and two ledger entries of every insert, pgbench with its counters. The server has the first core for itself,
the generator the last. Both connect first: pgbench before it begins to count, ours while the rate rises, and what is
counted is what was due after that. Each connection of pgbench waits for its answer before it sends again, so it may
have as many as ours may use. pgbench has no texts as variables: it inserts a number as id and body, so its rows are
shorter.
"""

import contextlib
import os
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from benchmarks import Options, Result
from resilience.load.drivers.locust import LocustDriver
from resilience.model import OUTCOMES, Load, LoadOrder, Operation, Outcome, Place, Role, Sql, Stage
from resilience.record.samples import read_samples
from resilience.stack import programs
from resilience.stack.embedded import EmbeddedStack

READS, INSERTS = 10_000, 1000
ROWS = 100_000
CONNECTIONS = 80
RISE_S = 4
"""The rate rises: every connection logs in, which costs the server as much as many reads."""
SECONDS = 15
LEAD_S = 1.5
VARIABLE = "BENCH_POSTGRES_DSN"
GOAL = {
    "reads_per_s": f"{READS} within 1 %",
    "inserts_per_s": f"{INSERTS} within 1 %",
    "failed_or_unknown": "0",
    "dropped_percent": "told: what was not sent for want of a free connection is missing from the rates",
}
READ = "SELECT id, body FROM bench_items WHERE id = {key}"
INSERT = "INSERT INTO bench_orders (id, item, body) VALUES ({id}, {key}, {body})"
_PROCESSED = re.compile(r"number of transactions actually processed: (\d+)")


@contextlib.contextmanager
def _server() -> Iterator[tuple[str, Place]]:
    """A server with rows; its connection string."""
    stack = EmbeddedStack(None, tag=f"bench-{time.monotonic_ns()}", experiment_folder=".")
    try:
        stack.start()
        place = stack.places()["postgres"]
        dsn = make_conninfo(place.dsn, passfile=place.passfile, sslmode="disable")
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE bench_items (id int PRIMARY KEY, body text NOT NULL)")
            connection.execute("CREATE TABLE bench_orders (id text PRIMARY KEY, item int NOT NULL, body text NOT NULL)")
            fill = "INSERT INTO bench_items SELECT id, repeat('x', 100) FROM generate_series(0, %s) AS id"
            connection.execute(fill, (ROWS - 1,))
            connection.execute("VACUUM ANALYZE")
        yield dsn, place
    finally:
        stack.stop()


def _pin(place: Place) -> None:
    """The server on the first core; whoever measures, and whatever it starts, on the last."""
    cores = sorted(os.sched_getaffinity(0))
    if place.identity is not None:
        server = psutil.Process(place.identity.pid)
        for process in (server, *server.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.cpu_affinity(cores[:1])
    os.sched_setaffinity(0, cores[-1:])


def _ours(dsn: str, folder: Path, seed: int) -> dict[str, float]:
    """Our generator, once."""
    os.environ[VARIABLE] = dsn
    read = Sql(dsn_env=VARIABLE, rows=1, statement=READ.format(key="%(key)s"))
    values = {"id": "%(write_id)s", "key": "%(key)s", "body": "%(write_body)s"}
    insert = Sql(dsn_env=VARIABLE, rows=1, statement=INSERT.format(**values))
    load = Load(
        rate=100.0,
        stages=(Stage(RISE_S, float(READS + INSERTS)), Stage(SECONDS, float(READS + INSERTS))),
        operations=(
            Operation(name="read", weight=READS, sql=read),
            Operation(name="insert", weight=INSERTS, role=Role.WRITE, sql=insert),
        ),
        max_in_flight=CONNECTIONS,
        keys=ROWS,
    )
    (folder / "ours").mkdir(parents=True)
    driver = LocustDriver(f"bench-{time.monotonic_ns()}")
    try:
        driver.prepare()
        zero_ns = time.monotonic_ns() + int(LEAD_S * 1e9)
        handle = driver.start(
            LoadOrder(
                run=f"{seed:08x}",
                seed=seed,
                zero_ns=zero_ns,
                base_url="http://127.0.0.1:1",
                folder=str(folder / "ours"),
                load=load,
                max_s=RISE_S + SECONDS,
            )
        )
        time.sleep(max(0.0, zero_ns / 1e9 + RISE_S + SECONDS - time.monotonic()))
        account = handle.stop(30.0)
    finally:
        driver.close()
    samples, problems = read_samples(folder / "ours", finished=True)
    assert not problems, problems
    counted = samples.where(samples.arrival_ns >= RISE_S * 1_000_000_000)
    right = counted.outcome == OUTCOMES.index(Outcome.OK)
    done = {
        name: int(np.count_nonzero(right & (counted.operation == list(counted.operations).index(name))))
        for name in ("read", "insert")
    }
    # Of what was sent: a dropped arrival has no start.
    sent = counted.where(counted.outcome != OUTCOMES.index(Outcome.DROPPED))
    every = int(np.count_nonzero(samples.outcome == OUTCOMES.index(Outcome.OK)))
    return {
        "reads_per_s": done["read"] / SECONDS,
        "inserts_per_s": done["insert"] / SECONDS,
        "cpu_us_per_operation": float(str(account["cpu_s"])) / every * 1e6,
        "lag_p99_ms": float(np.percentile(sent.start_ns - sent.arrival_ns, 99)) / 1e6,
        "failed_or_unknown": float(len(sent) - np.count_nonzero(right)),
        "dropped_percent": 100.0 * (len(counted) - len(sent)) / len(counted),
    }


def _pgbench(dsn: str, folder: Path, program: str) -> dict[str, float]:
    """The same statements and rates by pgbench, once."""
    pick = f"\\set key random(0, {ROWS - 1})\n"
    read, insert = folder / "read.sql", folder / "insert.sql"
    read.write_text(pick + READ.format(key=":key") + ";\n")
    draw = "\\set id random(0, 1000000000000000)\n"
    insert.write_text(pick + draw + INSERT.format(id=":id", key=":key", body=":id") + " ON CONFLICT DO NOTHING;\n")
    weighted = ("-f", f"{read}@{READS // INSERTS}", "-f", f"{insert}@1")
    paced = ("-R", str(READS + INSERTS), "-c", str(CONNECTIONS), "-j", "1", "-T", str(SECONDS))
    before = os.times()
    done = subprocess.run(
        [program, "-n", "-M", "prepared", *weighted, *paced, dsn],
        capture_output=True,
        text=True,
        timeout=SECONDS + 60,
        check=False,
    )
    after = os.times()
    found = _PROCESSED.search(done.stdout)
    if done.returncode or found is None:
        raise RuntimeError(f"pgbench ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    cpu_s = after.children_user - before.children_user + after.children_system - before.children_system
    return {"per_s": int(found[1]) / SECONDS, "cpu_us_per_operation": cpu_s / int(found[1]) * 1e6}


def measure(options: Options) -> Result:
    """Measure in turns; `count` rounds."""
    rounds = options.count or 3
    beside = programs.find("postgres").path.with_name("pgbench")
    ours: list[dict[str, float]] = []
    peers: list[dict[str, float]] = []
    cores = os.sched_getaffinity(0)
    try:
        with tempfile.TemporaryDirectory() as folder, _server() as (dsn, place):
            _pin(place)
            for number in range(rounds):
                here = Path(folder) / str(number)
                ours.append(_ours(dsn, here, options.seed + number))
                options.say(f"round {number + 1} of {rounds}: ours {_shown(ours[-1])}")
                if beside.exists():
                    peers.append(_pgbench(dsn, here, str(beside)))
                    options.say(f"round {number + 1} of {rounds}: pgbench {_shown(peers[-1])}")
    finally:
        os.sched_setaffinity(0, cores)
    figures: dict[str, float | int | str | None] = {name: round(_median(ours, name), 2) for name in ours[0]}
    if peers:
        figures["pgbench_per_s"] = round(_median(peers, "per_s"), 1)
        figures["pgbench_cpu_us_per_operation"] = round(_median(peers, "cpu_us_per_operation"), 2)
        ratio = _median(ours, "cpu_us_per_operation") / _median(peers, "cpu_us_per_operation")
        figures["cpu_ratio_to_pgbench"] = round(ratio, 2)
    else:
        figures["pgbench"] = f"not there: {beside}"
    met = (
        abs(_median(ours, "reads_per_s") / READS - 1) <= 0.01
        and abs(_median(ours, "inserts_per_s") / INSERTS - 1) <= 0.01
        and not any(one["failed_or_unknown"] for one in ours)
    )
    return Result(figures=figures, goal=GOAL, met=met)


def _median(found: list[dict[str, float]], name: str) -> float:
    return statistics.median(one[name] for one in found)


def _shown(found: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.5g}" for name, value in found.items())
