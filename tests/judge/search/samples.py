"""Samples made from a few words, and the record of a search made from steps."""

from dataclasses import replace

import numpy as np

from resilience.columns import Record, Samples
from resilience.judge.quantiles import DROPPED, FAILED, NS, OK
from resilience.judge.search.machine import Tried, next_try
from resilience.judge.search.step import judge_step
from resilience.judge.search.told import END, HEALTHY, PURPOSE, STEP
from resilience.model import Event, EventKind, Search
from resilience.spec.thresholds import parse_objective
from tests.judge.builder import honest


def samples(
    count: int = 1000,
    seconds: float = 5.0,
    took_ms=50.0,
    bad=(),
    late_ms: float = 0.0,
    outcome: int = FAILED,
    begin_s: float = 0.0,
) -> Samples:
    """Operations evenly spaced over some seconds; those at the indices `bad` have another outcome."""
    arrival = (begin_s * NS + np.arange(count) * (seconds * NS / max(count, 1))).astype(np.int64)
    start = arrival + int(late_ms * 1e6)
    end = start + (np.broadcast_to(took_ms, count) * 1e6).astype(np.int64)
    outcomes = np.full(count, OK, dtype=np.int8)
    outcomes[list(bad)] = outcome
    zeros = np.zeros(count, dtype=np.int64)
    return Samples(
        operations=("read",),
        details=("",),
        arrival_ns=arrival,
        start_ns=start,
        end_ns=np.where(outcomes == DROPPED, arrival, end),
        operation=zeros.astype(np.int16),
        outcome=outcomes,
        status=zeros.astype(np.int16),
        degraded=zeros.astype(np.bool_),
        detail=zeros.astype(np.int32),
        shed=zeros.astype(np.bool_),
    )


def joined(pieces: list[Samples]) -> Samples:
    """Several of them, one after the other."""
    names = [name for name in Samples.__slots__ if isinstance(getattr(pieces[0], name), np.ndarray)]
    return replace(pieces[0], **{name: np.concatenate([getattr(one, name) for one in pieces]) for name in names})


SEARCH = Search(over="rate", start=50, limit=800, objectives=(parse_objective("p(95)<250"),))


def record_of(took_ms, search: Search = SEARCH, *, steps: int | None = None, marks=None) -> Record:
    """The record of a search on a target that takes `took_ms(level)`, or so much of one; `marks` changes its marks."""
    base = honest().record()
    tried, events, pieces, at_s = [], [], [], 30.0
    while (wanted := next_try(marks_scale(search), tried)) is not None and len(tried) != steps:
        piece = samples(int(wanted.level * 5), 5.0, took_ms(wanted.level), begin_s=at_s)
        seen = judge_step(piece, at_s, at_s + 5.0, search.objectives, due=wanted.level * 5).seen
        tried.append(replace(Tried(wanted.level, wanted.purpose, seen), long=wanted.long))
        detail = {
            "text": "",
            "condition": HEALTHY,
            "level": wanted.level,
            "purpose": wanted.purpose.value,
            "long": wanted.long,
            "start_s": at_s,
            "end_s": at_s + 5.0,
            "seen": seen.value,
        }
        events.append(Event(at_s + 5.0, EventKind.MARK, STEP, detail))
        pieces.append(piece)
        at_s += 10.0
    if steps is None:
        events.append(Event(at_s, EventKind.MARK, END, {"text": "", "condition": HEALTHY, "why": ""}))
    header = Event(0.0, EventKind.HEADER, "", {**base.events[0].detail, PURPOSE: "search"})
    return replace(
        base,
        experiment=replace(base.experiment, search=search, steps=(), load=replace(base.experiment.load, rate=50.0)),
        events=(header, *(marks(events) if marks else events), Event(at_s + 1, EventKind.END)),
        samples=joined(pieces),
    )


def marks_scale(search: Search):
    """The levels of a search."""
    from resilience.judge.search.checks import scale_of  # noqa: PLC0415 - of the module that is tested

    return scale_of(search)
