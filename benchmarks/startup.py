"""How long the programs take before they do anything: medians of whole processes."""

import statistics
import subprocess
import sys
import time

from benchmarks import Options, Result
from benchmarks.reap_runs import EXPERIMENT

COMMANDS = {
    "help_s": ["-m", "resilience.cli", "--help"],
    "validate_s": ["-m", "resilience.cli", "validate", str(EXPERIMENT)],
    "chaos_validate_s": ["-m", "chaostoolkit", "--no-log-file", "validate", str(EXPERIMENT)],
    "bare_python_s": ["-c", "pass"],
}
GOAL: dict[str, str] = {}


def measure(options: Options) -> Result:
    """Time each command `count` times, interleaved."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(options.count or 5):
        for name, words in COMMANDS.items():
            begin = time.monotonic()
            subprocess.run([sys.executable, *words], capture_output=True, check=True, timeout=60)
            times[name].append(time.monotonic() - begin)
    return Result(
        figures={name: round(statistics.median(each), 3) for name, each in times.items()}, goal=GOAL, met=True
    )
