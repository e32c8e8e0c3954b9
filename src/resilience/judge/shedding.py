"""Load shedding: in order, no more than allowed, over when the fault is, and never of the more important first.

An answer puts its client off if it is not ok and has the status 429 or 503. It is *shed* (in order) if it also says
when to come back (`Retry-After`, RFC 9110 10.2.3).

For each operation that may be shed (`shed` in the file):

* In each fault phase, without the time for which the service was away by our doing, at most the share `at_most` of what
  was offered is shed, and no answer puts off without saying when to come back.
* In the baseline, and in the second half of what was observed after the fault was clear, hardly any is shed: Wilson's
  lower bound (95 %) of the share is at most `STRAY`.

Priorities, if operations have different ones: for each priority, *higher* is everything of at least that priority,
*lower* the rest. Between a fault's request and the next one, in windows of a second (or as long as it takes for
`ENOUGH` of each), an inversion is a window in which at least `SOME` of the higher was put off and at least `SOME` of
the lower was served, both by Wilson's lower bound. When load changes within a window, the one may have come before the
other; so it takes `SEVERAL` inversions, and a fifth of the windows in which the higher was put off, to fail.
"""

from collections.abc import Sequence

import numpy as np

from resilience.columns import Bool, Samples
from resilience.judge.away import Span, away, outside
from resilience.judge.case import Case
from resilience.judge.disturbances import Disturbance
from resilience.judge.findings import Finding, Judged, within
from resilience.judge.quantiles import NS, OK
from resilience.judge.statistics import wilson_lower
from resilience.model import Answer, Json, Operation, PhaseName

OVERLOADED = (429, 503)
STRAY = 0.01
SOME = 0.1
ENOUGH = 20
SEVERAL = 3
WINDOW_S = 1.0
SHARE_OF_WINDOWS = 0.2


def put_off(samples: Samples) -> Bool:
    """Which operations were refused for now, in order or not."""
    refused: Bool = np.isin(samples.status, OVERLOADED) & (samples.outcome != OK)
    return refused


def sheddable(case: Case) -> tuple[Operation, ...]:
    """The operations that may be shed."""
    return tuple(one for one in case.record.experiment.load.operations if one.shed is not None)


def judge_baselines(case: Case) -> Judged:
    """Before any fault, nothing is shed."""
    return Judged(
        tuple(
            _hardly(case, case.during(phase), operation, "in the baseline")
            for phase in case.baselines
            for operation in sheddable(case)
        )
    )


def judge_shedding(case: Case) -> Judged:
    """The whole run: what was shed under each fault and after it, and whether priorities were kept."""
    findings = list(judge_baselines(case).findings)
    rows: list[Json] = []
    gone = away(case) if sheddable(case) else ()
    for one in case.disturbances:
        for operation in sheddable(case):
            judged = _under(case, one, operation, gone)
            findings += judged.findings
            rows += judged.rows
        if one.clear_s is not None:
            after = case.traffic.between((one.end_s + one.until_s) / 2, one.until_s)
            findings += [_hardly(case, after, each, f"after {one.name} was clear") for each in sheddable(case)]
        priorities = _priorities(case, one)
        findings += priorities.findings
        rows += priorities.rows
    return Judged(tuple(findings), tuple(rows))


def _own(case: Case, samples: Samples, operation: Operation) -> Samples:
    return samples.where(samples.operation == case.traffic.index(operation.name))


def _hardly(case: Case, samples: Samples, operation: Operation, when: str) -> Finding:
    own = _own(case, samples, operation)
    shed, count = int(np.count_nonzero(put_off(own))), len(own)
    said = f"{operation.name}: {shed:,} of {count:,} were put off {when}"
    return within(wilson_lower(shed, count), STRAY, f"{said}, more than {STRAY:.0%} for certain")


