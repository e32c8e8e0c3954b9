"""`resilience clean`: removes what a run wrote, through what its file declares, and looks that it is gone."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from resilience.ctk.consent import require_consent
from resilience.ctk.run import load_file
from resilience.ctk.truths import source_of
from resilience.entry import prefix_of
from resilience.errors import EnvironmentNotReady, RecordError, SpecError
from resilience.host.files import state_folder
from resilience.model import EventKind, Experiment, Place, Problem, Removal, Truth
from resilience.observe.removal import (
    HttpRemover,
    Ids,
    PostgresIds,
    PostgresRemover,
    ReaderIds,
    Remover,
)
from resilience.observe.removal_redis import RedisEntriesRemover, RedisRemover
from resilience.observe.truth_redis import RedisAddress
from resilience.record.documents import load_experiment, load_plan
from resilience.record.events import read_events
from resilience.record.folder import EVENTS
from resilience.runtime import stopping
from resilience.stack import kept

_RUN_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What became of the test data of a run in one place.

    Attributes:
        ledger: the account whose data it is; empty is `ledger` itself.
        where: what was asked, without anything secret.
        found: how much was there.
        removed: how much was removed; None if it was only looked.
    """

    ledger: str
    where: str
    found: int
    removed: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What `clean` did.

    Attributes:
        run: whose data it was.
        places: in the order in which they were cleaned.
        left: entries that the truths still list, and what removers would still remove; None if it was only looked.
    """

    run: str
    places: tuple[Cleaned, ...]
    left: int | None = None

    @property
    def exit_code(self) -> int:
        """1 if something is left."""
        return 1 if self.left else 0


@dataclass(frozen=True, slots=True)
class _Work:
    ledger: str
    remover: Remover


def clean(folder: Path, *, dry_run: bool, consent: Iterable[str], declared_in: Path | None = None) -> Report:
    """Remove the test data of a run.

    Args:
        folder: of the run.
        dry_run: only look.
        consent: names of what looks like production and is meant all the same.
        declared_in: an experiment file whose removals are taken instead of the record's.

    Raises:
        SpecError: that is no run folder, nothing declares how its data is removed, or what does would remove more.
            Nothing was touched.
        EnvironmentNotReady: the run still lasts, a store cannot be had, or nobody consented. Nothing was touched.
        RecordError: something could not be removed or read; some may have been removed.
    """
    experiment, run = _run_of(folder)
    if declared_in is not None:
        experiment = _redeclared(experiment, load_file(declared_in))
    missing = [name for name, ledger in experiment.truths.items() if not ledger.truth.clean and _stored(ledger.truth)]
    if len(missing) == len(experiment.truths):
        message = "nothing declares how the test data of this run is removed"
        hint = "add clean: [{query: DELETE …}] to the ledger's truth, and name that file with --declared-in"
        raise SpecError(Problem(str(folder), message, hint))
    require_consent(experiment, consent)  # looking takes locks, too
    with ExitStack() as claimed:
        places = _places(experiment, claimed)
        prefix = prefix_of(run)
        work, truths = _prepared(experiment, places, prefix)
        try:
            found = [Cleaned(each.ledger, each.remover.where, each.remover.count()) for each in work]
        except RecordError as error:
            raise EnvironmentNotReady(error.problems) from error
        if dry_run:
            return Report(run, tuple(found))
        done = tuple(replace(one, removed=each.remover.remove()) for one, each in zip(found, work, strict=True))
        left = sum(each.remover.count() for each in work) + sum(sum(1 for _ in one.all()) for one in truths)
        return Report(run, done, left)


def _run_of(folder: Path) -> tuple[Experiment, str]:
    """The experiment and the id of a run that is over.

    Raises:
        SpecError: this is not the folder of a run, or its documents do not speak of the same one.
        EnvironmentNotReady: it still lasts.
    """
    sight = stopping.look(folder, state_folder())
    if sight.lives:
        raise EnvironmentNotReady(Problem(str(folder), "this run still lasts", "`resilience abort` stops it"))
    try:
        experiment, plan = load_experiment(folder), load_plan(folder)
        events, _ = read_events(folder / EVENTS, finished=False)
    except RecordError as error:
        raise SpecError(error.problems) from error
    header = events[0].detail.get("run") if events and events[0].kind is EventKind.HEADER else None
    proper = len(plan.run) == _RUN_DIGITS and not set(plan.run) - set("0123456789abcdef")
    if not proper or header != plan.run:
        message = f"the plan is that of run {plan.run!r}, the events are those of {header!r}; one id was expected"
        raise SpecError(Problem(str(folder), message, "only what a recorded run wrote is removed"))
    return experiment, plan.run


def _redeclared(experiment: Experiment, other: Experiment) -> Experiment:
    """The experiment as it was run, with the removals, stores included, that another file declares."""
    return replace(experiment, ledger=other.ledger, accounts=other.accounts, folder=other.folder)


def _stored(truth: Truth) -> bool:
    return not truth.subscription


def _places(experiment: Experiment, claimed: ExitStack) -> Mapping[str, Place]:
    """The parts of the stack that the run's data is in, which nobody else uses meanwhile."""
    if not any(_needed(experiment)):
        return {}
    places = kept.places() if experiment.stack.use == "embedded" else {}
    if not places:
        message = "the run's stack is not there any more, and its data went with it"
        hint = "only a stack that `resilience up` keeps, or a store by dsn_env, has something left to be removed"
        raise EnvironmentNotReady(Problem("stack", message, hint))
    claimed.enter_context(kept.claim())
    return places


