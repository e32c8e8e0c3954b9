"""The runner killed with SIGKILL at random moments over all kinds of fault: how soon the target is as it was found.

Every kill is a real runner with a real reaper that holds one fault on real servers (`resilience.drill`); the moment is
drawn over the whole life of the lease. What is left is looked for from outside. `reap_runs` kills whole experiments.
"""

import random
import statistics
from pathlib import Path

from benchmarks import Options, Result
from resilience.drill import found
from resilience.drill.examples import EXAMPLES
from resilience.drill.killing import OWN_STACK, running
from resilience.drill.matrix import DWELL_S, Matrix
from resilience.drill.runner import MOMENTS
from resilience.faults import registry
from resilience.stack.settle import STATE

LIMIT_S = 1.0
KILLS = 200
GOAL = {"clean_p95_s": f"at most {LIMIT_S:g} s", "left_behind": "0"}


def measure(options: Options) -> Result:
    """`count` kills; the kinds in turn, moments at random."""
    count = options.count or KILLS
    draw = random.Random(options.seed)
    times: list[float] = []
    left = 0
    with running(OWN_STACK, Path.cwd()) as stack:
        matrix = Matrix(stack.places, stack.folder / STATE)
        subjects = [subject for subject in EXAMPLES.values() if not registry.find(subject.kind).is_strike]
        missing = {subject.kind: matrix.missing(subject) for subject in subjects}
        possible = [subject for subject in subjects if not missing[subject.kind]]
        for kind in (kind for kind, problems in missing.items() if problems):
            options.say(f"{kind}: not possible here: {missing[kind][0]}")
        slowest: dict[str, float] = {}
        for number in range(count):
            subject, moment = possible[number % len(possible)], draw.choice(MOMENTS)
            before = found.settled(stack.places)
            cell = matrix.strike(subject, moment, "KILL", before, after_s=draw.uniform(0, DWELL_S))
            options.say(
                f"{subject.kind} killed at {moment}: " + ("; ".join(cell.left) or f"clean after {cell.clean_s:.3f} s")
            )
            left += bool(cell.left) or cell.clean_s is None
            if cell.clean_s is None:
                break
            times.append(cell.clean_s)
            slowest[subject.kind] = max(slowest.get(subject.kind, 0.0), cell.clean_s)
    ordered = sorted(times)
    figures = {
        "kills": len(times) + left,
        "kinds": len(possible),
        "kinds_not_possible": len(subjects) - len(possible),
        "clean_median_s": round(statistics.median(ordered), 3),
        "clean_p95_s": round(ordered[max(0, -(-95 * len(ordered) // 100) - 1)], 3),
        "clean_max_s": round(ordered[-1], 3),
        "slowest_kind": max(slowest, key=slowest.__getitem__),
        "left_behind": left,
    }
    met = left == 0 and figures["clean_p95_s"] <= LIMIT_S and figures["kills"] == count
    return Result(figures=figures, goal=GOAL, met=met)
