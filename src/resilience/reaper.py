"""The reaper: settles debts when the runner cannot, in a process of its own that is started before anything is done.

`python -m resilience.reaper --book FILE` is started by `runtime.guard` with one end of a pipe as its standard input, in
its own session, deaf to INT, TERM and HUP. It settles

* everything, when the runner dies (end of the pipe, or its pidfd says so) or says goodbye and still owes;
* one debt, when its lease is over, although the runner lives (stopped, swapped out, locked up);
* every fault, when the runner has not been heard of for HEARTBEAT_S. The stack itself is no damage and is kept.

Faults go first, the latest first, all of them reverted before any is verified; then whatever else is owed (load,
stack), the latest first. An error never stops the rest; what failed is written in the book and tried again.

This module is at the top because it wires layers together: it knows every way to settle a debt.
"""

import argparse
import contextlib
import gc
import importlib
import importlib.util
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from resilience.errors import DebtsOutstanding, FaultError, ResilienceError
from resilience.faults import registry
from resilience.host import processes
from resilience.model import Identity, Json, Problem, Undo
from resilience.runtime import debts
from resilience.runtime.debts import Debt, DebtBook, Page

HEARTBEAT_S = 5.0
"""A runner that has not been heard of for this long is not in control of its faults."""
POLL_MS = 100
TRY_S = 10.0
"""No single attempt to put something back is waited for longer than this."""
VERIFY_S = 1.5
"""For all faults together: how long they are waited for to be seen gone, before other debts get their turn."""
ROUNDS = 5
PAUSE_S = 0.3

OTHER_KINDS: Mapping[str, tuple[str, str]] = {
    "stack.embedded": ("resilience.stack.settle", "settle"),
    "load.process": ("resilience.reaper", "end_tagged"),
}
"""Kinds of debt that are not faults → module and function that settle them, given the undo's data."""


def end_tagged(data: Mapping[str, Json]) -> None:
    """Settle a `load.process` debt: end every process that carries the tag.

    Raises:
        FaultError: some of them would not go.
    """
    tag = str(data["tag"])
    processes.end(processes.tagged(tag), patience_s=0.5)
    left = processes.tagged(tag)
    if left:
        raise FaultError(f"processes {[identity.pid for identity in left]} of {tag} did not end")


# ------------------------------------------------------------------------------------------------------------ settling


def settle(book: DebtBook, owed: Sequence[Debt], *, by: str = "reaper") -> tuple[Problem, ...]:
    """Settle debts and write in the book what became of each.

    Args:
        book: where the results go.
        owed: in the order in which they were taken on.
        by: who settles.

    Returns:
        What could not be settled, and why.
    """
    left = list(reversed(owed))
    messages: dict[str, str] = {}
    for round_ in range(ROUNDS):
        if round_:
            time.sleep(PAUSE_S)
        faults = [debt for debt in left if debt.undo.kind not in OTHER_KINDS]
        others = [debt for debt in left if debt.undo.kind in OTHER_KINDS]
        messages = _attempt(faults, _revert)
        tried = [debt for debt in faults if debt.id not in messages]
        messages |= _verify(tried)
        _write_settled(book, [debt for debt in faults if debt.id not in messages], by)
        for debt in others:
            messages |= _attempt([debt], _settle_other)
            if debt.id not in messages:
                _write_settled(book, [debt], by)
        left = [debt for debt in left if debt.id in messages]
        if not left:
            return ()
    for debt in left:
        with contextlib.suppress(OSError):  # the disk is full: it stays owed anyhow
            book.failed(debt.id, messages[debt.id])
    return tuple(Problem(debt.fault, f"{debt.undo.kind}: {messages[debt.id]}") for debt in left)


def _attempt(owed: Iterable[Debt], act: Callable[[Undo], None]) -> dict[str, str]:
    """Try each with a time limit of its own; debt id → why it failed."""
    messages = {}
    for debt in owed:
        outcome: list[str] = []
        worker = threading.Thread(target=_note, args=(act, debt.undo, outcome), daemon=True)
        worker.start()
        worker.join(TRY_S)
        if worker.is_alive():
            messages[debt.id] = f"did not come to an end within {TRY_S:g} s"
        elif outcome:
            messages[debt.id] = outcome[0]
    return messages


def _note(act: Callable[[Undo], None], undo: Undo, outcome: list[str]) -> None:
    try:
        act(undo)
    except Exception as error:  # noqa: BLE001 - whatever it is, the rest must be settled; it is written in the book
        outcome.append(str(error) if isinstance(error, ResilienceError) else f"{type(error).__name__}: {error}")


def _revert(undo: Undo) -> None:
    registry.from_undo(undo).revert(undo)


def _settle_other(undo: Undo) -> None:
    module, function = OTHER_KINDS[undo.kind]
    getattr(importlib.import_module(module), function)(undo.data)


def _verify(owed: Sequence[Debt]) -> dict[str, str]:
    """Wait until the faults are seen to be gone; debt id → why not. One time limit for all of them."""
    deadline = time.monotonic() + VERIFY_S
    messages = dict.fromkeys((debt.id for debt in owed), "not looked at")
    while messages:
        for debt in owed:
            if debt.id in messages:
                said = _attempt([debt], _expect_gone)
                messages.pop(debt.id)
                messages |= said
        if time.monotonic() >= deadline:
            break
        if messages:
            time.sleep(0.02)
    return messages


