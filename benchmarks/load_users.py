"""A hundred thousand users at once on one machine: connected, each thinking for a minute between two operations.

The users of a closed load (`load.closed`), shared by several load processes, each to a server of its own on an address
of its own of this machine: a process may have only so many open files, and an address only so many ports. All users
come at once, so that after one think time each has a connection; for another one all of them keep it, and do something
again. What a user costs is the resident memory of the load processes beyond what they had before they had an order.

Beside it, for the same server and think time, what one user costs k6 and Locust's FastHttpUser: the memory of a
thousand users less that of one, by how many more they are. Memory of the kernel for sockets is in none of the figures.
"""

import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import IO

from benchmarks import Figure, Options, Result
from resilience.host import processes
from resilience.load.drivers.locust import LocustDriver
from resilience.model import Load, LoadOrder, Operation, Think
from resilience.spec.stages import laid_out

USERS, THINK_S = 100_000, 60.0
PEERS, PEER_S = 1000, 14.0
FILES = 12_500
"""Connections of a process, of 20 000 open files that it may have. Linux looks for a free port in one half of its range
first, 14 116 by default, and beyond that goes through all of them for each connection to the same address."""
GOAL = {
    "connected_least": "100 000 for a whole think time",
    "errors": "0",
    "rss_kb_per_user": "<= 10 beyond the empty processes",
}
SCRIPT = """
import http from 'k6/http';
import {{ sleep }} from 'k6';
export const options = {{ vus: {users}, duration: '{seconds}s', gracefulStop: '0s' }};
export default function () {{ sleep(Math.random() * {spread}); http.get('{url}'); sleep(600); }}
"""
LOCUSTFILE = """
from locust import FastHttpUser, constant, task
class Thinking(FastHttpUser):
    wait_time = constant(600)
    @task
    def get(self):
        self.client.get("/")
"""


def rss_kb(pid: int) -> int:
    """Resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@dataclass
class Server:
    """A server process, and how many connections it has open."""

    process: "subprocess.Popen[str]"
    url: str
    open: int = 0
    reader: threading.Thread | None = field(default=None, repr=False)

    def read(self, lines: IO[str]) -> None:
        """Keep what it said last."""
        for line in lines:
            self.open = int(line)


@contextmanager
def server(address: str) -> Iterator[Server]:
    """A server on an address of this machine."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.plain_server", address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdin
        found = Server(process, f"http://{address}:{int(process.stdout.readline())}")
        found.reader = threading.Thread(target=found.read, args=(process.stdout,), daemon=True)
        found.reader.start()
        try:
            yield found
        finally:
            process.stdin.close()
            process.wait(10)


def ours(users: int, think_s: float, say: Callable[[str], None]) -> dict[str, Figure]:
    """All users, in as many processes as their connections need."""
    files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 1000, FILES)
    count = -(-users // files)
    shares = [users // count + (index < users % count) for index in range(count)]
    with ExitStack() as stack:
        servers = [stack.enter_context(server(f"127.0.1.{index + 1}")) for index in range(count)]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="load-users-", dir="/tmp")))
        tags = [f"load-users-{os.getpid()}-{index}" for index in range(count)]
        drivers = [LocustDriver(tag) for tag in tags]
        for driver in drivers:
            stack.callback(driver.close)
            driver.launch()
        for driver in drivers:
            driver.prepare()
        pids = [one.pid for tag in tags for one in processes.tagged(tag)]
        empty_kb = sum(map(rss_kb, pids))
        began_s = time.monotonic() + 5 + count
        zero_ns = int(began_s * 1e9)
        handles = [
            driver.start(_order(shares[index], think_s, servers[index].url, folder / str(index), zero_ns))
            for index, driver in enumerate(drivers)
        ]
        say(f"{users:,} users in {count} processes, {empty_kb / 1024 / count:.0f} MB each when empty")
        least, most_kb = users, 0
        while time.monotonic() < began_s + 2 * think_s + 2:
            time.sleep(1)
            connected, kb = sum(one.open for one in servers), sum(map(rss_kb, pids))
            at_s = time.monotonic() - began_s
            most_kb = max(most_kb, kb)
            if at_s > think_s + 3:  # the last has come, and been counted by a server that tells every second
                least = min(least, connected)
            if int(at_s) % 20 == 0:
                say(f"{at_s:4.0f} s: {connected:,} connected, {(kb - empty_kb) / users:.2f} kB a user")
        accounts = [handle.stop(30.0) for handle in handles]
    total = {
        key: sum(_number(one[key]) for one in accounts) for key in ("offered", "ok", "failed", "unknown", "dropped")
    }
    return {
        "users": users,
        "processes": count,
        "connected_least": least,
        "operations": round(total["offered"]),
        "errors": round(total["offered"] - total["ok"]),
        "lag_p99_ms": round(max(_number(one["lag_p99_s"]) for one in accounts) * 1000, 1),
        "rss_kb_per_user": round((most_kb - empty_kb) / users, 2),
        "rss_kb_per_user_in_all": round(most_kb / users, 2),
        "rss_mb_in_all": round(most_kb / 1024),
    }


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return value


