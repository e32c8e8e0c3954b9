"""What the seed decides about the steps: which of several parts a fault is done to. Pure: same seed, same choice."""

import hashlib
from dataclasses import replace

from resilience.model import BeginFault, Experiment, FaultGroup, FaultSpec, Step


def resolve(experiment: Experiment, seed: int) -> Experiment:
    """The experiment with every part drawn. What is drawn already is drawn anew, so it is the same under one seed."""
    return replace(experiment, steps=tuple(_resolved(step, seed) for step in experiment.steps))


def draw(among: tuple[str, ...], seed: int, name: str) -> str:
    """One of several parts, evenly, by the seed and the name of the fault: each time of a fault has its own draw."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return among[int.from_bytes(digest[:8]) % len(among)]


def _resolved(step: Step, seed: int) -> Step:
    match step:
        case FaultSpec():
            return _drawn(step, seed)
        case FaultGroup():
            return replace(step, faults=tuple(_drawn(fault, seed) for fault in step.faults))
        case BeginFault():
            return BeginFault(_drawn(step.begun, seed))
        case _:
            return step


def _drawn(fault: FaultSpec, seed: int) -> FaultSpec:
    return replace(fault, on=draw(fault.among, seed, fault.name)) if fault.among else fault
