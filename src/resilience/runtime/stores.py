"""The stores of the truth in a run: known before anything is written, read when the load has ended."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from resilience.errors import EnvironmentNotReady, RecordError, ResilienceError
from resilience.model import Experiment, Problem
from resilience.record import truth as truth_files
from resilience.record.redact import Redactor
from resilience.runtime.collaborators import Collaborators


class Stores:
    """What the primary stores of an experiment say, at the beginning and in the end.

    Args:
        experiment: whose ledger, and accounts of it, name them.
        collaborators: who reads them.
        folder: of the run; everything is written there.
    """

    def __init__(self, experiment: Experiment, collaborators: Collaborators, folder: Path) -> None:
        self._experiment = experiment
        self._with = collaborators
        self._folder = folder
        self._before: dict[str, dict[str, str]] = {}

    def know(self, run: str) -> None:
        """Ask what they are while nothing is written: a truth needs the same ones, and nothing of the run's name there.

        Raises:
            EnvironmentNotReady: one cannot be read, so its truth could not be in the end, either; or it holds entries
                of a run of that name, which would be taken for this one's.
        """
        for name, ledger in self._experiment.truths.items():
            try:
                self._before[name] = self._with.know_store(
                    replace(self._experiment, ledger=ledger), self._with.stack.places()
                )
            except RecordError as error:
                raise EnvironmentNotReady(error.problems) from error
        self._expect_nothing_of(run)

    def _expect_nothing_of(self, run: str) -> None:
        """Entries of the ledger itself; what an account does to objects begins with whatever these hold."""
        if self._experiment.ledger is None:
            return
        try:
            left = self._with.count_entries(self._experiment, self._with.stack.places(), run)
        except RecordError:  # such as a table that the first write makes: then it is not known, and not claimed
            return
        self._before[""] = {**self._before[""], "entries": str(left)}
        if left:
            message = f"the store holds {left} entries of a run {run} already, which would be taken for this one's"
            raise EnvironmentNotReady(Problem("ledger.truth", message, "begin again: every run has a name of its own"))

    def read(
        self, run: str, now_ns: Callable[[], int], redactor: Redactor, problem: Callable[[str, str], None]
    ) -> None:
        """Read the truth about the ledger and each of its accounts, one after the other, and then the cache.

        Args:
            run: whose entries.
            now_ns: tells the nanoseconds since the run began.
            redactor: takes out what is secret.
            problem: is told what could not be read, and why.
        """
        places, folder = self._with.stack.places(), self._folder
        for name, ledger in self._experiment.truths.items():
            try:
                truth = self._with.read_truth(replace(self._experiment, ledger=ledger), places, run, now_ns)
                truth = replace(truth, before=self._before.get(name, {}))
                truth_files.save(folder, truth, redactor, account=name)
            except ResilienceError as error:
                problem("truth", f"account {name}: {error}" if name else str(error))
        if self._experiment.ledger is None or self._experiment.ledger.cache is None or self._with.read_cache is None:
            return
        try:
            copies = self._with.read_cache(self._experiment, places, run, now_ns)
            truth_files.save(folder, copies, redactor, what=truth_files.CACHE)
        except ResilienceError as error:
            problem("cache", str(error))
