"""Whether promised rate limits, balancing and scaling fit together with the load and the stack."""

from collections.abc import Sequence

from resilience.model import Load, PhaseName, PlannedPhase, StackSpec
from resilience.model.serving import Balance, RateLimit, Scaling
from resilience.spec.findings import Findings, did_you_mean
from resilience.spec.text import join


def check_rate_limits(
    limits: Sequence[tuple[str, RateLimit]],
    load: Load | None,
    planned: Sequence[PlannedPhase],
    findings: Findings,
) -> None:
    """Note limits of the same name, and those that nothing of the load could meet."""
    for index, (place, limit) in enumerate(limits):
        if limit.name in [other.name for _, other in limits[:index]]:
            findings.add(join(place, "name"), f"there is a {limit.name!r} already", "choose another name")
        if limit.per == "tenant" and load is not None and not load.tenants:
            findings.add(join(place, "per"), "the load has no tenants", "add tenants to load, or write per: all")
        if limit.most * limit.window_s < 1:
            message = f"{limit.most:g} per second is less than one in a window"
            findings.add(join(place, "most"), message, "make the window longer")
        _check_operations(limit.operations, place, load, findings)
        _check_phase(limit.phase, join(place, "phase"), planned, findings)


def check_balance(
    balance: Balance | None,
    path: str,
    about: tuple[Load | None, StackSpec | None],
    planned: Sequence[PlannedPhase],
    findings: Findings,
) -> None:
    """Note a balance that one copy alone would have, or that nobody can see."""
    if balance is None:
        return
    load, stack = about
    copies = balance.copies or (stack.service.copies if stack is not None and stack.service is not None else 0)
    if stack is not None and copies < 2:  # noqa: PLR2004 - there is nothing to share between fewer
        message = "there is one copy alone" if copies else "it is not known how many copies there are"
        findings.add(join(path, "copies"), message, "write stack.service.copies, or copies here")
    if load is not None and not load.served_by:
        hint = "write load.served_by: X-Served-By, or whatever header does"
        findings.add(path, "nothing says which copy gave an answer", hint)
    _check_operations(balance.operations, path, load, findings)
    for index, phase in enumerate(balance.phases):
        _check_phase(phase, join(join(path, "phases"), index), planned, findings)


def check_scaling(scaling: Scaling | None, path: str, load: Load | None, findings: Findings) -> None:
    """Note bounds that exclude each other, and a load whose rate nobody declares."""
    if scaling is None:
        return
    if scaling.least > scaling.most:
        message = f"at least {scaling.least} and at most {scaling.most} replicas exclude each other"
        findings.add(join(path, "least"), message, "make least the smaller one")
    if load is not None and load.closed:
        findings.add(join(path, "per_replica"), "users ask as often as they are answered", "write load.rate, not users")


def _check_operations(names: Sequence[str], path: str, load: Load | None, findings: Findings) -> None:
    known = [operation.name for operation in load.operations] if load is not None else []
    for index, name in enumerate(names):
        if load is not None and name not in known:
            where = join(join(path, "operations"), index)
            findings.add(where, f"{name!r} is no operation of this file", did_you_mean(name, known))


def _check_phase(name: PhaseName, path: str, planned: Sequence[PlannedPhase], findings: Findings) -> None:
    if planned and not any(phase.name is name for phase in planned):
        findings.add(path, f"there is no phase {name.value}", "add the phase to the method")
