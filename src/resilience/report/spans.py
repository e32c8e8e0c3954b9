"""A run as spans: itself, its phases and faults, and every operation that was sent as the beginning of a trace. Pure.

The spans of operations have the identities that were sent with them (see `load.said`), so what the target's own traces
call their parent is here. The run, its phases and faults are one further trace, which follows from the run's id.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b

import numpy as np

from resilience.columns import Record
from resilience.errors import RecordError
from resilience.model import OUTCOMES, EventKind, Outcome
from resilience.report.document import Row, number, phase_label, rows, words

Attributes = Mapping[str, str | int | float | bool]
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Span:
    """A span, in nanoseconds since 1970.

    Attributes:
        trace, span, parent: hexadecimal, 32, 16 and 16 characters; no parent is empty.
        client: whether it is a request that somebody else answered.
        bad: why its status is an error; empty if it is not.
        events: (instant, name).
        links: (trace, span) of others that it has to do with.
    """

    name: str
    trace: str
    span: str
    start_ns: int
    end_ns: int
    parent: str = ""
    client: bool = False
    bad: str = ""
    attributes: Attributes = field(default_factory=dict)
    events: Sequence[tuple[int, str]] = ()
    links: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Traced:
    """An operation that was sent with a trace.

    Attributes:
        trace, span: as sent, hexadecimal.
        response_s: from its intended start to its end.
        link: where it can be looked at; empty if nobody said.
    """

    operation: str
    outcome: str
    status: int
    arrival_s: float
    response_s: float
    trace: str
    span: str
    link: str


def slowest(record: Record, count: int = 20) -> tuple[Traced, ...]:
    """The slowest operations that were sent with a trace, the slowest first."""
    samples = record.samples
    if samples.trace is None:
        return ()
    chosen = np.flatnonzero(samples.trace > 0)
    length = (samples.end_ns - samples.arrival_ns)[chosen]
    return tuple(_traced(record, int(chosen[place])) for place in np.argsort(-length, kind="stable")[:count])


def _traced(record: Record, place: int) -> Traced:
    samples, tracing = record.samples, record.experiment.load.tracing
    trace, _, span = (
        samples.traces[int(samples.trace[place])].partition("-") if samples.trace is not None else ("",) * 3
    )
    arrival_ns = int(samples.arrival_ns[place])
    link = tracing.link.replace("${trace_id}", trace) if tracing is not None else ""
    return Traced(
        operation=samples.operations[int(samples.operation[place])],
        outcome=OUTCOMES[int(samples.outcome[place])].value,
        status=int(samples.status[place]),
        arrival_s=arrival_ns / _NS,
        response_s=(int(samples.end_ns[place]) - arrival_ns) / _NS,
        trace=trace,
        span=span,
        link=link,
    )


def spans_of(record: Record, document: Row) -> Iterator[Span]:
    """Every span of a run.

    Args:
        record: as read.
        document: its verdict.

    Raises:
        RecordError: the record does not say when it began.
    """
    zero_ns = epoch_ns(record)
    trace, top = _ids(record.plan.run, "run")
    end_s = number(document, "duration_s") or 0.0
    answer = words(document, "answer")
    yield Span(
        f"run {record.experiment.name}",
        trace,
        top,
        zero_ns,
        zero_ns + round(end_s * _NS),
        bad="" if answer == "pass" else words(document, "because"),
        attributes={
            "resilience.run": record.plan.run,
            "resilience.experiment": record.experiment.name,
            "resilience.target": record.experiment.target,
            "resilience.seed": record.plan.seed,
            "resilience.answer": answer,
        },
    )
    for place, phase in enumerate(rows(document, "phases")):
        label = phase_label(phase)
        yield _part(f"phase {label}", (trace, top), _ids(record.plan.run, f"phase {place}")[1], phase, zero_ns)
    for place, fault in enumerate(rows(document, "faults")):
        made = _part(
            f"fault {words(fault, 'name')}",
            (trace, top),
            _ids(record.plan.run, f"fault {place}")[1],
            {"start_s": fault.get("requested_s"), "end_s": fault.get("clear_s") or end_s},
            zero_ns,
            {"resilience.fault.kind": words(fault, "kind"), "resilience.fault.on": words(fault, "on")},
            [
                (zero_ns + round(at_s * _NS), name.removesuffix("_s"))
                for name in ("confirmed_s", "reverted_s", "clear_s")
                if (at_s := number(fault, name)) is not None
            ],
        )
        if number(fault, "requested_s") is not None:
            yield made
    yield from _operations(record, zero_ns, (trace, top))


def _part(
    name: str,
    above: tuple[str, str],
    span: str,
    times: Row,
    zero_ns: int,
    attributes: Attributes | None = None,
    events: Sequence[tuple[int, str]] = (),
) -> Span:
    start_s, end_s = number(times, "start_s") or 0.0, number(times, "end_s") or 0.0
    return Span(
        name,
        above[0],
        span,
        zero_ns + round(start_s * _NS),
        zero_ns + round(max(start_s, end_s) * _NS),
        parent=above[1],
        attributes=attributes or {},
        events=events,
    )


def _operations(record: Record, zero_ns: int, run: tuple[str, str]) -> Iterator[Span]:
    samples = record.samples
    if samples.trace is None:
        return
    for place in np.flatnonzero(samples.trace > 0).tolist():
        one = _traced(record, place)
        detail = samples.details[int(samples.detail[place])]
        yield Span(
            one.operation,
            one.trace,
            one.span,
            zero_ns + int(samples.start_ns[place]),
            zero_ns + int(samples.end_ns[place]),
            client=True,
            bad="" if one.outcome == Outcome.OK.value else f"{one.outcome}: {detail}",
            attributes={
                "resilience.operation": one.operation,
                "resilience.outcome": one.outcome,
                "resilience.waited_s": (int(samples.start_ns[place]) - int(samples.arrival_ns[place])) / _NS,
                **({"http.response.status_code": one.status} if one.status else {}),
            },
            links=(run,),
        )


def epoch_ns(record: Record) -> int:
    """The run's zero, in nanoseconds since 1970, as well as the wall clock knew it when the header was written.

    Raises:
        RecordError: the record does not say.
    """
    for event in record.events:
        told = event.detail.get("wall_clock")
        if event.kind is EventKind.HEADER and isinstance(told, str):
            return round((datetime.fromisoformat(told).timestamp() - event.at_s) * _NS)
    msg = f"{record.folder}: the record does not say when it began"
    raise RecordError(msg)


def _ids(run: str, what: str) -> tuple[str, str]:
    """The trace of a run, and the span of one thing in it."""
    trace = blake2b(run.encode(), digest_size=16, person=b"resilience-run").hexdigest()
    return trace, blake2b(f"{run}/{what}".encode(), digest_size=8, person=b"resilience-span").hexdigest()
