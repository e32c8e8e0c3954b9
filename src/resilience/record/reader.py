"""A run folder read back as one value. What is damaged is left out and said so; nothing is guessed."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from resilience.columns import AccountBook, LedgerLines, Mark, Record, Samples, Truth
from resilience.errors import RecordError
from resilience.model import OUTCOMES, Account, Baseline, Event, EventKind, Experiment, Json, Plan, Problem
from resilience.record import truth as truths
from resilience.record.baseline import load_baseline
from resilience.record.documents import digests, load_experiment, load_plan
from resilience.record.events import read_events
from resilience.record.folder import BASELINE, EVENTS
from resilience.record.ledger import read_ledger
from resilience.record.readings import read_readings
from resilience.record.receipts import read_receipts
from resilience.record.resources import read_resources
from resilience.record.samples import read_samples


def read_record(folder: Path, *, finished: bool = True) -> Record:
    """Read a run.

    Args:
        folder: the run folder, or a link to it.
        finished: False for a run in progress: seals, footer and truth may not be there yet.

    Returns:
        Everything that can be read; `problems` (and `ledger.problems`) say what cannot.

    Raises:
        RecordError: `experiment.json` or `plan.json` cannot be read: this is no run folder, or cannot be judged.
    """
    folder = folder.resolve()
    experiment, plan = _documents(folder)
    events, problems = read_events(folder / EVENTS, finished=finished)
    samples, sample_problems = read_samples(folder, finished, ordered=True)
    problems += sample_problems
    ledger: LedgerLines | None = None
    truth: Truth | None = None
    cached: Truth | None = None
    if experiment.ledger is not None:
        ledger = read_ledger(folder, run=plan.run, finished=finished)
        if finished:
            try:
                truth = truths.load(folder)
                if experiment.ledger.cache is not None:
                    cached = truths.load(folder, what=truths.CACHE)
            except RecordError as error:
                problems += tuple(str(problem) for problem in error.problems)
    books = []
    for account in experiment.accounts:
        book, account_problems = _book(folder, account, plan.run, finished=finished)
        books.append(book)
        problems += account_problems
    header = events[0].detail if events and events[0].kind is EventKind.HEADER else {}
    problems += (*_compare_header(header.get("run"), plan.run), *_compare_documents(folder, header.get("documents")))
    baseline: Baseline | None = None
    if finished and (folder / BASELINE).exists():
        try:
            baseline = load_baseline(folder / BASELINE)
        except RecordError as error:
            problems += tuple(str(problem) for problem in error.problems)
    incomplete: tuple[str, ...] = ()
    if finished:
        incomplete = _compare_writes(events, _ledgers(ledger, books))
        problems += (*_compare_counts(events, samples), *incomplete)
    stack = header.get("stack")
    return Record(
        folder=str(folder),
        experiment=experiment,
        plan=plan,
        stack=stack if isinstance(stack, str) else experiment.stack.use,
        events=events,
        samples=samples,
        ledger=ledger,
        truth=truth,
        cached=cached,
        problems=problems,
        accounts=tuple(books),
        readings=tuple(
            read_readings(folder, dependency.name, finished=finished)
            for dependency in experiment.degradation.dependencies
        ),
        incomplete=incomplete,
        resources=read_resources(folder, finished),
        baseline=baseline,
    )


def _ledgers(ledger: LedgerLines | None, books: Sequence[AccountBook]) -> list[LedgerLines]:
    return [*([] if ledger is None else [ledger]), *(book.lines for book in books)]


def _book(folder: Path, account: Account, run: str, *, finished: bool) -> tuple[AccountBook, tuple[str, ...]]:
    """Ledger and truth of one account, and what kept the truth from being read."""
    name = account.name
    lines = read_ledger(folder, run=run, finished=finished, account=name)
    if not finished:
        return AccountBook(name, lines, None), ()
    if account.truth.subscription:
        return AccountBook(name, lines, None, read_receipts(folder, name, run=run)), ()
    try:
        return AccountBook(name, lines, truths.load(folder, account=name)), ()
    except RecordError as error:
        return AccountBook(name, lines, None), tuple(str(problem) for problem in error.problems)


def _documents(folder: Path) -> tuple[Experiment, Plan]:
    problems: list[Problem] = []
    experiment = plan = None
    try:
        experiment = load_experiment(folder)
    except RecordError as error:
        problems += error.problems
    try:
        plan = load_plan(folder)
    except RecordError as error:
        problems += error.problems
    if experiment is None or plan is None:
        raise RecordError(problems)
    return experiment, plan


def _compare_header(told: object, run: str) -> tuple[str, ...]:
    if told is None or told == run:
        return ()
    return (f"events are of run {told!r}, plan.json is of run {run!r}",)


def _compare_documents(folder: Path, told: object) -> Iterator[str]:
    """What is promised and planned beside what the header says of it: what was run cannot be changed afterwards.

    Records of before this was noted say nothing.
    """
    if isinstance(told, Mapping):
        found = digests(folder)
        names = sorted({*found, *told})
        changed = [name for name in names if told.get(name) != found.get(name)]
        yield from (f"{name} is not as it was when the run began" for name in changed)


def _compare_counts(events: Sequence[Event], samples: Samples) -> tuple[str, ...]:
    """What the generator says it did beside what is there: whole files can be missing without a trace otherwise."""
    accounts = [event.detail for event in events if event.kind is EventKind.LOAD]
    if not accounts:
        return ("the load generator's own account is missing: its samples cannot be checked for completeness",)
    found = {"offered": len(samples)}
    counts = np.bincount(samples.outcome, minlength=len(OUTCOMES)).tolist()
    found |= {outcome.value: count for outcome, count in zip(OUTCOMES, counts, strict=True)}
    return _compared(accounts[-1], found)


def _compare_writes(events: Sequence[Event], ledgers: Sequence[LedgerLines]) -> tuple[str, ...]:
    """The same of the ledgers: of a file that is missing nothing else would tell."""
    accounts = [event.detail for event in events if event.kind is EventKind.LOAD]
    if not accounts or not ledgers:
        return ()
    found = {
        name: sum(int(np.count_nonzero(ledger.mark == mark)) for ledger in ledgers)
        for name, mark in (("attempted", Mark.ATTEMPTED), ("acknowledged", Mark.ACKNOWLEDGED))
    }
    return _compared(accounts[-1], found)


def _compared(account: Mapping[str, Json], found: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(
        f"the load generator counted {account[name]} {name}, the record has {count}"
        for name, count in found.items()
        if isinstance(account.get(name), int) and account[name] != count
    )