def _needed(experiment: Experiment) -> Iterator[str]:
    """The parts that are named."""
    for ledger in experiment.truths.values():
        truth = ledger.truth
        for removal in truth.clean:
            if part := removal.part or ("" if removal.dsn_env else truth.part):
                yield part


def _prepared(experiment: Experiment, places: Mapping[str, Place], prefix: str) -> tuple[list[_Work], list[Ids]]:
    """What removes, in order, and what tells what is left. Raises EnvironmentNotReady if a store cannot be had."""
    work, truths = [], []
    try:
        for name, ledger in experiment.truths.items():
            truth = ledger.truth
            if not truth.clean:
                continue
            ids = _ids(truth, places, prefix, experiment.folder)
            truths.append(ids)
            work += [_Work(name, _remover(one, truth, places, prefix, ids)) for one in truth.clean]
    except RecordError as error:
        raise EnvironmentNotReady(error.problems) from error
    return work, truths


def _ids(truth: Truth, places: Mapping[str, Place], prefix: str, folder: str) -> Ids:
    if truth.query:
        dsn, passfile = _postgres(truth.part, truth.dsn_env, places)
        return PostgresIds(dsn, passfile, truth.query, prefix)
    return ReaderIds(source_of(truth, places, folder), prefix)


def _remover(removal: Removal, truth: Truth, places: Mapping[str, Place], prefix: str, ids: Ids) -> Remover:
    part, variable = removal.part, removal.dsn_env
    if not part and not variable:
        part, variable = truth.part, truth.dsn_env
    if removal.query:
        return PostgresRemover(*_postgres(part, variable, places), removal.query, prefix)
    if removal.keys or removal.entries:
        address = RedisAddress.of(_place(part, places)) if part else RedisAddress(url=_variable(variable))
        if truth.redis is not None and removal.entries:
            return RedisEntriesRemover(address, truth.redis, prefix)
        return RedisRemover(address, removal.keys, prefix)
    base = _place(part, places).url if part else _variable(variable)
    if not base:
        raise RecordError(Problem("clean.part", f"the part {part!r} has no HTTP address", "name another part"))
    headers = {name: _variable(each) for name, each in removal.headers_env.items()}
    return HttpRemover(base, removal.path, ids, headers)


def _postgres(part: str, variable: str, places: Mapping[str, Place]) -> tuple[str, str]:
    if part:
        place = _place(part, places)
        return place.dsn, place.passfile
    return _variable(variable), ""


def _place(part: str, places: Mapping[str, Place]) -> Place:
    if part not in places:
        message = f"the stack has no part {part!r}; it has {', '.join(sorted(places)) or 'none'}"
        raise RecordError(Problem("clean.part", message, "name one of them"))
    return places[part]


def _variable(name: str) -> str:
    found = os.environ.get(name, "")
    if not found:
        message = f"the environment variable {name} is not set; clean takes an address from there"
        raise RecordError(Problem("clean.dsn_env", message, "set it"))
    return found
