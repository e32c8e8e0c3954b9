"""The command `kill-matrix`: which cells are wanted, the stack that they are tried on, and what came of them."""

import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import psycopg

from resilience.drill import table
from resilience.drill.examples import EXAMPLES, VARIANTS
from resilience.drill.matrix import QUICK, SIGNALS, Cell, Matrix, Subject
from resilience.drill.runner import MOMENTS
from resilience.errors import SpecError
from resilience.faults import registry
from resilience.host import clocks
from resilience.host.files import state_folder
from resilience.model import Experiment, Json, Problem, Program, StackSpec, Undo
from resilience.runtime.debts import DebtBook
from resilience.runtime.guard import Guard
from resilience.runtime.signals import interruptible
from resilience.spec.parse import parse
from resilience.stack.embedded import EmbeddedStack
from resilience.stack.postgres import SHOP, may_mount
from resilience.stack.settle import STATE

OWN_STACK = StackSpec(
    programs=(
        Program(
            name="provider",
            command=("python", "-m", "resilience.provider"),
            ready="/health",
            own_clock=clocks.faketime() is not None,
        ),
    ),
    postgres_disk_mb=256 if may_mount() else 0,
    postgres_replica=True,
)
"""Servers, and the stand-in of a provider: every part that comes with this package."""
TABLE = "<!-- the table -->"
"""In a page, what follows this is the table."""
WIRED = ("postgres", "redis")
"""Parts that get the proxy that understands protocols before them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which cells."""

    kinds: tuple[str, ...]
    moments: tuple[str, ...]
    signals: tuple[str, ...]

    @classmethod
    def of(cls, *, kinds: str | None, moments: str | None, signals: str | None, scope: str) -> Self:
        """From the words of the command line.

        Raises:
            SpecError: with every word that is not known.
        """
        quick = QUICK if scope == "quick" else {"moments": MOMENTS, "signals": SIGNALS}
        found = cls(
            kinds=_words(kinds),
            moments=_words(moments) or quick["moments"],
            signals=tuple(word.upper().removeprefix("SIG") for word in _words(signals)) or quick["signals"],
        )
        problems = [
            Problem(option, f"{word!r} is not known", f"there are {', '.join(known)}")
            for option, words, known in (
                ("--kinds", found.kinds, registry.names()),
                ("--moments", found.moments, MOMENTS),
                ("--signals", found.signals, SIGNALS),
            )
            for word in words
            if word not in known
        ]
        if problems:
            raise SpecError(problems)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of it."""

    signals: tuple[str, ...]
    cells: tuple[Cell, ...]
    missing: Mapping[str, str]

    @property
    def passed(self) -> bool:
        """Whether something was tried and nothing was left."""
        return bool(self.cells) and all(cell.passed for cell in self.cells)

    def markdown(self) -> str:
        """The table."""
        return table.markdown(table.rows(self.cells, self.missing), self.signals)

    def json(self) -> dict[str, Json]:
        """Everything."""
        cells: list[Json] = [{**asdict(cell), "passed": cell.passed} for cell in self.cells]
        return {"passed": self.passed, "cells": cells, "missing": dict(self.missing)}


def kill(file: Path | None, wanted: Wanted, say: Callable[[str], object]) -> Done:
    """Try the cells.

    Args:
        file: an experiment whose faults are tried on its own stack; None tries every kind on servers of our own.
        wanted: which cells.
        say: told about each, in one line.

    Raises:
        SpecError: the file is wrong, or there is nothing to try.
        EnvironmentNotReady: the stack does not start.
    """
    if file is None:
        every = (*EXAMPLES.values(), *VARIANTS)
        held = sorted((one for one in every if not registry.find(one.kind).is_strike), key=lambda one: one.kind)
        spec, folder, subjects = OWN_STACK, Path.cwd(), held
    else:
        experiment = parse(file.read_bytes(), file.name, str(file.resolve().parent))
        spec, folder, subjects = experiment.stack, Path(experiment.folder), _subjects(experiment)
    subjects = [subject for subject in subjects if not wanted.kinds or subject.kind in wanted.kinds]
    if not subjects:
        raise SpecError(Problem(str(file or "--kinds"), "there is no held fault to try"))
    cells: list[Cell] = []
    missing: dict[str, str] = {}

    def told(cell: Cell) -> None:
        time = "NEVER CLEAN" if cell.clean_s is None else f"clean after {cell.clean_s:.2f} s"
        say(f"{cell.kind} {cell.signal} at {cell.moment}: {time}{'; '.join(['', *cell.left])}")

    wired = WIRED if file is None else tuple({one.on for one in subjects if one.kind.startswith("protocol.")})
    with running(spec, folder, wired) as stack:
        matrix = Matrix(stack.places, stack.folder / STATE, told)
        for subject in subjects:
            problems = matrix.missing(subject)
            if problems:
                missing[subject.kind] = "; ".join(map(str, problems))
                say(f"{subject.kind}: not tried: {missing[subject.kind]}")
                continue
            tried = matrix.run(subject, wanted.moments, wanted.signals)
            cells += tried
            if tried[-1].clean_s is None:
                break  # whatever came after it would be tried on a broken target
    return Done(signals=wanted.signals, cells=tuple(cells), missing=missing)


def _subjects(experiment: Experiment) -> list[Subject]:
    return [
        Subject(kind=spec.kind, on=spec.on, settings=spec.settings)
        for spec in experiment.faults
        if not registry.find(spec.kind).is_strike
    ]


@contextmanager
def running(spec: StackSpec, folder: Path, wired: tuple[str, ...] = WIRED) -> Iterator[EmbeddedStack]:
    """A stack of our own while the block lasts; if this process is killed, a reaper ends it.

    Raises:
        SpecError: it is not one that this command starts.
        EnvironmentNotReady: it does not start.
    """
    if spec.use != EmbeddedStack.name:
        raise SpecError(Problem("stack.use", f"{spec.use!r} is not started by this command", "use embedded"))
    run = secrets.token_hex(4)
    stack = EmbeddedStack(
        spec.service,
        programs=spec.programs,
        wired=wired,
        postgres_disk_mb=spec.postgres_disk_mb,
        postgres_replica=spec.postgres_replica,
        tag=f"drill-{run}",
        experiment_folder=folder,
        folder_root=Path(tempfile.gettempdir()),
    )
    with interruptible(), DebtBook.create(state_folder(), run) as book, Guard.start(book):
        debt = book.owe("stack", Undo(kind=f"stack.{stack.name}", data=stack.debt_data()))
        try:
            stack.start()
            if spec.service is None:
                _furnish(stack)
            yield stack
        finally:
            stack.stop()
            book.settle(debt)


def _furnish(stack: EmbeddedStack) -> None:
    """A table in place of a service's: faults by locks need one."""
    place = stack.places()["postgres"]
    with psycopg.connect(place.dsn, user=SHOP, passfile=place.passfile, connect_timeout=5) as session:
        session.execute("CREATE TABLE drill (id int PRIMARY KEY)")
        session.execute("INSERT INTO drill VALUES (1)")


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())
