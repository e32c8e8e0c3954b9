"""What an HTTP operation costs the generator: ours, recorded whole, beside k6, Locust's own users and wrk.

Fifty connections without think time, one nginx with a small fixed answer on one core, the generator on another. Every
generator is measured in the same way, from outside, in a stretch in the middle of its run: requests as nginx counts
them, and processor time of all processes and threads of the generator as the kernel counts it. They take turns, and
the median of the turns of each is compared. Of our own every operation is a sample in the record; that they are all
there is checked.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import which

import psutil

from benchmarks import Figure, Options, Result
from resilience.load.drivers.locust import LocustDriver
from resilience.model import Load, LoadOrder, Operation, Think
from resilience.record.samples import read_samples
from resilience.spec.stages import laid_out
from resilience.stack import loopback

CONNECTIONS, ROUNDS = 50, 3
SETTLE_S, MEASURED_S = 1.5, 4.0
GENERATOR_CORE, SERVER_CORE = 0, 1
GOAL = {
    "ratio_to_k6": ">= 3",
    "ratio_to_fasthttpuser": ">= 5",
    "ratio_to_wrk": ">= 0.4",
    "own_errors": "0",
    "own_missing_samples": "0",
}
NGINX = """
worker_processes 1; daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; default_type application/json;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ return 200 '{{"status":"ok","value":42}}'; }}
    location = /count {{ stub_status; }}
  }}
}}
"""
SCRIPT = """
import http from 'k6/http';
export const options = {{ vus: {users}, duration: '{seconds}s' }};
export default function () {{ http.get('{url}/x'); }}
"""
LOCUSTFILE = """
from locust import {kind}, constant, task
class Busy({kind}):
    wait_time = constant(0)
    @task
    def get(self):
        self.client.get("/x")