def _under(case: Case, one: Disturbance, operation: Operation, gone: Sequence[Span]) -> Judged:
    """One operation that may be shed, in each fault phase of a disturbance."""
    findings: list[Finding] = []
    rows: list[Json] = []
    at_most = 1.0 if operation.shed is None else operation.shed.at_most
    longest_s = max(each.timeout_s for each in case.record.experiment.load.operations)
    for phase in case.named(PhaseName.FAULT):
        start_s, end_s = max(phase.start_s, one.requested_s), min(phase.end_s, one.end_s)
        if start_s >= end_s:
            continue
        pieces = outside((start_s, end_s), gone, before_s=longest_s)
        owns = [_own(case, case.traffic.between(*piece), operation) for piece in pieces]
        offered = sum(map(len, owns))
        shed = sum(int(np.count_nonzero(own.shed)) for own in owns)
        rude = sum(int(np.count_nonzero(put_off(own) & ~own.shed)) for own in owns)
        share = shed / offered if offered else None
        rows.append(
            {
                "fault": phase.fault or one.name,
                "operation": operation.name,
                "offered": offered,
                "shed": shed,
                "share": share,
                "at_most": at_most,
                "without_retry_after": rude,
            }
        )
        when = f"under {phase.fault or one.name}"
        if share is None:
            if pieces:
                findings.append(Finding(Answer.UNKNOWN, f"{operation.name}: nothing was offered {when}"))
            continue
        said = f"{operation.name}: {share:.2%} of {offered:,} operations were shed {when} (limit {at_most:.0%})"
        findings.append(within(share, at_most, said))
        findings.append(within(rude, 0, f"{operation.name}: {rude:,} were put off {when} and not told for how long"))
    return Judged(tuple(findings), tuple(rows))


def _priorities(case: Case, one: Disturbance) -> Judged:
    operations = case.record.experiment.load.operations
    levels = sorted({operation.priority for operation in operations})
    judged = [_cut(case, one, level, operations) for level in levels[1:]]
    return Judged(
        tuple(finding for each in judged for finding in each.findings),
        tuple(row for each in judged for row in each.rows),
    )


def _cut(case: Case, one: Disturbance, level: int, operations: Sequence[Operation]) -> Judged:
    """Everything of at least this priority beside everything below it."""
    samples = case.traffic.between(one.requested_s, one.until_s)
    high = np.isin(samples.operation, [case.traffic.index(each.name) for each in operations if each.priority >= level])
    refused, ok = put_off(samples), samples.outcome == OK
    turned_away = int(np.count_nonzero(refused & high))
    row: dict[str, Json] = {"fault": one.name, "priority": level, "put_off": turned_away, "inversions": 0, "windows": 0}
    if not turned_away:
        return Judged((Finding(Answer.PASS, f"nothing of priority {level} was put off under {one.name}"),), (row,))
    length_s = one.until_s - one.requested_s
    fewest = min(int(np.count_nonzero(high)), int(np.count_nonzero(~high)))
    windows = int(length_s / max(WINDOW_S, ENOUGH * length_s / fewest)) if fewest else 0
    if windows < SEVERAL:
        why = f"{turned_away:,} of priority {level} were put off under {one.name}, and too few were offered to compare"
        return Judged((Finding(Answer.UNKNOWN, why),), (row,))
    edges = np.linspace(one.requested_s, one.until_s, windows + 1) * NS
    where = np.clip(np.searchsorted(edges, samples.arrival_ns, side="right") - 1, 0, windows - 1)

    def counts(mask: Bool) -> list[int]:
        found: list[int] = np.bincount(where[mask], minlength=windows).tolist()
        return found

    away_high = [wilson_lower(*pair) > SOME for pair in zip(counts(high & refused), counts(high), strict=True)]
    served_low = [wilson_lower(*pair) > SOME for pair in zip(counts(~high & ok), counts(~high), strict=True)]
    inverted = sum(both for both in map(all, zip(away_high, served_low, strict=True)))
    row |= {"inversions": inverted, "windows": sum(away_high)}
    said = (
        f"priority {level} and above was put off while what is below it was served in {inverted} of {sum(away_high)} "
        f"windows under {one.name}"
    )
    broken = inverted >= SEVERAL and inverted >= SHARE_OF_WINDOWS * sum(away_high)
    return Judged((Finding(Answer.FAIL if broken else Answer.PASS, said),), (row,))
