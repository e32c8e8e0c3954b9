"""A search file to its end: parsed, conducted on a session of its own, judged, shown.

The file is an ordinary experiment whose block has `search` (or `capacity`), or a short one with `from:` and that block:

    from: ../redis-failure.yaml
    search: {over: rate, start: 50, limit: 1000, objectives: ["p(95)<250"]}
"""

import json
import math
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from resilience.ctk.consent import require_consent
from resilience.ctk.given import load_lacks
from resilience.ctk.kinds import check_fault
from resilience.ctk.leftovers import settle_leftovers
from resilience.ctk.run import load_file, own_network, to_who_listens
from resilience.ctk.wiring import collaborators
from resilience.drill.search.conduct import Conditions, Conductor
from resilience.drill.search.steps import FLUSH_S, LOOKS, Lengths, Measurer, Tally
from resilience.errors import EnvironmentNotReady, Interrupted, SpecError
from resilience.faults import registry
from resilience.host import namespace
from resilience.host.files import state_folder
from resilience.judge.search.checks import scale_of, unit_of
from resilience.judge.search.machine import Try, most_steps
from resilience.judge.search.scale import Scale
from resilience.judge.search.step import Judged, needed
from resilience.judge.search.told import PURPOSE
from resilience.model import (
    Experiment,
    FaultSpec,
    Json,
    Load,
    Objective,
    PhaseName,
    Plan,
    PlannedPhase,
    Problem,
    Search,
    Verdict,
    Workers,
    allowed_share,
)
from resilience.record import folder as run_folder
from resilience.record.reader import read_record
from resilience.record.tail import SampleTail
from resilience.report import html
from resilience.runtime.debts import DebtBook
from resilience.runtime.guard import Guard
from resilience.runtime.session import Session
from resilience.runtime.signals import interruptible
from resilience.runtime.steering import Steering
from resilience.spec.chaos import NAME
from resilience.spec.parse import parse
from resilience.spec.resolve import resolve
from resilience.spec.searches import problems_of, varied
from resilience.spec.text import read_text

ENOUGH = 2.0
"""So many times as many operations as certainty needs at least must come in the longest step at the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be said on the command line."""

    seed: int | None = None
    stack: str | None = None
    runs: Path = Path("runs")
    as_json: bool = False
    settle: bool = False
    consent: tuple[str, ...] = ()


