"""The workers of a load: whether all were there to the end, and whether their clocks agree well enough.

A worker that was lost did not send what it was to send: that is in the record as unknown and dropped operations, which
are not the target's doing. So nothing passes, and what fails by them may be the generator's failure: it is unknown.
Its ledger is not sealed, which is a matter of the part *writes*. Instants of a worker on another host are as exact as
the offset of its clock is known; half a bin is the most that can be judged.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from resilience.judge.case import Case
from resilience.judge.signal import MIN_BIN_S
from resilience.model import Answer, EventKind, Json, Part

CLOCK_LIMIT_S = MIN_BIN_S / 2
BY_LOAD = frozenset({"objectives", "recovery", "degradation"})
"""Parts of a verdict that are judged by the outcomes of all operations."""


def rows(case: Case) -> tuple[Mapping[str, Any], ...]:
    """What the generator told of each of its workers; empty if one process did it all, or it cannot be read."""
    accounts = [event.detail for event in case.record.events if event.kind is EventKind.LOAD]
    told = accounts[0].get("workers", []) if len(accounts) == 1 else []
    return tuple(row for row in told if isinstance(row, Mapping)) if isinstance(told, list | tuple) else ()


def lost(case: Case) -> tuple[Mapping[str, Any], ...]:
    """Those that were not there to the end."""
    return tuple(row for row in rows(case) if row.get("lost_at_s") is not None)


def uncertainty_s(case: Case) -> float | None:
    """How exact instants are with respect to the run's clock; None if one clock told them all."""
    found = [row.get("uncertainty_s") for row in rows(case) if row.get("remote")]
    if not found:
        return None
    return max(float(one) if isinstance(one, int | float) and one >= 0 else math.inf for one in found)


def worker_problems(case: Case) -> Iterator[str]:
    """What keeps the verdict from passing."""
    for row in lost(case):
        yield (
            f"the generator, not the target: worker {row.get('name')} on {row.get('host')} was lost at "
            f"{_seconds(row.get('lost_at_s'))} ({row.get('why')}); {row.get('unknown')} operations that it may have "
            f"sent are unknown, {row.get('dropped')} were not sent"
        )
    doubt_s = uncertainty_s(case)
    if doubt_s is not None and doubt_s > CLOCK_LIMIT_S:
        yield (
            f"instants of workers on other hosts are known to {_seconds(doubt_s)} only, at most "
            f"{CLOCK_LIMIT_S * 1000:.0f} ms can be judged"
        )


def excused(case: Case, part: Part) -> Part:
    """The part; unknown if it failed and a worker was lost, whose missing operations may be why."""
    if part.answer is not Answer.FAIL or part.name not in BY_LOAD or not lost(case):
        return part
    names = ", ".join(str(row.get("name")) for row in lost(case))
    because = f"it may be the loss of the load's own worker {names} and not the target: {part.because}"
    return replace(part, answer=Answer.UNKNOWN, because=because)


def worker_figures(case: Case) -> dict[str, Json]:
    """For the block `load` of `verdict.json`."""
    doubt_s = uncertainty_s(case)
    return {
        "workers": [dict(row) for row in rows(case)],
        "clock_uncertainty_s": None if doubt_s is None or math.isinf(doubt_s) else doubt_s,
    }


def _seconds(value: object) -> str:
    return f"{value:.3g} s" if isinstance(value, int | float) else "an unknown time"
