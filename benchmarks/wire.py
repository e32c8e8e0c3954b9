"""What a proxy in the way costs: our own, with and without understanding the protocol, beside toxiproxy-server.

The same requests go to one Redis directly, through toxiproxy-server, through ours carrying bytes, and through ours
understanding Redis without and with a rule, in turns within one run. Latency: one connection, one request at a time.
Rate: eight connections, one request at a time each. The client takes part of the machine, alike for all ways.
"""

import asyncio
import contextlib
import json
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import Options, Result
from resilience.host import processes
from resilience.model import Launch
from resilience.stack import loopback, programs

GOAL = {
    "own_added_p50_ms": "at most 1 ms",
    "own_rules_added_p50_ms": "at most 1 ms",
    "own_wrong": "0 answers that differ from the direct ones",
}
CONNECTIONS = 8
ROUNDS = 5
PING = b"*2\r\n$4\r\nECHO\r\n$32\r\n0123456789abcdef0123456789abcdef\r\n"
PONG = b"$32\r\n0123456789abcdef0123456789abcdef\r\n"


@contextlib.contextmanager
def _running(folder: Path, name: str, *argv: str) -> Iterator[None]:
    launch = Launch(
        name=name,
        argv=argv,
        environment={"PATH": programs.search_path()},
        folder=str(folder),
        log=str(folder / f"{name}.log"),
        tag=f"bench-{time.monotonic_ns()}",
    )
    started = processes.start(launch)
    try:
        yield
    finally:
        processes.end([started])


def _post(port: int, path: str, document: object) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", json.dumps(document).encode())
    with urllib.request.urlopen(request, timeout=5):
        pass


def _until_open(port: int) -> None:
    deadline = time.monotonic() + 10
    while loopback.get(port, "/version")[0] == 0 and time.monotonic() < deadline:
        time.sleep(0.05)


@contextlib.contextmanager
def _ways(folder: Path) -> Iterator[dict[str, int]]:
    """Each way with its port."""
    with contextlib.ExitStack() as after:
        reserved = loopback.Reservation(7)
        redis, theirs, ours, *listening = reserved.ports
        reserved.close()
        plain = ("--bind", "127.0.0.1", "--save", "", "--port", str(redis))
        after.enter_context(_running(folder, "redis", str(programs.find("redis-server").path), *plain))
        for name, program, port in (
            ("toxiproxy", programs.find("toxiproxy-server"), theirs),
            ("own", programs.own_proxy(), ours),
        ):
            told = ("-host", "127.0.0.1", "-port", str(port))
            after.enter_context(_running(folder, name, *program.argv, *told))
            _until_open(port)
        ways = {"direct": redis}
        wanted = (
            ("toxiproxy", theirs, ""),
            ("own", ours, ""),
            ("own_redis", ours, "redis"),
            ("own_rules", ours, "redis"),
        )
        for port, (name, control, protocol) in zip(listening, wanted, strict=True):
            proxy = {"name": name, "listen": f"127.0.0.1:{port}", "upstream": f"127.0.0.1:{redis}"}
            _post(control, "/proxies", proxy | ({"protocol": protocol} if protocol else {}))
            ways[name] = port
        rule = {"action": "error", "error": "READONLY", "command": "SET", "key": "^order:"}
        _post(ours, "/proxies/own_rules/toxics", {"type": "redis", "attributes": rule})
        yield ways


async def _ask(port: int, until: Callable[[int], bool]) -> tuple[list[float], int]:
    """Ask until it is enough; how long each took, and how many answers were wrong."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took, wrong = [], 0
    while not until(len(took)):
        began = time.perf_counter()
        writer.write(PING)
        wrong += await reader.readexactly(len(PONG)) != PONG
        took.append(time.perf_counter() - began)
    writer.close()
    await writer.wait_closed()
    return took, wrong


async def _rate(port: int, seconds: float) -> tuple[float, int]:
    began = time.perf_counter()
    asked = await asyncio.gather(
        *(_ask(port, lambda _: time.perf_counter() - began >= seconds) for _ in range(CONNECTIONS))
    )
    count = sum(len(took) for took, _ in asked)
    return count / (time.perf_counter() - began), sum(wrong for _, wrong in asked)


def measure(options: Options) -> Result:
    """Ask along every way in turns; `count` requests for the latency of each."""
    count = options.count or 5000
    took: dict[str, list[float]] = {}
    rates: dict[str, list[float]] = {}
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, _ways(Path(folder)) as ways:
        for number in range(ROUNDS):
            options.say(f"round {number + 1} of {ROUNDS}")
            for name, port in ways.items():
                found, bad = asyncio.run(_ask(port, lambda done: done >= count // ROUNDS))
                rate, worse = asyncio.run(_rate(port, 1.0))
                took.setdefault(name, []).extend(found)
                rates.setdefault(name, []).append(rate)
                wrong += bad + worse
    figures: dict[str, float | int | str | None] = {"own_wrong": wrong}
    direct = _quantiles(took["direct"])
    for name, found in took.items():
        p50, p95 = _quantiles(found)
        figures[f"{name}_p50_ms"] = round(p50, 3)
        figures[f"{name}_p95_ms"] = round(p95, 3)
        if name != "direct":
            figures[f"{name}_added_p50_ms"] = round(p50 - direct[0], 3)
            figures[f"{name}_added_p95_ms"] = round(p95 - direct[1], 3)
        figures[f"{name}_requests_per_s"] = round(statistics.median(rates[name]))
    met = not wrong and all(figures[f"{name}_added_p50_ms"] <= 1 for name in ("own", "own_rules"))
    return Result(figures=figures, goal=GOAL, met=met)


def _quantiles(seconds: list[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(seconds, n=100)
    return cuts[49] * 1e3, cuts[94] * 1e3