def load_search(path: Path, key: str) -> Experiment:
    """Parse a file that has the block `key`, `search` or `capacity`; it may take everything else `from` another.

    Raises:
        SpecError: with every problem.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SpecError(Problem(str(path), f"cannot be read: {error.strerror}", "check the path")) from error
    data = read_text(content, path.name).data
    experiment = _from_other(path, data) if isinstance(data, Mapping) and "from" in data else load_file(path)
    if getattr(experiment, key) is None:
        hint = f"add {key}: … to the block {NAME}; see docs/reference/experiment-file.md"
        raise SpecError(Problem(str(path), f"says nothing of a {key}", hint))
    return experiment


def _from_other(path: Path, data: Mapping[str, Any]) -> Experiment:
    known = {"from", "search", "capacity"}
    wrong = [Problem(str(key), "is not known here", "write from, search, capacity") for key in data if key not in known]
    if not isinstance(data["from"], str):
        wrong.append(Problem("from", f"{data['from']!r} is no path", "name an experiment file"))
    if wrong:
        raise SpecError(wrong)
    base = (path.parent / data["from"]).resolve()
    try:
        source = read_text(base.read_bytes(), base.name).data
    except OSError as error:
        raise SpecError(Problem("from", f"{base} cannot be read: {error.strerror}", "check the path")) from error
    whole = json.loads(json.dumps(source))
    blocks = [one for one in whole.get("extensions", []) if isinstance(one, dict) and one.get("name") == NAME]
    for block in blocks[:1]:
        block.update({key: data[key] for key in ("search", "capacity") if key in data})
    return parse(json.dumps(whole).encode(), f"{path.stem}.json", str(base.parent), check_fault)


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
    assert search is not None  # noqa: S101 - load_search has looked
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
    longest_step_s = search.settle_s + LOOKS[-1] * max(search.step_s, search.confirm_s) + len(LOOKS) * wait_s + 1.0
    conditions = ("healthy", *search.faults)
    steps = most_steps(scale)
    least, most = steps
    usual = (least + most) // 2
    one_s = search.settle_s + search.step_s + 1.5
    usual_s = len(conditions) * (usual * one_s + search.confirm_s)
    most_s = len(conditions) * (
        most * (search.settle_s + LOOKS[-1] * search.step_s + wait_s) + LOOKS[-1] * search.confirm_s
    )
    return Prepared(
        experiment=replace(experiment, load=started(experiment.load, search), steps=tuple(used)),
        search=search,
        scale=scale,
        lengths=lengths,
        steps=steps,
        conditions=conditions,
        usual_s=usual_s + experiment.load.warm_up_s,
        most_s=most_s + experiment.load.warm_up_s,
        longest_step_s=longest_step_s,
    )


def started(load: Load, search: Search) -> Load:
    """The load as it is at the start of a search."""
    settle_s = max(search.settle_s, 1.0)
    common = {"baseline_s": settle_s, "stages": (), "profile": None, "workers": Workers(local=1)}
    if search.over == "users":
        return replace(load, **common, users=int(search.start), max_in_flight=int(search.limit))
    if search.over == "rate":
        return replace(load, **common, rate=search.start)
    return replace(load, **common)


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
        if rate is not None and rate * share * longest_s < least:
            yield Problem(
                "search.step",
                f"{one.expression} allows {allowed:.3g} to be bad: {least:,.0f} operations are needed to be certain of that, "
                f"and {rate * share * longest_s:,.0f} come in the longest step at the start",
                f"make the step {math.ceil(least / (rate * share * LOOKS[-1]))} s, or start higher"
                if math.isfinite(least)
                else "allow something",
            )
        hardest = search.limit if search.over == "rate" else load.rate
        room = hardest * one.limit / 1000 if one.aggregate in {"p", "med"} and not load.closed else 0.0
        if room > load.max_in_flight:
            yield Problem(
                "load.max_in_flight",
                f"at {hardest:g}/s and {one.limit:g} ms there are {room:,.0f} operations in flight, and {load.max_in_flight} "
                "may be: the generator would be the limit",
                f"write at least {2 * room:.0f}",
            )


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
        f"under {len(prepared.conditions)} condition{'s' * (len(prepared.conditions) > 1)}: {', '.join(prepared.conditions)}",
        f"{least} to {most} steps of {search.settle_s:g} + {search.step_s:g} s under each, those that are not certain up to "
        f"{LOOKS[-1]} times as long; {search.confirm_s:g} s to confirm",
        f"it usually takes {prepared.usual_s / 60:.1f} minutes, at most {prepared.most_s / 60:.1f}; it ends by itself after "
        f"{limit_s / 60:.1f} (safety.max_duration), and is unknown if it is not over by then",
        *(f"fault {spec.written} of {spec.on}: {registry.undo_sentence(spec)}" for spec in prepared.experiment.faults),
        "the target is driven beyond what it bears; nothing was touched yet",
    ]
    return document, lines


def search_file(path: Path, options: Options) -> int:
    """Search; print the verdict. Returns the exit code of the program."""
    experiment = load_search(path, "search")
    if options.stack:
        experiment = replace(experiment, stack=replace(experiment.stack, use=options.stack))
    seed = secrets.randbits(32) if options.seed is None else options.seed
    prepared = prepare(resolve(experiment, seed))
    consented = ready(prepared.experiment, options)
    console = Console(stderr=options.as_json)
    objectives = prepared.search.objectives

    def conduct(means: Steering, measurer: Measurer) -> None:
        _conduct(means, prepared, measurer, console)

    plan = plan_of(prepared.experiment, seed, prepared.usual_s)
    job = Job("search", prepared.experiment, plan, consented, objectives, prepared.lengths)
    verdict, folder = run_job(job, options, conduct)
    return show(verdict, folder, options, console)


def ready(experiment: Experiment, options: Options) -> tuple[str, ...]:
    """Whether it may be done here and now; returns who consented to what.

    Raises:
        EnvironmentNotReady: it cannot.
    """
    consented = require_consent(experiment, options.consent)
    if lacks := tuple(load_lacks(experiment)):
        raise EnvironmentNotReady(lacks)
    if not namespace.entered():
        settle_leftovers(settle=options.settle)
        own_network(experiment)
    return consented


def plan_of(experiment: Experiment, seed: int, length_s: float) -> Plan:
    """The plan of a run that decides what it does while it goes on."""
    load = experiment.load
    begin_s = load.warm_up_s + load.baseline_s
    return Plan(
        run=secrets.token_hex(4),
        seed=seed,
        phases=(
            PlannedPhase(name=PhaseName.WARM_UP, start_s=0.0, end_s=load.warm_up_s),
            PlannedPhase(name=PhaseName.BASELINE, start_s=load.warm_up_s, end_s=begin_s),
            PlannedPhase(name=PhaseName.AFTER, start_s=begin_s, end_s=begin_s + length_s),
        ),
        duration_s=begin_s + length_s,
        arrivals=0,
        undo={spec.name: registry.undo_sentence(spec) for spec in experiment.faults},
        parts={spec.name: spec.on for spec in experiment.faults},
    )


Conduct = Callable[[Steering, Measurer], None]
"""Does whatever is to be done between the beginning of the load and its end."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a session of ours is for: its purpose as its record has it, and what is measured in it."""

    purpose: str
    experiment: Experiment
    plan: Plan
    consented: tuple[str, ...]
    objectives: tuple[Objective, ...]
    lengths: Lengths


