"""Faults: each one asked for, seen active, held as planned, and seen gone. Anything else is unknown, never pass.

A strike has nothing to be given back: it must have been seen to strike, and been watched as long as planned.
"""

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
    if window.requests > 1:
        found.append(f"{name} was requested {window.requests} times, once was expected: the others were not judged")
    if spec is None:
        found.append(f"{name} is not in the experiment")
    if window.confirmed_s is None:
        found.append(f"{name} was never seen {'to strike' if window.strike else 'active'}")
    if window.clear_s is None and not window.strike:
        found.append(f"{name} was never seen gone: the target may still be disturbed")
    elif window.reverting_s is None and not window.strike:
        found.append(f"{name} was seen gone and never asked to go: how long it was in place is not known")
    if spec is not None and spec.strike is not window.strike:
        found.append(
            f"{name} is {'a strike' if spec.strike else 'held'} by the experiment, the record has it otherwise"
        )
    found += _disorder(window, name)
    ended_s = window.reverting_s if window.reverting_s is not None else window.over_s
    if spec is not None and window.confirmed_s is not None and ended_s is not None:
        held_s = ended_s - window.confirmed_s
        if held_s < HELD * spec.duration_s:
            how = "watched" if spec.strike else "in place"
            found.append(f"{name} was {how} for {held_s:.2f} s of the planned {spec.duration_s:g} s")
    return found


def _disorder(window: FaultWindow, name: str) -> list[str]:
    """What cannot be about the order of a fault's instants."""
    instants = [window.requested_s, window.confirmed_s, window.reverting_s, window.clear_s]
    told = [instant for instant in instants if instant is not None]
    if told == sorted(told):
        return []
    return [f"{name} has events in an order that cannot be: requested, confirmed, reverting, clear at {told} s"]


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
    strikes = sum(spec.strike for spec in specs.values())
    return Part("faults", Answer.PASS, _because(len(names) - strikes, strikes), proofs, data)


def _because(held: int, strikes: int) -> str:
    """What was seen of all faults and strikes."""
    said = []
    if held:
        said.append(f"{'the fault was' if held == 1 else f'all {held} faults were'} confirmed and cleared")
    if strikes:
        said.append(f"{'the strike was' if strikes == 1 else f'all {strikes} strikes were'} seen to strike")
    return ", ".join(said)


def _json(spec: FaultSpec | None, window: FaultWindow | None, name: str) -> dict[str, Json]:
    seen = window or FaultWindow(name)
    return {
        "kind": seen.kind or (spec.kind if spec else ""),
        "name": name,
        "on": seen.on or (spec.on if spec else ""),
        "of": spec.written if spec else seen.of or name,
        "group": seen.group or (spec.group if spec else ""),
        "strike": seen.strike or bool(spec and spec.strike),
        "mechanism": seen.mechanism,
        "requested_s": seen.requested_s,
        "confirmed_s": seen.confirmed_s,
        "reverted_s": seen.reverting_s,
        "clear_s": seen.clear_s,
        "planned_s": spec.duration_s if spec else None,
        "proof": list(seen.proofs),
        "problems": list(seen.troubles),
    }