def _expect_gone(undo: Undo) -> None:
    if registry.from_undo(undo).active(undo):
        raise FaultError("reverted, but it is still there")


def _write_settled(book: DebtBook, owed: Iterable[Debt], by: str) -> None:
    for debt in owed:
        book.settle(debt.id, by=by)


# ------------------------------------------------------------------------------------------------- for the command line


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What `settle_all` did.

    Attributes:
        settled: names of the faults (or other debts) that were put back, with their run.
        refused: books of runs that still go on; nothing of theirs was touched.
        problems: what could not be settled; it is still owed.
    """

    settled: tuple[str, ...]
    refused: tuple[Page, ...]
    problems: tuple[Problem, ...]


def list_debts(state_folder: Path) -> tuple[Problem, ...]:
    """Everything that is owed, by dead runs and by running ones, oldest first. Changes nothing."""
    return tuple(problem for page in debts.outstanding(state_folder) for problem in debts.problems_of(page))


def settle_all(state_folder: Path) -> Report:
    """Settle what dead runs owe; leave alone what running ones do. Removes books that are settled."""
    settled: list[str] = []
    refused: list[Page] = []
    problems: list[Problem] = []
    for page in debts.outstanding(state_folder):
        if page.owner_alive:
            refused.append(page)
            continue
        book = DebtBook(page.path)
        failed = settle(book, page.owed, by="reap")
        problems += failed
        owed = {debt.id for debt in book.owed()}
        settled += [f"{debt.fault} of run {page.run}" for debt in page.owed if debt.id not in owed]
        try:
            book.close()
        except DebtsOutstanding as error:
            problems += [] if failed else error.problems
        else:
            page.path.with_suffix(".reaper.log").unlink(missing_ok=True)  # its reaper was killed, too
    return Report(settled=tuple(settled), refused=tuple(refused), problems=tuple(problems))


# ------------------------------------------------------------------------------------------------------------ the watch


class _Watch:
    """Waits for a reason to settle."""

    def __init__(self, path: Path) -> None:
        self._book = DebtBook(path)
        self._owner = self._book.read().owner
        self._heard_ns = time.monotonic_ns()
        self._tried: set[str] = set()
        self._said = b""

    def run(self) -> int:
        """Watch until the runner is gone or says goodbye; then settle everything. 0 if nothing is owed, else 5."""
        poll = select.poll()
        poll.register(0, select.POLLIN | select.POLLHUP)
        handle = _pidfd(self._owner)
        if handle is not None:
            poll.register(handle, select.POLLIN)
        while True:
            ready = {number for number, _ in poll.poll(POLL_MS)}
            if handle in ready or (0 in ready and not self._listen()):
                break
            self._settle_overdue()
        settle(self._book, self._book.owed())
        try:
            self._book.close()
        except DebtsOutstanding as error:
            sys.stderr.write(f"{error}\n")
            return DebtsOutstanding.exit_code
        self._book.path.with_suffix(".reaper.log").unlink(missing_ok=True)  # a dead runner cannot
        return 0

    def _listen(self) -> bool:
        """Read what the runner says; False at the end of the pipe or at its goodbye."""
        said = os.read(0, 4096)
        self._heard_ns = time.monotonic_ns()
        self._said = (self._said + said)[-16:]
        return bool(said) and not self._said.endswith(b"bye\n")

    def _settle_overdue(self) -> None:
        """Settle debts whose lease is over, and every fault if the runner is silent for too long; each once."""
        now_ns = time.monotonic_ns()
        silent = now_ns - self._heard_ns > HEARTBEAT_S * 1e9
        owed = [debt for debt in self._book.owed() if debt.id not in self._tried]
        overdue = [
            debt
            for debt in owed
            if (debt.deadline_ns is not None and debt.deadline_ns < now_ns)
            or (silent and debt.undo.kind not in OTHER_KINDS)
        ]
        if overdue:
            self._tried |= {debt.id for debt in overdue}
            settle(self._book, overdue)


def _pidfd(owner: Identity | None) -> int | None:
    """A handle that becomes readable when the runner ends; None where the pipe alone must tell."""
    if owner is None:
        return None
    try:
        handle = os.pidfd_open(owner.pid)
    except OSError:
        return None
    if processes.alive(owner):
        return handle
    os.close(handle)
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Watch over one book; says `ready` on standard output once everything it could need is loaded."""
    parser = argparse.ArgumentParser(prog="python -m resilience.reaper", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--book", type=Path, required=True, help="the debt book of the run")
    options = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for name in registry.names():
        with contextlib.suppress(FaultError):  # a broken plug-in: no debt of that kind can have been made
            registry.find(name)
    for module, _ in OTHER_KINDS.values():
        if importlib.util.find_spec(module) is not None:
            importlib.import_module(module)
    gc.freeze()  # the runner waits for our end: what was imported need not be searched for garbage then, half a second
    watch = _Watch(options.book)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    return watch.run()


if __name__ == "__main__":
    sys.exit(main())
