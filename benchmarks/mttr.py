"""How exact a measured time to recover is: outages of known length at 200 operations per second, hard, partial, ramps.

Records are drawn by the simulator that the judge's tests use; it knows the truth to the nanosecond and shares nothing
with the judge. Outages last 0.2 to 30 s, evenly by order of magnitude, arrivals are Poisson's, and one operation in a
thousand fails by chance all the time. An outage that was not seen counts as measured with 0 s. The signed mean tells a
flattering bias, which is a negative one.
"""

import numpy as np

from benchmarks import Figure, Options, Result
from resilience.judge.recovery import check_recovery
from tests.judge.simulator import World

SHAPES = {
    "hard": {"share": 1.0, "slope": ""},
    "partial": {"share": 0.3, "slope": ""},
    "falling": {"share": 1.0, "slope": "falling"},
    "partial_falling": {"share": 0.3, "slope": "falling"},
    "rising": {"share": 1.0, "slope": "rising"},
}
"""Shape → the share of operations that are bad, and whether it falls to none or rises from none."""

SHORTEST_S, LONGEST_S = 0.2, 30.0
HARD_MEDIAN_MS, HARD_P95_MS, P95_MS = 20.0, 100.0, 1000.0
HARD_BIAS_MS, BIAS_MS = 10.0, 100.0
GOAL = {
    "hard_median_ms": f"at most {HARD_MEDIAN_MS:g} ms",
    "hard_p95_ms": f"at most {HARD_P95_MS:g} ms",
    "hard_mean_ms": f"not below −{HARD_BIAS_MS:g} ms",
    **{f"{shape}_p95_ms": f"at most {P95_MS:g} ms" for shape in SHAPES if shape != "hard"},
    **{f"{shape}_mean_ms": f"not below −{BIAS_MS:g} ms" for shape in SHAPES if shape != "hard"},
    "within_resolution_percent": "at least 97 %",
}


def error_ms(world: World) -> tuple[float, bool]:
    """Measured less true outage, and whether the stated resolution holds the truth."""
    (cycle,) = check_recovery(world.scene().case()).data["recovery"]["cycles"]
    length_s = world.length_s or 0.0
    measured_s = cycle["outage_s"] or 0.0
    return 1000 * (measured_s - length_s), abs(measured_s - length_s) <= (cycle["resolution_s"] or 0.0)


def measure(options: Options) -> Result:
    """`count` outages of each shape."""
    count = options.count or 50
    figures: dict[str, Figure] = {"outages_of_each_shape": count}
    within = 0
    met = True
    for shape, how in SHAPES.items():
        errors = []
        for number in range(count):
            rng = np.random.default_rng([options.seed, number])
            length_s = float(np.exp(rng.uniform(np.log(SHORTEST_S), np.log(LONGEST_S))))
            world = World(seed=int(rng.integers(2**31)), length_s=length_s, noise=0.001, **how)
            error, held = error_ms(world)
            errors.append(error)
            within += held
        found, hard = np.asarray(errors), shape == "hard"
        median, p95, mean = (
            float(np.median(np.abs(found))),
            float(np.quantile(np.abs(found), 0.95)),
            float(found.mean()),
        )
        figures |= {
            f"{shape}_median_ms": round(median, 1),
            f"{shape}_p95_ms": round(p95, 1),
            f"{shape}_mean_ms": round(mean, 1),
        }
        met = met and p95 <= (HARD_P95_MS if hard else P95_MS) and mean >= -(HARD_BIAS_MS if hard else BIAS_MS)
        met = met and (median <= HARD_MEDIAN_MS or not hard)
        options.say(f"{shape}: error {median:.1f} ms at the median, {p95:.1f} ms at p95, {mean:+.1f} ms on average")
    share = 100 * within / (count * len(SHAPES))
    figures["within_resolution_percent"] = round(share, 1)
    return Result(figures=figures, goal=GOAL, met=met and share >= 97)
