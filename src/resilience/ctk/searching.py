"""A break-point search: worked out before anything is touched, then conducted on a session of its own."""

import math
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from resilience.ctk.kinds import check_fault
from resilience.ctk.run import to_who_listens
from resilience.ctk.steered import Job, Options, load_for, plan_of, ready, run_job, show
from resilience.drill.search.conduct import Conditions, Conductor
from resilience.drill.search.steps import FLUSH_S, LONG_LOOKS, LOOKS, Lengths, Measurer
from resilience.errors import SpecError
from resilience.faults import registry
from resilience.judge.search.checks import downs_of, scale_of, unit_of
from resilience.judge.search.machine import Try, most_steps
from resilience.judge.search.scale import Scale
from resilience.judge.search.step import Judged, needed
from resilience.model import Experiment, FaultSpec, Json, Load, Problem, Search, Workers, allowed_share
from resilience.runtime.steering import Steering
from resilience.spec.resolve import resolve
from resilience.spec.searches import problems_of, varied

ENOUGH = 2.0
"""So many times as many operations as certainty needs at least must come in the longest step at the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A search, worked out.

    Attributes:
        experiment: as the session has it: the load as at the start, the faults that are used and no other step.
        scale: the levels. lengths: of steps.
        steps: how many are made at least and at most, under each condition. conditions: their names.
        usual_s, most_s: how long it takes: with steps that are not extended, and with all of them.
    """

    experiment: Experiment
    search: Search
    scale: Scale
    lengths: Lengths
    steps: tuple[int, int]
    conditions: tuple[str, ...]
    usual_s: float
    most_s: float
    longest_step_s: float


def prepare(experiment: Experiment) -> Prepared:
    """Work a search out, without touching anything.

    Raises:
        SpecError: it cannot be answered as it is asked: every reason.
    """
    search = experiment.search
    assert search is not None  # noqa: S101 - load_for has looked
    faults = {fault.written: fault for fault in experiment.faults}
    varied_one = faults.get(search.fault) if search.over == "fault" else None
    used = [fault for fault in experiment.faults if fault.written in {*search.faults, search.fault}]
    whole = varied_one is not None and _is_whole(varied_one, search.setting)
    scale = scale_of(search, whole=whole)
    if problems := [*_settings_problems(experiment, search, varied_one), *_answerable(experiment, search)]:
        raise SpecError(problems)
    longest_s = max((operation.timeout_s for operation in experiment.load.operations), default=0.0)
    lengths = Lengths(settle_s=search.settle_s, step_s=search.step_s, longest_s=longest_s, ahead_s=search.confirm_s)
    wait_s = FLUSH_S + longest_s
    measured_s = max(LOOKS[-1] * search.step_s, LONG_LOOKS[-1] * search.confirm_s)
    longest_step_s = search.settle_s + measured_s + len(LOOKS) * wait_s + 1.0
    conditions = ("healthy", *search.faults)
    steps = most_steps(scale)
    least, most = steps
    usual = (least + most) // 2
    one_s = search.settle_s + search.step_s + 1.5
    usual_s = len(conditions) * (usual * one_s + search.confirm_s)
    most_s = len(conditions) * (
        most * (search.settle_s + LOOKS[-1] * search.step_s + wait_s) + LONG_LOOKS[-1] * search.confirm_s
    )
    begin_s = experiment.load.warm_up_s + experiment.load.baseline_s
    return Prepared(
        experiment=replace(experiment, load=started(experiment.load, search), steps=tuple(used)),
        search=search,
        scale=scale,
        lengths=lengths,
        steps=steps,
        conditions=conditions,
        usual_s=usual_s + begin_s,
        most_s=most_s + begin_s,
        longest_step_s=longest_step_s,
    )


def started(load: Load, search: Search) -> Load:
    """The load as it is at the start of a search, and in its baseline: what is told of its limits is beside that."""
    plain = replace(load, stages=(), profile=None, workers=Workers(local=1))
    if search.over == "users":
        return replace(plain, users=int(search.start), max_in_flight=int(search.limit))
    return replace(plain, rate=search.start) if search.over == "rate" else plain


def _is_whole(fault: FaultSpec, setting: str) -> bool:
    known = registry.find(fault.kind).settings
    return setting in known and isinstance(known[setting].default, int)


def _settings_problems(experiment: Experiment, search: Search, fault: FaultSpec | None) -> Iterator[Problem]:
    """What is wrong with the setting that is varied, at either end."""
    if fault is None:
        return
    if search.setting not in registry.find(fault.kind).settings:
        known = ", ".join(registry.find(fault.kind).settings) or "none"
        yield Problem("search.setting", f"{fault.kind} has no setting {search.setting!r}", f"it has {known}")
        return
    for level in (search.start, search.limit):
        yield from problems_of(search, fault, check_fault(varied(search, fault, level), experiment.safety))


