"""A plan says what would be done, without touching anything. Requirement E4."""

import json
from pathlib import Path

from resilience.model import PhaseName
from resilience.spec.parse import parse
from resilience.spec.plan import plan
from resilience.spec.text import read_text

SHIPPED = Path(__file__).parents[2] / "experiments" / "redis-failure.yaml"


def test_phases_follow_the_file_without_gaps():
    """Warm-up, baseline, then each step; recoveries name the fault before them; arrivals are rate times length."""
    experiment = parse(SHIPPED.read_bytes(), SHIPPED.name, "/x")
    made = plan(experiment, seed=7, run="0123abcd", undo={"redis-down": "enable the proxy"})
    assert [(phase.name.value, phase.fault, phase.end_s - phase.start_s) for phase in made.phases] == [
        ("warm-up", "", 4.0),
        ("baseline", "", 15.0),
        ("fault", "redis-down", 8.0),
        ("recovery", "redis-down", 9.0),
        ("fault", "redis-hung", 8.0),
        ("recovery", "redis-hung", 9.0),
        ("fault", "service-killed", 1.0),
        ("recovery", "service-killed", 9.0),
        ("after", "", 6.0),
    ]
    assert made.phases[0].start_s == 0
    assert all(before.end_s == after.start_s for before, after in zip(made.phases, made.phases[1:], strict=False))
    assert (made.duration_s, made.arrivals) == (69.0, 250 * 69)
    assert (made.seed, made.run, made.undo) == (7, "0123abcd", {"redis-down": "enable the proxy"})


def test_pauses_lengthen_the_phase_they_fall_in():
    """A pause before the first step belongs to the baseline, one after a step to that step; 0 s of warm-up is none."""
    data = read_text(SHIPPED.read_bytes(), SHIPPED.name).data
    data["extensions"][0]["load"]["warm_up"] = "0s"
    data["method"][0]["pauses"] = {"before": 2}
    data["method"][1]["pauses"] = {"after": 1.5}
    made = plan(parse(json.dumps(data).encode(), "x.json", "/x"), seed=1, run="0123abcd", undo={})
    lengths = [phase.end_s - phase.start_s for phase in made.phases]
    assert made.phases[0].name is PhaseName.BASELINE
    assert lengths[:3] == [17.0, 8.0, 10.5]
