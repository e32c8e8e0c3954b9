"""What is run for a matrix, in which order, and how long it takes."""

from dataclasses import replace
from pathlib import Path

import pytest

from resilience.drill.selftest.rows import read_matrix
from resilience.drill.selftest.trials import (
    AROUND_S,
    Choice,
    Kind,
    Story,
    estimate_s,
    experiments_of,
    in_order,
    jobs_for,
    lay_out,
    look,
)
from resilience.errors import SpecError
from tests.drill.selftest.scene import write_matrix
from tests.program import SHIPPED


@pytest.fixture
def matrix(tmp_path: Path):
    folder = write_matrix(tmp_path / "m", "B1", "B2", more="needs_fault: true\n")
    return read_matrix(folder)


def laid_out(matrix, choice=None, **story):
    choice = choice or Choice()
    stories = {path: Story(length_s=30.0, **story) for path in experiments_of(matrix, choice)}
    return lay_out(matrix, choice, stories)


def names(trials):
    return [trial.name for trial in trials]


def test_one_healthy_run_serves_all_bugs_of_an_experiment(matrix):
    """Each bug with its fault and without it, each defect of the tool, and the healthy target once."""
    trials = laid_out(matrix)
    assert names(trials) == ["healthy-story-1", "B1-1", "B1-without-1", "B2-1", "B2-without-1", "H1-1"]
    healthy, bug, without, *_, mutant = trials
    assert (healthy.environment, healthy.words, healthy.without) == ({}, (), {"TARGET_BUGS"})
    assert (bug.environment, bug.words) == ({"TARGET_BUGS": "B1"}, ())
    assert (without.environment, without.words[3]) == ({"TARGET_BUGS": "B1"}, "H1")
    assert (mutant.kind, mutant.environment, mutant.words[3]) == (Kind.MUTANT, {}, "H1")


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        (Choice(names=("B2",)), ["healthy-story-1", "B2-1", "B2-without-1"]),
        (Choice(names=("H1",)), ["healthy-story-1", "H1-1"]),
        (Choice(only="healthy", times=2), ["healthy-story-1", "healthy-story-2"]),
        (Choice(only="bugs", names=("B1",), times=2), ["B1-1", "B1-2", "B1-without-1", "B1-without-2"]),
        (Choice(only="harness"), ["H1-1"]),
        (Choice(names=("B1",), only="healthy", healthy=2), ["healthy-story-1", "healthy-story-2"]),
        (
            Choice(names=("B1",), only="bugs", times=3, without=1),
            ["B1-1", "B1-2", "B1-3", "B1-without-1"],
        ),
        (Choice(experiments=(SHIPPED,), healthy=2), ["healthy-redis-failure-1", "healthy-redis-failure-2"]),
    ],
)
def test_what_is_chosen(matrix, choice, wanted):
    """By name, kind and experiment; one that no row names is run on the healthy target alone."""
    assert names(laid_out(matrix, choice)) == wanted


def test_what_cannot_be_chosen(matrix):
    """A name that is no row's, and a choice of nothing."""
    with pytest.raises(SpecError, match="B9: no row has this name"):
        laid_out(matrix, Choice(names=("B9",)))
    with pytest.raises(SpecError, match="nothing is to be tried"):
        laid_out(matrix, Choice(names=("B1",), only="harness"))


def test_an_objective_that_the_experiment_has_not(matrix):
    """It could never be missed, so the row could never be as it must."""
    bug = replace(matrix.bugs[0], objective=("rate<0.01 @ after",))
    told = replace(matrix, bugs=(bug,))
    with pytest.raises(SpecError, match=r"no objective 'rate<0\.01 @ after'"):
        laid_out(told)
    assert laid_out(told, objectives=("rate<0.01 @ after",))


def test_names_are_of_one_run_each(tmp_path: Path):
    """Two experiments with the same name in different folders do not share a folder of runs."""
    matrix = read_matrix(write_matrix(tmp_path / "m", "B1", harness=""))
    other = tmp_path / "story.yaml"
    other.write_text("x")
    found = names(laid_out(matrix, Choice(experiments=(matrix.bugs[0].experiment, other), times=2)))
    assert len(found) == len(set(found)) == 6


def test_what_must_be_alone_comes_last(matrix):
    """Rows that say so, and experiments that change what all runs share; the longest of the others first."""
    alone = replace(matrix, bugs=(replace(matrix.bugs[0], alone=True), matrix.bugs[1]))
    trials = laid_out(alone)
    beside, last = in_order(trials)
    assert names(beside) == ["B2-1", "B2-without-1", "H1-1"]
    assert names(last) == ["healthy-story-1", "B1-1", "B1-without-1"], "what is true of a bug is true of its experiment"
    assert in_order(laid_out(matrix, shares=True))[0] == ()
    longer = [replace(trial, planned_s=float(place)) for place, trial in enumerate(laid_out(matrix))]
    assert names(in_order(longer)[0]) == names(reversed(longer))


def test_everything_once_before_anything_twice(matrix):
    """Whoever stops early has seen something of every row."""
    trials = laid_out(matrix, Choice(times=3))
    numbers = [trial.number for trial in in_order(trials)[0]]
    assert numbers == sorted(numbers)
    assert set(numbers) == {1, 2, 3}


def test_how_long_it_takes(matrix):
    """Side by side as many as there are places, then one after the other what must be alone."""
    trials = laid_out(matrix, Choice(names=("B1", "B2")))
    each = 30.0 + AROUND_S
    assert estimate_s(trials, 1) == pytest.approx(5 * each)
    assert estimate_s(trials, 2) == pytest.approx(3 * each)
    assert estimate_s([replace(trial, alone=True) for trial in trials], 2) == pytest.approx(5 * each)
    assert estimate_s([], 2) == 0.0
    assert estimate_s(trials, 1, around_s=60.0) == pytest.approx(5 * 90.0), "on a machine with other work to do"


def test_how_many_at_once():
    """What the machine does already is not counted twice, and one can always run."""
    assert [jobs_for(cores, load) for cores, load in ((2, 0.0), (2, 9.0), (1, 0.0), (16, 2.0))] == [2, 1, 1, 20]


def test_an_experiment_is_read_before_it_is_run():
    """Its length and its objectives; a fault of the network is a reason to be alone where there is one network."""
    loss = SHIPPED.with_name("packet-loss.yaml")
    assert look(SHIPPED, own_network=False).length_s == pytest.approx(69.0)
    assert "rate<0.001 @ after" in look(SHIPPED, own_network=False).objectives
    assert [look(loss, own_network=own).shares for own in (True, False)] == [False, True]
    assert look(SHIPPED, own_network=False).shares is False


def test_an_experiment_that_is_wrong_is_told(tmp_path: Path):
    """With its file."""
    bad = tmp_path / "bad.yaml"
    bad.write_text("title: x\n")
    with pytest.raises(SpecError, match=r"bad\.yaml"):
        look(bad, own_network=True)
    with pytest.raises(SpecError, match="cannot be read"):
        look(tmp_path / "none.yaml", own_network=True)
