"""How many processes a load needs, and whether what is said of them fits together. Pure."""

import math
from collections.abc import Sequence

from resilience.model import Account, Effect, Load
from resilience.spec.findings import Findings
from resilience.spec.journeys import operations_per_arrival
from resilience.spec.scripts import ENDINGS
from resilience.spec.text import join

SURE_PER_S = 1000.0
"""Operations per second that one process offers on any machine this program runs on: less needs no calibration."""

ROOM = 0.7
"""Share of what a process can offer that is asked of it: the rest is for the moments in which more comes at once."""


def peak_per_s(load: Load, until_s: float) -> float | None:
    """The most operations per second that a load offers before an instant; None if that is for the target to say.

    An arrival that is a journey is as many operations as it has steps. Of a closed load it is what its users ask for if
    answers take no time: users / mean think time.
    """
    level, start_s = load.level, 0.0
    for stage in load.stages:
        if start_s < until_s:
            level = max(level, stage.rate)
        start_s += stage.duration_s
    if not load.closed:
        return level * operations_per_arrival(load)
    return level / load.think.mean_s if load.think.mean_s > 0 else None


def workers_needed(peak: float | None, per_worker_s: float, cores: int, load: Load) -> int:
    """How many processes of this machine a load needs: never more than cores, nor than operations at once.

    Workers of other hosts have shares as large as theirs.

    Args:
        peak: see `peak_per_s`.
        per_worker_s: operations per second that one process can offer here.
        cores: that this machine has for us.
        load: whose operations at once are shared, also with its workers of other hosts.
    """
    if peak is None or load.subscriptions:  # what is published is known to the process that sent it
        return 1
    remote = load.workers.remote
    return max(1, min(math.ceil(peak / (per_worker_s * ROOM)) - remote, cores, load.max_in_flight - remote))


def check_workers(load: Load, accounts: Sequence[Account], path: str, findings: Findings) -> None:
    """Note what does not fit between the workers of a load and what they are to carry; `path` is that of the load."""
    workers, where = load.workers, join(path, "workers")
    if load.driver in ENDINGS:
        return  # that the key says nothing there is told elsewhere
    if workers.local == 0 and workers.remote == 0:
        findings.add(where, "nobody carries the load", "write local: auto, or remote: how many join from other hosts")
    if workers.remote and workers.listen.endswith(":0"):
        message = f"{workers.listen!r} is a port that nobody can know beforehand"
        findings.add(join(where, "listen"), message, "name a port for the workers of other hosts: 10.0.0.1:5557")
    count = (workers.local or 1) + workers.remote
    if count > load.max_in_flight:
        message = f"{count} workers share {load.max_in_flight} operations at once: some could never send anything"
        findings.add(where, message, f"write at most {load.max_in_flight}, or raise max_in_flight")
    if count > 1 and load.subscriptions:
        message = f"{count} workers share what is published and subscribed to, and each knows only what it sent itself"
        findings.add(where, message, "write local: 1, or remove it; a subscription is carried by one process")
    for account in accounts:
        if account.effect is Effect.DOCUMENT and account.objects < count:
            message = f"{count} workers share the {account.objects} documents of {account.name!r}"
            findings.add(where, message, f"each document is written by one worker: write at most {account.objects}")
