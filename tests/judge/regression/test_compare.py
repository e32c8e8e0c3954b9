"""Runs compared with earlier ones: false alarms, what is found, what is refused. Requirements M4, E7."""

from itertools import combinations, product

import numpy as np
import pytest

from resilience.judge.regression.compare import compare
from resilience.model import Change, Regression
from tests.judge.regression.drawn import Kind, before, measured, run

NO_FLOOR = Regression(floor_s=0.0)


def test_identical_runs_are_not_called_worse():
    """Requirement M4: of 200 pairs of runs of the same thing, fewer than 2 % are told apart."""
    rng = np.random.default_rng(11)
    runs = [run(rng) for _ in range(21)]
    told = [compare(before(one), [other], NO_FLOOR).answer for one, other in combinations(runs, 2)]
    assert len(told) == 210
    assert sum(one in {Change.WORSE, Change.BETTER} for one in told) <= 0.02 * len(told)


def test_a_fifth_slower_is_found():
    """Requirement M4: of pairs in which the operation is 20 % slower, at least 95 % are found."""
    rng = np.random.default_rng(12)
    kind = Kind(drift=0.03)
    as_ever, slower = ([run(rng, kind, factor) for _ in range(15)] for factor in (1.0, 1.2))
    told = [compare(before(one), [other], NO_FLOOR).answer for one, other in product(as_ever, slower)]
    assert told.count(Change.WORSE) >= 0.95 * len(told)


def test_the_same_is_shown_where_there_is_enough():
    """Long quiet runs are shown to be the same; short noisy ones are not, though nothing differs."""
    rng = np.random.default_rng(13)
    quiet, noisy = Kind(seconds=60, drift=0.01), Kind(seconds=9, rate=30, drift=0.3)
    assert compare(before(run(rng, quiet)), [run(rng, quiet)], NO_FLOOR).answer is Change.SAME
    assert compare(before(run(rng, noisy)), [run(rng, noisy)], NO_FLOOR).answer is Change.UNKNOWN


def test_several_runs_tell_how_much_runs_differ():
    """Where runs differ by 15 % by themselves, a baseline of five knows; a baseline of one does not know better."""
    rng = np.random.default_rng(14)
    kind = Kind(seconds=12, rate=100, run_to_run=0.15, drift=0.02)
    alone = several = 0
    for _ in range(60):
        runs = [run(rng, kind, name=str(index)) for index in range(5)]
        new = run(rng, kind)
        alone += compare(before(runs[0]), [new], NO_FLOOR).answer is Change.WORSE
        several += compare(before(*runs), [new], NO_FLOOR).answer is Change.WORSE
    assert several <= 2
    assert alone > 4 * max(several, 1)


def test_more_failures_are_worse():
    """An error rate that rises from nothing to 3 % is told in points, and is beyond the margin."""
    rng = np.random.default_rng(15)
    made = compare(before(run(rng)), [run(rng, Kind(failing=0.03))], Regression(require=()))
    row = next(row for row in made.rows if row.metric == "error_rate")
    assert made.answer is row.answer is Change.WORSE
    assert row.beyond
    assert row.change == pytest.approx(0.03, abs=0.01)


def test_a_difference_below_the_floor_is_none():
    """Half a millisecond is no regression, however certain and however large a share."""
    was, now = measured(p50_ms=(1.0, 0.001)), measured(p50_ms=(1.6, 0.001))
    assert compare(before(was), [now], Regression(require=())).answer is Change.SAME
    assert compare(before(was), [now], NO_FLOOR).answer is Change.WORSE


def test_what_is_demanded_and_lacks_is_not_passed_over():
    """A median that one run has and the other has not cannot be told; the others cannot make up for it."""
    was, now = measured(p50_ms=(10.0, 0.01), ok_per_s=(100.0, 0.01)), measured(ok_per_s=(100.0, 0.01))
    made = compare(before(was), [now], Regression())
    assert made.answer is Change.UNKNOWN
    assert made.undecided == 1
    assert "too little was measured" in made.because
    assert compare(before(was), [now], Regression(require=())).answer is Change.SAME


def test_nothing_compared_is_not_the_same():
    """Two runs of which nothing was measured are not alike."""
    made = compare(before(measured()), [measured()], Regression(require=()))
    assert made.answer is Change.UNKNOWN


def test_other_conditions_are_refused_or_told():
    """Another load is refused; another version of what is between is told; never silently compared."""
    cell = {"p50_ms": (10.0, 0.01)}
    was = measured(conditions={"load.rate": 100.0, "versions.python": "3.11"}, **cell)
    heavier = measured(conditions={"load.rate": 200.0, "versions.python": "3.12"}, **cell)
    made = compare(before(was), [heavier], Regression())
    assert made.answer is Change.NOT_COMPARABLE
    assert "load.rate: 100.0 before, 200.0 after" in made.because
    assert not made.rows
    told = compare(before(was), [heavier], Regression(), anyway=True)
    assert told.answer is not Change.NOT_COMPARABLE
    assert {one.what for one in told.differences} == {"load.rate", "versions.python"}
    newer = measured(conditions={"load.rate": 100.0, "versions.python": "3.12"}, **cell)
    assert compare(before(was), [newer], Regression()).rows


def test_a_run_that_was_not_fit_is_refused():
    """What a run on a busy machine measured is compared with nothing."""
    was, now = measured(p50_ms=(10.0, 0.01)), measured(p50_ms=(10.0, 0.01), unfit="the generator stood still")
    made = compare(before(was), [now], Regression())
    assert made.answer is Change.NOT_COMPARABLE
    assert "the generator stood still" in made.because


def test_what_is_assumed_is_said():
    """With one run on each side the sentence says so; with several it has nothing to assume."""
    runs = [measured(str(index), p50_ms=(10.0 + index / 100, 0.001)) for index in range(4)]
    assert "is assumed" in compare(before(runs[0]), [runs[1]], Regression(require=())).because
    assert "is assumed" not in compare(before(*runs[:3]), [runs[3]], Regression(require=())).because
