"""Where a self-test is run: what a reader must know to judge its figures, and how many runs the machine carries."""

import os
import platform
import re

from resilience import __version__
from resilience.drill.selftest.trials import jobs_for
from resilience.errors import ResilienceError
from resilience.stack import programs


def describe(jobs: int) -> dict[str, str]:
    """Cores, kernel and versions, in words by name."""
    words = {
        "cores": f"{cores()}, {jobs} runs at once",
        "load before": f"{os.getloadavg()[0]:.1f} processes",
        "kernel": f"{platform.system()} {_numbers(platform.release())} {platform.machine()}",
        "Python": platform.python_version(),
        "resilience": __version__,
    }
    for name in programs.NAMES:
        try:
            words[name] = programs.find(name).version
        except ResilienceError:
            words[name] = "not found"
    return words


def _numbers(release: str) -> str:
    """The kernel's version without what whoever built it added."""
    return re.split(r"[^0-9.]", release, maxsplit=1)[0]


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


def jobs() -> int:
    """How many runs at once, by the cores and by what the machine does already."""
    return jobs_for(cores(), os.getloadavg()[0])
