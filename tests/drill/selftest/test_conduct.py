"""All trials of a self-test: side by side where that does not disturb, kept as they end, stopped with nothing left."""

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from resilience.drill.selftest import keeping
from resilience.drill.selftest.answers import Ended, Outcome
from resilience.drill.selftest.conduct import Watcher, conduct, missing
from resilience.drill.selftest.rows import read_matrix
from resilience.drill.selftest.trials import AROUND_S, Choice, Story, experiments_of, lay_out
from resilience.errors import Interrupted, SpecError
from tests.drill.selftest.scene import Runner, failed, passed, unknown, write_matrix


@pytest.fixture
def matrix(tmp_path: Path):
    return read_matrix(write_matrix(tmp_path / "m", "B1", "B2", more="needs_fault: true\n"))


def laid_out(matrix, choice=None):
    choice = choice or Choice()
    return lay_out(matrix, choice, {path: Story(length_s=30.0) for path in experiments_of(matrix, choice)})


def begun(tmp_path, choice=None):
    choice = choice or Choice()
    return keeping.begin(tmp_path / "out", choice, {"cores": "2"})


def test_every_trial_is_run_once_and_kept(tmp_path: Path, matrix):
    """Each in a folder of its own; the index on disk says the same as what is returned."""
    runner, trials = Runner(), laid_out(matrix)
    kept = conduct(trials, begun(tmp_path), runner, jobs=2)
    assert sorted(runner.ran) == sorted(trial.name for trial in trials)
    assert {done.outcome for done in kept.results} == {Outcome.RIGHT}
    assert keeping.read(tmp_path / "out") == kept
    assert {path.name for path in kept.folder.iterdir()} == {"index.json", *runner.ran}
    assert missing(trials, kept, again=True) == ()


def test_whoever_watches_is_told(tmp_path: Path, matrix):
    """Of each beginning and each end."""
    told = []
    watcher = Watcher(begun=lambda trial: told.append(trial.name), ended=lambda done: told.append(done.outcome))
    conduct(laid_out(matrix, Choice(only="harness")), begun(tmp_path), Runner(), jobs=1, watcher=watcher)
    assert told == ["H1-1", Outcome.RIGHT]


class Together(Runner):
    """Each run waits until so many run at once, so that it is seen whether they do."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.barrier = threading.Barrier(number)

    def comes_to(self, trial, stopped) -> Ended:
        """What must be alone is."""
        if not trial.alone:
            self.barrier.wait(20)
        elif self.at_once > 1:
            raise AssertionError(f"{trial.name} was not alone")
        return super().comes_to(trial, stopped)


def test_side_by_side_and_alone(tmp_path: Path, matrix):
    """As many at once as there are places, no more; what must be alone has nothing beside it."""
    trials = [replace(trial, alone=trial.name.startswith("B2")) for trial in laid_out(matrix)]
    runner = Together(2)
    kept = conduct(trials, begun(tmp_path), runner, jobs=2)
    assert runner.most == 2
    assert len(kept.results) == 6
    assert {done.trial for done in kept.results[-2:]} == {"B2-1", "B2-without-1"}


class Endless(Runner):
    """One run never ends unless it is told to stop, and needs a moment for it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.gave_back = name, False

    def comes_to(self, trial, stopped) -> Ended:
        """The one run has this program told to stop, and goes on."""
        if trial.name != self.name:
            return super().comes_to(trial, stopped)
        os.kill(os.getpid(), self.number)
        deadline = time.monotonic() + 20
        while not stopped() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        self.gave_back = True
        return passed()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_and_gone_on(tmp_path: Path, matrix, number: int):
    """What runs is told to stop and waited for; what was over is kept; the rest is run when it goes on, once."""
    trials, runner = laid_out(matrix), Endless("B1-1")
    runner.number = number
    with pytest.raises(Interrupted, match="--resume"):
        conduct(trials, begun(tmp_path), runner, jobs=1)
    assert runner.gave_back
    kept = keeping.read(tmp_path / "out")
    over = {done.trial for done in kept.results}
    assert over == set(runner.ran) - {"B1-1"}, "a run that was stopped came to nothing"
    assert 0 < len(over) < len(trials) - 1, "and nothing was begun after it"
    left = missing(trials, kept, again=False)
    more = Runner()
    conducted = conduct(left, kept, more, jobs=1)
    assert set(more.ran) == {trial.name for trial in trials} - over
    done = conducted.last()["B1-1"]
    assert (done.folder, done.attempt, done.outcome) == ("B1-1.2", 1, Outcome.RIGHT)


