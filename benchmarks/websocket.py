"""A thousand WebSocket subscribers given 10 000 messages a second: how soon, and what it costs, beside k6's websockets.

The reference target runs on the embedded stack, its service on one core, the generator on another where there are two.
Each connection is subscribed to one topic, and ten messages a second are published by POST, so that every one of them
goes to a thousand connections. Ours notes each delivery as a raw sample and as a receipt, and judges them; k6 parses
each message and adds its delay to a trend. Both publish themselves: delay is from the publisher's send to the receipt.
Processor time is that of the whole generator process, from before the connections are opened until all are closed.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

import numpy as np

from benchmarks import Figure, Options, Result
from resilience.columns import EffectLines
from resilience.judge.deliveries import judge_deliveries, read_receipts
from resilience.judge.effects.sent import sent
from resilience.load.drivers.locust import LocustDriver
from resilience.model import (
    Account,
    Effect,
    Expect,
    Load,
    LoadOrder,
    Operation,
    Role,
    Service,
    Subscription,
    Truth,
)
from resilience.record import receipts as receipt_files
from resilience.record.ledger import read_ledger
from resilience.record.samples import read_samples
from resilience.stack.embedded import EmbeddedStack

CONNECTIONS, PER_S, CONNECT_PER_S = 1000, 10, 500
SECONDS = 30
WARM_S = 4.0
ROUNDS = 2
RUN = "0badcafe"
GOAL = {
    "connections": "1000",
    "messages_per_s": ">= 10 000 but for rounding of the run's length",
    "delivery_p99_ms": "<= 100",
    "lost": "0",
    "duplicated": "0",
    "out_of_order": "0",
}
SCRIPT = """
import http from 'k6/http';
import exec from 'k6/execution';
import { WebSocket } from '%(module)s';
import { Counter, Trend } from 'k6/metrics';
const delay = new Trend('delay', true), got = new Counter('got'), sent = new Counter('sent');
const length = %(length)s * 1000;
export const options = {
  summaryTrendStats: ['p(50)', 'p(99)', 'max'],
  scenarios: {
    listen: { executor: 'per-vu-iterations', vus: %(connections)s, iterations: 1, exec: 'listen',
              maxDuration: '%(limit)ss', gracefulStop: '0s' },
    publish: { executor: 'constant-arrival-rate', rate: %(rate)s, timeUnit: '1s', duration: '%(seconds)ss',
               preAllocatedVUs: 20, exec: 'publish', startTime: '%(warm)ss' },
  },
};
export function listen() {
  const number = exec.vu.idInTest;
  setTimeout(() => {
    const ws = new WebSocket('ws://%(host)s/topics/%(topic)s');
    ws.onopen = () => ws.send('{}');
    ws.onmessage = (event) => {
      const message = JSON.parse(event.data);
      if (message.type !== 'message') return;
      got.add(1);
      delay.add(Date.now() - Number(message.data.body.split('|')[0]));
    };
    setTimeout(() => ws.close(), length - number * 1000 / %(connect)s);
  }, number * 1000 / %(connect)s);
}
export function publish() {
  sent.add(1);
  const body = JSON.stringify({ id: `k6-${exec.scenario.iterationInTest}`, body: `${Date.now()}|${'x'.repeat(95)}` });
  http.post('http://%(host)s/topics/%(topic)s', body, { headers: { 'Content-Type': 'application/json' } });
}
"""


def found_k6() -> str | None:
    """The program, if it is there: of the environment that this runs in, or on PATH."""
    beside = Path(sys.executable).with_name("k6")
    return str(beside) if beside.is_file() else which("k6")


def pinned() -> tuple[set[int], set[int]]:
    """The cores of the generator and of everything else; the same where there is only one."""
    cores = sorted(os.sched_getaffinity(0))
    return {cores[-1]}, set(cores[:-1]) or {cores[0]}


@contextmanager
def target() -> Iterator[tuple[str, int]]:
    """The service on its servers: its address, and its process."""
    generator, rest = pinned()
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, rest)  # what is started now inherits it
    stack = EmbeddedStack(
        Service(command=("python", "-m", "fixtures.target")),
        tag=f"bench-websocket-{os.getpid()}",
        experiment_folder=Path(__file__).parent,
    )
    try:
        stack.start()
        place = stack.places()["service"]
        assert place.identity is not None
        os.sched_setaffinity(0, generator)
        yield place.url, place.identity.pid
    finally:
        os.sched_setaffinity(0, mine)
        stack.stop()


def cpu_s(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def order_of(url: str, folder: Path, topic: str, seconds: float) -> LoadOrder:
    """What our generator is to do."""
    publish = Operation(
        name="publish",
        weight=1,
        role=Role.WRITE,
        account="feed",
        method="POST",
        path=f"/topics/{topic}",
        json={"id": "${write_id}", "body": "${write_body}"},
        expect=Expect(status=(201,), json={"id": "${write_id}"}),
    )
    deliver = Subscription(
        name="deliver",
        account="feed",
        path=f"/topics/{topic}",
        connections=CONNECTIONS,
        connect_rate=CONNECT_PER_S,
        subscribe={},
        resume={"offset": "${offset}", "epoch": "${epoch}"},
        confirmed={"type": "subscribed"},
    )
    account = Account(name="feed", effect=Effect.STREAM, truth=Truth(subscription="deliver"))
    load = Load(operations=(publish, *deliver.operations), rate=PER_S, subscriptions=(deliver,), max_in_flight=64)
    return LoadOrder(
        run=RUN,
        seed=1,
        zero_ns=time.monotonic_ns() + 1_500_000_000,
        base_url=url,
        folder=str(folder),
        load=load,
        max_s=WARM_S + seconds,
        accounts=(account,),
    )


def ours(url: str, server: int, seconds: float, topic: str) -> dict[str, float]:
    """One run of ours, judged; the connections are opened in the first seconds, which count for nothing but loss."""
    with tempfile.TemporaryDirectory(prefix="bench-websocket-", dir="/tmp") as root:
        driver = LocustDriver(f"bench-websocket-{os.getpid()}")
        try:
            driver.prepare()
            folder = Path(root)
            order = order_of(url, folder, topic, seconds)
            began = cpu_s(server)
            handle = driver.start(order)
            time.sleep(max(0.0, order.zero_ns / 1e9 + order.max_s - time.monotonic()))
            account = handle.stop(30.0)
            spent = cpu_s(server) - began
        finally:
            driver.close()
        return judged(folder, order, {**account, "server_cpu_s": spent}, seconds)


def judged(folder: Path, order: LoadOrder, account: dict[str, object], seconds: float) -> dict[str, float]:
    """What the record of one run says."""
    samples, problems = read_samples(folder, finished=True)
    number = list(samples.operations).index("deliver")
    mine = (samples.operation == number) & (samples.arrival_ns >= WARM_S * 1e9)
    delays = np.sort((samples.end_ns - samples.arrival_ns)[mine]) / 1e6
    lines = read_ledger(folder, run=RUN, account="feed")
    assert isinstance(lines, EffectLines)
    told = sent(lines, np.iinfo(np.int64).max)
    receipts = receipt_files.read_receipts(folder, "feed", run=RUN)
    read = read_receipts(receipts, told, 0)
    found, away = judge_deliveries(told, read, order.accounts[0], order.load.subscriptions[0])
    counts = found.counts
    return {
        "connections": counts["subscribers"] - away,
        "messages_per_s": len(delays) / seconds,
        "p50_ms": float(delays[int(0.50 * len(delays))]),
        "p99_ms": float(delays[min(int(0.99 * len(delays)), len(delays) - 1)]),
        "lost": counts["lost"] + counts["history_lost"] + counts["missed_away"],
        "duplicated": counts["duplicated"],
        "out_of_order": counts["out_of_order"],
        "doubts": len(problems) + len(told.problems) + len(read.problems) + (counts["expected"] == 0),
        "cpu_us": float(str(account["cpu_s"])) * 1e6 / max(counts["delivered"], 1),
        "server_cpu_us": float(str(account["server_cpu_s"])) * 1e6 / max(counts["delivered"], 1),
    }


def module_of(k6: str) -> str:
    """The module of k6's websockets: it was called experimental before it was not."""
    script = "import {{ WebSocket }} from '{}'; export default function () {{}}"
    for name in ("k6/websockets", "k6/experimental/websockets"):
        words = [k6, "inspect", "-"]
        if (
            subprocess.run(words, input=script.format(name), capture_output=True, text=True, check=False).returncode
            == 0
        ):
            return name
    raise RuntimeError("this k6 has no websockets with events")


