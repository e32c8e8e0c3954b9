"""The break-point of the reference target: by search, and by a fine sweep over the same levels, on the same stack.

Both are made in one session, one right after the other: `resilience search` on `experiments/search/break-point.yaml`
without its fault, then a sweep in steps of one per second from the same start, until three levels in a row broke. A
level of the sweep is measured as long as a step of the search, and never longer; the sweep's break-point is the middle
between the last level whose share of slow operations was allowed and the first of the three.
"""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks import Options as Asked
from benchmarks import Result
from resilience.ctk.searching import conduct, prepare
from resilience.ctk.steered import Job, Options, load_for, plan_of, ready, run_job
from resilience.drill.search.steps import Measurer
from resilience.judge.search.machine import Seen
from resilience.judge.search.step import Judged
from resilience.runtime.steering import Steering

FILE = Path(__file__).parent.parent / "experiments" / "search" / "break-point.yaml"
STEP_PER_S = 1.0
"""The sweep goes up by so many arrivals per second."""
IN_A_ROW = 3
CLOSE, QUARTER = 0.10, 0.25
GOAL = {"apart_share": f"<= {CLOSE}", "time_share": f"<= {QUARTER}", "answer": "both found"}


def broke(judged: Judged) -> bool:
    """Whether more than what is allowed was bad, whatever its interval."""
    return any(bound.bad > bound.allowed for bound in judged.bounds)


def swept(levels: list[tuple[float, Judged]]) -> float | None:
    """The break-point of a sweep; None if it did not break."""
    for index in range(len(levels) - IN_A_ROW + 1):
        if all(broke(judged) for _, judged in levels[index : index + IN_A_ROW]):
            return levels[index][0] - STEP_PER_S / 2
    return None


def measure(options: Asked) -> Result:
    """One search, then one sweep."""
    experiment = load_for(FILE, "search")
    assert experiment.search is not None
    search = replace(experiment.search, faults=())
    prepared = prepare(replace(experiment, search=search, safety=replace(experiment.safety, max_duration_s=3600.0)))
    levels: list[tuple[float, Judged]] = []
    swept_s: list[float] = []

    def both(means: Steering, measurer: Measurer) -> None:
        conduct(means, prepared, measurer, Console(stderr=True))
        begin_s, level = means.now_s(), search.start
        means.level(level)
        means.sleep_until(begin_s + 15.0)  # what the search left is worked off
        begin_s = means.now_s()
        while level <= search.limit and (len(levels) < IN_A_ROW or swept(levels) is None):
            judged = measurer.measure(means.level(level), level, step_s=search.step_s, looks=(1,))
            if judged.seen is Seen.SPOILED:
                judged = measurer.measure(means.level(level), level, step_s=search.step_s, looks=(1,))
            levels.append((level, judged))
            level += STEP_PER_S
        swept_s.append(means.now_s() - begin_s)

    with tempfile.TemporaryDirectory(prefix="search-", dir="/tmp") as name:
        Path(name).chmod(0o755)  # a server's unprivileged user must get in
        asked = Options(runs=Path(name) / "runs", settle=True)
        job = Job(
            "search",
            prepared.experiment,
            plan_of(prepared.experiment, options.seed, prepared.usual_s),
            ready(prepared.experiment, asked),
            search.objectives,
            prepared.lengths,
        )
        verdict, _ = run_job(job, asked, both)
    told = json.loads(json.dumps(verdict.document))["search"]["conditions"][0]
    found, truth = told["break_point"], swept(levels)
    options.say(f"search: {told['kind']}, {told['holds']} to {told['breaks']}; sweep: {truth}")
    apart = None if found is None or truth is None else abs(found / truth - 1)
    share = told["cost_s"] / swept_s[0] if swept_s else None
    return Result(
        figures={
            "found_per_s": found,
            "holds_per_s": told["holds"],
            "breaks_per_s": told["breaks"],
            "sweep_per_s": truth,
            "apart_share": None if apart is None else round(apart, 4),
            "search_s": round(told["cost_s"], 1),
            "search_steps": len(told["steps"]),
            "sweep_s": round(swept_s[0], 1) if swept_s else None,
            "sweep_steps": len(levels),
            "time_share": None if share is None else round(share, 4),
        },
        goal=GOAL,
        met=apart is not None and share is not None and apart <= CLOSE and share <= QUARTER,
    )
