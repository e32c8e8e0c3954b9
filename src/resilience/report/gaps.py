"""What a run did not cover. A pass says nothing about what is listed here."""

from collections.abc import Iterator, Mapping, Sequence

from resilience.columns import Record
from resilience.judge.closed import HIDES
from resilience.judge.coverage import FEW_CYCLES, NO_LEDGER, NOT_COVERED, few_cycles, one_level, tried
from resilience.judge.scripts import not_told, of_script
from resilience.model import Answer, EventKind, Verdict
from resilience.report.document import Row, as_text, items, number, rows, table, words


def find_gaps(record: Record, verdict: Verdict) -> tuple[str, ...]:
    """One sentence for each gap, the gravest first."""
    return tuple(
        dict.fromkeys(
            [
                *_of_the_record(record),
                *_of_the_parts(verdict),
                *_of_the_faults(record, verdict),
                *_of_the_writes(record),
                *_of_the_load(record, verdict),
                *_of_the_recovery(verdict),
                *(as_text(one) for one in items(table(verdict.document, "coverage"), "not_covered")),
            ]
        )
    )


def _of_the_record(record: Record) -> Iterator[str]:
    for problem in record.problems:
        yield f"The record itself has a problem: {problem}."
    if record.ledger is not None:
        for problem in record.ledger.problems:
            yield f"The write ledger has a problem: {problem}."
    for book in record.accounts:
        for problem in book.lines.problems:
            yield f"The write ledger of the account {book.name} has a problem: {problem}."
    for event in record.events:
        if event.kind is EventKind.INTERRUPTED:
            yield f"The run was interrupted after {event.at_s:.1f} s: {as_text(event.detail.get('reason'))}."


def _of_the_parts(verdict: Verdict) -> Iterator[str]:
    for part in verdict.parts:
        if part.answer is Answer.UNKNOWN:
            yield f"Unknown: {part.name}: {part.because}."


def _of_the_faults(record: Record, verdict: Verdict) -> Iterator[str]:
    judged = {words(fault, "name"): fault for fault in rows(verdict.document, "faults")}
    for spec in record.experiment.faults:
        fault: Mapping[str, object] = judged.get(spec.name, {})
        if fault.get("confirmed_s") is None:
            yield f"Fault {spec.name} was never observed active, so nothing is known about it."
        elif fault.get("clear_s") is None:
            yield f"Fault {spec.name} was never observed to be gone."
    kinds = sorted({f"{spec.kind} on {spec.on}" for spec in record.experiment.faults})
    held = [[as_text(name) for name in items(cycle, "faults")] for cycle in _cycles(verdict)]
    together = [" with ".join(names) for names in held if len(names) > 1]
    yield tried(kinds, together)


def _cycles(verdict: Verdict) -> Sequence[Row]:
    return rows(table(verdict.document, "recovery"), "cycles")


def _of_the_writes(record: Record) -> Iterator[str]:
    if record.experiment.ledger is None and not record.experiment.accounts:
        yield NO_LEDGER
        return
    if record.truth is None:
        yield "The truth about writes could not be read from the primary store."
    yield NOT_COVERED
    if record.truth is not None and record.truth.facts:
        facts = ", ".join(f"{name} = {value}" for name, value in sorted(record.truth.facts.items()))
        yield f"The store said of itself: {facts}."


def _of_the_load(record: Record, verdict: Verdict) -> Iterator[str]:
    seen = {
        name
        for phase in rows(verdict.document, "phases")
        for name in table(phase, "operations")
        if number(table(table(phase, "operations"), name), "count")
    }
    missing = [operation.name for operation in record.experiment.load.operations if operation.name not in seen]
    if missing:
        yield f"Never offered in any phase: {', '.join(missing)}."
    yield from not_told(record)
    if not of_script(record):
        yield one_level(record.experiment.load, record.stack)
    if record.experiment.load.closed:
        yield f"The load was closed: {HIDES}."


def _of_the_recovery(verdict: Verdict) -> Iterator[str]:
    cycles = _cycles(verdict)
    if cycles and len(cycles) < FEW_CYCLES:
        yield few_cycles(len(cycles))
    coarse = [number(cycle, "resolution_s") for cycle in cycles]
    widest = max((value for value in coarse if value is not None), default=None)
    if widest is not None:
        yield f"Instants of recovery are known to within {widest:.3g} s; anything shorter was not seen."
