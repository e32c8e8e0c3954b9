"""Stopping a run from outside: asking it to, and seeing from its folder and its debts whether it has.

A run looks for a file named `abort` in its folder ten times a second, whatever its main thread does.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resilience.errors import SpecError
from resilience.model import EventKind, Problem
from resilience.record import folder as names
from resilience.runtime.debts import Debt, read_book
from resilience.runtime.watch import ABORT

POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A run as an outsider sees it.

    Attributes:
        run: its id.
        lives: whether its runner does.
        stopped: whether it says that it was told to stop, or is over.
        held: names of faults that are in place, as far as is known.
    """

    run: str
    lives: bool
    stopped: bool
    held: tuple[str, ...]


def ask(folder: Path) -> None:
    """Ask the run of a folder to stop; it takes a moment."""
    (folder / ABORT).touch()


def look(folder: Path, state_folder: Path) -> Sight:
    """How a run is. Changes nothing.

    Args:
        folder: of the run.
        state_folder: where its debts are; if it was started with another one, only its record tells.

    Raises:
        SpecError: this is no run folder.
    """
    try:
        run = str(json.loads((folder / names.PLAN).read_bytes())["run"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SpecError(Problem(str(folder), "this is not the folder of a run", "name one of runs/*")) from error
    events = tuple(_events(folder / names.EVENTS))
    kinds = {event.get("kind") for event in events}
    stopped = bool(kinds & {EventKind.INTERRUPTED.value, EventKind.END.value})
    try:
        page = read_book(state_folder / "debts" / f"{run}.jsonl")
    except FileNotFoundError:
        return Sight(run=run, lives=False, stopped=stopped, held=_in_place(events))
    held = tuple(debt.fault for debt in page.owed if is_fault(debt))
    return Sight(run=run, lives=page.owner_alive, stopped=stopped, held=held)


def is_fault(debt: Debt) -> bool:
    """Whether a debt is a fault's, rather than of the load or the stack."""
    return not debt.undo.kind.startswith(("load.", "stack."))


def _events(path: Path) -> Iterator[dict[str, Any]]:
    """The events so far; a line that is being written, or damaged, is left out."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            yield event


def _in_place(events: tuple[dict[str, Any], ...]) -> tuple[str, ...]:
    """Faults that were asked for and not seen to go, as the record says."""
    held: dict[str, None] = {}
    for event in events:
        if event.get("kind") == EventKind.REQUESTED.value:
            held[str(event.get("name"))] = None
        elif event.get("kind") in {EventKind.CLEAR.value, EventKind.STRUCK.value}:
            held.pop(str(event.get("name")), None)
    return tuple(held)


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a request to stop: one sentence, and the exit code of `resilience abort`."""

    code: int
    text: str


def stop(folder: Path, state_folder: Path, patience_s: float) -> Told:
    """Ask a run to stop and wait until it has.

    Args:
        folder: of the run.
        state_folder: where its debts are.
        patience_s: for so long; 0 does not wait.

    Raises:
        SpecError: this is no run folder.
    """
    sight = look(folder, state_folder)
    if not sight.lives:
        return _over(sight)
    ask(folder)
    if patience_s <= 0:
        return Told(0, f"run {sight.run} was asked to stop; it reverts within a second")
    deadline = time.monotonic() + patience_s
    while sight.lives and (sight.held or not sight.stopped):
        if time.monotonic() > deadline:
            return _late(sight, patience_s)
        time.sleep(POLL_S)
        sight = look(folder, state_folder)
    return Told(0, f"run {sight.run} was stopped; nothing is in place any more") if not sight.held else _over(sight)


def _over(sight: Sight) -> Told:
    if sight.held:
        held = ", ".join(sight.held)
        return Told(5, f"run {sight.run} is dead and has left {held} in place (settle it with `resilience reap`)")
    return Told(0, f"run {sight.run} is over: there is nothing to stop")


def _late(sight: Sight, patience_s: float) -> Told:
    if sight.held:
        return Told(5, f"run {sight.run} was asked to stop; after {patience_s:g} s {', '.join(sight.held)} is in place")
    return Told(2, f"run {sight.run} was asked to stop, and has not said so within {patience_s:g} s; it may begin late")
