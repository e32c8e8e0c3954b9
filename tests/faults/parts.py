"""A small real stack for the tests of faults: Redis behind toxiproxy, with a state file as a stack writes it."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from resilience.drill.examples import EXAMPLES
from resilience.errors import FaultError
from resilience.faults import effects, registry
from resilience.faults.toxiproxy import Toxiproxy
from resilience.host import files, processes
from resilience.model import FaultSpec, Identity, Launch, Place, Undo
from resilience.ports import Fault
from resilience.stack import loopback, programs

SETTINGS = {
    kind: dict(example.settings)
    for kind, example in EXAMPLES.items()
    if kind.startswith(("toxiproxy.", "process.")) and not registry.KINDS[kind].is_strike and kind != "process.clock"
}
"""The kinds that this stack can do, with settings; its servers have no clocks of their own."""


@dataclass(frozen=True)
class Parts:
    """What runs, and where its state is."""

    folder: Path
    place: Place
    tag: str

    @property
    def server(self) -> Toxiproxy:
        """The toxiproxy server."""
        return Toxiproxy(self.place.control)

    def recorded(self) -> Identity:
        """Redis's process as the state file has it now."""
        document = json.loads(Path(self.place.state).read_text())
        return Identity(**document["places"]["redis"]["identity"])

    def through(self, bound_s: float = 1.0) -> effects.Look:
        """A PING through the proxy, without regard to what any API says."""
        return effects.ask(("127.0.0.1", self.place.via_port), b"PING\r\n", bound_s)

    def healthy(self) -> bool:
        """Whether Redis answers quickly through the proxy, and nothing of ours is on it."""
        look = self.through()
        proxy = self.server.proxy("redis")
        quick = look.seen is effects.Seen.ANSWERED and look.took_s < 0.1
        return quick and proxy.enabled and not [toxic for toxic in proxy.toxics if toxic.name.startswith("resilience-")]


@contextmanager
def parts(folder: Path) -> Iterator[Parts]:
    """Start toxiproxy and Redis; end whatever carries their tag in the end."""
    tag = f"tests-{os.getpid()}-{time.monotonic_ns()}"
    reserved = loopback.Reservation(3)
    control, redis_port, via = reserved.ports
    toxiproxy = programs.find("toxiproxy-server").argv
    redis = programs.find("redis-server").path
    config = folder / "proxies.json"
    files.write_json(
        config,
        [{"name": "redis", "listen": f"127.0.0.1:{via}", "upstream": f"127.0.0.1:{redis_port}", "enabled": True}],
    )
    commands = {
        "toxiproxy": (*toxiproxy, "-host", "127.0.0.1", "-port", str(control), "-config", str(config)),
        "redis": (str(redis), "--bind", "127.0.0.1", "--port", str(redis_port), "--save", "", "--appendonly", "no"),
    }
    launches = {
        name: Launch(
            name=name,
            argv=argv,
            environment={"PATH": os.environ["PATH"]},
            folder=str(folder),
            log=str(folder / f"{name}.log"),
            tag=tag,
        )
        for name, argv in commands.items()
    }
    reserved.close()
    running = {name: processes.start(launch) for name, launch in launches.items()}
    state = folder / "stack.json"
    try:
        server = Toxiproxy(f"http://127.0.0.1:{control}")
        eventually(lambda: bool(server.proxy("redis")))
        eventually(lambda: effects.ask(("127.0.0.1", redis_port), b"PING\r\n").seen is effects.Seen.ANSWERED)
        place = Place(
            name="redis",
            host="127.0.0.1",
            port=redis_port,
            via_port=via,
            proxy="redis",
            control=server.control_url,
            identity=running["redis"],
            launch=launches["redis"],
            state=str(state),
            protocol="redis",
        )
        bender = Place(
            name="toxiproxy",
            host="127.0.0.1",
            port=control,
            via_port=control,
            control=server.control_url,
            identity=running["toxiproxy"],
            launch=launches["toxiproxy"],
        )
        files.write_json(state, {"places": {"redis": asdict(place), "toxiproxy": asdict(bender)}, "tag": tag})
        yield Parts(folder, place, tag)
    finally:
        known = [*running.values(), *processes.tagged(tag)]
        if state.exists():
            known += [Identity(**place["identity"]) for place in json.loads(state.read_text())["places"].values()]
        processes.end(list(dict.fromkeys(known)), patience_s=1.0)
        left = processes.listener(redis_port, str(folder))
        assert left is None, f"a Redis that nobody knew of was left: {left}"


def eventually(true: Callable[[], bool], within_s: float = 5.0) -> float:
    """Wait until it is true, and say how long that took; a FaultError counts as not yet."""
    began = time.monotonic()
    while time.monotonic() - began < within_s:
        try:
            if true():
                return time.monotonic() - began
        except FaultError:
            pass
        time.sleep(0.01)
    raise AssertionError(f"not true within {within_s} s: {true}")


def spec(kind: str, *, name: str = "broken", duration_s: float = 30.0) -> FaultSpec:
    """A fault of that kind on Redis."""
    return FaultSpec(name=name, kind=kind, on="redis", duration_s=duration_s, settings=SETTINGS[kind])


def fault_on(kind: str, place: Place) -> Fault:
    """The fault, as the run builds it."""
    return registry.build(spec(kind), place)


def over_json(undo: Undo) -> Undo:
    """The undo as another process gets it."""
    document = json.loads(json.dumps({"kind": undo.kind, "data": undo.data}))
    return Undo(kind=document["kind"], data=document["data"])


@contextmanager
def held(fault: Fault) -> Iterator[Undo]:
    """The fault in place; given back by what another process would know."""
    undo = fault.prepare()
    assert fault.active(undo) is False
    try:
        fault.inject(undo)
        eventually(lambda: fault.active(undo), 2.0)
        yield undo
    finally:
        registry.from_undo(over_json(undo)).revert(over_json(undo))
        eventually(lambda: fault.active(undo) is False)
