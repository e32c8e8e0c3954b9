"""Which program sends the load of an experiment, and what keeps it from doing so here."""

import os
from collections.abc import Callable
from pathlib import Path

from resilience.ctk.workers import Staff, gathering_of
from resilience.errors import SpecError
from resilience.load.drivers.artillery import ArtilleryDriver
from resilience.load.drivers.k6 import K6Driver
from resilience.load.drivers.locust import LocustDriver
from resilience.load.drivers.script import ScriptDriver
from resilience.model import Experiment, Json, Problem
from resilience.ports import Driver
from resilience.spec.phases import phases

SCRIPTS: dict[str, type[ScriptDriver]] = {"k6": K6Driver, "artillery": ArtilleryDriver}
"""The drivers that run scripts, by their name in a file."""


def driver_of(experiment: Experiment, staff: Staff | None = None) -> Callable[[str], Driver]:
    """What makes the driver whose processes carry a tag; `staff` says how many of them there are."""
    kind = SCRIPTS.get(experiment.load.driver)
    if kind is not None:
        return lambda tag: _script(kind, experiment, tag)
    gathering = None if staff is None else gathering_of(experiment, staff)
    return lambda tag: LocustDriver(tag, gathering=gathering)


def script_secrets(experiment: Experiment) -> tuple[str, ...]:
    """What a script is given of our environment: it must appear in no artefact."""
    return tuple(os.environ.get(source, "") for source in experiment.load.environment.values())


def lacking(experiment: Experiment) -> tuple[Problem, ...]:
    """What keeps the load from being sent here, as far as it can be told without touching anything."""
    kind = SCRIPTS.get(experiment.load.driver)
    return () if kind is None else _script(kind, experiment, "").lacking()


def script_words(experiment: Experiment) -> tuple[str, ...]:
    """What a plan says of a load by a script, in sentences; empty if it is none. Looks, and touches nothing."""
    load = experiment.load
    if load.driver not in SCRIPTS:
        return ()
    hides = "when operations were meant to start, degraded or shed answers, and writes that were lost"
    return (
        f"the script {load.script} decides what is sent and when; {load.driver} runs it as it is",
        f"{load.driver} does not tell {hides}",
        *(f"not here: {problem}" for problem in lacking(experiment)),
    )


def script_figures(experiment: Experiment) -> dict[str, Json]:
    """The same as figures."""
    load = experiment.load
    problems: list[Json] = [str(problem) for problem in lacking(experiment)]
    return {"model": "script", "driver": load.driver, "script": load.script, "lacking": problems}


def check_readable(experiment: Experiment) -> None:
    """Whether the script is there.

    Raises:
        SpecError: it is not.
    """
    script = Path(experiment.folder) / experiment.load.script
    if experiment.load.driver in SCRIPTS and not script.is_file():
        raise SpecError(
            Problem("load.script", f"{script} is not there", "the path is relative to the experiment's file")
        )


def _script(kind: type[ScriptDriver], experiment: Experiment, tag: str) -> ScriptDriver:
    planned = phases(experiment.load, experiment.steps, experiment.chaos)
    return kind(tag, experiment.load, Path(experiment.folder), planned[-1].end_s if planned else 0.0)
