"""Whether what must not grow can be looked at: what it is, for how long, and by how much it may grow."""

from collections.abc import Sequence

from resilience.model import PlannedPhase
from resilience.model.soak import SHORTEST_S, Flat, Soak
from resilience.spec.durations import format_duration
from resilience.spec.findings import Findings, did_you_mean
from resilience.spec.text import join

_ROUNDING_S = 1e-6


def check_soak(
    soak: Soak | None, path: str, names: Sequence[str], planned: Sequence[PlannedPhase], findings: Findings
) -> None:
    """Note everything that does not fit together.

    Args:
        soak: as read; None is nothing to check.
        path: where it stands.
        names: of all operations.
        planned: the phases, empty if they are not known.
        findings: takes what is wrong.
    """
    if soak is None:
        return
    for index, flat in enumerate(soak.flat):
        _check_flat(flat, join(join(path, "flat"), index), names, findings)
    lengths_s = [phase.end_s - phase.start_s for phase in planned if phase.name is soak.phase]
    needed_s = SHORTEST_S + soak.warm_up_s
    if planned and not lengths_s:
        findings.add(join(path, "phase"), f"there is no phase {soak.phase.value}", "add the phase to the method")
    elif lengths_s and min(lengths_s) < needed_s - _ROUNDING_S:
        message = f"the phase {soak.phase.value} takes {format_duration(min(lengths_s))}, too short to see what grows"
        findings.add(join(path, "phase"), message, f"make it {format_duration(needed_s)} or longer; hours are better")


def _check_flat(flat: Flat, path: str, names: Sequence[str], findings: Findings) -> None:
    if bool(flat.resource) == (flat.metric is not None):
        message = "is about a resource or a metric of clients" + (", not both" if flat.resource else "")
        findings.add(join(path, "resource"), message, "write resource: process.memory, or metric: p(95)")
    if flat.metric is None and flat.operation != "all":
        findings.add(join(path, "operation"), "a resource is of a part, not of an operation", "write of: PART")
    if flat.metric is not None and flat.of:
        findings.add(join(path, "of"), "a metric of clients is of an operation, not of a part", "write operation: NAME")
    if flat.operation not in {"all", *names}:
        hint = did_you_mean(flat.operation, names)
        findings.add(join(path, "operation"), f"{flat.operation!r} is no operation of this file", hint)