def _answerable(experiment: Experiment, search: Search) -> Iterator[Problem]:
    """Whether enough operations come, and fit, for any answer to be certain."""
    load, longest_s = experiment.load, LOOKS[-1] * search.step_s
    total = sum(operation.weight for operation in load.operations)
    rate = None if load.closed else search.start if search.over == "rate" else load.rate
    for one in search.objectives:
        allowed = allowed_share(one) or 0.0
        share = next((each.weight / total for each in load.operations if each.name == one.operation), 1.0)
        least = ENOUGH * needed(allowed) if allowed > 0 else math.inf
        come = math.inf if rate is None else rate * share * longest_s
        if come < least:
            message = (
                f"{one.expression} allows a share of {allowed:.3g} to be bad: {least:,.0f} operations are needed to be "
                f"certain of that, and {come:,.0f} come in the longest step at the start"
            )
            enough = f"make it {math.ceil(search.step_s * least / come)}s, or start higher"
            yield Problem("search.step", message, enough if math.isfinite(least) else "allow a few to be bad")
        hardest = search.limit if search.over == "rate" else load.rate
        room = hardest * one.limit / 1000 if one.aggregate in {"p", "med"} and not load.closed else 0.0
        if room > load.max_in_flight:
            message = (
                f"at {hardest:g}/s and {one.limit:g} ms there are {room:,.0f} operations in flight, and "
                f"{load.max_in_flight} may be: the generator would be the limit"
            )
            yield Problem("load.max_in_flight", message, f"write at least {2 * room:.0f}")


def outline(prepared: Prepared) -> tuple[dict[str, Json], list[str]]:
    """What a search would do, as JSON and in lines."""
    search, (least, most) = prepared.search, prepared.steps
    unit = unit_of(search)
    what = {"rate": "arrivals per second", "users": "users"}.get(search.over, f"{search.setting} of {search.fault}")
    limit_s = prepared.experiment.safety.max_duration_s
    conditions: list[Json] = list(prepared.conditions)
    objectives: list[Json] = [one.expression for one in search.objectives]
    document: dict[str, Json] = {
        "over": what,
        "start": search.start,
        "limit": search.limit,
        "precision": search.precision,
        "objectives": objectives,
        "conditions": conditions,
        "steps_least": least,
        "steps_most": most,
        "usual_s": round(prepared.usual_s, 1),
        "most_s": round(prepared.most_s, 1),
        "max_duration_s": limit_s,
    }
    lines = [
        f"search over {what}: from {search.start:g}{unit} to {search.limit:g}{unit}, to {search.precision:.1%}",
        f"broken is what misses one of: {', '.join(one.expression for one in search.objectives)}",
        f"conditions: {', '.join(prepared.conditions)}",
        (
            f"{least} to {most} steps of {search.settle_s:g} + {search.step_s:g} s under each, up to {LOOKS[-1]} times "
            f"as long where that is not certain; {search.confirm_s:g} s to confirm"
        ),
        (
            f"it usually takes {prepared.usual_s / 60:.1f} minutes, at most {prepared.most_s / 60:.1f}; after "
            f"{limit_s / 60:.1f} (safety.max_duration) it ends by itself, and is unknown if it was not over"
        ),
        *(f"fault {spec.written} of {spec.on}: {registry.undo_sentence(spec)}" for spec in prepared.experiment.faults),
        "the target is driven beyond what it bears; nothing was touched yet",
    ]
    return document, lines


def search_file(path: Path, options: Options) -> int:
    """Search; print the verdict. Returns the exit code of the program."""
    experiment = load_for(path, "search")
    if options.stack:
        experiment = replace(experiment, stack=replace(experiment.stack, use=options.stack))
    seed = secrets.randbits(32) if options.seed is None else options.seed
    prepared = prepare(resolve(experiment, seed))
    consented = ready(prepared.experiment, options)
    console = Console(stderr=options.as_json)
    objectives = prepared.search.objectives

    def conducted(means: Steering, measurer: Measurer) -> None:
        conduct(means, prepared, measurer, console)

    plan = plan_of(prepared.experiment, seed, prepared.usual_s)
    job = Job("search", prepared.experiment, plan, consented, objectives, prepared.lengths)
    verdict, folder = run_job(job, options, conducted)
    return show(verdict, folder, options, console)


def conduct(means: Steering, prepared: Prepared, measurer: Measurer, console: Console) -> None:
    """Conduct a search on a session that has begun; each step is one line on the console."""
    search, experiment = prepared.search, prepared.experiment
    by_name = {fault.written: fault for fault in experiment.faults}
    conditions = Conditions(
        search=search,
        scale=prepared.scale,
        rate=None if experiment.load.closed else experiment.load.rate,
        fault=by_name.get(search.fault) if search.over == "fault" else None,
        faults=tuple(by_name[name] for name in search.faults),
        longest_step_s=prepared.longest_step_s,
        until_s=experiment.safety.max_duration_s,
        max_fault_s=experiment.safety.max_fault_s,
        downs=downs_of(search, experiment.load),
    )

    def say(condition: str, wanted: Try, judged: Judged) -> None:
        with to_who_listens():
            console.print(step_line(condition, wanted, judged), markup=False, highlight=False, soft_wrap=True)

    Conductor(means, measurer, conditions, say).conduct()


def step_line(condition: str, wanted: Try, judged: Judged) -> str:
    """One step as one line."""
    p95 = "     –" if judged.p95_ms is None else f"{judged.p95_ms:6.0f}"
    about = f"  {judged.why}" if judged.why else ""
    length = judged.end_s - judged.start_s
    return (
        f"{condition:<16} {wanted.purpose.value:<8} {wanted.level:>9g}  {judged.seen.value:<8} "
        f"{judged.rps:8.1f} ok/s  p95 {p95} ms  {length:5.1f} s{about}"
    )
