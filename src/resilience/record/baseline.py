"""Baselines as files: small, canonical, with a difference that people can review. They belong in git.

The same runs give the same bytes: keys in order, figures with four digits, one line for whatever fits into one.
"""

import json
from dataclasses import replace
from pathlib import Path

from resilience.codec import decode, encode
from resilience.errors import RecordError
from resilience.host.files import write_durably
from resilience.model import Baseline, Estimate, Json, Measured, Problem
from resilience.model.regression import Outage

FORMAT = 1
_WIDE = 110
_DIGITS = 4


def save_baseline(path: Path, baseline: Baseline) -> None:
    """Write a baseline. Raises RecordError if it cannot be written."""
    try:
        write_durably(path, as_text(baseline).encode(), 0o644)
    except OSError as error:
        raise RecordError(Problem(str(path), f"the baseline cannot be written: {error}")) from error


def load_baseline(path: Path) -> Baseline:
    """Read a baseline. Raises RecordError with everything that is wrong with it."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        hint = "write one with `resilience baseline RUN… --out FILE`"
        raise RecordError(Problem(str(path), f"the baseline cannot be read: {error}", hint)) from error
    if not isinstance(document, dict) or document.pop("format", None) != FORMAT:
        raise RecordError(Problem(str(path), f"this is no baseline of format {FORMAT}"))
    try:
        baseline = decode(Baseline, document)
    except RecordError as error:
        raise RecordError(
            Problem(f"{path}: {problem.where}", problem.message, problem.hint) for problem in error.problems
        ) from error
    if not baseline.runs:
        raise RecordError(Problem(str(path), "the baseline holds no run"))
    return baseline


def as_text(baseline: Baseline) -> str:
    """The file's content."""
    rounded = replace(baseline, runs=tuple(_rounded(run) for run in baseline.runs))
    document = encode(rounded)
    assert isinstance(document, dict)  # noqa: S101 - for the type checker
    return _lines({"format": FORMAT, **document}, 0) + "\n"


def _rounded(run: Measured) -> Measured:
    cells = {
        phase: {
            operation: {
                metric: Estimate(_short(one.value), _short(one.error), one.slices) for metric, one in figures.items()
            }
            for operation, figures in operations.items()
        }
        for phase, operations in run.cells.items()
    }
    recoveries = {
        name: tuple(Outage(_short(one.length_s), _short(one.resolution_s)) for one in times)
        for name, times in run.recoveries.items()
    }
    return replace(
        run, cells=cells, recoveries=recoveries, counts={name: _short(one) for name, one in run.counts.items()}
    )


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _lines(value: Json, depth: int) -> str:
    """JSON, each value in one line if it fits."""
    flat = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    if not isinstance(value, dict | list) or len(flat) + depth <= _WIDE:
        return flat
    inner = " " * (depth + 2)
    if isinstance(value, dict):
        parts = [f"{json.dumps(name, ensure_ascii=False)}: {_lines(value[name], depth + 2)}" for name in sorted(value)]
        opened, closed = "{", "}"
    else:
        parts, opened, closed = [_lines(one, depth + 2) for one in value], "[", "]"
    return f"{opened}\n{inner}" + f",\n{inner}".join(parts) + f"\n{' ' * depth}{closed}"