"""


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started in this block runs on one core, if there are several."""
    before = os.sched_getaffinity(0)
    if len(before) > 1:
        os.sched_setaffinity(0, {sorted(before)[core]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def nginx(folder: Path) -> Iterator[str]:
    """An nginx with a small fixed answer; its address."""
    program = which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if program is None:
        raise SystemExit("there is no nginx; Debian has it as nginx-light")
    reserved = loopback.Reservation(1)
    port = reserved.ports[0]
    reserved.close()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    with on_core(SERVER_CORE):
        process = subprocess.Popen([program, "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
    try:
        while loopback.get(port, "/count")[0] != 200:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _requests(url: str) -> int:
    """Requests that nginx has counted; this one is among them."""
    with urllib.request.urlopen(f"{url}/count", timeout=5) as answer:
        return int(answer.read().split()[9])


def _cpu_s(pid: int) -> float:
    """Processor time of a process and of what it started."""
    whole = 0.0
    process = psutil.Process(pid)
    for one in (process, *process.children(recursive=True)):
        times = one.cpu_times()
        whole += times.user + times.system
    return whole


def _measured(pid: int, url: str) -> tuple[float, float]:
    """Operations per second and per processor second of a generator that runs."""
    cpu_s, count, began_s = _cpu_s(pid), _requests(url), time.monotonic()
    time.sleep(MEASURED_S)
    cpu_s, count, took_s = _cpu_s(pid) - cpu_s, _requests(url) - count - 1, time.monotonic() - began_s
    return count / took_s, count / cpu_s


def _peer(url: str, argv: list[str], settle_s: float) -> tuple[float, float]:
    """Another generator, ended afterwards."""
    with on_core(GENERATOR_CORE):
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        before = _requests(url)
        while _requests(url) - before < 2 * CONNECTIONS and process.poll() is None:  # it has begun
            time.sleep(0.05)
            before += 1
        time.sleep(settle_s)
        return _measured(process.pid, url)
    finally:
        process.terminate()
        process.wait(10)


def own(url: str, folder: Path, seconds: float) -> tuple[float, float, int, int]:
    """Our own: operations per second and per processor second, those not ok, and those without a sample."""
    operation = Operation(name="get", weight=1.0, method="GET", path="/x", timeout_s=5.0)
    load = laid_out(Load(users=CONNECTIONS, think=Think(mean_s=0.0), operations=(operation,)))
    assert load is not None
    with on_core(GENERATOR_CORE):
        driver = LocustDriver(f"load-http-{os.getpid()}")
        driver.prepare()
    try:
        zero_ns = time.monotonic_ns() + int(1e9)
        order = LoadOrder(
            run="0badcafe", seed=1, zero_ns=zero_ns, base_url=url, folder=str(folder), load=load, max_s=seconds + 60
        )
        handle = driver.start(order)
        time.sleep(max(0.0, zero_ns / 1e9 - time.monotonic()) + SETTLE_S)
        per_s, per_cpu_s = _measured(handle.pid, url)
        account = handle.stop(30.0)
    finally:
        driver.close()
    samples, problems = read_samples(folder)
    offered = int(str(account["offered"]))
    return per_s, per_cpu_s, offered - int(str(account["ok"])), offered - len(samples) + len(problems)


def _peers(folder: Path, url: str) -> dict[str, tuple[list[str], float]]:
    """The others that are there: name → program and how long it settles."""
    seconds = int(SETTLE_S + MEASURED_S + 30)
    (folder / "k6.js").write_text(SCRIPT.format(users=CONNECTIONS, seconds=seconds, url=url))
    found: dict[str, tuple[list[str], float]] = {}
    if (wrk := which("wrk")) is not None:
        found["wrk"] = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", f"{url}/x"], SETTLE_S
    if (k6 := which("k6", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")) is not None:
        found["k6"] = [k6, "run", "--quiet", "--no-usage-report", str(folder / "k6.js")], SETTLE_S
    for name, kind in (("fasthttpuser", "FastHttpUser"), ("httpuser", "HttpUser")):
        file = folder / f"{name}.py"
        file.write_text(LOCUSTFILE.format(kind=kind))
        users = ["-u", str(CONNECTIONS), "-r", str(CONNECTIONS), "-t", f"{seconds}s", "--host", url]
        found[name] = [sys.executable, "-m", "locust", "-f", str(file), "--headless", "--only-summary", *users], 2.5
    return found


def measure(options: Options) -> Result:
    """Let all take turns; `count` is how many turns each has."""
    rounds = options.count or ROUNDS
    rates: dict[str, list[float]] = {}
    costs: dict[str, list[float]] = {}
    errors = missing = 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="load-http-", dir="/tmp")))
        url = stack.enter_context(nginx(folder))
        peers = _peers(folder, url)
        for number in range(rounds):
            record = folder / f"own-{number}"
            record.mkdir()
            rate, cost, wrong, lost = own(url, record, SETTLE_S + MEASURED_S)
            errors, missing = errors + wrong, missing + lost
            found = {"own": (rate, cost)}
            for name, (argv, settle_s) in peers.items():
                found[name] = _peer(url, argv, settle_s)
            for name, (rate, cost) in found.items():
                rates.setdefault(name, []).append(rate)
                costs.setdefault(name, []).append(cost)
                options.say(f"round {number + 1}: {name:14} {rate:9.0f} a second, {cost:9.0f} a processor second")
    figures: dict[str, Figure] = {"connections": CONNECTIONS, "rounds": rounds}
    for name, each in costs.items():
        figures[f"{name}_ops_per_cpu_s"] = round(statistics.median(each))
        figures[f"{name}_ops_per_s"] = round(statistics.median(rates[name]))
    ours = statistics.median(costs["own"])
    for name in ("k6", "fasthttpuser", "httpuser", "wrk"):
        figures[f"ratio_to_{name}"] = round(ours / statistics.median(costs[name]), 2) if name in costs else None
    figures |= {"own_errors": errors, "own_missing_samples": missing}
    least = {"ratio_to_k6": 3, "ratio_to_fasthttpuser": 5, "ratio_to_wrk": 0.4}
    reached = all(isinstance(figures[name], float) and float(str(figures[name])) >= one for name, one in least.items())
    return Result(figures=figures, goal=GOAL, met=reached and not errors and not missing)
