"""What a verdict covers, and what it does not: so that a pass is not taken for more than was seen.

With n cycles that all met the limit, at least a share of 0.05^(1/n) of all such cycles does, with 95 % confidence: the
n-th root, because a share p of good cycles passes n of n with probability p^n. That bound is per kind of fault.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from resilience.columns import Mark, Record
from resilience.judge.case import Case
from resilience.judge.closed import HIDES
from resilience.judge.journeys import steps_not_begun
from resilience.judge.phases import FaultWindow
from resilience.judge.quantiles import to_ns
from resilience.judge.scripts import not_told, of_script
from resilience.judge.statistics import proven_share
from resilience.model import Answer, Json, Load, Part

COVERED = "processes ended and started again, connections lost: what the kernel still holds survives"
NOT_COVERED = (
    "Writes were checked against failures of processes and connections only. A crash of the operating system, loss "
    "of power or of a disk would test what has been flushed to disk; killing a process does not."
)
NO_LEDGER = "No write ledger was declared: nothing is known about lost or duplicated writes."


def coverage(case: Case, parts: Sequence[Part]) -> dict[str, Json]:
    """The block `coverage` of `verdict.json`: what was tried, with what proof of effect, and what was not."""
    acknowledged = _acknowledged_ns(case.record)
    faults = [_fault(case, window, acknowledged) for window in case.faults]
    cycles = _cycles(parts)
    passed = [cycle for cycle in cycles if cycle.get("answer") == Answer.PASS.value]
    resolutions = [one for cycle in cycles if isinstance(one := cycle.get("resolution_s"), int | float)]
    repeated = min(_repeated(cycles), default=0)
    all_well = bool(cycles) and len(passed) == len(cycles)
    found: dict[str, Json] = {
        "faults": list[Json](faults),
        "proved": sum(1 for fault in faults if fault["proved_active"] and fault["proved_gone"]),
        "acknowledged": None if acknowledged is None else len(acknowledged),
        "crash_model": COVERED if acknowledged is not None else None,
        "cycles": len(cycles),
        "cycles_of_each": repeated,
        "proven_share": proven_share(repeated) if all_well and repeated else None,
        "resolution_s": max(resolutions, default=None),
    }
    return {**found, "because": _sentence(found), "not_covered": list(_gaps(case, faults, cycles))}


def _acknowledged_ns(record: Record) -> "np.ndarray[tuple[int], np.dtype[np.int64]] | None":
    """When writes were acknowledged, of all accounts; None if nothing keeps account of writes."""
    lines = [record.ledger] if record.ledger is not None else []
    lines += [book.lines for book in record.accounts]
    if not lines:
        return None
    return np.sort(np.concatenate([one.at_ns[one.mark == Mark.ACKNOWLEDGED] for one in lines]))


def _fault(case: Case, window: FaultWindow, acknowledged: "np.ndarray | None") -> dict[str, Json]:
    """One fault: whether it was seen to work and to be gone, and how many writes were acknowledged meanwhile."""
    inside: int | None = None
    if acknowledged is not None and window.requested_s is not None:
        until_s = window.until_s if window.over_s is None else window.over_s
        first, last = np.searchsorted(acknowledged, [to_ns(window.requested_s), to_ns(until_s)])
        inside = int(last - first)
    return {
        "name": window.name,
        "kind": window.kind,
        "on": window.on,
        "proved_active": window.confirmed_s is not None,
        "proved_gone": window.clear_s is not None,
        "proof": list(window.proofs),
        "acknowledged": inside,
        "operations": len(case.traffic.between(window.requested_s, window.until_s))
        if window.requested_s is not None
        else 0,
    }


def _cycles(parts: Sequence[Part]) -> list[Mapping[str, Json]]:
    for part in parts:
        recovery = part.data.get("recovery")
        if isinstance(recovery, Mapping) and isinstance(cycles := recovery.get("cycles"), list | tuple):
            return [cycle for cycle in cycles if isinstance(cycle, Mapping)]
    return []


def _repeated(cycles: Sequence[Mapping[str, Json]]) -> list[int]:
    """How many cycles there were of each fault as written."""
    counts: dict[str, int] = {}
    for cycle in cycles:
        name = str(cycle.get("like") or cycle.get("fault"))
        counts[name] = counts.get(name, 0) + 1
    return list(counts.values())


def _sentence(found: Mapping[str, Json]) -> str:
    faults, proved = found["faults"], found["proved"]
    assert isinstance(faults, list)  # noqa: S101 - for the type checker
    if not faults:
        return "covers no fault: nothing was injected"
    said = f"covers {len(faults)} faults, {proved} of them seen to bite and seen gone"
    if found["acknowledged"] is not None:
        counts = [
            one for fault in faults if isinstance(fault, Mapping) and isinstance(one := fault["acknowledged"], int)
        ]
        said += (
            f", with {min(counts, default=0):,} or more writes acknowledged in each; not the loss of a machine or disk"
        )
    share = found["proven_share"]
    if isinstance(share, float):
        said += f"; {found['cycles_of_each']} of each, which bounds the share of such faults survived at {share:.0%}"
    return said


def tried(kinds: Sequence[str], together: Sequence[str]) -> str:
    """Which failures were tried: kinds with their parts, and names of those that were in place at the same time."""
    how = f"one at a time except {', '.join(together)}" if together else "one at a time"
    return f"Only these failures were tried, {how}: {', '.join(sorted(set(kinds))) or 'none'}."


def one_level(load: Load, stack: str) -> str:
    """How little of all load a run is."""
    level = f"{load.level:g} {'users, who wait for answers,' if load.closed else 'operations per second'} at the start"
    if load.stages:
        most = max(load.level, *(stage.rate for stage in load.stages))
        return (
            f"One course of load was tried ({level}, {most:g} at most), from one machine, on the {stack} stack; "
            "nothing is said about other courses or places."
        )
    return (
        f"One level of load was tried ({level}), from one "
        f"machine, on the {stack} stack; nothing is said about other levels or places."
    )


def few_cycles(count: int) -> str:
    """That so few cycles say little."""
    return f"Recovery was seen {count} times in all; so few say little about the next time."


FEW_CYCLES = 10


def _gaps(case: Case, faults: Sequence[Mapping[str, Json]], cycles: Sequence[Mapping[str, Json]]) -> Iterator[str]:
    for fault in faults:
        if not fault["proved_active"]:
            yield f"Fault {fault['name']} was never observed active, so nothing is known about it."
        elif not fault["proved_gone"]:
            yield f"Fault {fault['name']} was never observed to be gone."
        if fault["acknowledged"] == 0:
            yield f"No write was acknowledged during {fault['name']}, so it had none of its own to lose."
    experiment = case.record.experiment
    together = [
        " with ".join(member.name for member in one.members) for one in case.disturbances if len(one.members) > 1
    ]
    yield tried([f"{spec.kind} on {spec.on}" for spec in experiment.faults], together)
    yield NO_LEDGER if experiment.ledger is None and not experiment.accounts else NOT_COVERED
    yield from not_told(case.record)
    if not of_script(case.record):
        yield one_level(experiment.load, case.record.stack)
    if experiment.load.closed:
        yield f"The load was closed: {HIDES}."
    yield from steps_not_begun(case.record)
    if cycles and len(cycles) < FEW_CYCLES:
        yield few_cycles(len(cycles))
    if experiment.load.control is not None:
        yield "The two groups reach the service from one machine; what both use, neither is a control of."
    elif experiment.load.regions:
        far = [one.name for one in experiment.load.regions if one.latency_s is not None]
        what = "a proxy's latency" if far else "names in requests"
        yield f"Regions are {what}: the load came from one machine, with its own network alone."
