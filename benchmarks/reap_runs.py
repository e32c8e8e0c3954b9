"""Kill the runner with SIGKILL at random moments of the shipped experiment; time until faults and processes are gone.

What is seen is seen from outside: every process that ever descended from the runner is followed by number and start
time through /proc, the proxies are asked through toxiproxy's API, and nothing of the product is asked whether it is
well.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import Options, Result
from resilience.spec.parse import parse

EXPERIMENT = Path(__file__).parent.parent / "experiments" / "redis-failure.yaml"
RUN_S = 72.0
FAULT_LIMIT_S = 1.0
PROCESS_LIMIT_S = 5.0
GIVE_UP_S = 15.0
GOAL = {
    "fault_gone_max_s": f"at most {FAULT_LIMIT_S:g} s",
    "process_gone_max_s": f"at most {PROCESS_LIMIT_S:g} s",
    "left_behind": "0 (processes, folders, debts)",
    "runner_ended_before": "0: every kill hit a running runner",
}


@dataclass(slots=True)
class Seen:
    """What was seen of a run from outside: processes by (pid, start ticks), the stack's folder, the proxy API."""

    processes: dict[tuple[int, str], str] = field(default_factory=dict)
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """When to kill: so long after the start, or after a fault of this name was requested."""

    after_s: float
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill and what followed, seconds; None if it did not come to that."""

    moment_s: float
    phase: str
    ended_before: bool
    fault_gone_s: float | None
    process_gone_s: float | None
    left: tuple[str, ...]


def _stat(pid: int) -> tuple[str, str, int, str] | None:
    """State, start ticks, parent, name."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    head, _, rest = text.rpartition(")")
    words = rest.split()
    return words[0], words[19], int(words[1]), head.partition("(")[2]


def _look(root: int, seen: Seen) -> None:
    """Add everything that descends from the runner now."""
    children: dict[int, list[int]] = {}
    stats = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))) is not None:
            stats[int(entry.name)] = stat
            children.setdefault(stat[2], []).append(int(entry.name))
    todo = [root]
    while todo:
        pid = todo.pop()
        todo += children.get(pid, [])
        if pid != root and pid in stats:
            seen.processes.setdefault((pid, stats[pid][1]), stats[pid][3])


def _alive(seen: Seen) -> list[str]:
    """The processes seen that still run, and those whose folder is the stack's."""
    left = []
    for (pid, ticks), name in seen.processes.items():
        stat = _stat(pid)
        if stat is not None and stat[1] == ticks and stat[0] not in "ZX":
            left.append(f"{name}[{pid}] {stat[0]}")
    if seen.folder is not None:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    folder = (entry / "cwd").readlink()
                except OSError:
                    continue
                if folder.is_relative_to(seen.folder):
                    left.append(f"pid {entry.name} in {folder}")
    return left


def _faults(seen: Seen) -> list[str]:
    """Faults that can be seen: a stopped process of the stack, a proxy that is off or has a toxic, no service."""
    found = [
        f"{name}[{pid}] is stopped"
        for (pid, ticks), name in seen.processes.items()
        if (stat := _stat(pid)) is not None and stat[1] == ticks and stat[0] == "T"
    ]
    state = None if seen.folder is None else seen.folder / "stack.json"
    if state is None or not state.exists():
        return found
    try:
        places = json.loads(state.read_bytes())["places"]
    except (FileNotFoundError, json.JSONDecodeError):
        return found
    if "toxiproxy" in places:
        try:
            with urllib.request.urlopen(f"{places['toxiproxy']['control']}/proxies", timeout=1) as answer:
                proxies = json.load(answer)
        except (OSError, urllib.error.URLError):
            proxies = {}  # the server is gone, and its proxies with it
        found += [f"proxy {name} is off" for name, proxy in proxies.items() if not proxy["enabled"]]
        found += [f"proxy {name} has toxics" for name, proxy in proxies.items() if proxy["toxics"]]
    return found


