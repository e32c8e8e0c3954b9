"""All trials of a self-test, several at once where that does not disturb, until they are over or it is stopped.

Stopped means: every run that goes on is told to stop and gives back what it holds, and only then this returns. What was
over before is kept; what was not is run again when the self-test goes on.
"""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from resilience.drill.selftest.answers import AGAIN, Ended, judge
from resilience.drill.selftest.keeping import Done, Kept
from resilience.drill.selftest.programs import Stopped
from resilience.drill.selftest.trials import Trial, in_order
from resilience.errors import Interrupted
from resilience.runtime.signals import interruptible, signals_wait

Run = Callable[[Trial, Path, Stopped], Ended]
"""Runs one trial to its end in a folder of its own; see `programs.run`."""


def _nothing(_: object) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """Who is told what happens, as it happens."""

    begun: Callable[[Trial], object] = _nothing
    ended: Callable[[Done], object] = _nothing


def missing(trials: Iterable[Trial], kept: Kept, *, again: bool) -> tuple[Trial, ...]:
    """The trials that have no result yet; with `again` those, too, that could not tell."""
    last = kept.last()
    return tuple(trial for trial in trials if trial.name not in last or (again and last[trial.name].outcome in AGAIN))


@dataclass(slots=True)
class _Conductor:
    """What goes on: the index so far, and whether to stop."""

    kept: Kept
    run: Run
    watcher: Watcher
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def one(self, trial: Trial) -> None:
        """Run a trial and keep what came of it; a run that was stopped came to nothing."""
        if self.stop.is_set():
            return
        with self.lock:
            folder = self.kept.place(trial)
            folder.mkdir(mode=0o755)
            folder.chmod(0o755)
            self.watcher.begun(trial)
        ended = self.run(trial, folder, self.stop.is_set)
        if self.stop.is_set():
            return
        with self.lock:
            self.kept, done = self.kept.add(trial, ended, judge(trial, ended), folder=folder, load=os.getloadavg()[0])
            self.watcher.ended(done)

    def side_by_side(self, trials: Sequence[Trial], jobs: int) -> None:
        """Run so many at once."""
        with ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="selftest") as pool:
            running = {pool.submit(self.one, trial) for trial in trials}
            try:
                self._until_over(running)
            except BaseException:
                self.stop.set()
                with signals_wait():  # what runs is given the time to give everything back, however often we are asked
                    wait(running)
                raise

    @staticmethod
    def _until_over(running: "set[Future[None]]") -> None:
        while running:
            over, running = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in over:
                future.result()  # what went wrong in it goes wrong here


def conduct(trials: Iterable[Trial], kept: Kept, run: Run, *, jobs: int, watcher: Watcher | None = None) -> Kept:
    """Run trials, those that must be alone after all others.

    Args:
        trials: what is to be run.
        kept: the index, to which every result is added as it comes.
        run: runs one.
        jobs: at most so many at once.
        watcher: who is told.

    Returns:
        The index with all results.

    Raises:
        Interrupted: it was told to stop; nothing runs any more, and what was over is in the index.
    """
    beside, alone = in_order(trials)
    conductor = _Conductor(kept, run, watcher or Watcher())
    try:
        with interruptible():
            conductor.side_by_side(beside, max(1, jobs))
            conductor.side_by_side(alone, 1)
    except (KeyboardInterrupt, Interrupted) as error:
        raise Interrupted("stopped; every run was ended and gave back what it held: go on with --resume") from error
    return conductor.kept
