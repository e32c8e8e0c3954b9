"""Faults of a part's own process: paused, or killed and held down.

A process is known by its identity (pid, start time, boot), read afresh from the stack's state file; a recycled pid is
never signalled. After a reboot nothing of these is owed any more. If the state file is gone, so is the stack.
"""

import fcntl
import json
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from resilience.errors import FaultError
from resilience.faults import effects
from resilience.faults.effects import Seen
from resilience.faults.kinds import Kind, kind_of
from resilience.host import files, processes
from resilience.model import Identity, Json, Launch, Place, Problem, Undo

LOCK_S = 1.0
"""Whoever holds the lock of a restart for longer is stopped or stuck; then the port is what keeps instances apart."""

_NOBODY = (Seen.REFUSED, Seen.UNASKED)
"""How an exchange ends where nothing listens."""


class ProcessFault:
    """What the two have in common.

    Args:
        settings: of the kind, complete; none to revert.
        place: the part; None to revert.
    """

    kind: ClassVar[str]

    def __init__(self, settings: Mapping[str, Json] | None = None, place: Place | None = None) -> None:
        """Nothing is looked at yet."""
        self._settings = settings or {}
        self._place = place
        self.proof = ""

    def _root(self) -> tuple[Place, Identity]:
        """The part and its process as it runs now.

        Raises:
            FaultError: it does not run, or its stack does not say what it is.
        """
        place = self._place
        if place is None:
            raise FaultError(Problem(self.kind, "needs a part of a stack"))
        root = (recorded(place.state, place.name) if place.state else None) or place.identity
        if root is None:
            raise FaultError(Problem(place.name, "the stack does not know its process", "use the embedded stack"))
        if not processes.alive(root):
            raise FaultError(Problem(place.name, f"process {root.pid} does not run any more", "is the stack up?"))
        return place, root


class Pause(ProcessFault):
    """SIGSTOP to the process and its descendants: connections stay open, the kernel accepts new ones, nothing answers.

    How it is undone: SIGCONT to the same processes. What it needs: the part's process on this machine. When it fails:
    the process is gone or stopped already.
    """

    kind = "process.pause"

    def prepare(self) -> Undo:
        """List the processes, none of which may be stopped already."""
        place, root = self._root()
        group = (root, *processes.descendants(root))
        stopped = [identity.pid for identity in group if processes.state_of(identity) == "T"]
        if stopped:
            raise FaultError(Problem(place.name, f"processes {stopped} are stopped already", "continue them first"))
        return Undo(kind=self.kind, data={"part": place.name, "processes": [asdict(identity) for identity in group]})

    def inject(self, undo: Undo, /) -> None:
        """Stop the parent first, so that no child is born meanwhile, then the others."""
        for identity in _group(undo):
            processes.send(identity, signal.SIGSTOP)
        for identity in _group(undo):  # once more: those born before the parent stopped
            processes.send(identity, signal.SIGSTOP)

    def revert(self, undo: Undo, /) -> None:
        """Continue them all."""
        for identity in _group(undo):
            processes.send(identity, signal.SIGCONT)

    def active(self, undo: Undo, /) -> bool:
        """Whether the kernel says of all of them that they are stopped.

        Raises:
            FaultError: of some, but not of all.
        """
        states = {identity.pid: processes.state_of(identity) for identity in _group(undo)}
        states = {pid: state for pid, state in states.items() if state not in {"", "Z", "X"}}
        self.proof = "process states: " + (", ".join(f"{pid} {state}" for pid, state in states.items()) or "none left")
        stopped = [state == "T" for state in states.values()]
        if any(stopped) and not all(stopped):
            raise FaultError(Problem(str(undo.data["part"]), f"only some are stopped: {self.proof}"))
        return any(stopped)


