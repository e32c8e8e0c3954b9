"""Whether the target's own word and its clients agree: it must not say that it is well while they fail.

A service whose health endpoint is green while its users are turned away is not noticed by whoever could help: balancers
send it more of them, and nobody is called. (Huang et al., HotOS 2017, call it *differential observability*, the mark of
gray failure.) One operation of the file asks the target how it is, as a balancer would; the others are its clients.

* For each critical operation the time since the first baseline is cut into windows of a second, or as long as it takes
  for `ENOUGH` of it. In a window it *fails* if at least `MUCH` of those that were due were not ok. What is shed in
  order counts as failed, unless the file says that this operation may be shed.
* A *stretch* is an uninterrupted row of such windows. The target has `within_s` to notice. What it answered to those
  questions that were due after that and before the stretch's end is its word: more than half of them ok, and not
  degraded, says that it is well. No answer says that it is not.
* A stretch in which it says that it is well fails. One that is long enough, and in which it was not asked, is unknown.
  While clients do not fail it may say what it likes.
"""

import numpy as np

from resilience.columns import Samples
from resilience.judge.case import Case
from resilience.judge.findings import NOTHING, Finding, Judged
from resilience.judge.quantiles import NS, OK
from resilience.model import Answer, Health, Json, Operation

WINDOW_S = 1.0
ENOUGH = 5
MUCH = 0.5

_Stretch = tuple[float, float]


def judge_health(case: Case) -> Judged:
    """Every critical operation beside what the target said of itself."""
    health = case.record.experiment.degradation.health
    if health is None:
        return NOTHING
    begin_s = min((phase.start_s for phase in case.baselines), default=0.0)
    asked = _own(case, case.traffic.between(begin_s, case.end_s), health.operation)
    findings: list[Finding] = []
    rows: list[Json] = []
    for operation in case.record.experiment.load.operations:
        if operation.critical and operation.name != health.operation:
            for stretch in _stretches(case, operation, begin_s):
                judged = _compare(health, asked, operation, stretch)
                findings += judged.findings
                rows += judged.rows
    return Judged(tuple(findings), tuple(rows))


def _own(case: Case, samples: Samples, name: str) -> Samples:
    return samples.where(samples.operation == case.traffic.index(name))


def _stretches(case: Case, operation: Operation, begin_s: float) -> list[_Stretch]:
    """From when to when an operation failed, in order of time."""
    length_s = case.end_s - begin_s
    own = _own(case, case.traffic.between(begin_s, case.end_s), operation.name)
    if not len(own) or length_s <= 0:
        return []
    width_s = max(WINDOW_S, ENOUGH * length_s / len(own))
    windows = max(1, int(length_s / width_s))
    where = np.clip(((own.arrival_ns / NS - begin_s) / width_s).astype(np.int64), 0, windows - 1)
    due = np.bincount(where, minlength=windows)
    failed = own.outcome != OK
    if operation.shed is not None:  # what it may be shed is limited by itself
        failed &= ~own.shed
    lost = np.bincount(where[failed], minlength=windows)
    failing = (due > 0) & (lost >= MUCH * due)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], failing.astype(np.int8), [0]))))
    return [
        (begin_s + first * width_s, min(begin_s + last * width_s, case.end_s))
        for first, last in edges.reshape(-1, 2).tolist()
    ]


def _compare(health: Health, asked: Samples, operation: Operation, stretch: _Stretch) -> Judged:
    """What the target said while one operation failed."""
    start_s, end_s = stretch
    noticed_s = start_s + health.within_s
    if noticed_s >= end_s:
        return NOTHING
    due = (asked.arrival_ns >= noticed_s * NS) & (asked.arrival_ns < end_s * NS)
    count = int(np.count_nonzero(due))
    well = int(np.count_nonzero(due & (asked.outcome == OK) & ~asked.degraded))
    row: dict[str, Json] = {
        "operation": operation.name,
        "start_s": start_s,
        "end_s": end_s,
        "asked": count,
        "well": well,
        "disagrees": 2 * well > count if count else None,
    }
    when = f"while {operation.name} failed from {start_s:.1f} to {end_s:.1f} s"
    if not count:
        why = f"{health.operation} was not asked {when}, so nobody knows what the target said of itself"
        return Judged((Finding(Answer.UNKNOWN, why),), (row,))
    said = f"{health.operation} said {well:,} times of {count:,} that all is well {when}"
    return Judged((Finding(Answer.FAIL if row["disagrees"] else Answer.PASS, said),), (row,))
