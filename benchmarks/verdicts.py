"""Run the shipped experiment again and again: on the healthy target it must pass, with each planted bug it must fail.

With n passes of n the rate of false alarms is below 1 − 0.05^(1/n) at 95 % confidence (n = 20: 14 %, n = 59: 5 %).
"""

import json
import os
import subprocess
import sys
import tempfile
import time

from benchmarks import Options, Result
from benchmarks.reap_runs import EXPERIMENT

BUGS = {"B01": "acknowledged writes are lost", "B19": "rate<0.01 @ fault(redis-hung)"}
"""Planted bug → what the verdict must say among its reasons."""

GOAL = {"healthy_pass": "all of them", "bugs_failed_rightly": "all of them"}


def run_once(bugs: str) -> tuple[int, dict[str, object], float]:
    """One run; exit code, verdict document, seconds it took."""
    with tempfile.TemporaryDirectory(prefix="verdicts-") as name:
        environment = {**os.environ, "RESILIENCE_STATE": f"{name}/state", "TARGET_BUGS": bugs}
        argv = [sys.executable, "-m", "chaostoolkit", "--no-log-file", "run", str(EXPERIMENT), "--json"]
        begin = time.monotonic()
        done = subprocess.run(
            [*argv, "--runs", f"{name}/runs"], env=environment, capture_output=True, timeout=600, check=False
        )
        seconds = time.monotonic() - begin
    try:
        document = json.loads(done.stdout)
    except json.JSONDecodeError:
        document = {"answer": None, "because": done.stderr.decode(errors="replace")[-2000:]}
    return done.returncode, document, seconds


def measure(options: Options) -> Result:
    """`count` healthy runs, and a tenth as many (at least one) of each bug."""
    count = options.count or 20
    passed, seconds = 0, []
    for number in range(1, count + 1):
        code, document, took_s = run_once("")
        passed += code == 0 and document["answer"] == "pass"
        seconds.append(took_s)
        options.say(f"healthy {number}: exit {code}, {document['answer']}, {took_s:.1f} s: {document['because']}")
    rightly = tries = 0
    for bug, reason in BUGS.items():
        for _ in range(max(1, count // 10)):
            code, document, took_s = run_once(bug)
            told = json.dumps(document)
            right = code == 1 and document["answer"] == "fail" and reason in told
            tries += 1
            rightly += right
            options.say(f"{bug}: exit {code}, {document['answer']}, {took_s:.1f} s: {document['because']}")
    figures = {
        "healthy_runs": count,
        "healthy_pass": passed,
        "bug_runs": tries,
        "bugs_failed_rightly": rightly,
        "longest_run_s": round(max(seconds), 1),
    }
    return Result(figures=figures, goal=GOAL, met=passed == count and rightly == tries)
