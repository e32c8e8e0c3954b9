"""The same fault seen by our own engine and by a script of k6: the same recovery, within its resolution.

The service is stopped for a second by a signal and continues, which takes no time of its own, under the same reads:
a hundred a second, evenly spaced. What is compared is when full service was lost and was back, counted from when the
fault was seen in place and seen gone. Besides, how many requests a second the reader of k6's output can take.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from benchmarks import Figure, Options, Result
from resilience.load.scripts.k6 import K6Reader

ROOT = Path(__file__).parent.parent
EXPERIMENT = ROOT / "experiments" / "load" / "k6-script.yaml"
SCRIPT = """import http from 'k6/http';
export const options = { scenarios: { read: {
  executor: 'constant-arrival-rate', rate: 100, duration: '10m', preAllocatedVUs: 300, maxVUs: 400 } } };
export default function () {
  const item = Math.floor(Math.random() * 1000);
  http.get(`${__ENV.BASE_URL}/items/${item}`, { tags: { name: 'read item' }, timeout: '3s' });
}
"""
READ = {
    "name": "read-item",
    "weight": 1,
    "request": {"method": "GET", "path": "/items/${key}"},
    "timeout": "3s",
}
LOADS: dict[str, dict[str, Any]] = {
    "locust": {"rate": 100, "operations": [READ], "max_in_flight": 400},
    "k6": {"driver": "k6", "script": "reads.js"},
}
GOAL = {
    "recovered_apart_s": "no more than resolution_s",
    "lost_apart_s": "no more than resolution_s",
    "reader_requests_per_s": ">= 20000",
}
READER_GOAL = 20_000
REQUESTS = 20_000


def experiment(driver: str) -> dict[str, Any]:
    """The shipped experiment, with this load, and one fault."""
    document: dict[str, Any] = yaml.safe_load(EXPERIMENT.read_text())
    step, after = document["method"][0], document["method"][-1]
    step["provider"]["arguments"] = {"name": "paused", "kind": "process.pause", "part": "service", "duration": "1s"}
    after["provider"]["arguments"] = {"phase": "recovery", "duration": "8s"}
    document["method"] = [step, after]
    own = document["extensions"][0]
    own["load"] = {"warm_up": "4s", "baseline": "12s", **LOADS[driver]}
    own["stack"]["service"]["environment"] = {"PYTHONPATH": str(ROOT)}
    own["objectives"] = ["rate<0.01 @ baseline"]
    return document


def run_once(driver: str, seed: int) -> dict[str, Any]:
    """The verdict of one run."""
    with tempfile.TemporaryDirectory(prefix="drivers-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "reads.js").write_text(SCRIPT)
        (folder / "pyproject.toml").touch()
        file = folder / f"{driver}.json"
        file.write_text(json.dumps(experiment(driver)))
        environment = {**os.environ, "RESILIENCE_STATE": f"{name}/state", "TARGET_BUGS": ""}
        argv = [sys.executable, "-m", "chaostoolkit", "--no-log-file", "run", str(file), "--json", "--seed", str(seed)]
        done = subprocess.run(
            [*argv, "--runs", f"{name}/runs"], env=environment, capture_output=True, timeout=300, check=False
        )
    if not done.stdout:
        raise SystemExit(done.stderr.decode(errors="replace")[-2000:])
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def reader_rate() -> float:
    """Requests a second that the reader of k6's output takes, with all nine lines of each."""
    tags = '"tags":{"expected_response":"true","group":"","method":"GET","name":"read item","proto":"HTTP/1.1",'
    tags += '"scenario":"read","status":"200","url":"read item"},"metadata":{"vu":"%d"}'
    metrics = "reqs req_duration req_blocked req_connecting req_tls_handshaking req_sending req_waiting req_receiving"
    lines = [
        (
            f'{{"metric":"http_{metric}","type":"Point","data":{{"time":"2026-11-21T19:43:{number % 60:02}.38205259Z",'
            f'"value":23.356983,{tags % (number % 200)}}}}}'
        ).encode()
        for number in range(REQUESTS)
        for metric in (*metrics.split(), "req_failed")
    ]
    reader = K6Reader(lambda _seen: None)
    begin = time.perf_counter()
    for line in lines:
        reader.take(line)
    return REQUESTS / (time.perf_counter() - begin)


def measure(options: Options) -> Result:
    """Runs of both, one after the other, `count` times (three); medians."""
    recovered: dict[str, list[float]] = {driver: [] for driver in LOADS}
    lost: dict[str, list[float]] = {driver: [] for driver in LOADS}
    resolutions = []
    for number in range(options.count or 3):
        for driver in LOADS:
            verdict = run_once(driver, options.seed + number)
            if not verdict["recovery"]["cycles"]:
                raise SystemExit(f"{driver}: {verdict['because']}")
            (cycle,), (fault,) = verdict["recovery"]["cycles"], verdict["faults"]
            options.say(f"{driver} {number + 1}: {verdict['answer']}, {cycle}")
            recovered[driver].append(cycle["recovered_s"] - fault["clear_s"])
            lost[driver].append(cycle["degraded_s"] - fault["confirmed_s"])
            resolutions.append(cycle["resolution_s"])
    figures: dict[str, Figure] = {}
    for driver in LOADS:
        figures[f"{driver}_recovered_after_clear_s"] = round(statistics.median(recovered[driver]), 3)
        figures[f"{driver}_lost_after_confirmed_s"] = round(statistics.median(lost[driver]), 3)
    apart = {
        "recovered_apart_s": abs(statistics.median(recovered["locust"]) - statistics.median(recovered["k6"])),
        "lost_apart_s": abs(statistics.median(lost["locust"]) - statistics.median(lost["k6"])),
    }
    resolution_s = statistics.median(resolutions)
    rate = statistics.median(reader_rate() for _ in range(3))
    figures |= {name: round(value, 3) for name, value in apart.items()}
    figures |= {"resolution_s": round(resolution_s, 3), "reader_requests_per_s": round(rate)}
    met = all(value <= resolution_s for value in apart.values()) and rate >= READER_GOAL
    return Result(figures=figures, goal=GOAL, met=met)
