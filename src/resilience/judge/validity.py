"""Validity: whether the run itself is fit to be judged. Nothing here can fail the target, only make it unknown."""

from collections.abc import Iterable, Mapping

import numpy as np

from resilience.columns import Samples
from resilience.judge.case import Case
from resilience.judge.closed import users_problems
from resilience.judge.generator import baseline_lag_s, clock_words, generator_problems
from resilience.judge.journeys import journey_problems, journeys_of
from resilience.judge.once import once_problems, once_words
from resilience.judge.quantiles import OK
from resilience.judge.scripts import of_script, script_problems
from resilience.judge.signal import expected, too_few
from resilience.model import OUTCOMES, Answer, EventKind, Json, Part, PhaseName

NAME = "validity"


def check_validity(case: Case) -> Part:
    """Judge the record, the generator and its traffic."""
    problems = [*_record(case), *_traffic(case)]
    if case.finished:
        problems += [*script_problems(case.record, case.phases, case.end_s), *_account(case), *_phases(case)]
        problems += journey_problems(case.record)
        problems += once_problems(case)
    if problems:
        rest = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        return Part(NAME, Answer.UNKNOWN, problems[0] + rest, (*problems, *clock_words(case)), _data(case))
    lag_s = baseline_lag_s(case) or 0.0
    late = f"started {lag_s * 1000:.1f} ms late at p99"
    if of_script(case.record):
        late = "as the script's program told them; when they were meant to start is not known"
    because = f"{len(case.traffic.samples):,} operations all accounted for, {late}"
    clock = clock_words(case)
    return Part(NAME, Answer.PASS, "; ".join([because, *clock[:1]]), (*clock, *once_words(case)), _data(case))


def _data(case: Case) -> dict[str, Json]:
    """Journeys, if the load has any."""
    return {"journeys": journeys_of(case.record)} if case.record.experiment.load.journeys else {}


def _record(case: Case) -> Iterable[str]:
    """What the record says is wrong: that it was told to stop, other problems, then what is missing because of them."""
    for event in case.record.events:
        if event.kind is EventKind.INTERRUPTED:
            yield f"the run was interrupted: {event.detail.get('reason', 'no reason given')}"
    for event in case.record.events:
        if event.kind is EventKind.PROBLEM:
            yield f"{event.name or 'the run'}: {event.detail.get('message', 'a problem without words')}"
    yield from case.record.problems
    if case.finished:
        kinds = {event.kind for event in case.record.events}
        needed = {
            EventKind.HEADER: "its header",
            EventKind.END: "the end of the last phase",
            EventKind.FOOTER: "its footer",
        }
        for kind, what in needed.items():
            if kind not in kinds:
                yield f"the record was cut short: {what} is missing"


def _outcomes(samples: Samples, operation: int | None = None) -> dict[str, int]:
    chosen = samples.outcome if operation is None else samples.outcome[samples.operation == operation]
    counts = np.bincount(chosen, minlength=len(OUTCOMES))
    return {outcome.value: int(count) for outcome, count in zip(OUTCOMES, counts, strict=False)}


def _account(case: Case) -> Iterable[str]:
    """Check offered = ok + failed + unknown + dropped, by the generator's own count and by the record's."""
    events = [event for event in case.record.events if event.kind is EventKind.LOAD]
    if len(events) != 1:
        yield f"there are {len(events)} accounts of the load generator, one was expected"
        return
    account, seen = events[0].detail, _outcomes(case.traffic.samples)
    yield from _identity("the generator's account", account, seen)
    parts = account.get("per_operation")
    for name, part in (parts if isinstance(parts, Mapping) else {}).items():
        index = case.traffic.index(name)
        own = _outcomes(case.traffic.samples, index)
        yield from _identity(f"the generator's account of {name}", part if isinstance(part, Mapping) else {}, own)


def _identity(whose: str, account: Mapping[str, Json], seen: Mapping[str, int]) -> Iterable[str]:
    told = {name: account.get(name) for name in ("offered", *seen)}
    numbers = {name: count for name, count in told.items() if isinstance(count, int)}
    if len(numbers) < len(told):
        yield f"{whose} is incomplete: {dict(told)}"
        return
    total = sum(numbers[name] for name in seen)
    if numbers["offered"] != total:
        yield f"{whose} does not close: offered {numbers['offered']:,}, ok + failed + unknown + dropped = {total:,}"
    for name, count in seen.items():
        if numbers[name] != count:
            yield f"{whose} has {numbers[name]:,} {name}, the record has {count:,}"


def _traffic(case: Case) -> Iterable[str]:
    """Whether the load was what it was meant to be."""
    samples = case.traffic.samples
    if len(samples) == 0:
        yield "there was no traffic at all"
        return
    if not case.baselines:
        yield "there was no baseline"
    yield from generator_problems(case)
    yield from users_problems(case)
    if bool((samples.start_ns < samples.arrival_ns).any() or (samples.end_ns < samples.start_ns).any()):
        yield "operations ended before they started, or started before they were due: a clock went back"
    for operation in case.record.experiment.load.operations:
        index = case.traffic.index(operation.name)
        if not bool(((samples.operation == index) & (samples.outcome == OK)).any()):
            yield f"{operation.name} was never ok, so nothing is known about it"
    for phase in case.phases:
        if phase.name is PhaseName.WARM_UP:
            continue
        offered = len(case.of_mix(case.during(phase)))
        due = expected(case.record.experiment.load, phase.start_s, phase.end_s)
        if too_few(offered, due):
            yield f"{phase.label} had {offered:,} operations where the load's profile has {due:,.0f}"


def _phases(case: Case) -> Iterable[str]:
    """Whether every planned phase took place, in the order of the plan."""
    left = list(case.phases)
    for planned in case.record.plan.phases:
        there = (index for index, phase in enumerate(left) if phase.name is planned.name)
        index = next((index for index in there if planned.fault in {"", left[index].fault}), None)
        if index is not None:
            del left[: index + 1]
        else:
            label = f"{planned.name.value}({planned.fault})" if planned.fault else planned.name.value
            yield f"the planned phase {label} did not take place"
