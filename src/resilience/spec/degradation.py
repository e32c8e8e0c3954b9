"""Whether what a file says of degradation fits together: dependencies, breakers, health, and who they are about."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from resilience.model import Breaker, Degradation, Dependency, Health, Operation, StackSpec
from resilience.spec.findings import Findings, did_you_mean
from resilience.spec.steps import parts_of
from resilience.spec.text import join

COUNTED = {"redis": ("commands", "connections"), "postgres": ("transactions",)}
"""What is counted of the embedded stack's own parts, which are asked themselves; of any other part it is a metric."""


@dataclass(frozen=True, slots=True)
class About:
    """What a file has, for what it says to be about; `faults` is None if they could not all be read."""

    operations: Sequence[Operation]
    stack: StackSpec | None
    faults: Sequence[str] | None


def check_degradation(degradation: Degradation, path: str, about: About, findings: Findings) -> None:
    """Note everything that does not fit together."""
    used = {breaker.calls for breaker in degradation.breakers}
    names = [dependency.name for dependency in degradation.dependencies]
    for index in _repeated(names):
        _taken(join(path, "dependencies"), index, names[index], findings)
    for index, dependency in enumerate(degradation.dependencies):
        place = join(join(path, "dependencies"), index)
        _check_operations(dependency.operations, about, place, findings)
        _check_counted(dependency, place, about.stack, findings)
        if dependency.amplification is None and dependency.calls_per_operation is None and dependency.name not in used:
            findings.add(place, f"{dependency.name!r} is counted, and nothing is asked of it", "add amplification: 2")
    breakers = [breaker.name for breaker in degradation.breakers]
    for index in _repeated(breakers):
        _taken(join(path, "breakers"), index, breakers[index], findings)
    for index, breaker in enumerate(degradation.breakers):
        _check_breaker(breaker, join(join(path, "breakers"), index), names, about, findings)
    if degradation.health is not None:
        _check_health(degradation.health, join(join(path, "health"), "operation"), about, findings)


def check_marks(path: str, operation: Operation, findings: Findings) -> None:
    """Note a marker of an operation that means nothing."""
    if operation.degraded.value and not operation.degraded.header:
        place = join(join(path, "degraded"), "value")
        findings.add(place, "it is the text of a header, and no header is named", "add header: X-Degraded")


def _repeated(names: Sequence[str]) -> Iterator[int]:
    return (index for index, name in enumerate(names) if name in names[:index])


def _taken(path: str, index: int, name: str, findings: Findings) -> None:
    findings.add(join(join(path, index), "name"), f"there is a {name!r} already", "choose another name")


def _check_operations(names: Sequence[str], about: About, place: str, findings: Findings) -> None:
    known = [operation.name for operation in about.operations]
    for index, name in enumerate(names):
        if name not in known:
            where = join(join(place, "operations"), index)
            findings.add(where, f"{name!r} is no operation of this file", did_you_mean(name, known))


def _check_counted(dependency: Dependency, place: str, stack: StackSpec | None, findings: Findings) -> None:
    parts = parts_of(stack) if stack is not None else ()
    if parts and dependency.part not in parts:
        message = f"the stack has no part {dependency.part!r}"
        findings.add(join(place, "part"), message, did_you_mean(dependency.part, parts))
        return
    can = COUNTED.get(dependency.part, ("metric",)) if parts else ()
    if can and dependency.counts and dependency.counts not in can:
        message = f"{dependency.counts!r} are not counted of {dependency.part!r}"
        findings.add(join(place, "counts"), message, f"expected {' or '.join(can)}")
    if can == ("metric",) and not dependency.metric:
        message = f"is missing: {dependency.part!r} is asked by HTTP, and must be told what to add up"
        findings.add(join(place, "metric"), message, "name the counters: [shop_cache_total]")


def _check_health(health: Health, place: str, about: About, findings: Findings) -> None:
    known = [operation.name for operation in about.operations]
    if health.operation not in known:
        message = f"{health.operation!r} is no operation of this file"
        findings.add(place, message, did_you_mean(health.operation, known))
    elif not any(operation.critical and operation.name != health.operation for operation in about.operations):
        message = f"there is no critical operation beside {health.operation!r}, so it could be compared with nothing"
        findings.add(place, message, "let another operation be critical")


def _check_breaker(breaker: Breaker, place: str, names: Sequence[str], about: About, findings: Findings) -> None:
    _check_operations(breaker.operations, about, place, findings)
    if about.faults is not None and breaker.fault not in about.faults:
        message = f"{breaker.fault!r} is no fault of this file"
        findings.add(join(place, "fault"), message, did_you_mean(breaker.fault, about.faults))
    if breaker.calls and breaker.calls not in names:
        message = f"{breaker.calls!r} is no dependency of this file"
        findings.add(join(place, "calls"), message, did_you_mean(breaker.calls, names))
    for operation in about.operations:
        marker = operation.degraded
        if operation.name in breaker.operations and not (marker.header or marker.json or marker.status):
            message = f"nothing says when {operation.name!r} fell back, so the breaker could not be seen"
            findings.add(join(place, "operations"), message, "give the operation a degraded marker")
