"""One trial as a program of its own: started, watched, ended if that is asked for, and looked at when it is over.

Each has its own folder with its state, its record and what it said; nothing is shared with another but the machine.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from resilience.drill.selftest.answers import Ended
from resilience.drill.selftest.trials import Trial
from resilience.errors import EnvironmentNotReady
from resilience.host import commands
from resilience.model import Json
from resilience.runtime import debts

OWN: Final = (sys.executable, "-m", "resilience.cli")
"""The program itself."""

CHANGE_A_RUN: Final = frozenset({"TARGET_BUGS", "TARGET_SLOW", "RESILIENCE_STATE", "RESILIENCE_STACK"})
"""Variables of this process that a run must not inherit."""

_LOOK_S: Final = 0.1
_SAID: Final = 20_000

Stopped = Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long is waited for what.

    Attributes:
        slack_s: a run may take its planned length, as long again, and so much more.
        ends_s: a run that is told to stop has so long to give everything back; then it is killed, and its reaper does.
        settles_s: a reaper has so long after its run is over.
    """

    slack_s: float = 180.0
    ends_s: float = 60.0
    settles_s: float = 20.0


USUAL: Final = Patience()


def run(trial: Trial, folder: Path, stopped: Stopped, patience: Patience = USUAL) -> Ended:
    """Run a trial to its end.

    Args:
        trial: what to run.
        folder: its own, empty.
        stopped: asked again and again; once it says yes, the run is told to stop, and gives everything back.
        patience: how long is waited.
    """
    state, runs = folder / "state", folder / "runs"
    environment = {name: value for name, value in os.environ.items() if name not in CHANGE_A_RUN | trial.without}
    environment |= {**trial.environment, "RESILIENCE_STATE": str(state)}
    words = [*_program(trial.words), "run", str(trial.experiment), "--runs", str(runs), "--json"]
    begin = time.monotonic()
    limit_s = 2 * trial.planned_s + patience.slack_s
    with (folder / "verdict.json").open("wb") as out, (folder / "said.txt").open("wb") as err:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environment,
            cwd=folder,
            start_new_session=True,  # Ctrl-C is ours to hand on, once
        )
        overdue = _watch(process, begin + limit_s, stopped, patience.ends_s)
    took_s = time.monotonic() - begin
    owing = _owing(state, patience.settles_s)
    if owing:
        _settle(environment, patience.ends_s)
    return Ended(
        code=process.returncode,
        document=_document(folder / "verdict.json"),
        said=(folder / "said.txt").read_text(errors="replace")[-_SAID:],
        took_s=took_s,
        overdue=overdue,
        owing=owing,
        left=_owing(state, 0.0) if owing else (),
    )


def _program(words: tuple[str, ...]) -> tuple[str, ...]:
    if not words:
        return OWN
    return (sys.executable, *words[1:]) if words[0] == "python" else words


def _watch(process: "subprocess.Popen[bytes]", deadline: float, stopped: Stopped, ends_s: float) -> bool:
    """Wait for the end; whether it did not come in time."""
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK_S)
            return False
        overdue = time.monotonic() > deadline
        if overdue or stopped():
            _end(process, ends_s)
            return overdue


def _end(process: "subprocess.Popen[bytes]", ends_s: float) -> None:
    """Tell it to stop; kill it if it does not."""
    process.terminate()
    try:
        process.wait(ends_s)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _owing(state: Path, patience_s: float) -> tuple[str, ...]:
    """What is still owed; a reaper that is at work is given time."""
    deadline = time.monotonic() + patience_s
    while debts.outstanding(state) and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
    return tuple(str(problem) for page in debts.outstanding(state) for problem in debts.problems_of(page))


def _settle(environment: Mapping[str, str], patience_s: float) -> None:
    """Settle what a run left, as its user would: whatever it was, the next run must not meet it."""
    with contextlib.suppress(EnvironmentNotReady):  # what is owed then is looked at by whoever called this
        commands.run([*OWN, "reap"], timeout_s=patience_s, environment=environment)


def _document(path: Path) -> Mapping[str, Json] | None:
    """The verdict that it printed; None if it printed none."""
    try:
        document = json.loads(path.read_bytes())
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
