"""Every shipped experiment, once, on the healthy target: each must pass."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import Figure, Options, Result

FOLDER = Path(__file__).parent.parent / "experiments"
GOAL = {"passed": "all runs", "faults_seen": "all faults, confirmed and cleared"}


def run_once(file: Path, seed: int) -> tuple[int, dict[str, object], float]:
    """One run; exit code, verdict document, seconds it took."""
    with tempfile.TemporaryDirectory(prefix="experiments-", dir="/tmp") as name:
        Path(name).chmod(0o755)  # a server's unprivileged user must get in
        environment = {**os.environ, "RESILIENCE_STATE": f"{name}/state"}
        environment.pop("TARGET_BUGS", None)
        argv = [sys.executable, "-m", "chaostoolkit", "--no-log-file", "run", str(file), "--json", "--seed", str(seed)]
        begin = time.monotonic()
        done = subprocess.run(
            [*argv, "--runs", f"{name}/runs"], env=environment, capture_output=True, timeout=600, check=False
        )
        seconds = time.monotonic() - begin
    try:
        document = json.loads(done.stdout)
    except json.JSONDecodeError:
        document = {"answer": None, "because": done.stderr.decode(errors="replace")[-2000:], "faults": []}
    return done.returncode, document, seconds


def measure(options: Options) -> Result:
    """Each file `count` times, once if not said."""
    files = sorted(FOLDER.glob("*.yaml"))
    runs = passed = faults = seen = 0
    figures: dict[str, Figure] = {}
    for file in files:
        for _ in range(options.count or 1):
            code, document, seconds = run_once(file, options.seed)
            runs += 1
            good = code == 0 and document["answer"] == "pass"
            passed += good
            told = document.get("faults") or []
            faults += len(told)
            seen += sum(fault["confirmed_s"] is not None and fault["clear_s"] is not None for fault in told)
            figures[f"{file.stem}_s"] = round(seconds, 1)
            options.say(f"{file.stem}: exit {code}, {document['answer']}, {seconds:.1f} s: {document['because']}")
    figures |= {"runs": runs, "passed": passed, "faults": faults, "faults_seen": seen}
    return Result(figures=figures, goal=GOAL, met=passed == runs and seen == faults > 0)
