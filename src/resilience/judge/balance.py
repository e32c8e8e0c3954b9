"""Whether copies of a service share the load evenly, within what chance allows.

Each answer says which copy gave it. The share of a copy is a ratio estimated from blocks of time, because requests are
no independent draws: connections are kept, and whoever is on one stays with its copy for a while. So the variance is
that of the blocks about the whole (sectioning, as in `judge.equivalence`), with Student's t, Bonferroni over all
copies, and never less than that of as many independent draws (a multinomial). *Dispersion* says how much more than
those it is: Pearson's chi-squared of the blocks about the shares, over its degrees of freedom; 1 is chance alone.

Even means within `within` of the even share. A copy whose whole interval lies outside fails, one whose whole interval
lies inside passes, and anything between is unknown: a difference that was not seen is no evidence that there is none.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from resilience.columns import Samples
from resilience.judge.case import Case
from resilience.judge.quantiles import NS
from resilience.judge.statistics import student
from resilience.model import Answer, Json, Part, Phase
from resilience.model.serving import Balance

Float64 = npt.NDArray[np.float64]

BLOCKS, FEWEST_BLOCKS, SHORTEST_BLOCK_S = 40, 10, 0.5
"""A phase is cut into so many blocks at most and at least, none of them shorter than this."""

CONFIDENCE = 0.99
"""Of all copies' intervals together, two-sided."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How a load was shared.

    Attributes:
        copies: name → (share, low, high, count).
        dispersion: of the counts in blocks about the shares; 1 is chance alone.
        blocks: how many blocks it rests on.
    """

    copies: Mapping[str, tuple[float, float, float, int]]
    dispersion: float
    blocks: int


def shares(counts: npt.NDArray[np.int64], names: tuple[str, ...], wanted: int) -> Shares:
    """Shares from a table of blocks × copies.

    Args:
        counts: how many answers of each copy there were in each block; at least `FEWEST_BLOCKS` rows.
        names: of the columns.
        wanted: how many intervals there are, for Bonferroni: copies that never answered count, too.
    """
    table = counts[counts.sum(axis=1) > 0].astype(np.float64)
    blocks, sizes = len(table), table.sum(axis=1)
    total = float(sizes.sum())
    share = table.sum(axis=0) / total
    reach = student(1 - (1 - CONFIDENCE) / 2 / max(wanted, 1), blocks - 1)
    found = {}
    for place, name in enumerate(names):
        errors = table[:, place] - share[place] * sizes
        between = float(errors @ errors) * blocks / (blocks - 1) / total**2
        spread = math.sqrt(max(between, float(share[place] * (1 - share[place])) / total))
        low, high = share[place] - reach * spread, share[place] + reach * spread
        found[name] = (float(share[place]), max(0.0, float(low)), min(1.0, float(high)), int(table[:, place].sum()))
    expected = np.outer(sizes, share)
    freedom = (blocks - 1) * (len(names) - 1)
    chi = float(((table - expected) ** 2 / np.where(expected > 0, expected, 1.0)).sum())
    return Shares(found, chi / freedom if freedom > 0 else 0.0, blocks)


def check_balance(case: Case) -> Part:
    """Judge the declared balance; asked only if there is one."""
    balance = case.record.experiment.balance
    assert balance is not None  # noqa: S101 - asked only then
    judged = [
        found for name in balance.phases for phase in case.named(name) for found in [_judged(case, balance, phase)]
    ]
    missing = [name.value for name in balance.phases if not case.named(name)]
    data: dict[str, Json] = {"balance": [row for _, row in judged]}
    answer = Answer.worst([*(one for one, _ in judged), *(Answer.UNKNOWN for _ in missing)])
    told = [str(row["because"]) for _, row in sorted(judged, key=lambda each: -each[0].severity)]
    told += [f"there was no phase {name}" for name in missing]
    return Part("balance", answer, told[0], tuple(told), data)


def _judged(case: Case, balance: Balance, phase: Phase) -> tuple[Answer, dict[str, Json]]:
    samples, names = _answers(case, balance, phase)
    service = case.record.experiment.stack.service
    copies = balance.copies or (service.copies if service is not None else len(names))
    row: dict[str, Json] = {"phase": phase.label, "expected_copies": copies, "answers": len(samples)}
    length_s = phase.end_s - phase.start_s
    blocks = min(BLOCKS, int(length_s / SHORTEST_BLOCK_S))
    if blocks < FEWEST_BLOCKS or samples.served is None or len(samples) < FEWEST_BLOCKS * copies:
        why = f"{len(samples):,} answers in {length_s:.0f} s said which copy gave them, which is too little to tell"
        return Answer.UNKNOWN, row | _told(phase, Answer.UNKNOWN, why)
    block = np.minimum(((samples.end_ns / NS - phase.start_s) / length_s * blocks).astype(np.int64), blocks - 1)
    counts = np.zeros((blocks, len(names)), np.int64)
    np.add.at(counts, (np.maximum(block, 0), samples.served), 1)
    if np.count_nonzero(counts.sum(axis=1)) < FEWEST_BLOCKS:
        why = "there were answers in a few moments only"
        return Answer.UNKNOWN, row | _told(phase, Answer.UNKNOWN, why)
    there = [place for place in range(len(names)) if counts[:, place].any()]
    found = shares(counts[:, there], tuple(names[place] for place in there), copies)
    answer, why = decide(found, copies, balance.within)
    row |= {
        "dispersion": found.dispersion,
        "copies": {
            name: {"share": share, "low": low, "high": high, "count": count}
            for name, (share, low, high, count) in found.copies.items()
        },
    }
    return answer, row | _told(phase, answer, why)


def decide(found: Shares, copies: int, within: float) -> tuple[Answer, str]:
    """The answer for shares, and why."""
    even = 1 / copies
    low, high = even * (1 - within), even * (1 + within)
    listed = ", ".join(f"{name} {share:.1%}" for name, (share, *_) in sorted(found.copies.items()))
    said = f"{listed}; even is {even:.1%} ± {even * within:.1%}; {found.dispersion:.1f} times the scatter of chance"
    if len(found.copies) < copies:
        return Answer.FAIL, f"{copies - len(found.copies)} of {copies} copies answered nothing: {said}"
    if len(found.copies) > copies:
        return Answer.UNKNOWN, f"{len(found.copies)} copies answered where {copies} were expected: {said}"
    out = [name for name, (_, least, most, _) in found.copies.items() if least > high or most < low]
    if out:
        return Answer.FAIL, f"not even: {said}"
    if all(low <= least and most <= high for _, least, most, _ in found.copies.values()):
        return Answer.PASS, said
    return Answer.UNKNOWN, f"too few answers to tell whether it is even: {said}"


def _answers(case: Case, balance: Balance, phase: Phase) -> tuple[Samples, tuple[str, ...]]:
    """The answers that came in a phase and said which copy gave them, and the names of copies."""
    samples = case.traffic.samples
    if samples.served is None:
        return samples.where(np.zeros(len(samples), np.bool_)), ()
    chosen = (samples.served > 0) & (samples.end_ns >= phase.start_s * NS) & (samples.end_ns < phase.end_s * NS)
    if balance.operations:
        chosen &= np.isin(samples.operation, [case.traffic.index(name) for name in balance.operations])
    return samples.where(chosen), tuple(samples.copies)


def _told(phase: Phase, answer: Answer, why: str) -> dict[str, Json]:
    return {"answer": answer.value, "because": f"{phase.label}: {why}"}
