"""What this machine can do besides running the embedded stack: which faults, by which means, and what each lacks."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from resilience.errors import ResilienceError
from resilience.faults import registry, shaping
from resilience.host import cgroups, namespace, nftables, processes
from resilience.load.drivers import artillery, k6
from resilience.load.drivers.script import find_program
from resilience.model import FaultSpec, Place, Problem
from resilience.stack import programs
from resilience.stack.embedded import EmbeddedStack
from resilience.stack.loopback import HOST
from resilience.stack.postgres import may_mount

IN_OWN = "in a network namespace of the run's own"


@dataclass(frozen=True, slots=True)
class Ability:
    """Something that an experiment may ask of the machine.

    Attributes:
        what: kinds of fault, or a key of the file.
        means: by which it can be done; empty if it cannot.
        lacking: what keeps it from being done, with what would help; None if nothing does.
    """

    what: str
    means: str
    lacking: Problem | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds in `what`."""
        return tuple(self.what.split(", "))


def abilities() -> tuple[Ability, ...]:
    """Everything that is not needed by every experiment. Looks only."""
    return (
        *_network(),
        *_groups(),
        _copies(),
        _disk(),
        _tool("docker.*", "docker", "apt install docker.io"),
        *_drivers(),
    )


def foreseen(fault: FaultSpec, stack: str) -> str:
    """By which means a fault would be done and how exact that is, as far as it can be told before its stack is there.

    Args:
        fault: with its part drawn.
        stack: `stack.use` of the experiment; what another one than `embedded` runs on is not looked at.

    Returns:
        One sentence; what is lacking, if it cannot be done here; empty where there is only one way to do it.
    """
    look = _BY_MECHANISM.get(fault.kind.partition(".")[0])
    if look is None:
        return ""
    if stack != EmbeddedStack.name:
        return f"by which means is not known from here: what runs the stack {stack!r} decides"
    ability = next((each for each in look() if fault.kind in each.kinds), None)
    if ability is None:
        return ""
    if ability.lacking is not None:
        return f"cannot be done on this machine: {ability.lacking}"
    here = Place(name=fault.on, host=HOST, port=0, via_port=0, identity=processes.identify(os.getpid()))
    exact = registry.mechanism(fault, here)
    if not exact:
        return ability.means
    return f"{exact}; {IN_OWN}" if ability.means.endswith(IN_OWN) else exact


def _network() -> Iterator[Ability]:
    own = namespace.lacking()
    usual = nftables.lacking()
    if own is not None and not namespace.obstacle():
        usual = None if shutil.which("nft") else usual
        where = f", {IN_OWN}"
    else:
        where = ""
    kinds = "network.loss, network.partition, network.reset, network.duplicate, network.dns"
    yield Ability(kinds, "" if usual else f"nftables{where}", usual)
    for kind, queue, instead in (
        ("network.bandwidth", "htb", "choose toxiproxy.bandwidth"),
        ("network.delay", "netem", "choose toxiproxy.latency"),
    ):
        if usual is None and not shaping.has_queue(queue):
            yield Ability(kind, "", Problem("tc", f"this kernel has no queue {queue}", instead))
        else:
            yield Ability(kind, "" if usual else f"tc {queue}{where}", usual)


def _groups() -> Iterator[Ability]:
    root = processes.identify(os.getpid())
    for kind, controller in (
        ("cgroup.cpu", "cpu"),
        ("cgroup.memory, cgroup.memory-leak", "memory"),
        ("cgroup.io", "io"),
        ("cgroup.pids", "pids"),
    ):
        tree = cgroups.find_tree(controller)
        problem = cgroups.lacking(controller, root) if root is not None else None
        version = "" if tree is None else f"control groups, version {tree.version}"
        if problem and kind == "cgroup.cpu":
            yield Ability(kind, "SIGSTOP and SIGCONT, because no control group can be written")
        else:
            yield Ability(kind, "" if problem else version, problem)


def _copies() -> Ability:
    try:
        found = programs.find(programs.BALANCER)
    except ResilienceError as error:
        return Ability("stack.service.copies", "", error.problems[0])
    return Ability("stack.service.copies", f"{found.name} {found.version} ({found.origin})")


def _disk() -> Ability:
    what = "postgres.disk-full"
    if may_mount():
        return Ability(what, "a small file system in memory (stack.postgres_disk_mb)")
    return Ability(what, "", Problem("mount", "only root may mount a small file system", "run as root"))


def _drivers() -> Iterator[Ability]:
    """The programs that run scripts as a load; Artillery may also lie beside a script."""
    for name, variable, hint in (("k6", k6.VARIABLE, k6.HINT), ("artillery", artillery.VARIABLE, artillery.HINT)):
        path = find_program(variable, name)
        if path:
            yield Ability(f"load.driver: {name}", f"the program {path}")
        else:
            yield Ability(f"load.driver: {name}", "", Problem(name, "the program was not found", hint))


def _tool(what: str, name: str, hint: str) -> Ability:
    path = shutil.which(name)
    if path is None:
        return Ability(what, "", Problem(name, "the program is not installed", hint))
    return Ability(what, f"the program {path}, and whatever engine it reaches")


_BY_MECHANISM: Mapping[str, Callable[[], Iterator[Ability]]] = {"network": _network, "cgroup": _groups}
"""What a kind's name begins with → the abilities of the machine that decide by which means it is done."""
