"""A long run at a thousand operations a second: whether the memory of any process grows, and by how much an hour.

A whole run as users start it: `resilience run` of `experiments/load/soak.yaml` at 1000/s on the embedded stack, with a
service that answers everything at once in the place of the shop, which serves less on a small machine. The resident
memory of each of its processes is read every two seconds, ours (the runner, its guard and reaper, the load
process) and those of the stack. The first third is left out: caches fill, pools grow to their size. What remains has
a slope: the median of the slopes between all pairs of readings (Theil and Sen), so that a few spikes do not count.

`--count` is minutes, 2 if not said. In a few minutes a slope of some megabytes an hour is noise, so it is judged from
30 minutes on, and only told before.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

from benchmarks import Figure, Options, Result
from resilience.host import processes
from resilience.model import Identity

ROOT = Path(__file__).parent.parent
STORY = ROOT / "experiments" / "load" / "soak.yaml"
RATE, MINUTES, EVERY_S = 1000, 2, 2.0
JUDGED_MINUTES = 30
FLAT_MB_PER_HOUR = 8.0
OURS = ("runner", "load", "reaper")
GOAL = {
    "answer": "pass",
    "achieved_per_s": f"{RATE} within 0.5 %",
    **{f"{name}_mb_per_hour": f"<= {FLAT_MB_PER_HOUR:g}, judged from {JUDGED_MINUTES} minutes on" for name in OURS},
}


def story(minutes: float) -> dict[str, Any]:
    """The shipped story at 1000/s for so many minutes, with the plain server as its service."""
    document: dict[str, Any] = yaml.safe_load(STORY.read_text())
    own, length = document["extensions"][0], f"{round(minutes * 60)}s"
    own["load"] |= {"rate": RATE, "profile": {"shape": "soak", "hold": length}}
    request = {"method": "GET", "path": "/items/${key}"}
    own["load"]["operations"] = [{"name": "get", "weight": 1, "request": request, "timeout": "2s"}]
    own["objectives"] = ["rate<0.01 @ after"]
    own["stack"]["service"] = {
        "command": ["python", "-m", "benchmarks.plain_server", "127.0.0.1"],
        "environment": {"PYTHONPATH": str(ROOT)},  # the file is outside the checkout
        "ready": "/",
    }
    own["safety"]["max_duration"] = f"{round(minutes * 60) + 600}s"
    del own["ledger"], own["soak"]  # resources of our own processes are what is looked at here
    hypothesis = document["steady-state-hypothesis"]
    hypothesis["probes"] = [one for one in hypothesis["probes"] if one["name"] != "no data was lost"]
    document["method"][0]["provider"]["arguments"]["duration"] = length
    return document


def name_of(one: Identity) -> str:
    """What a process of a run is called."""
    try:
        words = Path(f"/proc/{one.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
    known = {
        "resilience.load": "load",
        "resilience.reaper": "reaper",
        "benchmarks.plain_server": "service",
        "postgres": "postgres",
        "redis": "redis",
        "toxiproxy": "toxiproxy",
        "resilience.wire": "proxy",
    }
    return next((name for part, name in known.items() if part in words), "other")


def resident_kb(runner: int) -> dict[str, int]:
    """Name → resident memory of all its processes, which for PostgreSQL counts what they share more than once."""
    found: dict[str, int] = {}
    top = processes.identify(runner)
    for one in () if top is None else (top, *processes.descendants(top)):
        try:
            text = Path(f"/proc/{one.pid}/status").read_text()
        except OSError:
            continue
        kb = next((int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS")), 0)
        name = "runner" if one.pid == runner else name_of(one)
        found[name] = found.get(name, 0) + kb
    return found


def slope(readings: list[tuple[float, int]]) -> float:
    """Megabytes per hour."""
    chosen = readings[:: max(1, len(readings) // 300)]
    slopes = [(kb - kb0) / (at - at0) for (at0, kb0), (at, kb) in combinations(chosen, 2) if at > at0]
    return statistics.median(slopes) * 3600 / 1024 if slopes else 0.0


def watched(process: "subprocess.Popen[bytes]", minutes: float) -> Iterator[tuple[float, dict[str, int]]]:
    """Readings while the run lasts."""
    begun_s = time.monotonic()
    while process.poll() is None:
        assert time.monotonic() - begun_s < minutes * 60 + 600, "the run does not end"
        yield time.monotonic() - begun_s, resident_kb(process.pid)
        time.sleep(EVERY_S)


def measure(options: Options) -> Result:
    """One run of `--count` minutes."""
    minutes = float(options.count or MINUTES)
    readings: dict[str, list[tuple[float, int]]] = {}
    with tempfile.TemporaryDirectory(prefix="soak-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)  # a server's unprivileged user must get in
        (folder / "soak.json").write_text(json.dumps(story(minutes)))
        argv = [sys.executable, "-m", "resilience.cli", "run", "soak.json", "--json", "--seed", str(options.seed)]
        environment = {**os.environ, "RESILIENCE_STATE": f"{name}/state"}
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            process = subprocess.Popen(argv, cwd=folder, env=environment, stdout=out, stderr=err)
            for at_s, kb in watched(process, minutes):
                for each, value in kb.items():
                    readings.setdefault(each, []).append((at_s, value))
        try:
            verdict: Mapping[str, Any] = json.loads((folder / "out").read_bytes())
        except json.JSONDecodeError:
            raise SystemExit((folder / "err").read_text()[-2000:]) from None
    after = next((phase for phase in verdict["phases"] if phase["name"] == "after"), None)
    assert after is not None, verdict["because"]
    options.say(f"{verdict['answer']}: {verdict['because']}")
    count, length_s = after["operations"]["all"]["count"], after["end_s"] - after["start_s"]
    figures: dict[str, Figure] = {
        "minutes": minutes,
        "answer": verdict["answer"],
        "achieved_per_s": round(count / length_s, 1),
        "lag_p99_ms": round(verdict["load"]["lag_p99_s"] * 1000, 2),
    }
    slopes = {}
    # The runner judges when the load has ended, and the stack comes and goes: only what lies in the long phase counts.
    for each, series in sorted(readings.items()):
        begun_s = series[0][0]
        inside = [(at, kb) for at, kb in series if length_s / 3 <= at - begun_s <= length_s]
        if len(inside) > 10:
            slopes[each] = slope(inside)
            figures[f"{each}_mb"] = round(inside[-1][1] / 1024, 1)
            figures[f"{each}_mb_per_hour"] = round(slopes[each], 2)
    achieved = figures["achieved_per_s"]
    assert isinstance(achieved, float)
    met = verdict["answer"] == "pass" and abs(achieved / RATE - 1) <= 0.005
    met &= {"runner", "load"} <= set(slopes)
    if minutes >= JUDGED_MINUTES:
        met &= all(slopes.get(each, 0.0) <= FLAT_MB_PER_HOUR for each in OURS)
    return Result(figures=figures, goal=GOAL, met=bool(met))
