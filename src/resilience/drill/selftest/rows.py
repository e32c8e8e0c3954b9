"""The rows of the matrix: one file for each planted bug of a target and for each defect of our own tool.

A matrix is a folder:

    bugs/*.yaml       one row for each planted bug
    harness/*.yaml    one row for each defect of the tool; optional
    matrix.yaml       how bugs are switched on, and the tool's defects made; optional

Everything that is wrong with any of them is told at once, before anything is run.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator

from resilience.drill.classes import CLASSES
from resilience.errors import SpecError
from resilience.model import Json, Problem
from resilience.spec.findings import Findings
from resilience.spec.text import read_text

DEFAULT: Final = Path("fixtures/selftest")
"""Where the matrix is, seen from the folder in which the command is given."""

BUG_WORD: Final = "${bug}"
MUTANT_WORD: Final = "${mutant}"
NEVER: Final = 0
"""The exit code that a defect of the tool must never give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """A planted bug, and how it must be told.

    Attributes:
        name: what it is switched on by: `B02`.
        exposed_by: what happens in the experiment, in words.
        reported: classes that must be complained of, every one.
        also: classes that may be complained of beside them.
        objective: objectives that must be among those missed, as they stand in the experiment.
        needs_fault: without its fault it cannot show, so that no verdict may be pass then, nor fail.
        alone: nothing else may run meanwhile.
        environment: variables that switch it on.
    """

    name: str
    exposed_by: str
    experiment: Path
    reported: tuple[str, ...]
    also: tuple[str, ...] = ()
    objective: tuple[str, ...] = ()
    needs_fault: bool = False
    alone: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A defect of the tool itself, and what must come of it.

    Attributes:
        wrong: what goes wrong, in words.
        exits: exit codes that are honest answers; 0 is none.
        says: words that the verdict or the error must have.
    """

    name: str
    wrong: str
    experiment: Path
    exits: tuple[int, ...]
    says: str = ""
    alone: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """All rows.

    Attributes:
        launcher: words before `run FILE …` that make a defect of the tool; `${mutant}` is its name. Without them none
            can be made.
        without_fault: the defect whose faults do nothing, for bugs that need their fault.
    """

    folder: Path
    bugs: tuple[Bug, ...]
    mutants: tuple[Mutant, ...]
    launcher: tuple[str, ...] = ()
    without_fault: str = ""

    @property
    def variables(self) -> frozenset[str]:
        """The variables that switch bugs on; a healthy run has none of them."""
        rows: Sequence[Bug | Mutant] = (*self.bugs, *self.mutants)
        return frozenset(name for row in rows for name in row.environment)


def _strict(properties: Mapping[str, Json], required: Sequence[str]) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [*required],
        "additionalProperties": False,
    }


def _each(of: Json, least: int = 0) -> Json:
    return {"type": "array", "items": of, "minItems": least, "uniqueItems": True}


_TEXT: Final[Json] = {"type": "string", "minLength": 1}
_NAME: Final[Json] = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_.-]{0,39}$"}
_CLASS: Final[Json] = {"enum": list[Json](sorted(CLASSES))}
_FLAG: Final[Json] = {"type": "boolean"}
_VARIABLES: Final[Json] = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
    "additionalProperties": {"type": "string"},
}
_SHARED: Final[Mapping[str, Json]] = {"experiment": _TEXT, "alone": _FLAG, "environment": _VARIABLES}

SCHEMAS: Final[Mapping[str, dict[str, Json]]] = {
    "bugs": _strict(
        {
            **_SHARED,
            "bug": _NAME,
            "exposed_by": _TEXT,
            "reported": _each(_CLASS, 1),
            "also": _each(_CLASS),
            "objective": {"anyOf": [_TEXT, _each(_TEXT, 1)]},
            "needs_fault": _FLAG,
        },
        ("bug", "exposed_by", "experiment", "reported"),
    ),
    "harness": _strict(
        {
            **_SHARED,
            "mutant": _NAME,
            "wrong": _TEXT,
            "exits": _each({"enum": [1, 2, 4, 5]}, 1),
            "says": _TEXT,
        },
        ("mutant", "wrong", "experiment", "exits"),
    ),
    "matrix": _strict({"environment": _VARIABLES, "launcher": _each(_TEXT, 1), "without_fault": _NAME}, ()),
}
"""What a file may say, as JSON Schema: a row of `bugs`, a row of `harness`, and `matrix.yaml`."""


def read_matrix(folder: Path) -> Matrix:
    """Read all rows.

    Raises:
        SpecError: with every problem of every file.
    """
    problems: list[Problem] = []
    own = _read(folder / "matrix.yaml", "matrix", problems) if (folder / "matrix.yaml").is_file() else {}
    switch = own.get("environment", {"TARGET_BUGS": BUG_WORD})
    bugs = [_bug(path, row, switch) for path, row in _rows(folder, "bugs", problems)]
    mutants = [_mutant(path, row) for path, row in _rows(folder, "harness", problems)]
    matrix = Matrix(
        folder=folder,
        bugs=tuple(sorted(bugs, key=lambda row: row.name)),
        mutants=tuple(sorted(mutants, key=lambda row: (len(row.name), row.name))),
        launcher=tuple(own.get("launcher", ())),
        without_fault=own.get("without_fault", ""),
    )
    problems += _contradictions(matrix)
    if not problems and not (bugs or mutants):
        hint = "name the folder of a matrix with --matrix; a row is a file bugs/NAME.yaml in it"
        problems.append(Problem(str(folder), "has no rows of a self-test", hint))
    if problems:
        raise SpecError(problems)
    return matrix


def _rows(folder: Path, kind: str, problems: list[Problem]) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted((folder / kind).glob("*.yaml")):
        row = _read(path, kind, problems)
        if row:
            yield path, row


def _read(path: Path, kind: str, problems: list[Problem]) -> dict[str, Any]:
    """A file that keeps its schema; empty if it does not, and then there are problems."""
    try:
        source = read_text(path.read_bytes(), path.name)
    except SpecError as error:
        problems += [_in(path, problem) for problem in error.problems]
        return {}
    findings = Findings(source)
    findings.add_errors(Draft202012Validator(SCHEMAS[kind]).iter_errors(source.data))
    problems += [_in(path, problem) for problem in findings.problems]
    return {} if findings.problems or not isinstance(source.data, Mapping) else dict(source.data)


def _in(path: Path, problem: Problem) -> Problem:
    where = f"{path}: {problem.where}" if problem.where and problem.where != path.name else str(path)
    return Problem(where, problem.message, problem.hint, problem.line, problem.column)


def _bug(path: Path, row: dict[str, Any], switch: Mapping[str, str]) -> Bug:
    objective = row.get("objective", ())
    name = row["bug"]
    environment = row.get("environment") or {key: value.replace(BUG_WORD, name) for key, value in switch.items()}
    return Bug(
        name=name,
        exposed_by=row["exposed_by"],
        experiment=_beside(path, row),
        reported=tuple(row["reported"]),
        also=tuple(row.get("also", ())),
        objective=(objective,) if isinstance(objective, str) else tuple(objective),
        needs_fault=row.get("needs_fault", False),
        alone=row.get("alone", False),
        environment=environment,
    )


def _mutant(path: Path, row: dict[str, Any]) -> Mutant:
    return Mutant(
        name=row["mutant"],
        wrong=row["wrong"],
        experiment=_beside(path, row),
        exits=tuple(row["exits"]),
        says=row.get("says", ""),
        alone=row.get("alone", False),
        environment=row.get("environment", {}),
    )


def _beside(path: Path, row: Mapping[str, Any]) -> Path:
    return (path.parent / str(row["experiment"])).resolve()


def _contradictions(matrix: Matrix) -> Iterator[Problem]:
    """What is wrong with rows that each keep their schema."""
    rows: Sequence[Bug | Mutant] = (*matrix.bugs, *matrix.mutants)
    names = [row.name for row in rows]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Problem(name, f"{names.count(name)} rows have this name", "give each row a name of its own")
    for row in rows:
        if not row.experiment.is_file():
            yield Problem(
                row.name, f"its experiment {row.experiment} is not there", "the path starts at the row's file"
            )
    for bug in matrix.bugs:
        if both := sorted(set(bug.reported) & set(bug.also)):
            yield Problem(bug.name, f"{', '.join(both)} stands in `reported` and in `also`", "keep one")
        if bug.objective and "objective" not in (*bug.reported, *bug.also):
            yield Problem(bug.name, "names an objective that is no class of it", "add objective to `reported`")
        if bug.needs_fault and not matrix.without_fault:
            hint = "say `launcher` and `without_fault` in matrix.yaml, or leave needs_fault out"
            yield Problem(bug.name, "needs its fault, and nothing here can make faults do nothing", hint)
    if (matrix.mutants or matrix.without_fault) and not any(MUTANT_WORD in word for word in matrix.launcher):
        hint = f"for example launcher: [python, -m, my.harness, {MUTANT_WORD}, --]"
        yield Problem(str(matrix.folder), "has defects of the tool, and no launcher that makes them", hint)
