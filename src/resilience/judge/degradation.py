"""Graceful degradation: under a fault what is critical goes on, nothing wrong is said, and it all comes back.

For each disturbance (a fault, or several that were in place together), from its first request until all are clear:

* A wrong answer fails, whenever it was given: a sample whose detail begins with one of `WRONG`, or a read that the
  write ledger notes as wrong.
* In each of its phases the error rate of each critical operation is judged by the experiment's `rate` objectives for
  that phase where there are any (of the operation or of all), otherwise it must stay below `DEFAULT_LIMIT`.
* Nothing can be demanded while the service itself is away (`judge.away`): that time is left out.
* After all are clear (after a strike: once its fault phase is over), critical operations come back: in the second half
  of what was observed after it their error rate is below `DEFAULT_LIMIT`.
* No answer takes longer than the operation's timeout. The client gives up by then, so a longer one is the client's own
  failing: unknown.

Degraded answers are counted, and so is what was dropped because the target held everything up. What the file asks for
besides is judged in `shedding` (an operation that may be shed is not lost when it is), `amplification`, `breakers` and
`health`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from resilience.columns import Mark, Samples
from resilience.judge.amplification import judge_calls
from resilience.judge.attribution import judge_attribution
from resilience.judge.away import Span, away, outside
from resilience.judge.breakers import judge_breakers
from resilience.judge.case import SLACK_S, Case
from resilience.judge.disturbances import Disturbance
from resilience.judge.findings import Finding, Judged
from resilience.judge.health import judge_health
from resilience.judge.objectives import judge_objective
from resilience.judge.quantiles import DROPPED, MS, OK, Stats, stats
from resilience.judge.shedding import judge_baselines, judge_shedding
from resilience.model import Answer, Json, Objective, Operation, Part, Phase, PhaseName

DEFAULT_LIMIT = 0.05
WRONG = ("wrong", "unexpected answer", "acknowledged entry differs", "bad ack: unexpected answer")
"""How the load generator begins the detail of an answer that came well and said something else than it must."""

NAME = "degradation"

STRAY = 0.01
"""Share of degraded answers that a baseline may have: a stray time-out of the cache is not a cache that is gone. An
objective such as `degraded==0 @ baseline` can ask for more."""


def check_degradation(case: Case) -> Part:
    """Judge every fault window."""
    looked = {name: look(case) for name, look in LOOKS.items()}
    by_name = {
        "wrong": [_wrong(case)],
        "critical": [finding for one in case.disturbances for finding in judge_disturbance(case, one)],
        "timeouts": _timeouts(case),
        **{name: judged.findings for name, judged in looked.items()},
    }
    findings = [finding for some in by_name.values() for finding in some]
    evidence = [row for one in case.disturbances for row in _evidence(case, one)]
    broken: list[Json] = [name for name, some in by_name.items() if any(one.answer is Answer.FAIL for one in some)]
    data: dict[str, Json] = {name: list(judged.rows) for name, judged in looked.items()}
    data["degradation"] = {"broken": broken}
    answer = Answer.worst(finding.answer for finding in findings)
    told = sorted((one for one in findings if one.answer is not Answer.PASS), key=lambda one: -one.answer.severity)
    if told:
        rest = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
        return Part(NAME, answer, told[0].because + rest, (*(one.because for one in told), *evidence), data)
    during = [case.traffic.between(one.requested_s, one.end_s) for one in case.disturbances]
    degraded = sum(int(np.count_nonzero(samples.degraded)) for samples in during)
    dropped = sum(int(np.count_nonzero(samples.outcome == DROPPED)) for samples in during)
    because = (
        f"critical operations held through {len(case.faults)} faults and came back; {degraded:,} answers said they "
        f"were degraded, none was wrong, {dropped:,} operations could not be sent"
    )
    if not case.faults:
        because = "there was no fault to degrade under, and no answer was wrong"
    return Part(NAME, answer, because, tuple(evidence), data)


LOOKS: Mapping[str, Callable[[Case], Judged]] = {
    "shedding": judge_shedding,
    "amplification": judge_calls,
    "breakers": judge_breakers,
    "health": judge_health,
    "attribution": judge_attribution,
}
"""What else degradation must look like where the file asks for it, by the key of its figures in `verdict.json`."""


def _wrong(case: Case) -> Finding:
    samples = case.traffic.samples
    wrong = [number for number, text in enumerate(samples.details) if text.startswith(WRONG)]
    hits = np.isin(samples.detail, wrong)
    count = int(np.count_nonzero(hits))
    if count:
        example = samples.details[int(samples.detail[hits][0])]
        return Finding(Answer.FAIL, f"{count:,} answers were wrong, the first: {example}")
    ledger = case.record.ledger
    read_wrong = 0 if ledger is None else int(np.count_nonzero(ledger.mark == Mark.WRONG))
    if read_wrong:
        return Finding(Answer.FAIL, f"{read_wrong:,} reads returned something else than was written")
    return Finding(Answer.PASS, "no answer was wrong")


def _critical(case: Case) -> tuple[Operation, ...]:
    return tuple(operation for operation in case.record.experiment.load.operations if operation.critical)


def judge_disturbance(case: Case, one: Disturbance) -> list[Finding]:
    """Judge critical operations during and after one disturbance."""
    gone = away(case)
    findings = [finding for phase in _phases_of(case, one) for finding in _under(case, one, phase, gone)]
    if one.clear_s is None:
        findings.append(Finding(Answer.UNKNOWN, f"{one.name} was never seen gone, so nothing is known of after it"))
        return findings
    after = case.traffic.between((one.end_s + one.until_s) / 2, one.until_s)
    findings += [_limit(case, after, operation, f"after {one.name} was clear") for operation in _critical(case)]
    return findings


def _phases_of(case: Case, one: Disturbance) -> tuple[Phase, ...]:
    """The fault phases of a disturbance, cut to it; if the record has none, all of it as one."""
    met = [
        replace(phase, start_s=max(phase.start_s, one.requested_s), end_s=min(phase.end_s, one.end_s))
        for phase in case.named(PhaseName.FAULT)
        if phase.start_s < one.end_s and phase.end_s > one.requested_s
    ]
    return tuple(met) or (Phase(PhaseName.FAULT, one.requested_s, one.end_s, one.name),)


def _under(case: Case, one: Disturbance, phase: Phase, gone: Sequence[Span]) -> list[Finding]:
    """Judge one phase of a disturbance, without the time for which the service was away."""
    longest_s = max((operation.timeout_s for operation in case.record.experiment.load.operations), default=0.0)
    pieces = outside((phase.start_s, phase.end_s), gone, before_s=longest_s)
    if not pieces:
        return []
    findings = _by_objectives(case, phase)
    ruled = {objective.operation for objective in _rates(case, phase)}
    samples = [case.traffic.between(start_s, end_s) for start_s, end_s in pieces]
    for operation in _critical(case):
        if "all" not in ruled and operation.name not in ruled:
            findings += [_limit(case, piece, operation, f"under {phase.fault or one.name}") for piece in samples]
    return findings


def _rates(case: Case, phase: Phase) -> tuple[Objective, ...]:
    """The `rate` objectives that speak of a fault phase, and of all tenants and regions together.

    What is allowed of one tenant, or against the baseline, says nothing of what is allowed of all.
    """
    return tuple(
        objective
        for objective in case.record.experiment.objectives
        if objective.aggregate == "rate"
        and not (objective.tenant or objective.region or objective.relation)
        and objective.phase is PhaseName.FAULT
        and phase.about(objective.fault)
    )


def _by_objectives(case: Case, phase: Phase) -> list[Finding]:
    critical = {operation.name for operation in _critical(case)} | {"all"}
    return [
        Finding(judged.answer, judged.because)
        for objective in _rates(case, phase)
        if objective.operation in critical
        for judged in judge_objective(case, objective)
        if judged.phase == phase.label
    ]


def _limit(case: Case, samples: Samples, operation: Operation, when: str) -> Finding:
    chosen = samples.operation == case.traffic.index(operation.name)
    own = samples.outcome[chosen]
    lost = own != OK
    if operation.shed is not None:  # what it may be shed is limited by itself
        lost &= ~samples.shed[chosen]
    rate = float(np.count_nonzero(lost)) / len(own) if len(own) else None
    if rate is None:
        return Finding(Answer.UNKNOWN, f"{operation.name}: nothing was offered {when}")
    what = "not ok" if operation.shed is None else "neither ok nor shed"
    said = f"{operation.name}: {rate:.2%} of {len(own):,} operations were {what} {when} (limit {DEFAULT_LIMIT:.0%})"
    return Finding(Answer.PASS if rate < DEFAULT_LIMIT else Answer.FAIL, said)


def _timeouts(case: Case) -> list[Finding]:
    """Operations that lasted longer than a client that gives up on time could let them."""
    samples = case.traffic.samples
    lasted_ns = samples.end_ns - samples.start_ns
    found = []
    for operation in case.record.experiment.load.operations:
        if operation.subscription and not operation.connects:
            continue  # no client waits for a message: one that comes late has failed, and is told so
        own = lasted_ns[samples.operation == case.traffic.index(operation.name)]
        longest_ms = float(own.max()) / MS if len(own) else 0.0
        if longest_ms > (operation.timeout_s + SLACK_S) * 1000:
            why = (
                f"{operation.name}: an operation lasted {longest_ms:.0f} ms, beyond its timeout of "
                f"{operation.timeout_s * 1000:.0f} ms: the client did not give up on time"
            )
            found.append(Finding(Answer.UNKNOWN, why))
    return found


def _evidence(case: Case, one: Disturbance) -> list[Json]:
    """Before, during and after, per operation."""
    before = case.baselines[-1:]
    rows: list[Json] = []
    for operation in case.record.experiment.load.operations:
        number = case.traffic.index(operation.name)

        def figures(start_s: float, end_s: float, number: int = number) -> dict[str, Json]:
            found: Stats = stats(case.traffic.between(start_s, end_s), end_s - start_s, number)
            return found.json()

        rows.append(
            {
                "fault": one.name,
                "operation": operation.name,
                "critical": operation.critical,
                "before": figures(before[0].start_s, before[0].end_s) if before else None,
                "during": figures(one.requested_s, one.end_s),
                "after": figures(one.end_s, one.until_s),
            }
        )
    return rows


def check_baseline(case: Case) -> Part:
    """Before the method: no answer is wrong, hardly any degraded (`STRAY`), and critical operations are ok."""
    findings: list[Finding] = [_wrong(case)]
    pieces: Sequence[Samples] = [case.during(phase) for phase in case.baselines]
    if not pieces:
        return Part(NAME, Answer.UNKNOWN, "there is no baseline yet")
    count = sum(len(piece) for piece in pieces)
    degraded = sum(int(np.count_nonzero(piece.degraded)) for piece in pieces)
    if degraded > STRAY * count:
        findings.append(
            Finding(Answer.FAIL, f"{degraded:,} of the baseline's {count:,} answers said that they were degraded")
        )
    findings += [_limit(case, piece, operation, "in the baseline") for piece in pieces for operation in _critical(case)]
    findings += judge_baselines(case).findings
    worst = max(findings, key=lambda one: one.answer.severity)
    if worst.answer is Answer.PASS:
        because = (
            f"no answer of the baseline was wrong, {degraded:,} of {count:,} were degraded, critical operations ok"
        )
        return Part(NAME, Answer.PASS, because)
    return Part(NAME, worst.answer, worst.because, tuple(one.because for one in findings))
