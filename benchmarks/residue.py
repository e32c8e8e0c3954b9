"""How often a residue is told where there is none, and found where there is one: at the counts of shipped experiments.

Rows of operations are drawn, not whole runs, so that thousands of them can be: a baseline of 15 s and 8.5 s watched
after recovery, 250 operations a second, Poisson arrivals. What is lost is lost by chance, one by one, or when the
machine is held up: 30 to 300 ms, in which 10 to 100 % of what arrives is lost. Beside it stands the rule that counts
operations, as a baseline of its own (more lost than the binomial distribution of the baseline's share allows in a
thousand runs): it is what stalls set off.
"""

import numpy as np

from benchmarks import Figure, Options, Result
from resilience.columns import Bool
from resilience.judge.residue import find_residue, per_block
from resilience.judge.statistics import binomial_quantile, wilson_lower

RATE, BEFORE_S, AFTER_S = 250.0, 15.0, 8.5
LOST_S = (0.03, 0.3)
LOST_SHARE = (0.1, 1.0)
COUNTED = 0.001

WELL = {
    "no_failures": (0.0, 0.0),
    "failures_0.1_percent": (0.001, 0.0),
    "failures_1_percent": (0.01, 0.0),
    "a_stall_in_10_s": (0.0, 0.1),
    "three_stalls_in_10_s": (0.0, 0.3),
    "a_stall_a_second": (0.0, 1.0),
}
"""Targets that are as before: share of failures, and stalls a second, before as after."""

ILL = {
    "1_percent": ((0.0, 0.0), (0.01, 0.0)),
    "2_percent": ((0.0, 0.0), (0.02, 0.0)),
    "1_percent_over_0.1": ((0.001, 0.0), (0.011, 0.0)),
    "2_percent_with_stalls": ((0.0, 0.2), (0.02, 0.2)),
}
"""Targets that go on failing: before, and after."""

FALSE_PERCENT, CAUGHT_PERCENT = 0.5, 99.0
GOAL = {
    **{f"false_{name}_percent": f"at most {FALSE_PERCENT:g} %" for name in WELL},
    "caught_1_percent_percent": f"at least {CAUGHT_PERCENT:g} %",
    "caught_2_percent_percent": f"at least {CAUGHT_PERCENT:g} %",
}


def draw(rng: np.random.Generator, length_s: float, share: float, stalls: float) -> Bool:
    """Which operations of some time are lost."""
    arrival_s = np.sort(rng.uniform(0, length_s, rng.poisson(RATE * length_s)))
    lost: Bool = rng.uniform(size=len(arrival_s)) < share
    for _ in range(rng.poisson(stalls * length_s)):
        begin_s = rng.uniform(0, length_s)
        hit = (arrival_s >= begin_s) & (arrival_s < begin_s + rng.uniform(*LOST_S))
        lost |= hit & (rng.uniform(size=len(lost)) < rng.uniform(*LOST_SHARE))
    return lost


def counted(before: Bool, after: Bool) -> bool:
    """What counting operations would say."""
    usual = wilson_lower(int(np.count_nonzero(~before)), len(before))
    return int(np.count_nonzero(~after)) < binomial_quantile(COUNTED, len(after), usual)


def told(options: Options, runs: int, before: tuple[float, float], after: tuple[float, float]) -> tuple[float, float]:
    """In how many of a hundred runs a residue is told: by the test, and by counting."""
    blocks = ops = 0
    for number in range(runs):
        rng = np.random.default_rng([options.seed, number])
        rows = draw(rng, BEFORE_S, *before), draw(rng, AFTER_S, *after)
        blocks += find_residue(*rows, per_block(RATE)).found
        ops += counted(*rows)
    return round(100 * blocks / runs, 2), round(100 * ops / runs, 2)


def measure(options: Options) -> Result:
    """`count` runs of each target."""
    runs = options.count or 2000
    figures: dict[str, Figure] = {"runs_of_each": runs}
    met = True
    for name, usual in WELL.items():
        found, by_count = told(options, runs, usual, usual)
        figures |= {f"false_{name}_percent": found, f"false_{name}_by_counting_percent": by_count}
        met = met and found <= FALSE_PERCENT
        options.say(f"{name}: told in {found} % of runs without a residue (counting operations: {by_count} %)")
    calm, _ = told(options, runs, (0.0, 0.0), (0.0, 0.3))
    figures["false_stalls_only_after_percent"] = calm
    options.say(f"three stalls in 10 s after a baseline without any: told in {calm} % of runs")
    for name, (before, after) in ILL.items():
        found, by_count = told(options, runs, before, after)
        figures |= {f"caught_{name}_percent": found, f"caught_{name}_by_counting_percent": by_count}
        met = met and (found >= CAUGHT_PERCENT or f"caught_{name}_percent" not in GOAL)
        options.say(f"{name}: found in {found} % of runs (counting operations: {by_count} %)")
    return Result(figures=figures, goal=GOAL, met=met)
