"""How many processes carry the load of an experiment here, and what this machine can offer beside what is asked."""

import contextlib
import os
import secrets
import sys
from dataclasses import dataclass

from resilience.errors import LoadError
from resilience.load.drivers.calibration import Calibration, calibration
from resilience.model import Effect, Experiment, Gathering, Json
from resilience.spec.phases import phases
from resilience.spec.scripts import ENDINGS
from resilience.spec.workers import SURE_PER_S, peak_per_s, workers_needed

TOKEN = "RESILIENCE_WORKER_TOKEN"  # noqa: S105 - the name of a variable
"""Names the token of a run, for those who start workers on other hosts by a program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """The workers of a load.

    Attributes:
        local, remote: how many on this machine, and on other hosts.
        auto: whether `local` was not said by the file.
        peak_per_s: the most operations per second that are planned; None if that is for the target to say.
        measured: what one process can offer here; None if so little is asked that it was not measured.
        problem: why it could not be measured.
    """

    local: int
    remote: int
    auto: bool
    peak_per_s: float | None
    measured: Calibration | None
    problem: str = ""

    @property
    def document(self) -> dict[str, Json]:
        """For the record and for `plan --json`."""
        measured = self.measured
        return {
            "local": self.local,
            "remote": self.remote,
            "auto": self.auto,
            "peak_per_s": self.peak_per_s,
            "per_worker_s": None if measured is None else measured.per_worker_s,
            "cores": None if measured is None else measured.cores,
            "lag_p99_s": None if measured is None else measured.lag_p99_s,
        }

    @property
    def sentence(self) -> str:
        """For people."""
        who = f"{self.local} process{'es' * (self.local != 1)} of this machine" if self.local else ""
        others = f"{self.remote} worker{'s' * (self.remote != 1)} of other hosts" if self.remote else ""
        told = f"the load is carried by {' and '.join(filter(None, (who, others)))}"
        if self.measured is not None:
            told += f"; one process here can offer {self.measured.per_worker_s:,.0f} operations/s"
        if self.peak_per_s is not None:
            told += f", at most {self.peak_per_s:,.0f}/s are planned"
        return told

    @property
    def warning(self) -> str:
        """What is asked for and cannot be offered; empty if all is well as far as is known."""
        if self.problem:
            return f"it is not known what this machine can offer: {self.problem}"
        if self.measured is None or self.peak_per_s is None or not self.local:
            return ""
        here = self.measured.per_worker_s * min(self.local, self.measured.cores)
        share = self.peak_per_s * self.local / (self.local + self.remote)
        if share <= here:
            return ""
        asked = "of that are asked of this machine" if self.remote else "are asked for"
        return (
            f"{share:,.0f} operations/s {asked}, and {self.local} process{'es' * (self.local != 1)} on "
            f"{self.measured.cores} cores can offer {here:,.0f}: operations will begin late and the verdict be "
            "unknown; ask for less, or let workers of other hosts join (load.workers.remote)"
        )


def staff_of(experiment: Experiment) -> Staff | None:
    """Who carries the load; None if a script's driver does. Measures this machine if enough is asked of it."""
    load = experiment.load
    if load.driver in ENDINGS:
        return None
    planned = phases(load, experiment.steps, experiment.chaos)
    peak = peak_per_s(load, planned[-1].end_s if planned else 0.0)
    told = load.workers
    carriers = (told.local if told.local is not None else 1) + told.remote
    measured, problem = None, ""
    if peak is not None and peak > SURE_PER_S * carriers:
        try:
            measured = calibration()
        except LoadError as error:
            problem = str(error)
    local = told.local
    if local is None:
        local = 1 if measured is None else workers_needed(peak, measured.per_worker_s, measured.cores, load)
        documents = [account.objects for account in experiment.accounts if account.effect is Effect.DOCUMENT]
        local = max(1, min([local, *(objects - told.remote for objects in documents)]))  # each is written by one worker
    return Staff(
        local=local,
        remote=told.remote,
        auto=told.local is None,
        peak_per_s=peak,
        measured=measured,
        problem=problem,
    )


def say(text: str) -> None:
    """Tell the person who runs it, beside the display."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def gathering_of(experiment: Experiment, staff: Staff) -> Gathering | None:
    """Which workers are waited for; None if one process does. With workers of other hosts, says how they join."""
    if staff.local == 1 and not staff.remote:
        return None
    told = experiment.load.workers
    token = os.environ.get(TOKEN) or secrets.token_urlsafe(16)
    if staff.remote:
        count = f"{staff.remote} worker{'s' * (staff.remote != 1)}"
        say(
            f"{count} of other hosts can join now; there, where {told.listen} is reached (a tunnel: nothing is "
            f"encrypted):\n  {TOKEN}={token} resilience worker --connect {told.listen}"
        )
    return Gathering(local=staff.local, remote=staff.remote, listen=told.listen, wait_s=told.wait_s, token=token)
