"""What is said to have limited a run: planted limits are named, noise is not, and what cannot be told apart says so."""

import numpy as np
import pytest

from resilience.judge.bottlenecks.found import bottlenecks
from resilience.model import Load, Stage
from resilience.model.resources import Unit
from tests.judge.bottlenecks.made import SLOW, made, seeing, slowed, step
from tests.judge.builder import OPERATIONS, Spell


def cpu(of="service", at_s=23.0, after=0.29, seed=0):
    """Processor time that reaches 97 % of 0.3 cores."""
    return made("process.cpu", of, step(at_s, 0.12, after, 0.004, seed), 0.3, Unit.CORES)


def test_a_limit_that_was_reached_before_service_suffered_is_named():
    """Requirement M5: with its numbers, when that was, and what helps; and no word of a cause."""
    told = bottlenecks(slowed(cpu()))
    assert (told["answer"], told["place"]) == ("found", "cpu")
    (window,) = told["windows"]
    assert window["start_s"] == pytest.approx(SLOW[0], abs=0.3)
    assert window["end_s"] == pytest.approx(SLOW[1], abs=1.1)
    (first,) = window["ranked"]
    (seen,) = first["evidence"]
    assert seen["at_s"] == 23.0
    assert seen["lead_s"] == pytest.approx(1.0, abs=0.3)
    assert seen["share"] == pytest.approx(0.97, abs=0.02)
    assert "0.29 of 0.3 cores" in seen["words"]
    assert first["recommendation"]
    assert "caused" not in str(told)


def test_what_changes_long_after_service_suffered_is_not_the_first_to_be_named():
    """The order of time counts: a pool that fills up later is what follows."""
    told = bottlenecks(slowed(cpu("service", at_s=23.0), cpu("postgres", at_s=31.0)))
    places = [one["place"] for one in told["windows"][0]["ranked"]]
    assert places == ["cpu", "database"]
    assert told["windows"][0]["apart"]


def test_two_limits_reached_at_once_are_both_named_and_not_told_apart():
    """Requirement M5: observation cannot say which of two that move together it was."""
    told = bottlenecks(slowed(cpu("service"), cpu("postgres")))
    (window,) = told["windows"]
    assert {one["place"] for one in window["ranked"]} == {"cpu", "database"}
    assert not window["apart"]
    assert "cannot be told apart" in told["because"]


def test_a_limit_that_was_reached_in_the_baseline_as_well_says_nothing():
    """It was there when service was full."""
    told = bottlenecks(slowed(made("process.cpu", "service", step(23, 0.29, 0.295, 0.002), 0.3, Unit.CORES)))
    assert told["answer"] == "not-found"
    assert told["windows"][0]["ranked"] == []


@pytest.mark.parametrize(("alike", "most"), [(0.0, 1), (0.8, 5)])
def test_independent_noise_is_hardly_ever_named(alike, most):
    """Requirement M5: twenty series that have nothing to do with it, independent or each like its last reading.

    Half of them have a limit, all vary around half of it. So seldom in a hundred runs may anything be named.
    """
    case, alarms = slowed(), 0
    for seed in range(100):
        rng, series = np.random.default_rng(seed), []
        for number in range(20):
            noise = rng.standard_normal(42)
            for index in range(1, 42):
                noise[index] = alike * noise[index - 1] + np.sqrt(1 - alike**2) * noise[index]
            name = "process.cpu" if number % 2 else "cgroup.throttled"
            series.append(made(name, f"part-{number}", np.clip(0.45 + 0.12 * noise, 0, 1), 1.0, Unit.RATIO))
        alarms += bottlenecks(seeing(case, *series))["answer"] == "found"
    assert alarms <= most


def test_a_run_with_full_service_has_nothing_to_find():
    """However busy something was."""
    told = bottlenecks(slowed(cpu(), spells=()))
    assert (told["answer"], told["windows"]) == ("not-saturated", [])


def test_without_readings_it_is_said_that_nothing_was_read():
    """Requirement M5: never invented."""
    told = bottlenecks(slowed())
    assert told["answer"] == "not-found"
    assert "no resource was read" in told["because"]


def test_a_short_stumble_is_no_window():
    """A second or two say nothing of a limit."""
    assert bottlenecks(slowed(cpu(), spells=(Spell(25, 27, "slow"),)))["answer"] == "not-saturated"


def test_a_baseline_that_says_nothing_leaves_it_unknown():
    """Without one there is nothing to compare with."""
    told = bottlenecks(slowed(cpu(), rate=10.0))
    assert told["answer"] == "unknown"
    assert "the baseline has" in told["because"]


def test_a_generator_that_falls_short_of_its_schedule_is_what_was_the_limit():
    """Requirement J5: the target is not blamed for what was never sent."""
    load = Load(rate=250, stages=(Stage(20.0, 250), Stage(0.0, 900)), operations=OPERATIONS)
    told = bottlenecks(slowed(cpu(), spells=(), load=load))
    assert (told["answer"], told["place"]) == ("generator", None)
    assert "offered clearly less" in told["because"]
    assert told["windows"][0]["ranked"] == []
