"""The runs of a folder in order of time: what became of each figure of each experiment."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from resilience.errors import RecordError
from resilience.judge.regression.history import History, trends
from resilience.model import Answer, Json
from resilience.record.documents import load_verdict
from resilience.record.folder import VERDICT

METRICS = ("p50_ms", "p95_ms", "rps", "error_rate")
_STEADY = {"baseline", "after"}


def histories(folder: Path, margin: float, seed: int = 1) -> list[History]:
    """Read the verdicts of all runs in a folder.

    Args:
        folder: of records.
        margin: share by which a figure may be worse without an alert.
        seed: of what is drawn at random.

    Raises:
        ImportError: an extra is not installed.
    """
    by_name: dict[str, list[tuple[Path, Mapping[str, Json]]]] = defaultdict(list)
    for path in sorted(folder.glob(f"*/{VERDICT}")):
        if path.parent.is_symlink():
            continue
        try:
            document = load_verdict(path.parent)
        except RecordError:
            continue  # a run that left no verdict is in no history
        by_name[str(document.get("experiment", "?"))].append((path.parent, document))
    return [_history(name, runs, margin, seed) for name, runs in sorted(by_name.items())]


def _history(name: str, runs: list[tuple[Path, Mapping[str, Json]]], margin: float, seed: int) -> History:
    fit = [(path, document) for path, document in runs if _fit(document)]
    found: dict[str, list[float]] = defaultdict(list)
    for _, document in fit:
        for figure, value in _figures(document):
            found[figure].append(value)
    whole = {figure: values for figure, values in found.items() if len(values) == len(fit)}
    return History(
        name,
        len({str(document.get("digest")) for _, document in runs}),
        tuple((str(path), str(document.get("answer"))) for path, document in runs),
        tuple(str(path) for path, document in runs if not _fit(document)),
        tuple(trends(whole, margin, seed)),
    )


def _fit(document: Mapping[str, Json]) -> bool:
    parts = document.get("parts")
    listed = [part for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []
    validity = [part.get("answer") for part in listed if part.get("name") == "validity"]
    return validity == [Answer.PASS.value]


def _figures(document: Mapping[str, Json]) -> Iterator[tuple[str, float]]:
    phases = document.get("phases")
    seen: set[str] = set()
    for phase in phases if isinstance(phases, list) else ():
        if not isinstance(phase, Mapping) or phase.get("name") not in _STEADY or phase["name"] in seen:
            continue
        seen.add(str(phase["name"]))
        operations = phase.get("operations")
        for operation, figures in operations.items() if isinstance(operations, Mapping) else ():
            if operation == "all" or not isinstance(figures, Mapping):
                continue
            for metric in METRICS:
                value = figures.get(metric)
                if isinstance(value, int | float):
                    yield f"{phase['name']} {operation} {'ok_per_s' if metric == 'rps' else metric}", float(value)
    recovery = document.get("recovery")
    mean = recovery.get("mttr_s") if isinstance(recovery, Mapping) else None
    if isinstance(mean, int | float):
        yield "recovery mttr_s", float(mean)
