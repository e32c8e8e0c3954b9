"""The part *regression* of a verdict: whether a run is worse than its baseline by more than the file allows.

* **Fail**: something is shown to be worse, and the difference itself is beyond the margin.
* **Unknown**: something is shown to be worse, and whether by more than the margin cannot be told; or something that the
  file demands cannot be told; or the two cannot be compared.
* **Pass**: neither. How much of it could be told stands in the sentence.
"""

from collections.abc import Mapping, Sequence

from resilience.judge.case import Case
from resilience.judge.regression.compare import Comparison, compare
from resilience.judge.regression.decide import FAMILY
from resilience.judge.regression.measured import measured
from resilience.model import Answer, Baseline, Change, Json, Measured, Part, Regression

NAME = "regression"


def is_asked(case: Case) -> bool:
    """Whether there is a baseline, or should be one."""
    settings = case.record.experiment.regression
    return case.record.baseline is not None or (settings is not None and bool(settings.baseline))


def check_regression(case: Case, parts: Sequence[Part], figures: Mapping[str, object]) -> Part:
    """Compare a run with its baseline.

    Args:
        case: with the baseline in its record.
        parts: what the other checkers said.
        figures: what stands in the verdict besides.
    """
    baseline, settings = case.record.baseline, case.record.experiment.regression or Regression()
    if baseline is None:
        return Part(NAME, Answer.UNKNOWN, "the file names a baseline, and the record has none")
    try:
        made = compare(baseline, (measured_of(case, parts, figures),), settings)
    except ImportError as error:
        why = (
            f"{error.name} is not installed, without which nothing can be compared: pip install 'resilience[analysis]'"
        )
        return Part(NAME, Answer.UNKNOWN, why)
    answer = _answer(made)
    evidence = [*(row.words() for row in made.of(Change.WORSE)), *(str(one) for one in made.differences)]
    return Part(NAME, answer, made.because, tuple(evidence), {NAME: document(made)})


def measured_of(case: Case, parts: Sequence[Part], figures: Mapping[str, object]) -> Measured:
    """What was measured of a run that was judged so far."""
    told: dict[str, object] = dict(figures)
    for part in parts:
        told |= part.data
    validity = next((part for part in parts if part.name == "validity"), None)
    unfit = "" if validity is None or validity.answer is Answer.PASS else validity.because
    told["answer"] = Answer.worst(part.answer for part in parts).value
    return measured(case, told, unfit)


def _answer(made: Comparison) -> Answer:
    if made.answer is Change.WORSE:
        return Answer.FAIL if any(row.beyond for row in made.of(Change.WORSE)) else Answer.UNKNOWN
    return Answer.PASS if made.answer in {Change.SAME, Change.BETTER} else Answer.UNKNOWN


def document(made: Comparison) -> dict[str, Json]:
    """A comparison as JSON."""
    return {
        "answer": made.answer.value,
        "because": made.because,
        "margin": made.settings.margin,
        "family_wise_error_rate": FAMILY,
        "comparisons": len(made.rows),
        "required": list(made.settings.require),
        "undecided": made.undecided,
        "before": [_run(run) for run in made.before],
        "after": [_run(run) for run in made.after],
        "differences": [
            {"what": one.what, "before": one.before, "after": one.after, "refused": one.refused}
            for one in made.differences
        ],
        "rows": [row.json() for row in made.rows],
        "counts": _counts(made.before, made.after),
    }


def _run(run: Measured) -> Json:
    return {"run": run.run, "at": run.at, "answer": run.answer, "unfit": run.unfit}


def _counts(before: Sequence[Measured], after: Sequence[Measured]) -> list[Json]:
    """What is counted over whole runs: means of each side, as they are; nothing is judged by them."""
    names = sorted({name for run in (*before, *after) for name in run.counts})
    return [{"name": name, "before": _mean(before, name), "after": _mean(after, name)} for name in names]


def _mean(runs: Sequence[Measured], name: str) -> float | None:
    told = [run.counts[name] for run in runs if name in run.counts]
    return sum(told) / len(told) if told else None


def baseline_of(experiment: str, runs: Sequence[Measured]) -> Baseline:
    """A baseline of several runs, the earliest first."""
    return Baseline(experiment=experiment, runs=tuple(sorted(runs, key=lambda run: (run.at, run.run))))
