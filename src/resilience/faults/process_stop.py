"""A part that is ended as an operator ends it: asked to go, given time to drain; held down, or started again at once.

PostgreSQL is asked by SIGINT (its *fast* shutdown: sessions are ended), every other program by SIGTERM.
"""

import signal
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from resilience.errors import FaultError
from resilience.faults import effects, holder, process
from resilience.faults.kinds import Kind, Setting, kind_of
from resilience.faults.process import Kill, ProcessFault
from resilience.host import processes
from resilience.model import Identity, Json, Place, Problem, Undo

BACK_S = 20.0
"""Until a part that was started again answers."""


class Stop(Kill):
    """The process is asked to end and may drain; after `patience_s` it and all its descendants are killed. Held down.

    How it is undone: it is started again as the stack started it, never twice. What it needs: a stack that says how.
    When it fails: somebody else starts it again.
    """

    kind = "process.stop"

    def prepare(self) -> Undo:
        """As for a kill, and how it is asked."""
        place, _ = self._root()
        undo = super().prepare()
        more = {"signal": gentle(place), "patience_s": self._settings["patience_s"]}
        return Undo(kind=self.kind, data={**undo.data, **more})

    def inject(self, undo: Undo, /) -> None:
        """Ask it, wait, kill what is left."""
        data: Mapping[str, Any] = undo.data
        stop(Identity(**data["root"]), data["signal"], data["patience_s"])


class Restart(ProcessFault):
    """The process is asked to end, killed after `patience_s`, started again, and waited for until it serves.

    How it is undone: not at all; what it had in memory is gone. Stopping and starting are done by a process of their
    own: if the runner dies in between, the part is started all the same. What it needs: a stack that says how it is
    started. When it fails: it does not come back within 20 s.
    """

    kind = "process.restart"

    def prepare(self) -> None:
        """See that it runs and serves, and that the stack says how it is started."""
        place, root = self._root()
        if place.launch is None or not place.state or process.recorded(place.state, place.name) != root:
            raise FaultError(Problem(place.name, "the stack does not say how it is started again"))
        words = effects.serving(place)
        look = effects.ask((place.host, place.port), words)
        if not effects.well(look, words):
            raise FaultError(Problem(place.name, f"does not serve: a connection was {look}", "let it get well first"))

    def strike(self) -> str:
        """Have it done, and wait until the new process serves."""
        place, root = self._root()
        patience_s = float(str(self._settings["patience_s"]))
        began = time.monotonic()
        told: dict[str, Json] = {
            "state": place.state,
            "part": place.name,
            "root": asdict(root),
            "signal": gentle(place),
            "patience_s": patience_s,
        }
        holder.start(holder.new_name(), "restart", told, lease_s=patience_s + BACK_S)
        processes.wait_gone([root], patience_s + BACK_S)
        gone_s = time.monotonic() - began
        words = effects.serving(place)
        look: effects.Look | None = None
        while time.monotonic() - began < patience_s + BACK_S:
            now = process.recorded(place.state, place.name)
            if now is not None and now != root and processes.alive(now):
                look = effects.ask((place.host, place.port), words)
                if effects.well(look, words):
                    back_s = time.monotonic() - began
                    return f"process {root.pid} was gone after {gone_s:.2f} s, {now.pid} served after {back_s:.2f} s"
            time.sleep(0.02)
        said = "no new process is known" if look is None else f"a connection was {look}"
        raise FaultError(Problem(place.name, f"did not come back within {patience_s + BACK_S:g} s: {said}"))


def gentle(place: Place) -> int:
    """The signal by which a part is asked to end."""
    return int(signal.SIGINT if place.protocol == "postgres" else signal.SIGTERM)


def stop(root: Identity, number: int, patience_s: float) -> None:
    """Ask a process to end; kill it, and whatever of its descendants is left, after a while."""
    group = (root, *processes.descendants(root))
    processes.send(root, number)
    deadline = time.monotonic() + patience_s
    processes.wait_gone(group, patience_s)
    if processes.alive(root):
        process.kill(root)
    for identity in processes.wait_gone(group, max(0.0, deadline - time.monotonic())):
        processes.send(identity, signal.SIGKILL)
    processes.wait_gone(group, 1.0)


def restart(told: Mapping[str, Any]) -> None:
    """What the process of a restart does: stop the part and start it, unless it is another one by now."""
    root = Identity(**told["root"])
    state, part = Path(told["state"]), str(told["part"])
    if process.recorded(state, part) != root:
        return
    stop(root, told["signal"], told["patience_s"])
    process.restart(state, part, root)


_NEEDS = {
    "identity": "a process that the stack knows",
    "launch": "a stack that can start it again",
    "state": "a stack with a state file",
}
_PATIENCE = {
    # More would outlast what a lease allows for its beginning.
    "patience_s": Setting(default=3.0, maximum=5, meaning="It may drain for so long before it is killed."),
}

KINDS: tuple[Kind, ...] = (
    kind_of(Stop, "{on} is started again as the stack started it", _NEEDS, _PATIENCE),
    Kind(
        name=Restart.kind,
        build=Restart,
        revive=None,
        undo="{on} is started again at once; what it had in memory is not given back",
        needs=_NEEDS,
        settings=_PATIENCE,
    ),
)
"""The kinds of this mechanism."""
