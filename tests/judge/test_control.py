"""A control group beside the one that a fault meets, in the same seconds."""

from dataclasses import replace

import numpy as np
import pytest

from resilience.judge.case import prepare
from resilience.judge.control import WAY, check_control
from resilience.judge.quantiles import FAILED, NS
from resilience.judge.verdict import judge
from resilience.model import Answer, Control, Load, Region
from tests.judge.builder import OPERATIONS, Held, Scene

SPLIT = Load(
    rate=250.0,
    operations=OPERATIONS,
    control=Control(slow_s=0.5),
    regions=(Region(name="control", weight=0.5), Region(name="experiment", weight=0.5, latency_s=0.0)),
)
BOTH, FAULT = (4.0, 42.0), (19.0, 27.0)


def record(*failing: tuple[str, float, float, float], on: str = WAY, slow: bool = False, load: Load = SPLIT):
    """A run in which a share of what a group sends fails in a while: (group, from, until, share)."""
    made = Scene(faults=(Held(on=on),), load=load).record()
    rng = np.random.default_rng(7)
    samples = made.samples
    region = rng.integers(0, 2, len(samples)).astype(np.int16)
    outcome, end = samples.outcome.copy(), samples.end_ns.copy()
    at_s = samples.arrival_ns / NS
    for group, begin_s, until_s, share in failing:
        hit = (at_s >= begin_s) & (at_s < until_s) & (rng.uniform(size=len(samples)) < share)
        hit &= region == ["control", "experiment"].index(group)
        if slow:
            end[hit] = samples.arrival_ns[hit] + NS
        else:
            outcome[hit] = FAILED
    found = replace(samples, region=region, regions=("control", "experiment"), outcome=outcome, end_ns=end)
    return replace(made, samples=found)


def told(*failing, **changes):
    """The part of such a run."""
    return check_control(prepare(record(*failing, **changes)))


def test_groups_that_fare_alike_pass():
    """Nothing differs: less than the margin of five points is shown."""
    part = told()
    assert part.answer is Answer.PASS
    assert "less than the margin" in part.because


def test_what_the_fault_does_to_its_group_fails():
    """A fifth of its answers is lost: more than the margin, and it is said how soon that was shown."""
    part = told(("experiment", *FAULT, 0.2))
    assert part.answer is Answer.FAIL
    row = part.data["control"]["phases"][-1]
    assert row["low"] > 0.05
    assert FAULT[0] < row["shown_s"] <= row["beyond_s"] < FAULT[1]
    assert row["groups"]["control"]["good"] == 1.0


def test_slow_answers_are_not_good():
    """What comes later than the limit counts as what did not come."""
    assert told(("experiment", *FAULT, 0.2), slow=True).answer is Answer.FAIL


def test_a_slow_environment_is_no_difference():
    """A tenth of everything fails in both groups, whatever the fault: nothing differs, and nothing fails for it."""
    part = told(("experiment", *BOTH, 0.1), ("control", *BOTH, 0.1), load=replace(SPLIT, control=Control(margin=0.15)))
    assert part.answer is Answer.PASS


def test_a_difference_near_the_margin_cannot_be_told():
    """Five points of difference beside a margin of five."""
    assert told(("experiment", *FAULT, 0.05)).answer is Answer.UNKNOWN


def test_groups_that_differ_before_any_fault():
    """If the split itself differs, nothing follows from what differs later."""
    part = told(("experiment", *BOTH, 0.2))
    assert part.answer is not Answer.PASS
    assert any("not shown to be alike before any fault" in one for one in part.evidence)


@pytest.mark.parametrize("failing", [(), (("experiment", *FAULT, 0.3),)])
def test_a_fault_that_both_groups_meet_is_not_judged(failing):
    """Redis is everybody's: what differs says nothing of that fault, whatever it is, and the reader is told."""
    part = told(*failing, on="redis")
    assert part.answer is Answer.UNKNOWN
    assert "both groups" in part.because
    assert part.data["control"]["phases"][-1]["answer"] is None


def test_a_group_without_operations_is_unknown():
    """Nobody went by one of the ways."""
    made = record()
    lone = replace(made, samples=replace(made.samples, region=np.zeros(len(made.samples), np.int16)))
    assert check_control(prepare(lone)).answer is Answer.UNKNOWN


def test_it_is_a_part_of_the_verdict_where_there_is_a_control_group():
    """And of no other verdict."""
    assert "control" in {part.name for part in judge(record()).parts}
    assert "control" not in {part.name for part in judge(Scene().record()).parts}
