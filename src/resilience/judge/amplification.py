"""Retry amplification: how many calls a dependency saw for each operation, under a fault beside the baseline.

The dependency's own counter is read while the run lasts (`observe.calls`); between two readings it says exactly how
many calls came. With C the counter and N the operations that were sent between the readings at t₀ and t₁:

    calls per operation = (C(t₁) - C(t₀)) / N(t₀, t₁)
    amplification = calls per operation under the fault / calls per operation in the baseline

In the baseline t₀ and t₁ are the outermost readings inside it. Under a fault they are the last before its request and
the first at least `LAG_S` after it was clear, so that what waited for the dependency to come back is counted; neither
may be farther than `FAR_S`. A counter that began anew in between says nothing: unknown.
"""

from dataclasses import dataclass

import numpy as np

from resilience.columns import Readings
from resilience.judge.case import Case
from resilience.judge.disturbances import Disturbance
from resilience.judge.findings import NOTHING, Finding, Judged, within
from resilience.judge.quantiles import DROPPED, NS, to_ns
from resilience.model import Answer, Dependency, Json

LAG_S = 1.0
FAR_S = 3.0
LEAST_S = 2.0
"""The baseline's readings must be at least so far apart."""


@dataclass(frozen=True, slots=True)
class Calls:
    """What a dependency saw between two readings; `per_operation` is None, and `why` says it, if that is not known."""

    calls: float = 0.0
    operations: int = 0
    per_operation: float | None = None
    why: str = ""


def readings_of(case: Case, name: str) -> Readings | None:
    """The readings of a dependency; None if the record has none."""
    return next((one for one in case.record.readings if one.name == name), None)


def judge_calls(case: Case) -> Judged:
    """Every dependency with a limit, under every disturbance."""
    asked = [
        one
        for one in case.record.experiment.degradation.dependencies
        if one.amplification is not None or one.calls_per_operation is not None
    ]
    judged = [_dependency(case, one) for one in asked]
    if not judged:
        return NOTHING
    return Judged(
        tuple(finding for each in judged for finding in each.findings),
        tuple(row for each in judged for row in each.rows),
    )


def _dependency(case: Case, dependency: Dependency) -> Judged:
    readings = readings_of(case, dependency.name)
    if readings is None or readings.problems or not len(readings):
        why = f"no reading of {dependency.name} is on record"
        if readings is not None and readings.problems:
            why = f"the readings are not whole: {readings.problems[0]}"
        return Judged((Finding(Answer.UNKNOWN, f"calls of {dependency.name} cannot be told: {why}"),))
    phases = case.baselines[-1:]
    base = Calls(why="there is no baseline")
    if phases:
        at_s = readings.at_ns / NS
        inside = np.flatnonzero((at_s >= phases[0].start_s) & (at_s <= phases[0].end_s))
        base = Calls(why="it was hardly read in the baseline")
        if len(inside) and at_s[inside[-1]] - at_s[inside[0]] >= LEAST_S:
            base = between(case, dependency, readings, int(inside[0]), int(inside[-1]))
    judged = [_under(case, dependency, readings, base, one) for one in case.disturbances]
    return Judged(
        tuple(finding for each in judged for finding in each.findings),
        tuple(row for each in judged for row in each.rows),
    )


def between(case: Case, dependency: Dependency, readings: Readings, first: int, last: int) -> Calls:
    """What a dependency saw between two of its readings."""
    counts, epochs = readings.count[first : last + 1], readings.epoch[first : last + 1]
    if np.any(epochs != epochs[0]) or np.any(np.diff(counts) < 0):
        return Calls(why="it began to count anew")
    at_s = readings.at_ns[first] / NS, readings.at_ns[last] / NS
    samples = case.traffic.between(*at_s)
    sent = samples.outcome != DROPPED
    if dependency.operations:
        sent &= np.isin(samples.operation, [case.traffic.index(name) for name in dependency.operations])
    calls, operations = float(counts[-1] - counts[0]), int(np.count_nonzero(sent))
    if not operations:
        return Calls(calls, 0, None, "no operation was sent")
    return Calls(calls, operations, calls / operations)


def _under(case: Case, dependency: Dependency, readings: Readings, base: Calls, one: Disturbance) -> Judged:
    during = _around(case, dependency, readings, one)
    said = f"{dependency.name} under {one.name}"
    factor = None
    if during.per_operation is not None and base.per_operation:
        factor = during.per_operation / base.per_operation
    row: dict[str, Json] = {
        "dependency": dependency.name,
        "fault": one.name,
        "calls": during.calls,
        "operations": during.operations,
        "calls_per_operation": during.per_operation,
        "baseline_per_operation": base.per_operation,
        "amplification": factor,
    }
    if during.per_operation is None:
        return Judged((Finding(Answer.UNKNOWN, f"calls of {said} cannot be told: {during.why}"),), (row,))
    figures = f"{during.calls:,.0f} calls for {during.operations:,} operations, {during.per_operation:.3g} each"
    findings = []
    if dependency.calls_per_operation is not None:
        limit = dependency.calls_per_operation
        findings.append(within(during.per_operation, limit, f"{said}: {figures} (limit {limit:g})"))
    if dependency.amplification is not None:
        limit = dependency.amplification
        if factor is None:
            why = base.why or "it was not called in the baseline"
            findings.append(Finding(Answer.UNKNOWN, f"the amplification of {said} cannot be told: {why}"))
        else:
            told = f"{said}: {figures}, {factor:.3g} times as many as in the baseline (limit {limit:g})"
            findings.append(within(factor, limit, told))
    return Judged(tuple(findings), (row,))


def _around(case: Case, dependency: Dependency, readings: Readings, one: Disturbance) -> Calls:
    if one.clear_s is None:
        return Calls(why=f"{one.name} was never seen gone")
    start_ns, end_ns = to_ns(one.requested_s), to_ns(one.end_s + LAG_S)
    first = int(np.searchsorted(readings.at_ns, start_ns, side="right")) - 1
    last = int(np.searchsorted(readings.at_ns, end_ns, side="left"))
    if first < 0 or last >= len(readings):
        return Calls(why="there is no reading before or none after")
    if start_ns - readings.at_ns[first] > to_ns(FAR_S) or readings.at_ns[last] - end_ns > to_ns(FAR_S):
        return Calls(why=f"the next reading is farther than {FAR_S:g} s")
    return between(case, dependency, readings, first, last)
