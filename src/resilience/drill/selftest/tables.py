"""A self-test as a table and as JSON; pure.

One line for each bug, each defect of the tool and each experiment on the healthy target: how often it was tried, how
often it came to what it must, and of what did not, everything. What was tried again is shown beside what came first.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from resilience.drill.selftest.answers import AGAIN, CODES, GRAVITY, Outcome, code_of
from resilience.drill.selftest.keeping import Done, Kept
from resilience.drill.selftest.rows import Bug, Matrix, Mutant
from resilience.drill.selftest.trials import Kind, Trial
from resilience.judge.statistics import proven_share
from resilience.model import Json

ANSWERS: Final = {0: "pass", 1: "fail", 2: "unknown"}
"""What a self-test comes to, by its exit code; others say only that it was not done."""

NOT_TRIED: Final = "not tried"
NONE: Final = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What came of one row, or of one experiment on the healthy target.

    Attributes:
        about: what it shows, in words; `must`: what it must come to.
        right, tried: how many trials came to it, of how many.
        outcome: the gravest; None if nothing was tried.
        told: the classes that were complained of, with how many runs did.
        again: how many runs were made again because they could not tell.
        odd: a sentence for each run that did not come to what it must, those that were made again among them.
    """

    kind: Kind
    name: str
    about: str
    must: str
    experiment: str
    right: int
    tried: int
    outcome: Outcome | None
    told: Mapping[str, int]
    again: int = 0
    odd: tuple[str, ...] = ()

    @property
    def seen(self) -> str:
        """`3 of 3`, or that it was not tried."""
        return f"{self.right} of {self.tried}" if self.tried else NOT_TRIED

    def json(self) -> dict[str, Json]:
        """Everything."""
        share = proven_share(self.tried) if self.tried and self.right == self.tried else None
        return {
            "kind": self.kind.value,
            "name": self.name,
            "about": self.about,
            "must": self.must,
            "experiment": self.experiment,
            "right": self.right,
            "tried": self.tried,
            "outcome": None if self.outcome is None else self.outcome.value,
            "proven_share": share,
            "told": dict(self.told),
            "again": self.again,
            "odd": list(self.odd),
        }


def lines(matrix: Matrix, kept: Kept) -> tuple[Line, ...]:
    """The lines of all rows, tried or not, and of the experiments that were tried on the healthy target."""
    found = [_of_row(row, kept, kind) for row in matrix.bugs for kind in _kinds(row)]
    found += [_of_row(row, kept, Kind.MUTANT) for row in matrix.mutants]
    healthy = dict.fromkeys(done.experiment for done in kept.results if done.kind is Kind.HEALTHY)
    for name in sorted(healthy):
        own = [done for done in kept.results if done.kind is Kind.HEALTHY and done.experiment == name]
        found.append(_line(Kind.HEALTHY, name.rpartition(".")[0], "nothing is planted", "pass", name, own))
    return tuple(found)


def _kinds(bug: Bug) -> tuple[Kind, ...]:
    return (Kind.BUG, Kind.WITHOUT) if bug.needs_fault else (Kind.BUG,)


def _of_row(row: Bug | Mutant, kept: Kept, kind: Kind) -> Line:
    own = [done for done in kept.results if done.kind is kind and done.about == row.name]
    if isinstance(row, Mutant):
        must = f"exit {' or '.join(map(str, row.exits))}" + (f", “{row.says}”" if row.says else "")
        about = row.wrong
    elif kind is Kind.WITHOUT:
        must, about = "unknown", "its fault does nothing"
    else:
        must, about = ", ".join(row.reported), row.exposed_by
    return _line(kind, row.name, about, must, row.experiment.name, own)


