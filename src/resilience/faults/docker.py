"""Faults of a container, by its Docker engine: paused, killed and held down, restarted, taken off a network.

How it is undone: the engine puts back what was noted before, in the same container (by id) and, where that matters, in
the same life of it (by the time of its start). What it needs: Docker's command line and an engine that answers. When it
fails: somebody else changed the same thing meanwhile, which is said with both values and left alone.
"""

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from resilience.errors import FaultError
from resilience.faults import effects
from resilience.faults.container import NEEDS, ContainerFault, agree, preflight
from resilience.faults.engine import Container, Engine
from resilience.faults.kinds import Kind, Setting, kind_of
from resilience.model import Json, Place, Problem

BACK_S = 20.0
"""Until a container that was started again serves."""
ONLY = "(only)"


class Pause(ContainerFault):
    """All processes of the container are frozen: connections stay open, nothing answers.

    How it is undone: the engine unpauses it. What it needs: a container that runs. When it fails: it is paused already.
    """

    kind = "docker.pause"

    def _note(self, now: Container) -> Mapping[str, Json]:  # noqa: ARG002 - as declared
        return {}

    def _do(self, engine: Engine, data: Mapping[str, Any]) -> None:
        engine.call("pause", data["id"])

    def _put_back(self, engine: Engine, data: Mapping[str, Any], now: Container) -> None:
        if now.status == "paused" and now.started == data["started"]:
            engine.call("unpause", data["id"])

    def _seen(self, data: Mapping[str, Any], now: Container) -> tuple[bool, str]:
        return agree(data, now, there=now.status == "paused" and now.started == data["started"])


class Kill(ContainerFault):
    """SIGKILL to all processes of the container, which is held down.

    How it is undone: the engine starts it. What it needs: a container that runs. When it fails: a restart policy or
    somebody else starts it again.
    """

    kind = "docker.kill"
    clear_s: ClassVar[float] = BACK_S

    def _note(self, now: Container) -> Mapping[str, Json]:  # noqa: ARG002 - as declared
        return {}

    def _do(self, engine: Engine, data: Mapping[str, Any]) -> None:
        engine.call("kill", data["id"])

    def _put_back(self, engine: Engine, data: Mapping[str, Any], now: Container) -> None:
        if not now.runs and now.started == data["started"]:
            engine.call("start", data["id"])

    def _seen(self, data: Mapping[str, Any], now: Container) -> tuple[bool, str]:
        return agree(data, now, there=not now.runs)


class Disconnect(ContainerFault):
    """The container is taken off one network: it reaches nobody there, and nobody reaches it.

    How it is undone: it is connected again, with its aliases and, where the network allows it, its address. What it
    needs: a container on that network. When it fails: somebody else connects it meanwhile.
    """

    kind = "docker.disconnect"

    def _note(self, now: Container) -> Mapping[str, Json]:
        network = str(self._settings["network"])
        if network == ONLY and len(now.networks) == 1:
            network = next(iter(now.networks))
        if network not in now.networks:
            there = ", ".join(now.networks) or "none"
            raise FaultError(Problem("network", f"{network!r} is no network of it, it has {there}", "name one of them"))
        has = now.networks[network]
        short = now.id[:12]
        aliases: list[Json] = [alias for alias in has.get("Aliases") or () if alias != short]
        return {"network": network, "network_id": has["NetworkID"], "address": has["IPAddress"], "aliases": aliases}

    def _do(self, engine: Engine, data: Mapping[str, Any]) -> None:
        engine.call("network", "disconnect", data["network_id"], data["id"])

    def _put_back(self, engine: Engine, data: Mapping[str, Any], now: Container) -> None:
        if data["network"] in now.networks:
            return
        words = [word for alias in data["aliases"] for word in ("--alias", alias)]
        try:
            engine.call("network", "connect", "--ip", data["address"], *words, data["network_id"], data["id"])
        except FaultError as error:
            if "user specified" not in str(error).lower() and "user configured" not in str(error).lower():
                raise
            engine.call("network", "connect", *words, data["network_id"], data["id"])

    def _seen(self, data: Mapping[str, Any], now: Container) -> tuple[bool, str]:
        return agree(data, now, there=data["network"] not in now.networks)


class Restart:
    """The container is stopped (SIGTERM, after `patience_s` SIGKILL) and started by the engine, and waited for.

    How it is undone: not at all; what it had in memory is gone. The engine does both: if the runner dies in between, it
    is started all the same. What it needs: a container that runs. When it fails: it does not run or does not serve
    within 20 s.
    """

    kind: ClassVar[str] = "docker.restart"

    def __init__(self, settings: Mapping[str, Json], place: Place) -> None:
        """Nothing is looked at yet."""
        self._settings: Mapping[str, Any] = settings
        self._place = place
        self._engine = Engine(Engine.here())

    def prepare(self) -> None:
        """See that it runs."""
        now = self._engine.container(self._place.container)
        if now.status != "running":
            raise FaultError(Problem(self._place.name, f"its container is {now.status}, expected running"))

    def strike(self) -> str:
        """Have it restarted, and wait until it serves."""
        place, patience_s = self._place, int(self._settings["patience_s"])
        before = self._engine.container(place.container)
        began = time.monotonic()
        self._engine.call("restart", "--time", str(patience_s), before.id, limit_s=patience_s + BACK_S)
        words = effects.serving(place)
        while time.monotonic() - began < patience_s + BACK_S:
            now = self._engine.container(before.id)
            look = effects.ask((place.host, place.port), words) if words else None
            if (
                now.status == "running"
                and now.started != before.started
                and (look is None or effects.well(look, words))
            ):
                took_s = time.monotonic() - began
                return (
                    f"container {now.id[:12]} of {before.started} runs since {now.started}, back after {took_s:.2f} s"
                )
            time.sleep(0.05)
        raise FaultError(Problem(place.name, f"did not come back within {patience_s + BACK_S:g} s: it is {now.status}"))


KINDS: tuple[Kind, ...] = (
    kind_of(Pause, "the container of {on} is unpaused", NEEDS, preflight=preflight),
    kind_of(Kill, "the container of {on} is started again", NEEDS, preflight=preflight),
    kind_of(
        Disconnect,
        "the container of {on} is connected to its network again",
        NEEDS,
        {"network": Setting(default=ONLY, meaning="Which network; may be left out if it is on one only.")},
        preflight=preflight,
    ),
    Kind(
        name=Restart.kind,
        build=Restart,
        revive=None,
        undo="the engine starts the container of {on} at once; what it had in memory is not given back",
        needs=NEEDS,
        settings={
            "patience_s": Setting(default=3, maximum=60, meaning="It may drain for so long before it is killed.")
        },
        preflight=preflight,
    ),
)
"""The kinds of this mechanism."""