def test_only_what_could_not_tell_is_run_again(tmp_path: Path, matrix):
    """Both results are kept; what was found stays found, good or bad."""
    runner = Runner(B1_1=[unknown()], B2_1=[failed("phantom")], healthy_story_1=[Ended(code=4, document=None)])
    trials = laid_out(matrix)
    kept = conduct(trials, begun(tmp_path), runner, jobs=1)
    assert missing(trials, kept, again=False) == ()
    again = missing(trials, kept, again=True)
    assert sorted(trial.name for trial in again) == ["B1-1", "healthy-story-1"]
    kept = conduct(again, kept, Runner(), jobs=1)
    assert [(done.outcome, done.attempt, done.folder) for done in kept.every("B1-1")] == [
        (Outcome.UNCERTAIN, 1, "B1-1"),
        (Outcome.RIGHT, 2, "B1-1.2"),
    ]
    assert kept.last()["B2-1"].outcome is Outcome.WRONG_REASON


def test_what_breaks_in_the_runner_breaks_it(tmp_path: Path, matrix):
    """A defect of this program is no result of a run."""

    def broken(*_):
        raise OSError("no more processes")

    with pytest.raises(OSError, match="no more processes"):
        conduct(laid_out(matrix), begun(tmp_path), broken, jobs=2)


def test_an_index_that_is_none(tmp_path: Path):
    """Nothing to go on with, and something that is not ours, are told."""
    with pytest.raises(SpecError, match="there is no self-test to go on with"):
        keeping.read(tmp_path / "nowhere")
    kept = begun(tmp_path)
    (kept.folder / keeping.INDEX).write_text("{}")
    with pytest.raises(SpecError, match="is not the index"):
        keeping.read(tmp_path / "out")


def test_two_that_begin_in_the_same_second(tmp_path: Path):
    """Each has a folder of its own, and the last one is the newest."""
    folders = [begun(tmp_path).folder for _ in range(3)]
    assert len(set(folders)) == 3
    assert keeping.read(tmp_path / "out").folder == folders[-1]


def test_a_result_counts_while_row_and_experiment_are_what_they_were(tmp_path: Path, matrix):
    """Results of another row, or of another experiment, are results of something else: kept, and not counted."""
    trials = laid_out(matrix)
    kept = conduct(trials, begun(tmp_path), Runner(), jobs=1)
    assert kept.of(trials) == kept
    stricter = replace(matrix, bugs=(replace(matrix.bugs[0], reported=("lost", "stale")), matrix.bugs[1]))
    changed = laid_out(stricter)
    left = missing(changed, kept.of(changed), again=False)
    assert [trial.name for trial in left] == ["B1-1", "B1-without-1"]
    assert {done.trial for done in kept.of(changed).outdated} == {"B1-1", "B1-without-1"}
    path = matrix.bugs[0].experiment
    path.write_text(path.read_text() + "# more\n")
    assert missing(trials, kept.of(trials), again=False) == trials
    more = conduct(left, kept.of(changed), Runner(), jobs=1)
    assert keeping.read(tmp_path / "out") == more
    assert len(more.outdated) == 6, "nothing that was kept is thrown away"


def test_rows_that_came_or_went(tmp_path: Path, matrix):
    """What is new is run when it goes on; what is gone does not count."""
    trials = laid_out(matrix)
    kept = conduct(trials[:-1], begun(tmp_path), Runner(), jobs=1)
    assert missing(trials, kept.of(trials), again=False) == trials[-1:]
    assert {done.trial for done in kept.of(trials[1:]).outdated} == {trials[0].name}


def test_how_long_runs_really_take(tmp_path: Path, matrix):
    """What is known of a machine is better than what is usual."""
    trials = laid_out(matrix)
    kept = begun(tmp_path)
    assert kept.around_s(trials) == AROUND_S
    took = Runner(B1_1=[replace(failed("lost"), took_s=50.0)], B2_1=[replace(failed("lost"), took_s=90.0)])
    of_these = [trial for trial in trials if trial.name in {"B1-1", "B2-1"}]
    assert conduct(of_these, kept, took, jobs=1).around_s(trials) == pytest.approx((20.0 + 60.0) / 2)
