"""A run that decides what it does while it goes on, from its file to its verdict: a search, or a capacity run.

The file is an ordinary experiment whose block has `search` or `capacity`, or a short one with `from:` and that block:

    from: ../redis-failure.yaml
    search: {over: rate, start: 50, limit: 1000, objectives: ["p(95)<250"]}

The session around it is that of every run: its stack, its load, its leases and its record.
"""

import json
import secrets
import sys
from collections.abc import Callable, Mapping
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
from resilience.drill.search.steps import Lengths, Measurer, Tally
from resilience.errors import EnvironmentNotReady, Interrupted, SpecError
from resilience.faults import registry
from resilience.host import namespace
from resilience.host.files import state_folder
from resilience.judge.search.told import PURPOSE
from resilience.model import Experiment, Json, Objective, PhaseName, Plan, PlannedPhase, Problem, Verdict
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
from resilience.spec.text import read_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be said on the command line."""

    seed: int | None = None
    stack: str | None = None
    runs: Path = Path("runs")
    as_json: bool = False
    settle: bool = False
    consent: tuple[str, ...] = ()


def load_for(path: Path, key: str) -> Experiment:
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


def show(verdict: Verdict, folder: Path, options: Options, console: Console, *, listed: str = "break-point") -> int:
    """Print the verdict, of one part (`listed`) with every line of its evidence. Returns the exit code."""
    with to_who_listens():
        if options.as_json:
            sys.stdout.write(json.dumps(verdict.document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        else:
            colour = {"pass": "green", "fail": "red", "unknown": "yellow"}[verdict.answer.value]
            console.print()
            console.print(f"[bold {colour}]{verdict.answer.value.upper()}[/]", highlight=False)
            for part in verdict.parts:
                for line in part.evidence if part.name == listed else (part.because,):
                    console.print(f"  {part.answer.value:<8} {part.name}: {line}", markup=False, soft_wrap=True)
            if limit := limit_of(verdict):
                console.print(f"  limited by: {limit['because']}", markup=False, soft_wrap=True)
            console.print(f"  record: {folder}", markup=False, soft_wrap=True)
    return verdict.answer.exit_code


def limit_of(verdict: Verdict) -> dict[str, Json]:
    """What limited the target while it was saturated, as far as readings tell: place and sentence; else empty."""
    told = verdict.document.get("bottlenecks")
    if not isinstance(told, Mapping) or told.get("answer") != "found":
        return {}
    return {"place": told.get("place"), "because": told.get("because")}
