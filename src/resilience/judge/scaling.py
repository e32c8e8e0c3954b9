"""Whether the number of replicas followed the load: how soon, how far beyond, and at what cost. Pure.

How many replicas were needed at an instant follows from the load as planned and from what one replica is meant for:
⌈rate / per_replica⌉, within `least` and `most`. A *trigger* is an instant at which that number changes. It is followed
up once that many (or more, if it grew; or fewer) serve and stay so for `settle_s`. A trigger lasts until one asks for
the contrary: what is overtaken so before its time is over is not judged.

*Undershoot* is the time with fewer than were needed, weighed by how many were missing (replica-seconds); *overshoot*
the most that served beyond what was needed, once a trigger was followed up and before the next one, as a share of what
was needed. The cost is that of all replica-hours that were there, beside that of those which were needed.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from resilience.judge.case import Case
from resilience.judge.signal import expected
from resilience.model import Answer, Json, Part
from resilience.model.serving import Scaling

Float64 = npt.NDArray[np.float64]
Steps = Sequence[tuple[float, int]]
"""From each instant on, so many; ascending."""

RATE_STEP_S = 1.0
"""The load's rate is taken over so long, by its profile."""

LONGEST_GAP_S = 60.0
"""A number of replicas that was not read for longer is not known."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """One change of what was needed.

    Attributes:
        at_s: when.
        before, needed: replicas needed until then, and from then on.
        followed_s: how long until they were there and stayed; None if that did not happen before `until_s`.
        lasts: whether it was needed until the end of what is judged.
        until_s: the next trigger that asks for the contrary, or the end of what is judged.
    """

    at_s: float
    before: int
    needed: int
    followed_s: float | None
    until_s: float
    lasts: bool

    @property
    def up(self) -> bool:
        """Whether more were needed than before."""
        return self.needed > self.before


@dataclass(frozen=True, slots=True)
class Scaled:
    """How replicas followed a load; costs are None without a price."""

    triggers: tuple[Trigger, ...]
    undershoot_replica_s: float
    overshoot: float
    replica_hours: float
    needed_hours: float
    cost: float | None
    needed_cost: float | None


def needed(at_s: Float64, rate: Float64, scaling: Scaling) -> Steps:
    """How many replicas a load needs, from its rates at ascending instants."""
    steps: list[tuple[float, int]] = []
    for when, level in zip(at_s.tolist(), rate.tolist(), strict=True):
        count = min(max(math.ceil(level / scaling.per_replica - 1e-9), scaling.least), scaling.most)
        if not steps or steps[-1][1] != count:
            steps.append((when, count))
    return steps


def follow(wanted: Steps, at_s: Float64, replicas: Float64, end_s: float, scaling: Scaling) -> Scaled | str:
    """How replicas followed what was needed; a text says why that cannot be told.

    Args:
        wanted: what was needed, as from `needed`.
        at_s: when replicas were counted, ascending.
        replicas: how many served then.
        end_s: the end of what is judged.
        scaling: what is promised.
    """
    known = np.isfinite(replicas) & (at_s <= end_s)
    at_s, replicas = at_s[known], replicas[known]
    if not wanted or len(at_s) == 0:
        return "the number of replicas was never read"
    begin_s = wanted[0][0]
    gaps = np.diff(np.concatenate(([begin_s], at_s[at_s >= begin_s], [end_s])))
    if float(gaps.max()) > LONGEST_GAP_S:
        return f"the number of replicas was not read for {gaps.max():.0f} s"
    triggers = tuple(
        _trigger(wanted[place:], before, at_s, replicas, end_s, scaling)
        for place, (_, before) in enumerate(wanted[:-1], start=1)
    )
    there, want = _over_time(wanted, at_s, replicas, begin_s, end_s)
    lengths = there[:, 0]
    short = float(np.maximum(want - there[:, 1], 0) @ lengths)
    hours, needed_hours = float(there[:, 1] @ lengths) / 3600, float(want @ lengths) / 3600
    price = scaling.price_per_hour
    return Scaled(
        triggers,
        short,
        max(_beyond(triggers, wanted, at_s, replicas, end_s), default=0.0),
        hours,
        needed_hours,
        hours * price if price > 0 else None,
        needed_hours * price if price > 0 else None,
    )


def _trigger(steps: Steps, before: int, at_s: Float64, replicas: Float64, end_s: float, scaling: Scaling) -> Trigger:
    """The first of the steps as a trigger: it lasts until one asks for the contrary, or until the end."""
    start_s, count = steps[0]
    up = count > before
    until_s = next((when for when, later in steps[1:] if (later < count if up else later > count)), end_s)
    inside = (at_s >= start_s) & (at_s < until_s)
    good = replicas[inside] >= count if up else replicas[inside] <= count
    held_s = _held(at_s[inside], good, start_s, until_s, scaling.settle_s)
    return Trigger(start_s, before, count, held_s, until_s, until_s == end_s)


def _held(times: Float64, good: npt.NDArray[np.bool_], start_s: float, until_s: float, settle_s: float) -> float | None:
    """How long until things were good and stayed so for `settle_s`."""
    since: float | None = None
    for when, one in zip(times.tolist(), good.tolist(), strict=True):
        if not one:
            since = None
        elif since is None:
            since = when
        if since is not None and when - since >= settle_s:
            break
    return since - start_s if since is not None and until_s - since >= settle_s else None


def _beyond(
    triggers: Sequence[Trigger], wanted: Steps, at_s: Float64, replicas: Float64, end_s: float
) -> Iterator[float]:
    """By how much more served than was needed, from when each step was followed up until the next one."""
    edges = [*(when for when, _ in wanted[1:]), end_s]
    begins = [wanted[0][0], *(None if one.followed_s is None else one.at_s + one.followed_s for one in triggers)]
    for begin_s, until_s, (_, count) in zip(begins, edges, wanted, strict=True):
        inside = replicas[(at_s >= begin_s) & (at_s < until_s)] if begin_s is not None else replicas[:0]
        if len(inside) and count > 0:
            yield max(0.0, float(inside.max()) / count - 1)


def _over_time(
    wanted: Steps, at_s: Float64, replicas: Float64, begin_s: float, end_s: float
) -> tuple[Float64, Float64]:
    """(length, replicas) and replicas needed of every stretch in which both stay the same; a reading holds on."""
    instants = np.unique(np.concatenate(([begin_s, end_s], at_s, [when for when, _ in wanted])))
    instants = instants[(instants >= begin_s) & (instants <= end_s)]
    starts, lengths = instants[:-1], np.diff(instants)
    places = np.clip(np.searchsorted(at_s, starts, "right") - 1, 0, None)
    times = np.asarray([when for when, _ in wanted])
    counts = np.asarray([count for _, count in wanted], dtype=np.float64)
    want = counts[np.clip(np.searchsorted(times, starts, "right") - 1, 0, None)]
    return np.column_stack((lengths, replicas[places])), want


def decide(found: Scaled, scaling: Scaling) -> tuple[Answer, tuple[str, ...]]:
    """The answer, and one sentence for each trigger and for what was beyond; the gravest decides."""
    answers, told = [], []
    for one in found.triggers:
        limit_s = scaling.up_within_s if one.up else scaling.down_within_s
        what = f"{one.before} → {one.needed} replicas at {one.at_s:.1f} s"
        if one.followed_s is not None and one.followed_s <= limit_s:
            answers.append(Answer.PASS)
            told.append(f"{what}: followed after {one.followed_s:.1f} s")
        elif one.followed_s is not None or one.until_s - one.at_s > limit_s + scaling.settle_s:
            late = "never" if one.followed_s is None else f"after {one.followed_s:.1f} s"
            answers.append(Answer.FAIL)
            told.append(f"{what}: followed {late}, limit {limit_s:g} s")
        else:
            answers.append(Answer.UNKNOWN if one.lasts else Answer.PASS)
            told.append(f"{what}: not followed in the {one.until_s - one.at_s:.1f} s for which it was needed")
    if found.overshoot > scaling.overshoot:
        answers.append(Answer.FAIL)
        told.append(f"{found.overshoot:.0%} more than needed served, limit {scaling.overshoot:.0%}")
    if not any(one.followed_s is not None or one.lasts for one in found.triggers):
        answers.append(Answer.UNKNOWN)
        told.append("no other number of replicas was needed for long enough to follow")
    order = sorted(range(len(answers)), key=lambda place: -answers[place].severity)
    return Answer.worst(answers), tuple(told[place] for place in order)


def check_scaling(case: Case) -> Part:
    """Judge declared scaling by the series of readings that says how many replicas serve; asked only if declared."""
    scaling = case.record.experiment.scaling
    assert scaling is not None  # noqa: S101 - asked only then
    named = case.record.resources.named(scaling.resource)
    found = [series for series in named if scaling.of in {"", series.of}]
    if len(found) != 1:
        of = f" of {scaling.of}" if scaling.of else ""
        why = f"{len(found)} series {scaling.resource}{of} were read, and one is needed"
        return Part("scaling", Answer.UNKNOWN, why, (), {"scaling": None})
    start_s = min((phase.start_s for phase in case.phases), default=0.0)
    at_s = np.arange(start_s, case.end_s, RATE_STEP_S)
    load = case.record.experiment.load
    rate = np.asarray([expected(load, when, when + RATE_STEP_S) / RATE_STEP_S for when in at_s.tolist()])
    followed = follow(needed(at_s, rate, scaling), found[0].at_s, found[0].value, case.end_s, scaling)
    if isinstance(followed, str):
        return Part("scaling", Answer.UNKNOWN, followed, (), {"scaling": None})
    answer, told = decide(followed, scaling)
    return Part("scaling", answer, told[0], told, {"scaling": _json(followed, answer)})


def _json(found: Scaled, answer: Answer) -> dict[str, Json]:
    return {
        "answer": answer.value,
        "triggers": [
            {
                "at_s": one.at_s,
                "before": one.before,
                "needed": one.needed,
                "followed_s": one.followed_s,
                "until_s": one.until_s,
            }
            for one in found.triggers
        ],
        "undershoot_replica_s": found.undershoot_replica_s,
        "overshoot": found.overshoot,
        "replica_hours": found.replica_hours,
        "needed_hours": found.needed_hours,
        "cost": found.cost,
        "needed_cost": found.needed_cost,
    }