def _line(kind: Kind, name: str, about: str, must: str, experiment: str, results: Sequence[Done]) -> Line:
    last = {done.trial: done for done in results}
    told: dict[str, int] = {}
    for done in last.values():
        for one in done.classes:
            told[one] = told.get(one, 0) + 1
    outcomes = [done.outcome for done in last.values()]
    return Line(
        kind=kind,
        name=name,
        about=about,
        must=must,
        experiment=experiment,
        right=sum(outcome is Outcome.RIGHT for outcome in outcomes),
        tried=len(last),
        outcome=max(outcomes, key=lambda one: GRAVITY.index(CODES[one]), default=None),
        told=dict(sorted(told.items())),
        again=len(results) - len(last),
        odd=tuple(said_of(done) for done in results if done.outcome is not Outcome.RIGHT),
    )


def said_of(done: Done) -> str:
    """One result in one sentence, with how busy the machine was: that is the first thing to be asked."""
    again = f", run {done.attempt}" if done.attempt > 1 else ""
    return f"{done.trial}{again}: {done.outcome.value}: {done.because} (load {done.load:.1f})"


def document(matrix: Matrix, kept: Kept, trials: Iterable[Trial]) -> dict[str, Json]:
    """Everything, for `--json`."""
    wanted, last = list(trials), kept.last()
    code = code_for(wanted, kept)
    return {
        "answer": ANSWERS.get(code, "unknown"),
        "exit": code,
        "begun": kept.begun,
        "machine": dict(kept.machine),
        "folder": str(kept.folder),
        "wanted": len(wanted),
        "over": sum(trial.name in last for trial in wanted),
        "lines": [line.json() for line in lines(matrix, kept) if line.tried],
        "runs": [done.json() for done in kept.results],
    }


def code_for(trials: Iterable[Trial], kept: Kept) -> int:
    """The exit code: of the gravest result; at least 2 if a trial has none.

    What was found is not undone by another run: only what could not tell may be made good by being run again.
    """
    last = kept.last()
    wanting = [Outcome.UNCERTAIN for trial in trials if trial.name not in last]
    found = [done.outcome for done in kept.results if done.outcome not in AGAIN]
    return code_of((*(done.outcome for done in last.values()), *found, *wanting))


def markdown(matrix: Matrix, kept: Kept) -> str:
    """The tables of the page."""
    every = lines(matrix, kept)
    rows = {kind: [line for line in every if line.kind is kind] for kind in Kind}
    without = {line.name: line for line in rows[Kind.WITHOUT]}
    parts = [
        "\n".join(f"* {name}: {value}" for name, value in {**kept.machine, "begun": kept.begun}.items()),
        "## Planted bugs",
        _table(
            ("bug", "what happens", "experiment", "must be told as", "caught", "told", "without its fault"),
            (
                (
                    line.name,
                    line.about,
                    f"`{line.experiment}`",
                    line.must,
                    line.seen,
                    ", ".join(line.told) or NONE,
                    without[line.name].seen if line.name in without else "shows without",
                )
                for line in rows[Kind.BUG]
            ),
        ),
        "## The healthy target",
        _table(
            ("experiment", "passed", "false alarms, at most (95 %)"),
            ((f"`{line.experiment}`", line.seen, _bound(line)) for line in rows[Kind.HEALTHY]),
        ),
        "## Defects of our own tool",
        _table(
            ("defect", "what is wrong", "experiment", "must end with", "as it must"),
            ((line.name, line.about, f"`{line.experiment}`", line.must, line.seen) for line in rows[Kind.MUTANT]),
        ),
    ]
    odd = [f"* {sentence}" for line in every for sentence in line.odd]
    parts += ["## What did not come to what it must", "\n".join(odd)] if odd else []
    return "\n\n".join(parts) + "\n"


def _bound(line: Line) -> str:
    """How often a healthy target may fail at most, if none of n did: 1 − 0.05^(1/n)."""
    return f"{1 - proven_share(line.tried):.0%}" if line.tried and line.right == line.tried else NONE


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def told() -> Iterator[str]:
        yield _row(head)
        yield "|" + "---|" * len(head)
        yield from (_row(row) for row in rows)

    return "\n".join(told())


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
