"""Running an experiment file to its end: parsed, checked, played by chaostoolkit under our session, judged, shown.

chaostoolkit is the sequencer: it plays hypothesis, method, hypothesis, rollbacks. The session around it has the stack,
the load, the leases and the record. The exit code is the verdict's, not chaostoolkit's.
"""

import copy
import json
import logging
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chaoslib import merge_vars
from chaoslib.exceptions import ChaosException
from chaoslib.experiment import ensure_experiment_is_valid, run_experiment
from chaoslib.run import RunEventHandler
from chaoslib.types import Strategy
from rich.console import Console

from resilience.ctk.baselines import baseline_for
from resilience.ctk.consent import require_consent
from resilience.ctk.current import running
from resilience.ctk.drivers import check_readable
from resilience.ctk.given import load_lacks
from resilience.ctk.kinds import check_fault
from resilience.ctk.leftovers import settle_leftovers
from resilience.ctk.wiring import collaborators
from resilience.errors import EnvironmentNotReady, Interrupted, ResilienceError, SpecError
from resilience.faults import registry
from resilience.host import namespace
from resilience.host.files import state_folder
from resilience.live.terminal import open_display
from resilience.model import Experiment, Plan, Problem, Verdict
from resilience.record import documents
from resilience.record import folder as run_folder
from resilience.record.baseline import save_baseline
from resilience.record.reader import read_record
from resilience.report import html
from resilience.report.summary import print_summary
from resilience.runtime.debts import DebtBook
from resilience.runtime.guard import Guard
from resilience.runtime.session import Session
from resilience.runtime.signals import interruptible
from resilience.spec.parse import parse
from resilience.spec.plan import plan as make_plan
from resilience.spec.resolve import resolve
from resilience.stack import kept
from resilience.stack.embedded import EmbeddedStack

PROBES = "resilience.ctk.probes"
"""The module of our probes, as files name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be said on the command line about a run.

    Attributes:
        settle: what dead runs still owe is settled without asking.
        consent: names of what looks like production and is meant all the same.
        baseline: file with earlier runs to compare with, instead of the experiment's own.
    """

    seed: int | None = None
    stack: str | None = None
    runs: Path = Path("runs")
    as_json: bool = False
    journal: Path | None = None
    settle: bool = False
    consent: tuple[str, ...] = ()
    baseline: Path | None = None
    hypothesis_strategy: str = "default"
    variables: tuple[dict[str, Any], tuple[str, ...]] = ({}, ())


def load_file(path: Path) -> Experiment:
    """Parse an experiment file and check everything that can be checked without touching anything.

    Raises:
        SpecError: with every problem.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SpecError(
            Problem(str(path), f"the experiment cannot be read: {error.strerror}", "check the path")
        ) from error
    experiment = parse(content, path.name, str(path.resolve().parent), check_fault)
    check_readable(experiment)
    try:
        ensure_experiment_is_valid(copy.deepcopy(dict(experiment.chaos)))
    except ChaosException as error:
        raise SpecError(Problem(str(path), f"chaostoolkit refuses it: {error}")) from error
    return experiment


def plan_for(experiment: Experiment, seed: int | None) -> Plan:
    """The plan of a run: what would be done, with a fresh run id, without touching anything.

    Which of several parts is meant stands in its `parts`; `resolve` puts them into the experiment.
    """
    seed = secrets.randbits(32) if seed is None else seed
    drawn = resolve(experiment, seed)
    undo = {spec.name: registry.undo_sentence(spec) for spec in drawn.faults}
    return make_plan(drawn, seed=seed, run=secrets.token_hex(4), undo=undo)


def validate_file(path: Path) -> int:
    """Validate a file; print every problem or one line. Returns the exit code."""
    try:
        experiment = load_file(path)
    except ResilienceError as error:
        return show_problems(error)
    Console().print(
        f"{path}: valid ({len(experiment.faults)} faults, {len(experiment.objectives)} objectives)", markup=False
    )
    return 0


def show_problems(error: ResilienceError) -> int:
    """Print the problems of an error on standard error, one a line. Returns the exit code."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    titles = {3: "the file is wrong; nothing was touched", 4: "not ready; nothing was left", 5: "debts outstanding"}
    with to_who_listens():
        console.print(f"{titles.get(error.exit_code, 'stopped')}:", markup=False)
        for problem in error.problems:
            console.print(f"  {problem}", markup=False)
    return error.exit_code


@contextmanager
def to_who_listens() -> Iterator[None]:
    """Say something; that nobody listens (a lost terminal, a closed pipe) does not change the exit code."""
    try:
        yield
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, SystemExit):  # rich leaves by SystemExit when its pipe is closed
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        os.close(nowhere)


def run_file(path: Path, options: Options) -> int:
    """Run an experiment file; print its verdict. Returns the exit code of the program."""
    try:
        experiment = load_file(path)
        if options.stack:
            experiment = replace(experiment, stack=replace(experiment.stack, use=options.stack))
        baseline_for(experiment, options.baseline)
        consented = require_consent(experiment, options.consent)
        if lacks := tuple(load_lacks(experiment)):
            raise EnvironmentNotReady(lacks)
        if not namespace.entered():
            settle_leftovers(settle=options.settle)
            own_network(experiment)
        return _run(experiment, plan_for(experiment, options.seed), options, consented)
    except ResilienceError as error:
        return show_problems(error)


