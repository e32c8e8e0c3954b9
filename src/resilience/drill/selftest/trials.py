"""What is run for a matrix: each bug, each experiment on the healthy target, each defect of the tool.

A *trial* is one run with what it must come to. One healthy trial serves all bugs of the same experiment: what is told
of them must not be told without them. A bug that needs its fault is tried with faults that do nothing, too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from resilience.drill.selftest.rows import MUTANT_WORD, Bug, Matrix, Mutant
from resilience.errors import ResilienceError, SpecError
from resilience.model import Problem
from resilience.spec.parse import name_of, parse
from resilience.spec.plan import plan

AROUND_S: Final = 14.0
"""What a run takes beside its planned length: the stack starts, stores settle, the record is judged.

A machine with other work to do needs more; what runs really took stands instead as soon as it is known.
"""

EACH_CORES: Final = 0.7
"""Cores that a run needs: 19 s of processor time were seen for half a minute of 150 operations a second and servers."""

SHARED: Final = "network."
"""Kinds of fault that change what all runs of this machine share, where a run has no network of its own."""


class Kind(Enum):
    """What a trial shows."""

    HEALTHY = "healthy"
    BUG = "bug"
    WITHOUT = "without its fault"
    MUTANT = "harness"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run.

    Attributes:
        name: unique; the name of its folder.
        number: from 1, of those that are alike.
        words: before `run FILE …`: a launcher; empty is the program itself.
        environment: variables that are set; `without` those that are not there.
        planned_s: the planned length of the experiment.
    """

    name: str
    kind: Kind
    row: Bug | Mutant | None
    experiment: Path
    number: int
    words: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    alone: bool = False
    planned_s: float = 0.0

    @property
    def about(self) -> str:
        """The row's name; of a healthy trial, the experiment's."""
        return self.row.name if self.row is not None else self.experiment.stem


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which trials are wanted.

    Attributes:
        names: of rows; empty is all.
        only: `healthy`, `bugs`, `harness`; empty is all three.
        experiments: only these; one that no row names is tried on the healthy target.
        times: how often each; `healthy` how often the healthy ones, `without` how often bugs without their fault; 0 is
            as often.
    """

    names: tuple[str, ...] = ()
    only: str = ""
    experiments: tuple[Path, ...] = ()
    times: int = 1
    healthy: int = 0
    without: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What is known of an experiment before it is run: its length, what it promises, whether it must be alone."""

    length_s: float
    objectives: tuple[str, ...] = ()
    shares: bool = False


def look(path: Path, *, own_network: bool) -> Story:
    """Read an experiment.

    Args:
        path: of the file.
        own_network: whether a run that changes the network gets one of its own.

    Raises:
        SpecError: with every problem of the file.
    """
    try:
        experiment = parse(path.read_bytes(), path.name, str(path.parent))
    except ResilienceError as error:
        problems = [Problem(f"{path}: {one.where}", one.message, one.hint, one.line) for one in error.problems]
        raise SpecError(problems) from error
    except OSError as error:
        raise SpecError(Problem(str(path), f"the experiment cannot be read: {error.strerror}")) from error
    return Story(
        length_s=plan(experiment, seed=1, run="00000000", undo={}).duration_s,
        objectives=tuple(one.expression for one in experiment.objectives),
        shares=not own_network and any(fault.kind.startswith(SHARED) for fault in experiment.faults),
    )


def chosen(matrix: Matrix, choice: Choice) -> tuple[tuple[Bug, ...], tuple[Mutant, ...]]:
    """The rows that are wanted.

    Raises:
        SpecError: a name is no row's.
    """
    rows: Sequence[Bug | Mutant] = (*matrix.bugs, *matrix.mutants)
    known = {row.name for row in rows}
    unknown = [name for name in choice.names if name not in known]
    if unknown:
        hint = f"there are {', '.join(row.name for row in rows)}"
        raise SpecError(Problem("--bug", f"{', '.join(unknown)}: no row has this name", hint))

    def wanted(row: Bug | Mutant) -> bool:
        of_these = not choice.experiments or row.experiment in choice.experiments
        return of_these and (not choice.names or row.name in choice.names)

    return tuple(row for row in matrix.bugs if wanted(row)), tuple(row for row in matrix.mutants if wanted(row))


def experiments_of(matrix: Matrix, choice: Choice) -> tuple[Path, ...]:
    """The experiments of all that is wanted, each once."""
    bugs, mutants = chosen(matrix, choice)
    rows: Sequence[Bug | Mutant] = (*bugs, *mutants)
    return tuple(dict.fromkeys((*(row.experiment for row in rows), *choice.experiments)))


