"""What the pages are made of: verdicts, headers, results and baselines, as they were written. Nothing is judged here.

What is missing, or of another type, is absent; whoever writes a page says that it is missing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from resilience.errors import RecordError
from resilience.model import Baseline, Problem
from resilience.record import folder as names
from resilience.record.documents import load_document, load_verdict
from resilience.report.document import Row, rows, table, words

CAPACITY = "capacity.json"
"""What a capacity run with several numbers of copies leaves in the folder of its last one."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A run.

    Attributes:
        document: its `verdict.json`.
        header: of its record.
        capacity: its `capacity.json`; empty if there is none.
        experiment: its `experiment.json`.
    """

    document: Row
    header: Row
    capacity: Row = field(default_factory=dict)
    experiment: Row = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The experiment's."""
        return words(self.document, "experiment")

    @property
    def run(self) -> str:
        """Its id."""
        return words(self.document, "run")

    @property
    def at(self) -> str:
        """When it began, to the second."""
        return words(self.header, "wall_clock")[:19].replace("T", " ")

    @property
    def phases(self) -> tuple[Row, ...]:
        """What was measured, without the warm-up."""
        return tuple(one for one in rows(self.document, "phases") if words(one, "name") != "warm-up")

    @property
    def settings(self) -> Row:
        """What the service was started with besides what a stack gives it; without it figures would mislead."""
        return table(table(table(self.experiment, "stack"), "service"), "environment")

    @property
    def variant(self) -> str:
        """Of the target; empty of an ordinary one."""
        return words(table(self.header, "versions"), "target")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything that pages are made of.

    Attributes:
        runs: ordered by when they began.
        baselines: file name → baseline.
        before, after: of an optimisation; None if there is none.
        compared: the comparison of the two, as `resilience compare --json` has it; empty without one.
    """

    runs: tuple[Taken, ...]
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    before: Taken | None = None
    after: Taken | None = None
    compared: Row = field(default_factory=dict)

    @property
    def all(self) -> tuple[Taken, ...]:
        """Every run, each once."""
        pair = [one for one in (self.before, self.after) if one is not None]
        found = {one.run: one for one in (*self.runs, *pair)}
        return tuple(sorted(found.values(), key=lambda one: (one.at, one.run)))


def in_order(runs: Sequence[Taken]) -> tuple[Taken, ...]:
    """Runs as `Inputs` has them, each once."""
    return tuple(sorted({one.run: one for one in runs}.values(), key=lambda one: (one.at, one.run)))


def take(folder: Path) -> Taken:
    """Read what a run left.

    Raises:
        RecordError: it is not the folder of a run that was judged.
    """
    document = load_verdict(folder)
    try:
        with (folder / names.EVENTS).open(encoding="utf-8") as lines:
            first = json.loads(lines.readline())
    except (OSError, ValueError) as error:
        raise RecordError(Problem(str(folder), f"its events cannot be read: {error}", "name one of runs/*")) from error
    header = first.get("detail") if isinstance(first, dict) and first.get("kind") == "header" else None
    if not isinstance(header, dict):
        raise RecordError(Problem(str(folder), "its events do not begin with a header"))
    result = load_document(folder / CAPACITY) if (folder / CAPACITY).is_file() else {}
    experiment = load_document(folder / names.EXPERIMENT)
    return Taken(document, header, *(one if isinstance(one, dict) else {} for one in (result, experiment)))