def own_network(experiment: Experiment) -> None:
    """Begin again in a network of our own, if the experiment changes the network and may not do so here.

    Raises:
        EnvironmentNotReady: that is needed, and cannot be.
    """
    changes = any(spec.kind.startswith("network.") for spec in experiment.faults)
    if not changes or experiment.stack.use != EmbeddedStack.name or namespace.may_change_network():
        return
    if kept.running():
        message = "the kept stack would not be in the network of its own that this run needs"
        raise EnvironmentNotReady(Problem("stack", message, "`resilience down`, or run as root"))
    namespace.enter()


def _run(experiment: Experiment, plan: Plan, options: Options, consented: tuple[str, ...]) -> int:
    """Make the run folder, the debt book and the reaper; run; leave nothing but a record of a run that began."""
    experiment = resolve(experiment, plan.seed)
    console = Console(stderr=options.as_json)
    need_bytes = 2 * experiment.safety.min_free_disk_bytes
    folder = run_folder.create(options.runs, experiment.name, at=datetime.now(UTC), need_bytes=need_bytes)
    began = False
    try:
        if (baseline := baseline_for(experiment, options.baseline)) is not None:
            save_baseline(folder / run_folder.BASELINE, baseline)
        with ExitStack() as undone, interruptible():
            book = undone.enter_context(DebtBook.create(state_folder(), plan.run))
            guard = undone.enter_context(Guard.start(book))
            made = collaborators(experiment, plan.run, (open_display(experiment, plan, console=console),))
            session = Session(
                experiment,
                plan,
                folder=folder,
                book=book,
                guard=guard,
                collaborators=replace(made, header={**made.header, "consent": consented}),
            )
            undone.callback(session.close)
            try:
                verdict = _play(session, options)
            finally:
                began = session.began
            report = html.render(read_record(folder), verdict)
            (folder / run_folder.REPORT).write_bytes(report)
    finally:
        if not began:
            run_folder.discard(options.runs, folder)
    with to_who_listens():
        if options.as_json:
            sys.stdout.write(json.dumps(verdict.document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        else:
            print_summary(verdict, str(folder), console)
    return verdict.answer.exit_code


def _play(session: Session, options: Options) -> Verdict:
    """Open the session, let chaostoolkit play the experiment, finish."""
    try:
        session.open()
        with running(session), quiet_console():
            journal = run_experiment(
                copy.deepcopy(dict(session.experiment.chaos)),
                settings={"runtime": {"rollbacks": {"strategy": "always"}, "hypothesis": {"strategy": "default"}}},
                experiment_vars=merge_vars(*options.variables),
                strategy=Strategy.from_string(options.hypothesis_strategy),
                event_handlers=[ActivityWatch(session)],
            )
        if journal["status"] == "interrupted":
            session.interrupt("chaostoolkit was interrupted")
        document = json.loads(json.dumps(journal, default=str))
        documents.save_document(session.folder / run_folder.JOURNAL, document, session.redactor)
        if options.journal is not None:
            documents.save_document(options.journal, document, session.redactor)
    except (Interrupted, KeyboardInterrupt) as error:
        if not session.began:
            raise
        session.interrupt(str(error) or "Ctrl-C")
    return session.finish()


class ActivityWatch(RunEventHandler):  # type: ignore[misc] # chaostoolkit has no types
    """Tells the session of every activity that failed: chaostoolkit goes on and calls the experiment completed.

    And of every probe of ours that says something else than the session answered it, or did not ask: what it said
    lets chaostoolkit go on, or stop.
    """

    def __init__(self, session: Session) -> None:
        """Tell this session."""
        self._session = session
        self._answered = 0

    def start_activity(self, activity: dict[str, Any]) -> None:  # noqa: ARG002 - as declared
        """Note how often the session was asked before."""
        self._answered = len(self._session.answered)

    def activity_completed(self, activity: dict[str, Any], run: dict[str, Any]) -> None:
        """Note a failed activity, which to chaostoolkit is one that raised, and a probe that is not to be believed."""
        name = activity.get("name")
        if run.get("status") != "succeeded":
            exception = run.get("exception") or ["no reason given"]
            self._session.problem("method", f"activity {name!r} failed: {str(exception[-1]).strip()}")
        elif (activity.get("provider") or {}).get("module") == PROBES:
            answered = self._session.answered[self._answered :]
            if not answered:
                self._session.problem("hypothesis", f"probe {name!r} said {run.get('output')} and asked nobody")
            elif run.get("output") is not answered[-1]:
                message = f"probe {name!r} said {run.get('output')}, the answer that it was given is {answered[-1]}"
                self._session.problem("hypothesis", message)


@contextmanager
def quiet_console() -> Iterator[None]:
    """Keep chaostoolkit's chatter below warnings off the terminal, where our display is; its log file keeps all."""
    handlers = [
        handler
        for handler in logging.getLogger("chaostoolkit").handlers
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler)
    ]
    levels = [handler.level for handler in handlers]
    for handler in handlers:
        handler.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for handler, level in zip(handlers, levels, strict=True):
            handler.setLevel(level)