def _order(users: int, think_s: float, url: str, folder: Path, zero_ns: int) -> LoadOrder:
    for name in ("samples", "writes"):
        (folder / name).mkdir(parents=True)
    operation = Operation(name="get", weight=1.0, method="GET", path="/", timeout_s=20.0)
    load = laid_out(Load(users=users, think=Think(mean_s=think_s), operations=(operation,)))
    assert load is not None
    return LoadOrder(
        run="0badcafe", seed=1, zero_ns=zero_ns, base_url=url, folder=str(folder), load=load, max_s=3 * think_s + 60
    )


def peer(argv: Callable[[int, str], list[str]], users: int) -> tuple[int, int]:
    """Resident memory (kB) of a peer's process once its users are connected, and how many were."""
    quiet = subprocess.DEVNULL
    with (
        server("127.0.2.1") as one,
        subprocess.Popen(argv(users, one.url), stdin=quiet, stdout=quiet, stderr=quiet) as process,
    ):
        try:
            time.sleep(PEER_S)
            return rss_kb(process.pid), one.open
        finally:
            process.kill()


def peers(say: Callable[[str], None]) -> dict[str, Figure]:
    """What one user costs others; None if they are not there."""
    found: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory(prefix="load-users-", dir="/tmp") as name:
        folder = Path(name)
        k6 = Path(sys.executable).with_name("k6")
        program = str(k6) if k6.is_file() else which("k6")

        def script(users: int, url: str) -> list[str]:
            path = folder / f"script-{users}.js"
            path.write_text(SCRIPT.format(users=users, seconds=int(PEER_S) + 60, spread=PEER_S / 2, url=url))
            return [str(program), "run", "--quiet", "--no-usage-report", "--address", "", str(path)]

        def locustfile(users: int, url: str) -> list[str]:
            path = folder / f"locustfile_{users}.py"
            path.write_text(LOCUSTFILE)
            words = ["--headless", "-f", str(path), "-u", str(users), "-r", "200", "--host", url, "--only-summary"]
            return [sys.executable, "-m", "locust", *words]

        for label, argv in (("k6", script if program else None), ("fasthttpuser", locustfile)):
            if argv is None:
                say(f"{label} is not here: not measured")
                found[f"{label}_kb_per_user"] = None
                continue
            with ThreadPoolExecutor(2) as pool:
                (alone_kb, _), (kb, connected) = pool.map(peer, (argv, argv), (1, PEERS))
            say(f"{label}: {alone_kb / 1024:.0f} MB with 1 user, {kb / 1024:.0f} MB with {connected:,} connected")
            whole = connected >= PEERS
            found[f"{label}_kb_per_user"] = round((kb - alone_kb) / (PEERS - 1), 1) if whole else None
    return found


def measure(options: Options) -> Result:
    """`--count` users, 100 000 if not said; 20 s of think time for fewer than 50 000."""
    users = options.count or USERS
    think_s = THINK_S if users >= USERS // 2 else THINK_S / 3
    figures = peers(options.say) | ours(users, think_s, options.say)
    least, errors, kb = figures["connected_least"], figures["errors"], figures["rss_kb_per_user"]
    met = least == users and errors == 0 and isinstance(kb, float) and kb <= 10
    return Result(figures=figures, goal=GOAL, met=met)