def lay_out(matrix: Matrix, choice: Choice, stories: Mapping[Path, Story]) -> tuple[Trial, ...]:
    """All trials that are wanted.

    Raises:
        SpecError: nothing is, or a row names an objective that its experiment has not.
    """
    bugs, mutants = chosen(matrix, choice)
    problems = [
        Problem(bug.name, f"its experiment has no objective {text!r}", "write it as it stands there")
        for bug in bugs
        for text in bug.objective
        if text not in stories[bug.experiment].objectives
    ]
    if problems:
        raise SpecError(problems)
    found: list[Trial] = []
    if choice.only in {"", "healthy"}:
        found += _healthy(matrix, choice, (*bugs, *mutants), stories)
    if choice.only in {"", "bugs"}:
        found += [trial for bug in bugs for trial in _of_bug(matrix, bug, choice, stories)]
    if choice.only in {"", "harness"}:
        found += [trial for row in mutants for trial in _of_mutant(matrix, row, choice.times, stories)]
    if not found:
        raise SpecError(Problem("selftest", "nothing is to be tried", "see `resilience selftest --list`"))
    return tuple(found)


def _healthy(
    matrix: Matrix, choice: Choice, rows: Sequence[Bug | Mutant], stories: Mapping[Path, Story]
) -> Iterator[Trial]:
    """Every experiment of a row, and every one that was asked for, on the healthy target.

    Those of defects of the tool, too: of an experiment that cannot pass, not passing shows nothing.
    """
    names: dict[str, Path] = {}
    for experiment in dict.fromkeys((*(row.experiment for row in rows), *choice.experiments)):
        name = name_of(experiment.name)
        while name in names:
            name += "-too"
        names[name] = experiment
        alone = stories[experiment].shares or any(row.alone for row in rows if row.experiment == experiment)
        for number in range(1, (choice.healthy or choice.times) + 1):
            yield Trial(
                name=f"healthy-{name}-{number}",
                kind=Kind.HEALTHY,
                row=None,
                experiment=experiment,
                number=number,
                without=matrix.variables,
                alone=alone,
                planned_s=stories[experiment].length_s,
            )


def _of_bug(matrix: Matrix, bug: Bug, choice: Choice, stories: Mapping[Path, Story]) -> Iterator[Trial]:
    story = stories[bug.experiment]
    kinds: dict[Kind, tuple[str, int, tuple[str, ...]]] = {Kind.BUG: (bug.name, choice.times, ())}
    if bug.needs_fault:
        launcher = launcher_of(matrix, matrix.without_fault)
        kinds[Kind.WITHOUT] = (f"{bug.name}-without", choice.without or choice.times, launcher)
    for kind, (name, count, words) in kinds.items():
        for number in range(1, count + 1):
            yield Trial(
                name=f"{name}-{number}",
                kind=kind,
                row=bug,
                experiment=bug.experiment,
                number=number,
                words=words,
                environment=bug.environment,
                without=matrix.variables - set(bug.environment),
                alone=bug.alone or story.shares,
                planned_s=story.length_s,
            )


def _of_mutant(matrix: Matrix, row: Mutant, times: int, stories: Mapping[Path, Story]) -> Iterator[Trial]:
    story = stories[row.experiment]
    for number in range(1, times + 1):
        yield Trial(
            name=f"{row.name}-{number}",
            kind=Kind.MUTANT,
            row=row,
            experiment=row.experiment,
            number=number,
            words=launcher_of(matrix, row.name),
            environment=row.environment,
            without=matrix.variables - set(row.environment),
            alone=row.alone or story.shares,
            planned_s=story.length_s,
        )


def launcher_of(matrix: Matrix, name: str) -> tuple[str, ...]:
    """The words that make one defect of the tool."""
    return tuple(word.replace(MUTANT_WORD, name) for word in matrix.launcher)


def in_order(trials: Iterable[Trial]) -> tuple[tuple[Trial, ...], tuple[Trial, ...]]:
    """Those that may run side by side, and the others.

    Everything once before anything twice: whoever stops early has seen something of every row. Of those the longest
    first, so that none is waited for in the end.
    """
    every = sorted(trials, key=lambda one: (one.number, -one.planned_s))
    return tuple(one for one in every if not one.alone), tuple(one for one in every if one.alone)


def estimate_s(trials: Iterable[Trial], jobs: int, around_s: float = AROUND_S) -> float:
    """How long they will take with so many at once, each so much longer than planned, in seconds."""
    beside, alone = in_order(trials)
    places = [0.0] * max(1, jobs)
    for trial in beside:
        first = places.index(min(places))
        places[first] += trial.planned_s + around_s
    return max(places) + sum(trial.planned_s + around_s for trial in alone)


def jobs_for(cores: int, load: float) -> int:
    """How many runs this machine carries at once beside what it does already, at least one.

    Args:
        cores: that this process may use.
        load: mean number of processes that ran or waited in the last minute.
    """
    return max(1, int((cores - min(load, cores)) / EACH_CORES))
