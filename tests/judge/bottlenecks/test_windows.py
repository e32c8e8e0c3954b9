"""Windows: when service was not full, for how long, and whether the generator was what was slow."""

from dataclasses import replace

import numpy as np
import pytest

from resilience.judge.bottlenecks.windows import MOST_WINDOWS, find_course, find_windows
from resilience.judge.case import prepare
from resilience.judge.quantiles import NS
from tests.judge.bottlenecks.made import slowed
from tests.judge.builder import Held, Scene, Spell

WELL = {"cpu_share": 0.3, "cpu_share_max": 0.5, "stalls": [], "stalled_s": 0.0, "clock_steps": [], "asleep_s": 0.0}


def test_a_window_says_what_service_was_like():
    """Its stretch, what was offered and answered, and response times beside those of the baseline."""
    (window,) = find_windows(slowed())
    assert window.start_s == pytest.approx(24, abs=0.3)
    assert window.end_s == pytest.approx(40, abs=1.1)
    assert window.offered == pytest.approx(250, rel=0.05)
    assert window.lacking == pytest.approx(0.8, abs=0.05)
    assert window.p95_ms == pytest.approx(600, rel=0.02)
    assert window.usual_p95_ms < 20
    assert (window.faults, window.generator) == ((), "")


def test_faults_that_were_in_place_are_told_beside():
    """For whoever compares; they decide nothing."""
    scene = Scene(faults=(Held(begin_s=19.0, length_s=8.0),), spells=(Spell(19.2, 27.0, "slow"),))
    (window,) = find_windows(scene.case())
    assert window.faults == ("redis-down",)


def test_two_stretches_with_a_long_break_are_two_windows():
    """And a short break is part of one."""
    apart = slowed(spells=(Spell(20, 26, "slow"), Spell(33, 40, "slow")))
    assert len(find_windows(apart)) == 2
    assert len(find_windows(slowed(spells=(Spell(20, 26, "slow"), Spell(28, 34, "slow"))))) == 1


def test_errors_are_a_lack_of_service_as_well():
    """A queue that is full answers quickly, and not well."""
    (window,) = find_windows(slowed(spells=(Spell(24, 40, "failed", share=0.5),)))
    assert window.answered == pytest.approx(125, rel=0.1)


def test_of_many_stumbles_the_longest_are_told():
    """In order of time."""
    spells = tuple(Spell(20 + 9 * n, 24 + 9 * n + (n % 2), "slow") for n in range(12))
    record = Scene(faults=(), spells=spells, end_s=140.0).record()
    events = tuple(event for event in record.events)
    windows = find_windows(prepare(replace(record, events=(*events[:3], *slowed().record.events[3:4], *events[3:]))))
    assert len(windows) == MOST_WINDOWS
    assert [one.start_s for one in windows] == sorted(one.start_s for one in windows)


def test_a_generator_that_was_late_is_not_the_target():
    """Requirement J5: counted from when they were really sent, the operations were in time."""
    case = slowed(spells=())
    samples = case.record.samples
    delay = np.where((samples.arrival_ns > 24 * NS) & (samples.arrival_ns < 40 * NS), round(0.4 * NS), 0)
    moved = replace(samples, start_ns=samples.start_ns + delay, end_ns=samples.end_ns + delay)
    (window,) = find_windows(prepare(replace(case.record, samples=moved)))
    assert "begun 400 ms late" in window.generator


def test_a_generator_without_processor_time_is_not_the_target():
    """Requirement J5: it says so itself, of most of the stretch."""
    (busy,) = find_windows(slowed(account={"generator": {**WELL, "busy": [[22.0, 39.0, 0.99]]}}))
    assert "used 99%" in busy.generator
    (brief,) = find_windows(slowed(account={"generator": {**WELL, "busy": [[22.0, 27.0, 0.99]]}}))
    assert brief.generator == ""


def test_the_course_counts_by_arrival():
    """Per second: what was offered, answered, how long it took, and by Little's law how many were under way."""
    course = find_course(slowed()).between(26.0, 36.0)
    assert len(course.at_s) == 10
    assert float(course.offered.mean()) == pytest.approx(250, rel=0.1)
    assert float(course.mean_s.mean()) == pytest.approx(0.48, rel=0.1)
    assert float(course.under_way.mean()) == pytest.approx(120, rel=0.1)
