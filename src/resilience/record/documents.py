"""The JSON documents of a run folder: written whole and durably, without secrets; read back as values."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from resilience.codec import decode, encode
from resilience.errors import RecordError
from resilience.host.files import write_json
from resilience.model import Experiment, Json, Plan, Problem, Verdict
from resilience.record.folder import BASELINE, EXPERIMENT, PLAN, VERDICT
from resilience.record.redact import Redactor

T = TypeVar("T")
_NO_SECRETS = Redactor()


def save_experiment(folder: Path, experiment: Experiment, redactor: Redactor = _NO_SECRETS) -> None:
    """Write `experiment.json`. Raises RecordError if it cannot be written."""
    save_document(folder / EXPERIMENT, encode(experiment), redactor)


def save_plan(folder: Path, plan: Plan, redactor: Redactor = _NO_SECRETS) -> None:
    """Write `plan.json`. Raises RecordError if it cannot be written."""
    save_document(folder / PLAN, encode(plan), redactor)


def save_verdict(folder: Path, verdict: Verdict, redactor: Redactor = _NO_SECRETS) -> None:
    """Write `verdict.json`. Raises RecordError if it cannot be written."""
    save_document(folder / VERDICT, verdict.document, redactor)


def load_experiment(folder: Path) -> Experiment:
    """Read `experiment.json`. Raises RecordError with every problem."""
    return _load(folder / EXPERIMENT, Experiment)


def load_plan(folder: Path) -> Plan:
    """Read `plan.json`. Raises RecordError with every problem."""
    return _load(folder / PLAN, Plan)


def load_verdict(folder: Path) -> Mapping[str, Json]:
    """Read `verdict.json` as it stands. Raises RecordError if it is not there or no JSON object."""
    document = load_document(folder / VERDICT)
    if not isinstance(document, dict):
        msg = f"{folder / VERDICT} holds a {type(document).__name__}, an object was expected"
        raise RecordError(msg)
    return document


def digests(folder: Path) -> dict[str, Json]:
    """The SHA-256 of `experiment.json`, `plan.json` and any `baseline.json` as they stand there, in hexadecimal.

    Raises:
        RecordError: one cannot be read.
    """
    names = (EXPERIMENT, PLAN, *([BASELINE] if (folder / BASELINE).exists() else []))
    try:
        return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    except OSError as error:
        raise RecordError(Problem(where=str(folder), message=f"cannot be read: {error}")) from error


def save_document(path: Path, document: Json, redactor: Redactor = _NO_SECRETS) -> None:
    """Write any JSON document without secrets.

    Raises:
        RecordError: it cannot be written, or holds what JSON does not know (NaN, infinity).
    """
    try:
        write_json(path, redactor.json(document))
    except (OSError, ValueError, TypeError) as error:
        msg = f"{path} cannot be written: {error}"
        raise RecordError(msg) from error


def load_document(path: Path) -> object:
    """Read any JSON document. Raises RecordError if it is not there or no JSON."""
    try:
        document: object = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(
            Problem(where=str(path), message=f"cannot be read: {error}", hint="is this the folder of a run?")
        ) from error
    return document


def _load(path: Path, kind: type[T]) -> T:
    try:
        return decode(kind, load_document(path))
    except RecordError as error:
        named = (problem.where.startswith(str(path)) for problem in error.problems)
        raise RecordError(
            problem if there else Problem(f"{path}: {problem.where}", problem.message, problem.hint)
            for problem, there in zip(error.problems, named, strict=True)
        ) from error
