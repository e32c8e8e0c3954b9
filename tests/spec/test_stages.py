"""Shapes by name become stages, exactly. Requirements L1, L2."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.model import Load, Operation, Profile, Stage
from resilience.spec.profile import expected_count, level_at
from resilience.spec.stages import JUDGING_S, PIECES, USUAL, laid_out, length_s, method_s, stages_of

READ = (Operation(name="read", weight=1, method="GET", path="/"),)


def test_the_usual_sizes_are_the_ones_of_the_requirement():
    """Baseline 100 users, normal 500, peak 1000, stress 2000; sustained for 30 minutes, soak for 4 hours."""
    levels = {name: stages_of(Profile(shape=name), 50)[-1].rate for name in ("baseline", "normal", "peak", "stress")}
    assert levels == {"baseline": 100, "normal": 500, "peak": 1000, "stress": 2000}
    assert stages_of(Profile(shape="sustained"), 50) == (Stage(1800, 50),)
    assert stages_of(Profile(shape="soak"), 50) == (Stage(14_400, 50),)
    assert stages_of(Profile(shape="soak", hold_s=86_400), 50) == (Stage(86_400, 50),)


def test_a_spike_in_three_cycles():
    """100 → 1000 → 100, three times."""
    found = stages_of(Profile(shape="spike"), 100)
    assert found == (Stage(10, 1000), Stage(60, 1000), Stage(10, 100), Stage(60, 100)) * 3


def test_a_spike_of_no_rise_and_no_fall_jumps():
    """A stage without length is a jump, and one that changes nothing is none."""
    spike = Profile(shape="spike", to=40, rise_s=0, hold_s=2, fall_s=0, rest_s=0, cycles=2)
    up_and_down = (Stage(0, 40), Stage(2, 40), Stage(0, 10))
    assert stages_of(spike, 10) == up_and_down * 2


def test_steps_end_at_the_level_that_was_asked_for():
    """The last one is smaller if the way is no multiple of a step; downwards too."""
    up = stages_of(Profile(shape="step", to=250, step=100, hold_s=5), 0)
    assert [stage.rate for stage in up if stage.duration_s] == [100, 200, 250]
    down = stages_of(Profile(shape="step", to=0, step=60, hold_s=5), 100)
    assert [stage.rate for stage in down if stage.duration_s] == [40, 0]


def test_a_ramp_and_a_break_point_go_straight():
    """And stay, if they are to."""
    assert stages_of(Profile(shape="ramp-up"), 0) == (Stage(600, 1000),)
    assert stages_of(Profile(shape="break-point", to=400, rise_s=60), 0) == (Stage(60, 400),)
    assert stages_of(Profile(shape="ramp", to=400, rise_s=60, hold_s=9), 0) == (Stage(60, 400), Stage(9, 400))


def test_a_wave_is_the_shape_of_a_day():
    """Lowest at the beginning and the end, highest in the middle; its mean is that of the two."""
    shape = Profile(shape="sine", to=500)
    load = laid_out(Load(rate=100, operations=READ, warm_up_s=1, baseline_s=9 - JUDGING_S, profile=shape))
    day = 86_400
    assert [level_at(load, 10 + day * part) for part in (0, 0.25, 0.5, 0.75, 1)] == [100, 300, 500, 300, 100]
    assert expected_count(load, 10 + day) == pytest.approx(10 * 100 + day * 300, rel=1e-9)
    assert length_s(load) == pytest.approx(10 + day)
    # No point of the straight lines is further from the wave than the sagitta of one of them: (pi/PIECES)²/2 of 200.
    for second in range(0, day, 600):
        wave = 300 - 200 * math.cos(2 * math.pi * second / day)
        assert abs(level_at(load, 10 + second) - wave) <= 200 * (math.pi / PIECES) ** 2 / 2 + 1e-3


def test_the_shape_begins_when_the_baseline_is_judged():
    """Until then the level is the file's own, so that there is something to compare with; the method begins then."""
    spike = Profile(shape="spike", to=90, rise_s=0, hold_s=5, fall_s=0, rest_s=5, cycles=1)
    load = laid_out(Load(users=30, operations=READ, warm_up_s=4, baseline_s=6, profile=spike))
    begins_s = 10 + JUDGING_S
    found = [level_at(load, at_s) for at_s in (0, begins_s - 0.01, begins_s, begins_s + 4.99, begins_s + 5, 99)]
    assert (method_s(load), found) == (begins_s, [30, 30, 90, 90, 30, 30])


def test_a_load_without_a_shape_waits_for_nothing():
    """The method begins when the baseline has been judged, and stages of a file's own count from the beginning."""
    load = laid_out(Load(rate=30, operations=READ, warm_up_s=4, baseline_s=6, stages=(Stage(30, 100),)))
    assert (method_s(load), load.stages) == (10, (Stage(30, 100),))


def test_k6_writes_targets():
    """`{duration: 30s, target: 100}`: straight from the level before to the target."""
    load = laid_out(Load(rate=0, operations=READ, stages=(Stage(30, target=100), Stage(0, target=10))))
    assert load.stages == (Stage(30, 100), Stage(0, 10))
    assert [level_at(load, at_s) for at_s in (0, 15, 29.7, 30, 40)] == [0, 50, 99, 10, 10]


LENGTHS = st.floats(min_value=0, max_value=100).map(lambda value: round(value, 2))
SHAPES = st.builds(
    Profile,
    shape=st.sampled_from(sorted(USUAL)),
    to=st.integers(0, 3000).map(float),
    rise_s=LENGTHS,
    hold_s=LENGTHS,
    fall_s=LENGTHS,
    rest_s=LENGTHS,
    cycles=st.integers(1, 4),
    step=st.integers(50, 400).map(float),
    period_s=LENGTHS.filter(bool),
)


@given(SHAPES, st.integers(0, 2000).map(float))
def test_every_shape_is_made_of_stages_that_do_something(profile: Profile, level: float):
    """No negative level or length, nothing beyond the two levels, and no stage that neither lasts nor changes."""
    found = stages_of(profile, level)
    low, high = sorted((level, profile.to))
    before = level
    for stage in found:
        assert stage.duration_s >= 0
        assert low <= stage.rate <= high
        assert stage.duration_s > 0 or stage.rate != before
        before = stage.rate