def run_job(job: Job, options: Options, conduct: Conduct) -> tuple[Verdict, Path]:
    """A session from its stack to its verdict, with something conducted in between."""
    experiment = job.experiment
    need_bytes = 2 * experiment.safety.min_free_disk_bytes
    name = f"{job.purpose}-{experiment.name}"
    folder = run_folder.create(options.runs, name, at=datetime.now(UTC), need_bytes=need_bytes)
    began = False
    try:
        with ExitStack() as undone, interruptible():
            book = undone.enter_context(DebtBook.create(state_folder(), job.plan.run))
            guard = undone.enter_context(Guard.start(book))
            tally = Tally()
            made = collaborators(experiment, job.plan.run, (tally,))
            header = {**made.header, "consent": job.consented, PURPOSE: job.purpose}
            session = Session(
                experiment,
                job.plan,
                folder=folder,
                book=book,
                guard=guard,
                collaborators=replace(made, header=header, steered=True),
            )
            undone.callback(session.close)
            try:
                verdict = _play(session, job, tally, conduct)
            finally:
                began = session.began
            (folder / run_folder.REPORT).write_bytes(html.render(read_record(folder), verdict))
    finally:
        if not began:
            run_folder.discard(options.runs, folder)
    return verdict, folder


def _play(session: Session, job: Job, tally: Tally, conduct: Conduct) -> Verdict:
    try:
        session.open()
        means = session.steering()
        conduct(means, Measurer(means, SampleTail(session.folder), tally, job.objectives, job.lengths))
    except (Interrupted, KeyboardInterrupt) as error:
        if not session.began:
            raise
        session.interrupt(str(error) or "Ctrl-C")
    return session.finish()


def _conduct(means: Steering, prepared: Prepared, measurer: Measurer, console: Console) -> None:
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


def show(verdict: Verdict, folder: Path, options: Options, console: Console) -> int:
    """Print the verdict. Returns the exit code."""
    with to_who_listens():
        if options.as_json:
            sys.stdout.write(json.dumps(verdict.document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        else:
            colour = {"pass": "green", "fail": "red", "unknown": "yellow"}[verdict.answer.value]
            console.print()
            console.print(f"[bold {colour}]{verdict.answer.value.upper()}[/]", highlight=False)
            for part in verdict.parts:
                for line in part.evidence if part.name == "break-point" else (part.because,):
                    console.print(f"  {part.answer.value:<8} {part.name}: {line}", markup=False, soft_wrap=True)
            console.print(f"  record: {folder}", markup=False, soft_wrap=True)
    return verdict.answer.exit_code