class Kill(ProcessFault):
    """SIGKILL to the process and all its descendants, held down until it is given back.

    How it is undone: it is started again as the stack started it, and its new identity is written in the stack's state
    file; never twice. What it needs: a stack that says how it is started. When it fails: somebody else starts it again.
    """

    kind = "process.kill"
    clear_s: ClassVar[float] = 20.0
    """Until a part that was started again answers."""

    def prepare(self) -> Undo:
        """Note how it is started and how it is asked whether it is there."""
        place, root = self._root()
        if place.launch is None or not place.state:
            raise FaultError(Problem(place.name, "the stack does not say how it is started again"))
        data: dict[str, Json] = {
            "part": place.name,
            "state": place.state,
            "root": asdict(root),
            "launch": asdict(place.launch),
            "direct": [place.host, place.port],
            "words": effects.serving(place).decode("latin-1"),
        }
        return Undo(kind=self.kind, data=data)

    def inject(self, undo: Undo, /) -> None:
        """Kill the parent first, so that it starts no child again, then the others; wait until they are gone."""
        kill(Identity(**_data(undo)["root"]))

    def revert(self, undo: Undo, /) -> None:
        """Start it, unless it runs. It answers a while later: `active` tells."""
        data = _data(undo)
        state, part = Path(data["state"]), data["part"]
        if not _stack_is_there(data):
            return
        with _locked(state):
            known = recorded(state, part)
            if known is None or processes.alive(known):
                return
            launch = _launch(data["launch"])
            running = processes.running(launch) or processes.listener(data["direct"][1], launch.folder)
            if running is None:
                if _ask(data).seen not in _NOBODY:
                    return  # something else has its port: a second one could not listen
                running = processes.start(launch)
            _record(state, part, running)

    def active(self, undo: Undo, /) -> bool:
        """Whether it is down: no process, and its port refuses. Not, once its new process answers.

        Raises:
            FaultError: in between.
        """
        data = _data(undo)
        known = recorded(data["state"], data["part"]) if _stack_is_there(data) else None
        if known is None:
            self.proof = "the stack is gone"
            return False
        runs, look = processes.alive(known), _ask(data)
        self.proof = f"process {known.pid} {'runs' if runs else 'is gone'}; a connection was {look}"
        if not runs and look.seen in _NOBODY:
            return True
        if runs and effects.well(look, data["words"].encode("latin-1")):
            return False
        raise FaultError(Problem(data["part"], f"neither down nor back: {self.proof}"))


def kill(root: Identity) -> None:
    """Kill a process and all its descendants, and wait until they are gone.

    It is stopped first: a child born between looking and killing would live on. What is left of PostgreSQL would keep
    its shared memory, and a new server would refuse to start.
    """
    processes.send(root, signal.SIGSTOP)
    group = (root, *processes.descendants(root))
    for identity in group:
        processes.send(identity, signal.SIGKILL)
    processes.wait_gone(group, 1.0)


def restart(state: Path, part: str, seen: Identity | None) -> bool:
    """Kill a part of the stack that hangs, and start it again as the stack started it.

    Args:
        state: the stack's state file.
        part: `toxiproxy`.
        seen: the process that hung; if another one runs by now, somebody was faster and nothing is done.

    Returns:
        Whether that process no longer runs; False if the stack is gone or does not say how to start it.
    """
    if not state.is_file():
        return False
    with _locked(state):
        if seen is None or recorded(state, part) != seen:
            return seen is not None
        launch = json.loads(state.read_bytes())["places"][part].get("launch")
        if not launch:
            return False
        processes.send(seen, signal.SIGKILL)
        processes.wait_gone([seen], 1.0)
        _record(state, part, processes.start(_launch(launch)))
    return True


def _launch(document: Mapping[str, Any]) -> Launch:
    return Launch(**{**document, "argv": tuple(document["argv"])})


def _data(undo: Undo) -> Mapping[str, Any]:
    return undo.data


def _group(undo: Undo) -> tuple[Identity, ...]:
    """The processes of the undo, and the descendants that the first of them has by now."""
    listed = [Identity(**identity) for identity in _data(undo)["processes"]]
    return tuple(dict.fromkeys((*listed, *processes.descendants(listed[0]))))


def _stack_is_there(data: Mapping[str, Any]) -> bool:
    """Whether the stack of the undo can still be running: same boot, state file in place."""
    return bool(data["root"]["boot"] == processes.boot_id()) and Path(data["state"]).exists()


def _ask(data: Mapping[str, Any]) -> effects.Look:
    host, port = data["direct"]
    return effects.ask((host, port), data["words"].encode("latin-1"))


def recorded(state: str | Path, part: str) -> Identity | None:
    """The identity of a part in the stack's state file; None if the file or the part is gone."""
    try:
        document = json.loads(Path(state).read_bytes())
    except FileNotFoundError:
        return None
    identity = document["places"].get(part, {}).get("identity")
    return Identity(**identity) if identity else None


def _record(state: Path, part: str, identity: Identity) -> None:
    """Write a part's new identity in the stack's state file, as a whole."""
    document = json.loads(state.read_bytes())
    document["places"][part]["identity"] = asdict(identity)
    files.write_json(state, document)


@contextmanager
def _locked(state: Path) -> Iterator[None]:
    """One restart at a time, over all processes; not for ever, see LOCK_S."""
    with state.with_name(f"{state.name}.lock").open("w") as lock:
        deadline = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    break
                time.sleep(0.01)
            else:
                break
        yield


KINDS: tuple[Kind, ...] = (
    kind_of(
        Pause,
        "the processes of {on} are continued (SIGCONT)",
        {"identity": "a process that the stack knows"},
    ),
    kind_of(
        Kill,
        "{on} is started again as the stack started it",
        {
            "identity": "a process that the stack knows",
            "launch": "a stack that can start it again",
            "state": "a stack with a state file",
        },
    ),
)
"""The kinds of this mechanism."""