def theirs(k6: str, url: str, seconds: float, topic: str) -> dict[str, float]:
    """One run of k6."""
    length = WARM_S + seconds + 2
    values = {
        "host": url.removeprefix("http://"),
        "topic": topic,
        "connections": CONNECTIONS,
        "connect": CONNECT_PER_S,
        "rate": PER_S,
        "seconds": int(seconds),
        "warm": int(WARM_S),
        "length": length,
        "limit": int(length) + 5,
    }
    with tempfile.TemporaryDirectory(prefix="bench-websocket-", dir="/tmp") as root:
        script, summary = Path(root, "script.js"), Path(root, "summary.json")
        script.write_text(SCRIPT % (values | {"module": module_of(k6)}))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        words = [k6, "run", "--quiet", "--no-usage-report", "--summary-export", str(summary), str(script)]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=length + 60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if not summary.is_file():
            raise RuntimeError(f"k6 ended with {done.returncode}: {done.stderr[-2000:]}")
        metrics = json.loads(summary.read_text())["metrics"]
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    got = metrics["got"]["count"]
    return {
        "missing": metrics["sent"]["count"] * CONNECTIONS - got,
        "messages_per_s": got / seconds,
        "p50_ms": metrics["delay"]["p(50)"],
        "p99_ms": metrics["delay"]["p(99)"],
        "cpu_us": spent * 1e6 / got,
    }


