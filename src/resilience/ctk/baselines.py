"""Baselines of a run: found before anything is touched, made from records that are judged afresh."""

from dataclasses import replace
from pathlib import Path

from resilience.columns import Record
from resilience.errors import RecordError, SpecError
from resilience.judge.case import prepare
from resilience.judge.regression.part import baseline_of, measured_of
from resilience.judge.verdict import judge
from resilience.model import Baseline, Experiment, Measured, Problem
from resilience.record.baseline import load_baseline
from resilience.record.reader import read_record


def baseline_for(experiment: Experiment, given: Path | None) -> Baseline | None:
    """The baseline that a run is to be compared with: the one given, else the file's; None if there is none.

    Raises:
        SpecError: it cannot be read, or is of another experiment.
    """
    settings = experiment.regression
    named = given or (Path(experiment.folder) / settings.baseline if settings and settings.baseline else None)
    if named is None:
        return None
    try:
        baseline = load_baseline(named)
    except RecordError as error:
        raise SpecError(error.problems) from error
    if baseline.experiment != experiment.name:
        message = f"is a baseline of {baseline.experiment!r}, and this is {experiment.name!r}"
        raise SpecError(Problem(str(named), message, "give one of this experiment"))
    return baseline


def measure(folder: Path) -> Measured:
    """What was measured of a recorded run, judged afresh.

    Raises:
        RecordError: it cannot be read.
    """
    record = replace(read_record(folder), baseline=None)
    verdict = judge(record)
    try:
        case = prepare(record)
    except Exception as error:
        raise RecordError(Problem(str(folder), f"it cannot be judged: {error}")) from error
    return measured_of(case, verdict.parts, verdict.document)


def side(path: Path) -> Baseline:
    """One side of a comparison: a run folder, or a file with a baseline.

    Raises:
        RecordError: it is neither.
    """
    if path.is_file():
        return load_baseline(path)
    run = measure(path)
    return baseline_of(str(run.conditions["experiment"]), [run])


def against(record: Record, path: Path | None) -> Record:
    """A record that is compared with this baseline instead of the one that it holds."""
    return record if path is None else replace(record, baseline=load_baseline(path))
