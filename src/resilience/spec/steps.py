"""Whether the steps of a method fit together: names, parts, order, lengths, and that somebody looks afterwards.

Each check notes what it finds and goes on. A step is known by the path of its activity; what an activity repeats has
the path of that activity each time, and is told of once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from resilience.model import (
    BeginFault,
    EndFault,
    FaultGroup,
    FaultSpec,
    Observe,
    PhaseName,
    Problem,
    Safety,
    StackSpec,
    Step,
    faults_of,
    is_name,
)
from resilience.spec.durations import format_duration
from resilience.spec.findings import Findings, did_you_mean

Placed = Sequence[tuple[str, Step]]
"""Steps with the paths of their activities."""

CheckFault = Callable[[FaultSpec, Safety], tuple[Problem, ...]]
"""What is wrong with a fault's kind and settings; each problem is at `kind`, `settings.…` or `part`."""

EMBEDDED = ("postgres", "redis", "toxiproxy")
"""The parts of an embedded stack besides the service and further programs."""


REPLICA = "postgres-replica"
"""The part that it has besides with `postgres_replica`."""

OTHERS = ("service", "balancer", "wire", "database", REPLICA, "database-replica")
"""Names that are no program's, whether or not this stack has such a part."""


def parts_of(stack: StackSpec) -> tuple[str, ...]:
    """The parts of a stack, as far as the file says; nothing if only the stack itself knows."""
    if stack.use != "embedded" or stack.service is None:
        return ()
    copies = stack.service.copies
    services = [f"service-{number}" for number in range(1, copies + 1)] + ["balancer"] if copies > 1 else []
    servers = (*EMBEDDED, REPLICA) if stack.postgres_replica else EMBEDDED
    return (*servers, "service", *services, *(program.name for program in stack.programs))


def check_programs(stack: StackSpec, path: str, findings: Findings) -> None:
    """Note programs with a name that another part of the stack has."""
    taken = {*parts_of(replace(stack, programs=())), *EMBEDDED, *OTHERS}
    for index, program in enumerate(stack.programs):
        if program.name in taken:
            place = f"{path}[{index}].name"
            findings.add(place, f"another part of the stack is called {program.name!r}", "choose another name")
        taken.add(program.name)


def names_of(steps: Placed) -> tuple[str, ...]:
    """Every name by which the file may speak of a fault: as written, each time of it, groups and their members."""
    return tuple(dict.fromkeys(name for _, step in steps for name in _names(step)))


def check_names(steps: Placed, findings: Findings) -> None:
    """Note names that are taken, and those that become too long when they are numbered."""
    taken: dict[str, str] = {}
    for path, step in steps:
        for place, names in _declared(path, step):
            for name in names:
                if taken.setdefault(name, place) != place:
                    findings.add(place, f"there is a fault {name!r} already", "choose another name")
                if not is_name(name):
                    findings.add(place, f"{name!r}, its name when it is repeated, is too long", "shorten the name")


def check_parts(steps: Placed, stack: StackSpec, findings: Findings, more: Sequence[str] = ()) -> None:
    """Note parts that the stack will not have; `more` are those that it has because of the load's regions."""
    known = (*parts_of(stack), *more) if parts_of(stack) else ()
    for path, step in steps if known else ():
        for place, fault in _placed(path, step):
            for part in fault.parts:
                if part not in known:
                    findings.add(f"{place}.part", f"the stack has no part {part!r}", did_you_mean(part, known))


def check_kinds(steps: Placed, safety: Safety, check: CheckFault, findings: Findings) -> None:
    """Note what is wrong with kinds and settings, by somebody who knows them."""
    for path, step in steps:
        for place, fault in _placed(path, step):
            for problem in check(fault, safety):
                findings.add(f"{place}.{problem.where}", problem.message, problem.hint)


def check_order(steps: Placed, findings: Findings) -> None:
    """Note what is ended without having been begun or the other way round, and phases that cannot be where they are."""
    begun: dict[str, str] = {}
    seen = False
    for path, step in steps:
        place = f"{path}.provider.arguments"
        match step:
            case BeginFault():
                begun[step.begun.name] = path
            case EndFault():
                if begun.pop(step.ended, None) is None:
                    message = f"{step.ended!r} is not in place here"
                    findings.add(f"{place}.name", message, did_you_mean(step.ended, begun))
            case Observe():
                _check_phase(f"{place}.phase", step, tuple(begun), findings, seen=seen)
            case FaultSpec() | FaultGroup():
                if step.of and not _rests(path, step, steps):
                    message = f"is missing: {step.of!r} is done several times, and must be recovered from in between"
                    findings.add(f"{place}.rest", message, "add rest: 10s")
        seen = seen or bool(faults_of(step))
    for name, path in begun.items():
        findings.add(path, f"{name!r} is begun and never ended", f"add end_fault with name: {name}")


