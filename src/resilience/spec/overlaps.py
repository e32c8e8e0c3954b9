"""Which faults may be in place at the same time: on how many parts, and which kinds not on the same one. Pure.

What is listed in `CLASHES` could not be measured, or not be given back, while the other is there. The run checks the
same once more whenever it takes a lease (`runtime.radius`).
"""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from resilience.model import BeginFault, EndFault, FaultGroup, FaultSpec, Step
from resilience.spec.findings import Findings

CLASHES: tuple[tuple[str, str, str], ...] = (
    ("process.*", "process.*", "one of them would undo the other"),
    ("process.*", "redis.*", "while its process does not run, nothing inside it can be set, seen or given back"),
    ("process.*", "postgres.*", "while its process does not run, nothing inside it can be set, seen or given back"),
    ("process.*", "toxiproxy.*", "while the part itself does not answer, a fault on the way to it cannot be measured"),
    ("process.kill", "cgroup.*", "the process that is started again is not in the group of the one before"),
    ("process.*", "cgroup.cpu", "where it is done by signals, each would continue what the other stopped"),
    ("postgres.crash", "postgres.*", "while the server does not run, nothing inside it can be set, seen or given back"),
    ("toxiproxy.down", "toxiproxy.*", "through a proxy that is off no other fault can be measured"),
)
"""Patterns of two kinds that must not be on the same part at the same time, and why."""

PROXY = "toxiproxy"
"""The part that carries the link faults of all others."""


def clash(one: FaultSpec, other: FaultSpec) -> str:
    """Why two faults must not be in place at the same time; empty if they may."""
    for first, second in ((one, other), (other, one)):
        if PROXY in first.parts and second.kind.startswith("toxiproxy."):
            return "the server that carries the one is what the other is done to"
    if not set(one.parts) & set(other.parts):
        return ""
    for kind, another, why in CLASHES:
        if _are(one, other, kind, another) or _are(other, one, kind, another):
            return why
    return ""


def parts_at_most(faults: Sequence[FaultSpec]) -> int:
    """On how many parts these are in place together; a part that is yet to be drawn counts as one more."""
    return len({fault.on for fault in faults if fault.on}) + sum(not fault.on for fault in faults)


def check_overlaps(steps: Sequence[tuple[str, Step]], max_at_once: int, findings: Findings) -> None:
    """Note faults that would be in place together and must not be."""
    for path, fault, others in _together(steps):
        for other in others:
            if why := clash(fault, other):
                both = f"{fault.name!r} ({fault.kind}) and {other.name!r} ({other.kind})"
                findings.add(path, f"{both} must not be in place together: {why}", "do one after the other")
        count = parts_at_most((fault, *others))
        if count > max_at_once:
            message = f"faults would be in place on {count} parts at once, safety.max_at_once is {max_at_once}"
            findings.add(path, message, f"do one after the other, or write safety: {{max_at_once: {count}}}")


def _together(steps: Sequence[tuple[str, Step]]) -> Iterator[tuple[str, FaultSpec, tuple[FaultSpec, ...]]]:
    """Every fault with its path, and what is in place when it comes."""
    begun: dict[str, FaultSpec] = {}
    for path, step in steps:
        match step:
            case FaultSpec():
                yield path, step, tuple(begun.values())
            case FaultGroup():
                for index, fault in enumerate(step.faults):
                    yield path, fault, (*begun.values(), *step.faults[:index])
            case BeginFault():
                yield path, step.begun, tuple(begun.values())
                begun[step.begun.name] = step.begun
            case EndFault():
                begun.pop(step.ended, None)
            case _:
                pass


def _are(one: FaultSpec, other: FaultSpec, first: str, second: str) -> bool:
    return fnmatchcase(one.kind, first) and fnmatchcase(other.kind, second)