def measure(options: Options) -> Result:
    """Ours and k6 in turns."""
    rounds, k6 = options.count or ROUNDS, found_k6()
    seconds = float(os.environ.get("BENCH_SECONDS", SECONDS))
    mine: list[dict[str, float]] = []
    peer: list[dict[str, float]] = []
    with target() as (url, server):
        for number in range(rounds):
            options.say(f"round {number + 1} of {rounds}: ours")
            mine.append(ours(url, server, seconds, f"ours-{number}"))
            options.say(f"  {mine[-1]}")
            if k6 is not None:
                options.say(f"round {number + 1} of {rounds}: k6")
                peer.append(theirs(k6, url, seconds, f"k6-{number}"))
                options.say(f"  {peer[-1]}")

    def middle(of: list[dict[str, float]], name: str) -> float:
        return statistics.median(one[name] for one in of)

    worst = {name: max(one[name] for one in mine) for name in ("lost", "duplicated", "out_of_order", "doubts")}
    figures: dict[str, Figure] = {
        "connections": int(min(one["connections"] for one in mine)),
        "messages_per_s": round(min(one["messages_per_s"] for one in mine)),
        "delivery_p50_ms": round(middle(mine, "p50_ms"), 1),
        "delivery_p99_ms": round(middle(mine, "p99_ms"), 1),
        **{name: int(count) for name, count in worst.items()},
        "cpu_us_per_message": round(middle(mine, "cpu_us"), 1),
        "service_cpu_us_per_message": round(middle(mine, "server_cpu_us"), 1),
        "k6": "not found" if k6 is None else "ran",
    }
    if peer:
        figures |= {
            "k6_delivery_p50_ms": round(middle(peer, "p50_ms"), 1),
            "k6_delivery_p99_ms": round(middle(peer, "p99_ms"), 1),
            "k6_missing": int(max(one["missing"] for one in peer)),
            "k6_cpu_us_per_message": round(middle(peer, "cpu_us"), 1),
            "messages_per_cpu_s_ratio_to_k6": round(middle(peer, "cpu_us") / middle(mine, "cpu_us"), 2),
        }
    met = (
        figures["connections"] == CONNECTIONS
        and min(one["messages_per_s"] for one in mine) >= 0.99 * CONNECTIONS * PER_S
        and max(one["p99_ms"] for one in mine) <= 100
        and not any(worst.values())
    )
    return Result(figures=figures, goal=GOAL, met=met)