def check_judged(steps: Placed, hold_s: float, findings: Findings) -> None:
    """Note faults after which nobody looks, or for too short: they could only ever be judged unknown."""
    begun: set[str] = set()
    for index, (path, step) in enumerate(steps):
        if isinstance(step, BeginFault):
            begun.add(step.begun.name)
        elif isinstance(step, EndFault):
            begun.discard(step.ended)
        if isinstance(step, Observe | BeginFault) or begun:
            continue
        watched_s = step.duration_s if isinstance(step, FaultSpec) and step.strike else 0.0
        rests = False
        for _, later in steps[index + 1 :]:
            if not isinstance(later, Observe):
                break
            watched_s += later.duration_s
            rests = rests or bool(later.of)
        name = step.ended if isinstance(step, EndFault) else step.name
        if watched_s == 0:
            hint = "let an observe with phase: recovery follow it"
            findings.add(path, f"nobody watches whether things recover from {name!r}", hint)
        elif watched_s < hold_s:
            message = f"{format_duration(watched_s)} are observed after {name!r}, but recovery must hold for "
            place = f"{path}.provider.arguments.rest" if rests else path
            findings.add(place, message + format_duration(hold_s), "observe for longer, or lower recovery.hold")


def check_lengths(steps: Placed, safety: Safety, findings: Findings) -> None:
    """Note faults that are longer than allowed, and leases that are shorter than what is planned under them."""
    limit = format_duration(safety.max_fault_s)
    for path, step in steps:
        place = f"{path}.provider.arguments"
        for fault in faults_of(step):
            begun = fault.at_most_s is not None
            longest_s = fault.duration_s if fault.at_most_s is None else fault.at_most_s
            where = f"{place}.at_most" if begun else f"{place}.duration"
            if longest_s > safety.max_fault_s:
                message = f"{format_duration(longest_s)} is longer than safety.max_fault, which is {limit}"
                findings.add(where, message, "shorten the fault or raise the limit")
            elif fault.duration_s > longest_s:
                message = f"{format_duration(longest_s)} is less than the {format_duration(fault.duration_s)} "
                findings.add(where, f"{message}until {fault.name!r} is ended", "raise it, or end the fault sooner")


def _check_phase(path: str, step: Observe, begun: Sequence[str], findings: Findings, *, seen: bool) -> None:
    if step.phase is PhaseName.FAULT:
        if not begun:
            findings.add(path, "no fault is in place here", "put it between begin_fault and end_fault")
    elif begun:
        told = ", ".join(begun)
        findings.add(path, f"{told} is in place here, so it is no {step.phase}", "write phase: fault")
    elif step.phase is PhaseName.RECOVERY and not seen:
        findings.add(path, "there is no fault before it to recover from", "put it after hold_fault")


def _rests(path: str, step: FaultSpec | FaultGroup, steps: Placed) -> bool:
    """Whether an activity that repeats a fault lets things recover in between."""
    return any(at == path and isinstance(each, Observe) and each.of == step.of for at, each in steps)


def _placed(path: str, step: Step) -> Iterator[tuple[str, FaultSpec]]:
    """The faults of a step with the paths of what is told about each."""
    place = f"{path}.provider.arguments"
    for index, fault in enumerate(faults_of(step)):
        yield f"{place}.faults[{index}]" if isinstance(step, FaultGroup) else place, fault


def _declared(path: str, step: Step) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The names that a step gives, with the paths at which they stand."""
    if isinstance(step, FaultGroup):
        yield f"{path}.provider.arguments.name", tuple({step.name, step.written})
    for place, fault in _placed(path, step):
        yield f"{place}.name", tuple({fault.name, fault.written})


def _names(step: Step) -> tuple[str, ...]:
    group = (step.written, step.name) if isinstance(step, FaultGroup) else ()
    return (*group, *(name for fault in faults_of(step) for name in (fault.written, fault.name)))
