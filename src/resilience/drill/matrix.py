"""The kill matrix: every kind of fault, struck by every signal at every moment, on real parts; what is left is found.

A cell starts a runner (`drill.runner`) that holds one fault, waits until it stands at the cell's moment, sends it the
signal, and then looks at the target from outside (`drill.found`) until it is as it was before. A runner that was
stopped (STOP) is continued once the target is clean, and must then end without breaking it again.
"""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resilience.drill import found
from resilience.drill.runner import MOMENTS
from resilience.faults import registry
from resilience.model import FaultSpec, Problem
from resilience.runtime import debts

SIGNALS = ("INT", "TERM", "HUP", "KILL", "STOP")
QUICK = {"moments": ("inject", "holding", "reverting"), "signals": ("TERM", "KILL", "STOP")}
"""The cells of a quick matrix: before, while and after the fault is in place."""

CLEAN_S = 20.0
"""After so long a target that is not as it was counts as left broken."""
BEGIN_S = 30.0
"""A runner must be at its moment after so long."""
DWELL_S = 0.4
HELD_S = 20.0
STOPPED_S = 0.5
"""The planned length of a fault whose runner is stopped: its lease must end by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A fault to be tried: kind, part and settings."""

    kind: str
    on: str
    settings: Mapping[str, Any]

    def spec(self, duration_s: float = HELD_S) -> FaultSpec:
        """As a run would plan it."""
        return FaultSpec(name="struck", kind=self.kind, on=self.on, duration_s=duration_s, settings=self.settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One kind, one moment, one signal, and what came of it.

    Attributes:
        clean_s: from the signal until the target was as found and nothing was owed; None if it did not come to that.
        left: what was not as it was; empty if everything was.
    """

    kind: str
    moment: str
    signal: str
    clean_s: float | None
    left: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing was left."""
        return self.clean_s is not None and not self.left


class Matrix:
    """Strikes runners on one running stack.

    Args:
        places: the parts as the stack knows them now (a restart changes them).
        stack: the stack's state file.
        say: told about every cell.
    """

    def __init__(self, places: found.Places, stack: Path, say: Callable[[Cell], object] = lambda _: None) -> None:
        """Nothing is touched yet."""
        self._places, self._stack, self._say = places, stack, say

    def missing(self, subject: Subject) -> tuple[Problem, ...]:
        """Why this kind cannot be tried here; empty if it can."""
        place = self._places().get(subject.on)
        if place is None:
            return (Problem(subject.kind, f"the stack has no part {subject.on!r}"),)
        return registry.check(subject.spec()) or registry.fits(subject.spec(), place)

    def run(self, subject: Subject, moments: Iterable[str] = MOMENTS, signals: Iterable[str] = SIGNALS) -> list[Cell]:
        """Try one kind at these moments with these signals. A target that is left broken ends it."""
        signals = tuple(signals)
        before = found.settled(self._places)
        cells: list[Cell] = []
        for moment in moments:
            for name in signals:
                cell = self.strike(subject, moment, name, before)
                cells.append(cell)
                self._say(cell)
                if cell.clean_s is None:
                    return cells
        return cells

    def strike(self, subject: Subject, moment: str, name: str, before: found.Found, *, after_s: float = 0.0) -> Cell:
        """One cell.

        Args:
            subject: what is held.
            moment: one of `runner.MOMENTS`.
            name: the signal without SIG.
            before: how the target looked.
            after_s: the signal comes this long after the moment; beyond `DWELL_S` the runner has gone on.
        """
        number = signal.Signals[f"SIG{name}"]
        duration_s = STOPPED_S if number == signal.SIGSTOP else HELD_S
        with tempfile.TemporaryDirectory(prefix="resilience-drill-") as folder:
            state = Path(folder)
            orders = {
                "state": folder,
                "stack": str(self._stack),
                "faults": [{"name": "struck", "kind": subject.kind, "on": subject.on, "settings": subject.settings}],
                "moment": moment,
                "duration_s": duration_s,
                "dwell_s": DWELL_S,
            }
            with _runner(orders) as process:
                said = _until(process, f"at {moment}")
                if said:
                    return Cell(kind=subject.kind, moment=moment, signal=name, clean_s=None, left=(said,))
                time.sleep(after_s)
                process.send_signal(number)
                began = time.monotonic()
                clean_s, left = self._clean(state, before, began, process if number != signal.SIGSTOP else None)
                if number == signal.SIGSTOP and clean_s is not None:
                    process.send_signal(signal.SIGCONT)
                    gone_s, left = self._clean(state, before, time.monotonic(), process)
                    clean_s = None if gone_s is None else clean_s
        return Cell(kind=subject.kind, moment=moment, signal=name, clean_s=clean_s, left=left)

    def _clean(
        self, state: Path, before: found.Found, began: float, ending: "subprocess.Popen[str] | None"
    ) -> tuple[float | None, tuple[str, ...]]:
        """Seconds until nothing is left and, if it is to end, the runner has ended; else what is left."""
        while True:
            silent = found.silent(self._places())
            left = [f"{name} does not answer at once" for name in silent]
            if not silent:
                changed = found.differences(before, found.look(self._places()))
                # A stopped runner has its own session open, with which it looks; it must go when the runner does.
                left += [what for what in changed if ending is not None or found.SESSIONS not in what]
            left += [str(problem) for page in debts.outstanding(state) for problem in debts.problems_of(page)]
            if ending is not None and ending.poll() is None:
                left.append("the runner still runs")
            at_s = time.monotonic() - began
            if not left:
                return at_s, ()
            if at_s > CLEAN_S:
                return None, tuple(left)
            time.sleep(0.01)


@contextmanager
def _runner(orders: Mapping[str, Any]) -> Iterator["subprocess.Popen[str]"]:
    words = [sys.executable, "-m", "resilience.drill.runner", json.dumps(orders)]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, bufsize=1
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _until(process: "subprocess.Popen[str]", words: str) -> str:
    """Read what the runner says until these words; why they did not come, or nothing."""
    if process.stdout is None:
        return "the runner has no output"
    deadline = time.monotonic() + BEGIN_S
    said: list[str] = []
    handle, rest = process.stdout.fileno(), b""
    while time.monotonic() < deadline:
        ready, _, _ = select.select([handle], [], [], 0.1)
        if not ready:
            continue
        piece = os.read(handle, 65536)
        if not piece:
            return f"the runner ended before it was {words}: {' | '.join(said[-3:])}"
        *lines, rest = (rest + piece).split(b"\n")
        said += [line.decode(errors="replace") for line in lines]
        if words in said:
            return ""
    return f"the runner was not {words} within {BEGIN_S:g} s: {' | '.join(said[-3:])}"
