"""Faults: each one asked for, seen active, held as planned, and seen gone. Anything else is unknown, never pass."""

from resilience.judge.case import Case
from resilience.judge.phases import FaultWindow
from resilience.model import Answer, FaultSpec, Json, Part

HELD = 0.9
"""The share of its planned time for which a fault must have been in place."""


def troubles_of(spec: FaultSpec | None, window: FaultWindow | None, name: str) -> list[str]:
    """Everything that is wrong with one fault, one sentence each."""
    if window is None or window.requested_s is None:
        return [f"{name} was never requested"]
    found = [f"{name} had a problem ({trouble})" for trouble in window.troubles]
    if spec is None:
        found.append(f"{name} is not in the experiment")
    if window.confirmed_s is None:
        found.append(f"{name} was never seen active")
    if window.clear_s is None:
        found.append(f"{name} was never seen gone: the target may still be disturbed")
    instants = [window.requested_s, window.confirmed_s, window.reverting_s, window.clear_s]
    told = [instant for instant in instants if instant is not None]
    if told != sorted(told):
        found.append(
            f"{name} has events in an order that cannot be: requested, confirmed, reverting, clear at {told} s"
        )
    ended_s = window.reverting_s if window.reverting_s is not None else window.clear_s
    if spec is not None and window.confirmed_s is not None and ended_s is not None:
        held_s = ended_s - window.confirmed_s
        if held_s < HELD * spec.duration_s:
            found.append(f"{name} was in place for {held_s:.2f} s of the planned {spec.duration_s:g} s")
    return found


def check_faults(case: Case) -> Part:
    """Judge that every fault of the experiment, and no other, was confirmed and cleared."""
    specs = {spec.name: spec for spec in case.record.experiment.faults}
    windows = {window.name: window for window in case.faults}
    names = list(dict.fromkeys([*specs, *windows]))
    troubles = [text for name in names for text in troubles_of(specs.get(name), windows.get(name), name)]
    data: dict[str, Json] = {"faults": [_json(specs.get(name), windows.get(name), name) for name in names]}
    proofs = tuple(f"{window.name}: {proof}" for window in case.faults for proof in window.proofs)
    if troubles:
        rest = f" (and {len(troubles) - 1} more)" if len(troubles) > 1 else ""
        return Part("faults", Answer.UNKNOWN, troubles[0] + rest, (*troubles, *proofs), data)
    if not names:
        return Part("faults", Answer.PASS, "the experiment has no fault", (), data)
    what = "the fault was" if len(names) == 1 else f"all {len(names)} faults were"
    return Part("faults", Answer.PASS, f"{what} confirmed and cleared", proofs, data)


def _json(spec: FaultSpec | None, window: FaultWindow | None, name: str) -> dict[str, Json]:
    seen = window or FaultWindow(name)
    return {
        "kind": seen.kind or (spec.kind if spec else ""),
        "name": name,
        "on": seen.on or (spec.on if spec else ""),
        "requested_s": seen.requested_s,
        "confirmed_s": seen.confirmed_s,
        "reverted_s": seen.reverting_s,
        "clear_s": seen.clear_s,
        "planned_s": spec.duration_s if spec else None,
        "proof": list(seen.proofs),
        "problems": list(seen.troubles),
    }
