"""What this machine can do besides running the embedded stack: which faults, by which means, and what each lacks."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from resilience.errors import ResilienceError
from resilience.faults import shaping
from resilience.host import cgroups, namespace, nftables, processes
from resilience.model import Problem
from resilience.stack import programs
from resilience.stack.postgres import may_mount


@dataclass(frozen=True, slots=True)
class Ability:
    """One thing that an experiment may ask of the machine.

    Attributes:
        what: kinds of fault, or a key of the file.
        means: by which it can be done; empty if it cannot.
        lacking: what keeps it from being done, with what would help; None if nothing does.
    """

    what: str
    means: str
    lacking: Problem | None = None


def abilities() -> tuple[Ability, ...]:
    """Everything that is not needed by every experiment. Looks only."""
    return (*_network(), *_groups(), _copies(), _disk(), _tool("docker.*", "docker", "apt install docker.io"))


def _network() -> Iterator[Ability]:
    own = namespace.lacking()
    usual = nftables.lacking()
    if own is not None and not namespace.obstacle():
        usual = None if shutil.which("nft") else usual
        means = "nftables, in a network namespace of the run's own"
    else:
        means = "nftables"
    kinds = "network.loss, network.partition, network.reset, network.duplicate, network.dns"
    yield Ability(kinds, "" if usual else means, usual)
    for kind, queue, instead in (
        ("network.bandwidth", "htb", "choose toxiproxy.bandwidth"),
        ("network.delay", "netem", "choose toxiproxy.latency"),
    ):
        if usual is None and own is None and not shaping.has_queue(queue):
            yield Ability(kind, "", Problem("tc", f"this kernel has no queue {queue}", instead))
        else:
            yield Ability(kind, "" if usual else f"tc {queue}", usual)


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


def _tool(what: str, name: str, hint: str) -> Ability:
    path = shutil.which(name)
    if path is None:
        return Ability(what, "", Problem(name, "the program is not installed", hint))
    return Ability(what, f"the program {path}, and whatever engine it reaches")
