"""What is in place only while a process of ours holds it: connections, locks, ballast, a stream of commands.

`start` runs a module of `faults/holders/` in a process of its own, detached and tagged with a name that the undo has
from the beginning. So another process can end it (`end`), also if its starter died between start and any note of it.
And it ends by itself: when its starter is gone, whoever else is alive, and at the latest when its time is over, which
is its lease.

A holder is told what to do as JSON in its arguments, which everybody on the machine can read: addresses, names of
password files, never a secret. What it achieved is looked for at the target, not asked of it.
"""

import json
import os
import secrets
import select
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from resilience.errors import EnvironmentNotReady, FaultError
from resilience.host import processes
from resilience.model import Identity, Json, Launch, Problem

END_S = 0.5
"""So long a holder is given to go by itself."""

SHORTEST_S = 0.05
"""A lease of nothing would be an alarm that never rings."""


PREFIX = "resilience-hold-"
"""What the names of holders begin with."""


def new_name() -> str:
    """A name for a holder to come: it goes into the undo, and into whatever the holder makes at the target."""
    return f"{PREFIX}{secrets.token_hex(6)}"


def start(name: str, module: str, told: Mapping[str, Json], *, lease_s: float) -> Identity:
    """Start a holder and do not wait for what it does.

    Args:
        name: from `new_name`.
        module: `connections` for `resilience.faults.holders.connections`; with a dot in it, its full name.
        told: what to do, JSON, without secrets.
        lease_s: it ends by itself after this long.

    Raises:
        FaultError: it cannot be started.
    """
    starter = processes.identify(os.getpid())
    words = json.dumps({**told, "name": name, "lease_s": lease_s, "starter": asdict(starter) if starter else None})
    full = module if "." in module else f"resilience.faults.holders.{module}"
    launch = Launch(
        name=module,
        argv=(sys.executable, "-P", "-m", full, words),
        environment={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
        folder="/",
        log="/dev/null",
        tag=name,
    )
    try:
        return processes.start(launch)
    except EnvironmentNotReady as error:
        raise FaultError(Problem(module, f"what holds the fault cannot be started: {error}")) from error


def holding(name: str) -> tuple[Identity, ...]:
    """The processes of a holder that run."""
    return processes.tagged(name)


def end(name: str) -> None:
    """End a holder. Harmless if there is none.

    Raises:
        FaultError: it does not go.
    """
    processes.end(holding(name), patience_s=END_S)
    if left := holding(name):
        raise FaultError(Problem(name, f"processes {[identity.pid for identity in left]} do not end"))


def main(hold: Callable[[Mapping[str, Any]], None]) -> None:
    """What a module of `holders/` calls when it is run: takes the orders, sets the alarm, holds.

    Args:
        hold: does it, and returns only if there is nothing left to hold.
    """
    told = json.loads(sys.argv[1])
    # The kernel ends us without our doing: a holder that is stuck must go, too. Whoever started us may have blocked or
    # ignored what ends us.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM, signal.SIGTERM})
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, max(SHORTEST_S, float(told["lease_s"])))
    Path("/proc/self/oom_score_adj").write_text("500")  # short of memory, we go before what is tested
    if told.get("starter"):
        _end_with(Identity(**told["starter"]))
    hold(told)


def _end_with(starter: Identity) -> None:
    """End when the starter does: at once if it is gone, for then nobody may know of us that could end us."""
    try:
        handle = os.pidfd_open(starter.pid)
    except ProcessLookupError:
        sys.exit(f"process {starter.pid}, which started this, is gone")
    if not processes.alive(starter):
        sys.exit(f"process {starter.pid}, which started this, is gone")

    def watch() -> None:
        select.select([handle], [], [])  # readable when it is gone
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="starter", daemon=True).start()
