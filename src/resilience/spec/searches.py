"""Whether a search, or a capacity run, fits the rest of its file."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from resilience.model import Capacity, FaultSpec, Load, Objective, Problem, Search, Step, allowed_share, faults_of
from resilience.spec.findings import Findings, did_you_mean, show
from resilience.spec.text import join

SHARES = "p(N)<…, med<…, rate<…, availability>…, degraded<… or shed<…"


def check_search(
    search: Search | None, load: Load | None, steps: Sequence[Step], path: str, findings: Findings
) -> None:
    """Note what does not fit together."""
    if search is None or load is None:
        return
    _check_load(load, path, findings)
    check_shares(search.objectives, load, join(path, "objectives"), findings)
    if search.start == search.limit:
        findings.add(join(path, "limit"), f"{search.limit:g} is where it starts", "write a harder level")
    faults = {fault.written: fault for step in steps for fault in faults_of(step)}
    match search.over:
        case "fault":
            _check_setting(search, faults, path, findings)
        case "rate" | "users":
            _check_level(search, load, path, findings)
    if search.must_hold is not None:
        low, high = sorted((search.start, search.limit))
        if not low <= search.must_hold <= high:
            message = f"{search.must_hold:g} is not between start and limit, so it is never tried"
            findings.add(join(path, "must_hold"), message, f"write {low:g} to {high:g}")
    _check_faults(search, faults, path, findings)


def check_capacity(capacity: Capacity | None, load: Load | None, path: str, findings: Findings) -> None:
    """Note what does not fit together."""
    if capacity is None or load is None:
        return
    _check_load(load, path, findings)
    check_shares(capacity.objectives, load, join(path, "objectives"), findings)
    for name, values in (("users", capacity.users), ("copies", capacity.copies)):
        if list(values) != sorted(set(values)):
            findings.add(join(path, name), f"{show(list(values))} does not ascend", "write each once, the fewest first")
    if capacity.prices is not None and capacity.demand is None:
        hint = "add demand: requests per second that are to be served"
        findings.add(join(path, "prices"), "nothing is to be served that would cost anything", hint)


def check_shares(objectives: Sequence[Objective], load: Load, path: str, findings: Findings) -> None:
    """Note objectives that cannot be judged in a step: each must be about a share of operations."""
    known = [operation.name for operation in load.operations]
    for index, one in enumerate(objectives):
        where = f"{path}[{index}]"
        if allowed_share(one) is None or one.tenant or one.region or one.abort:
            findings.add(where, f"{show(one.expression)} is not about a share of operations", f"write {SHARES}")
        elif "@" in one.expression:
            findings.add(where, f"{show(one.expression)} names a phase, and steps are none", "leave out @ …")
        elif one.operation not in {"all", *known}:
            findings.add(where, f"there is no operation {show(one.operation)}", did_you_mean(one.operation, known))


def varied(search: Search, fault: FaultSpec, level: float) -> FaultSpec:
    """The fault that a search is over, with its setting at a level: a whole number if it is one."""
    value = int(level) if float(level).is_integer() else level
    return replace(fault, of=fault.written, settings={**fault.settings, search.setting: value})


def problems_of(search: Search, fault: FaultSpec, found: Sequence[Problem]) -> Iterator[Problem]:
    """Problems with a fault at a level, told as those of the search."""
    for problem in found:
        where = "search.setting" if problem.where.endswith(search.setting) else f"search.fault.{problem.where}"
        yield Problem(where, f"{fault.kind}: {problem.message}", problem.hint)


def _check_load(load: Load, path: str, findings: Findings) -> None:
    if load.driver != "locust":
        findings.add(path, f"{load.driver} decides its load by itself", "use load.driver: locust")
    if load.stages or load.profile is not None:
        findings.add(path, "the level of the load is told here, and the load has a profile of its own", "remove it")
    if (load.workers.local or 1) > 1 or load.workers.remote:
        findings.add(path, "several workers cannot be told another level", "leave out load.workers")


def _check_level(search: Search, load: Load, path: str, findings: Findings) -> None:
    if load.closed is not (search.over == "users"):
        has = "users" if load.closed else "a rate"
        other = "rate" if load.closed else "users"
        findings.add(
            join(path, "over"),
            f"the load has {has}",
            f"write over: {'users' if load.closed else 'rate'}, or load.{other}",
        )
    if search.limit < search.start:
        findings.add(join(path, "limit"), "less load is not harder", "write more than start")
    if search.start <= 0:
        findings.add(join(path, "start"), "0 is no load at all", "write the least that is expected to hold")
    if search.over == "users" and not (search.start.is_integer() and search.limit.is_integer()):
        findings.add(join(path, "start"), "users are whole", "write whole numbers")
    for key, value in (("fault", search.fault), ("setting", search.setting)):
        if value:
            findings.add(
                join(path, key), f"over: {search.over} is not about a fault", "remove it, or write over: fault"
            )


def _check_setting(search: Search, faults: "dict[str, FaultSpec]", path: str, findings: Findings) -> None:
    for key, value in (("fault", search.fault), ("setting", search.setting)):
        if not value:
            findings.add(join(path, key), "is missing", f"say which {key} is made harder")
    if search.fault and search.fault not in faults:
        hint = did_you_mean(search.fault, faults) if faults else "add a step hold_fault to the method"
        findings.add(join(path, "fault"), f"the method has no fault {show(search.fault)}", hint)
    elif search.fault and faults[search.fault].strike:
        findings.add(join(path, "fault"), f"{search.fault} is a strike, which is not held", "name a fault")
    if search.faults:
        findings.add(join(path, "faults"), "one fault is varied already", "remove them, or search over rate or users")


def _check_faults(search: Search, faults: "dict[str, FaultSpec]", path: str, findings: Findings) -> None:
    for index, name in enumerate(search.faults):
        where = f"{join(path, 'faults')}[{index}]"
        if name not in faults:
            hint = did_you_mean(name, faults) if faults else "add a step hold_fault to the method"
            findings.add(where, f"the method has no fault {show(name)}", hint)
        elif faults[name].strike:
            findings.add(where, f"{name} is a strike, which is not held", "name a fault")