def kill_once(moment: Moment, folder: Path) -> Kill:
    """Start a run, kill its runner at the moment, watch what becomes of what it started."""
    environment = {**os.environ, "RESILIENCE_STATE": str(folder / "state"), "TMPDIR": str(folder)}
    environment.pop("TARGET_BUGS", None)
    log = folder / "log"
    argv = [
        sys.executable,
        "-m",
        "chaostoolkit",
        "--no-log-file",
        "run",
        str(EXPERIMENT),
        "--runs",
        str(folder / "runs"),
    ]
    with log.open("wb") as out:
        runner = subprocess.Popen(argv, env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    seen = Seen()
    started = begin = time.monotonic()
    awaited = bool(moment.fault)
    while (awaited or time.monotonic() - begin < moment.after_s) and runner.poll() is None:
        _look(runner.pid, seen)
        if awaited and _requested(folder, moment.fault):
            awaited, begin = False, time.monotonic()
        if seen.folder is None:
            seen.folder = next(iter(folder.glob("resilience-stack-*")), None)
        time.sleep(0.02)
    _look(runner.pid, seen)
    seen.folder = next(iter(folder.glob("resilience-stack-*")), seen.folder)
    phase = _phase(folder)
    ended_before = runner.poll() is not None
    runner.kill()
    killed = time.monotonic()
    runner.wait()
    fault_gone_s = _until(lambda: not _faults(seen), killed)
    process_gone_s = _until(lambda: not _alive(seen), killed)
    time.sleep(0.2)
    left = [*_alive(seen), *_faults(seen)]
    left += [str(path) for path in folder.glob("resilience-stack-*")]
    left += [str(path) for path in (folder / "state" / "debts").glob("*.jsonl")]
    return Kill(killed - started, phase, ended_before, fault_gone_s, process_gone_s, tuple(left))


def _events(folder: Path) -> list[dict[str, object]]:
    path = next(iter((folder / "runs").glob("*/events.jsonl")), None)
    lines = [] if path is None else path.read_text().split("\n")[:-1]
    return [json.loads(line) for line in lines]


def _requested(folder: Path, fault: str) -> bool:
    return any(event["kind"] == "fault-requested" and event["name"] == fault for event in _events(folder))


def _phase(folder: Path) -> str:
    last = [event for event in _events(folder) if event["kind"] == "phase"]
    return f"{last[-1]['name']} {last[-1]['detail'].get('fault', '')}".strip() if last else "start"


def _shown(seconds: float | None) -> str:
    return "NEVER" if seconds is None else f"{seconds:.3f} s"


def _until(done, since: float) -> float | None:
    while time.monotonic() - since < GIVE_UP_S:
        if done():
            return time.monotonic() - since
        time.sleep(0.005)
    return None


def measure(options: Options) -> Result:
    """Kill at `count` moments: half drawn over the length of the run, half over the time that a fault is held."""
    count = options.count or 30
    draw = random.Random(options.seed)
    faults = parse(EXPERIMENT.read_bytes(), EXPERIMENT.name, str(EXPERIMENT.parent)).faults
    moments = [Moment(draw.uniform(0.3, RUN_S)) for _ in range(count - count // 2)]
    for number in range(count // 2):
        fault = faults[number % len(faults)]
        moments.append(Moment(draw.uniform(0.0, fault.duration_s), fault.name))

    def one(moment: Moment) -> Kill:
        # The folder must be one that a server's unprivileged user can enter.
        with tempfile.TemporaryDirectory(prefix="reap-", dir="/tmp") as name:
            Path(name).chmod(0o755)
            kill = kill_once(moment, Path(name))
        options.say(
            f"killed at {kill.moment_s:5.1f} s ({kill.phase}): faults gone after {_shown(kill.fault_gone_s)}, "
            f"processes after {_shown(kill.process_gone_s)}{'; LEFT ' + ', '.join(kill.left) if kill.left else ''}"
        )
        return kill

    with ThreadPoolExecutor(options.parallel) as pool:
        kills = list(pool.map(one, moments))
    gone = [GIVE_UP_S if kill.fault_gone_s is None else kill.fault_gone_s for kill in kills]
    processes = [GIVE_UP_S if kill.process_gone_s is None else kill.process_gone_s for kill in kills]
    left = sum(len(kill.left) for kill in kills)
    figures = {
        "kills": len(kills),
        "in_fault_phases": sum(kill.phase.startswith("fault") for kill in kills),
        "fault_gone_median_s": round(statistics.median(gone), 3),
        "fault_gone_max_s": round(max(gone), 3),
        "process_gone_median_s": round(statistics.median(processes), 3),
        "process_gone_max_s": round(max(processes), 3),
        "left_behind": left,
        "runner_ended_before": sum(kill.ended_before for kill in kills),
    }
    met = max(gone) <= FAULT_LIMIT_S and max(processes) <= PROCESS_LIMIT_S and left == 0
    met = met and not any(kill.ended_before for kill in kills)
    return Result(figures=figures, goal=GOAL, met=met)
