"""Which anomalies of a run are marked, when, and under which fault."""

import numpy as np
import pytest

from resilience.judge.anomalies import anomalies
from resilience.model import Load, Stage
from resilience.model.resources import Unit
from tests.judge.bottlenecks.made import made, seeing, slowed, step
from tests.judge.builder import OPERATIONS, Held, Scene, Spell


def told(case, figure, of=""):
    """The marks of one figure."""
    return [row for row in anomalies(case) if (row["figure"], row["of"]) == (figure, of)]


def test_a_healthy_run_has_no_marks():
    """Requirement M4: nor does one with several resources that vary as ever."""
    rng = np.random.default_rng(4)
    series = [made("process.cpu", f"p{n}", 0.3 + 0.02 * rng.standard_normal(42), 2.0, Unit.CORES) for n in range(5)]
    assert anomalies(seeing(slowed(spells=()), *series)) == []


def test_response_times_that_rise_are_marked_from_when_they_did():
    """Requirement M4: in ms, beside what is usual, and with no fault to explain it."""
    (mark,) = told(slowed(), "latency")
    assert mark["start_s"] == pytest.approx(25, abs=1)
    assert mark["flagged_s"] - mark["start_s"] <= 4
    assert mark["end_s"] == pytest.approx(43, abs=2) if mark["end_s"] is not None else True
    assert mark["seen"] == pytest.approx(600, rel=0.05)
    assert mark["usual"] < 20
    assert (mark["more"], mark["faults"], mark["expected"]) == (True, [], False)


def test_what_a_fault_of_ours_did_is_marked_as_expected():
    """Its name stands beside it; what begins long after it has none."""
    scene = Scene(
        faults=(Held(begin_s=19.0, length_s=8.0),),
        spells=(Spell(19.2, 27.0, "failed", share=0.4), Spell(45.0, 55.0, "failed", share=0.4)),
        end_s=60.0,
    )
    first, second = told(scene.case(), "errors")
    assert (first["faults"], first["expected"]) == (["redis-down"], True)
    assert (second["faults"], second["expected"]) == ([], False)


def test_answers_that_do_not_come_are_marked():
    """Throughput: per arrival that the schedule has, so a load that rises is none."""
    (mark,) = told(slowed(spells=(Spell(24, 40, "failed", share=0.6),)), "throughput")
    assert mark["more"] is False
    assert mark["seen"] == pytest.approx(0.4, abs=0.1)


def test_a_resource_that_leaves_its_baseline_is_marked():
    """With its name, what it is of, and its unit."""
    (mark,) = told(
        seeing(slowed(spells=()), made("process.cpu", "service", step(30, 0.3, 1.5, 0.01), 2.0)),
        "process.cpu",
        "service",
    )
    assert mark["start_s"] == 30.0
    assert mark["seen"] == pytest.approx(1.5, abs=0.05)


def test_a_resource_that_follows_the_load_is_not_marked():
    """Twice the load needs twice the processor time."""
    load = Load(rate=250, stages=(Stage(25.0, 250), Stage(0.0, 125)), operations=OPERATIONS)
    busy = made("process.cpu", "service", step(26, 0.6, 0.3, 0.01), 2.0, Unit.CORES)
    assert told(seeing(slowed(spells=(), load=load), busy), "process.cpu", "service") == []


def test_without_a_baseline_there_are_none():
    """Nothing to compare with."""
    record_without = Scene(faults=(), rate=0.5)
    assert anomalies(record_without.case()) == []
