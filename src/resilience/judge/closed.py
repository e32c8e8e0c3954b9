"""A closed load: what its users did not ask while they waited, and whether a pass would stand without that.

A user who waits asks nothing meanwhile, so a target that stalls is asked less, and shares and quantiles look better
than what arrivals at a rate would have met: *coordinated omission* (G. Tene, "How NOT to Measure Latency", 2013). Two
things follow.

A part that passes is judged a second time with what was left out put back, and is unknown if it does not pass then.
What is put back is that of HdrHistogram's `recordValueWithExpectedInterval`: with I the time that a user usually takes
from one operation to the next (in the baseline: users times its length over operations offered, by Little's law), an
operation that took W stands for others that began I, 2 I, … after it and ended when it did, as long as they would have
taken I or more. The figures that are shown are always those that were seen. A failure is a failure.

And the users must have done what users do. By the same law, thinkers times time over the mean think time is how many
operations must have begun; the time of users that is not spent waiting for answers is spent thinking. Fewer, or more:
the users were not those of the profile, and nothing is known about the load.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from resilience.columns import Samples
from resilience.judge.case import Case
from resilience.judge.journeys import journeys_of
from resilience.judge.quantiles import DROPPED, NS, Traffic, to_ns
from resilience.judge.scripts import of_script, waiting_users
from resilience.judge.signal import level_integral, too_few
from resilience.model import Answer, Json, Part, Phase, PhaseName

UNEVEN = 0.05
"""Think times are drawn: so large a share of the operations may be missing, or too many, besides one of each user."""


def usual_ns(case: Case) -> int | None:
    """How long a user usually takes from one operation to the next, in nanoseconds; None if the baseline has none."""
    load = case.record.experiment.load
    spent_s = sum(level_integral(load, phase.start_s, phase.end_s) for phase in case.baselines)
    if users := waiting_users(case.record):
        spent_s = users * sum(phase.end_s - phase.start_s for phase in case.baselines)
    count = sum(len(by_users(case, case.during(phase))) for phase in case.baselines)
    return round(spent_s / count * NS) if count and spent_s > 0 else None


def by_users(case: Case, samples: Samples) -> Samples:
    """What users did, without what subscriptions were sent meanwhile."""
    load = case.record.experiment.load
    if not load.subscriptions:
        return samples
    done = [case.traffic.index(operation.name) for operation in load.operations]
    return samples.where(np.isin(samples.operation, done))


def left_out(samples: Samples, every_ns: int) -> Samples:
    """What users would have begun while they waited, if they had gone on every so many nanoseconds."""
    waited = np.where(samples.outcome == DROPPED, 0, samples.end_ns - samples.arrival_ns)
    times = np.maximum(waited // every_ns - 1, 0).astype(np.int64)
    which = np.repeat(np.arange(len(samples)), times)
    # The first of each is one interval after the operation that it is left out for, the next is two, and so on.
    number = np.arange(len(which)) - np.repeat(np.cumsum(times) - times, times) + 1
    more = samples.where(which)  # type: ignore[arg-type]  # positions do as well as a mask
    begun = more.arrival_ns + number * every_ns
    return replace(more, arrival_ns=begun, start_ns=begun)


def put_back(case: Case) -> Case | None:
    """The case with what its users left out; None if that is nothing, or the load is open."""
    closed = case.record.experiment.load.closed or waiting_users(case.record)
    every_ns = usual_ns(case) if closed else None
    if every_ns is None:
        return None
    samples = case.traffic.samples
    more = left_out(by_users(case, samples), every_ns)
    if not len(more):
        return None
    return replace(case, traffic=Traffic(_together(samples, more)))


_SOMETIMES = ("tenant", "region", "first_ns", "queue_ns", "processing_ns", "tokens", "served", "trace")
"""Columns that not every load has."""


def _together(samples: Samples, more: Samples) -> Samples:
    """Both, of the same operations, tenants and regions."""
    names = ["arrival_ns", "start_ns", "end_ns", "operation", "outcome", "status", "degraded", "detail", "shed"]
    names += [name for name in _SOMETIMES if getattr(samples, name) is not None]
    columns: dict[str, Any] = {name: np.concatenate([getattr(samples, name), getattr(more, name)]) for name in names}
    return replace(samples, **columns)


def standing(checker: Callable[[Case], Part]) -> Callable[[Case], Part]:
    """A checker whose pass must stand with what the users of a closed load left out; otherwise it is unknown."""

    def check(case: Case) -> Part:
        part = checker(case)
        more = put_back(case) if part.answer is Answer.PASS else None
        if more is None:
            return part
        again = checker(more)
        count = len(more.traffic.samples) - len(case.traffic.samples)
        if again.answer is Answer.PASS:
            return part
        because = (
            f"users of a closed load wait, and asked less while they did: with the {count:,} operations that they "
            f"would have begun meanwhile it would not pass: {again.because}"
        )
        return replace(part, answer=Answer.UNKNOWN, because=because, evidence=(because, *part.evidence))

    return check


def users_problems(case: Case) -> Iterator[str]:
    """What says that the users of a closed load did not do what users do.

    Of users who do more than one thing between two thoughts because they log in, or beside whom something else is
    asked (subscriptions), it cannot be told by their think time.
    """
    load = case.record.experiment.load
    if not load.closed or load.think.usual_s <= 0 or not case.baselines or load.tokens or load.subscriptions:
        return
    if load.journeys:
        yield from _on_journeys(case)
        return
    for phase in case.phases:
        if phase.name is PhaseName.WARM_UP or phase.end_s <= phase.start_s:
            continue
        offered, due, most = len(case.during(phase)), due_of_users(case, phase), _most(case, phase)
        if too_few(offered + most, (1 - UNEVEN) * due):
            yield (
                f"{phase.label} had {offered:,} operations where the users of the load's profile, who waited and "
                f"thought as long as they did, begin {due:,.0f}"
            )
        elif offered - most > (1 + UNEVEN) * due + 3.1 * due**0.5:
            yield f"{phase.label} had {offered:,} operations, more than the {due:,.0f} that its users can begin"


def _on_journeys(case: Case) -> Iterator[str]:
    """The same of users who go on journeys: those begin after a thought, like single operations.

    How long journeys took is in the generator's account of the whole run, so the whole run is looked at. An operation
    that is both single and a step cannot be told apart: then nothing is said.
    """
    load = case.record.experiment.load
    single = {operation.name for operation in load.operations if operation.weight > 0}
    if any(journey.function is not None and single for journey in load.journeys) or any(
        step.operation in single for journey in load.journeys for step in journey.steps
    ):
        return
    accounts = journeys_of(case.record).values()
    told = [account for account in accounts if isinstance(account, Mapping)]
    if not all(isinstance(account.get(key), int | float) for account in told for key in ("arrived", "spent_s")):
        yield "the generator did not tell how long the journeys of its users took"
        return
    samples, end_s = case.traffic.samples, case.phases[-1].end_s
    alone = samples.where(np.isin(samples.operation, [case.traffic.index(name) for name in single]))
    begun = len(alone) + sum(int(str(account["arrived"])) for account in told)
    busy_s = float((alone.end_ns - alone.arrival_ns).sum()) / NS + sum(float(str(one["spent_s"])) for one in told)
    due = max(level_integral(load, 0.0, end_s) - busy_s, 0.0) / load.think.usual_s
    most = max((load.level, *(stage.rate for stage in load.stages)))
    if too_few(begun + most, (1 - UNEVEN) * due):
        yield (
            f"{begun:,} journeys and operations were begun where the users of the load's profile, who were on their "
            f"way and thought as long as they did, begin {due:,.0f}"
        )
    elif begun - most > (1 + UNEVEN) * due + 3.1 * due**0.5:
        yield f"{begun:,} journeys and operations were begun, more than the {due:,.0f} that the load's users can begin"


def due_of_users(case: Case, phase: Phase) -> float:
    """How many operations users begin in a phase, who spend it waiting as long as they did, and thinking."""
    load = case.record.experiment.load
    begin_ns, end_ns = to_ns(phase.start_s), to_ns(phase.end_s)
    samples = case.traffic.between(phase.start_s - case.traffic.longest_s - 1e-9, phase.end_s)
    waiting_ns = np.clip(samples.end_ns, begin_ns, end_ns) - np.clip(samples.arrival_ns, begin_ns, end_ns)
    thinking_s = level_integral(load, phase.start_s, phase.end_s) - float(waiting_ns.sum()) / NS
    return max(thinking_s, 0.0) / load.think.usual_s


def _most(case: Case, phase: Phase) -> float:
    """The most users of a phase, whose last think time may end in the next one."""
    load, begun, level = case.record.experiment.load, 0.0, case.record.experiment.load.level
    most = 0.0
    for stage in load.stages:
        if begun < phase.end_s and begun + stage.duration_s >= phase.start_s:
            most = max(most, level, stage.rate)
        begun, level = begun + stage.duration_s, stage.rate
    return max(most, level if begun < phase.end_s else 0.0)


def closed_figures(case: Case) -> dict[str, Json]:
    """What the block `load` of `verdict.json` has besides: the model, and of a closed load what it hides."""
    load = case.record.experiment.load
    if of_script(case.record):
        return {"model": "script", "users_at_most": waiting_users(case.record)}
    if not load.closed:
        return {"model": "open"}
    every_ns, more = usual_ns(case), put_back(case)
    count = 0 if more is None else len(more.traffic.samples) - len(case.traffic.samples)
    return {
        "model": "closed",
        "users_at_first": load.users,
        "think_s": load.think.usual_s,
        "usual_interval_s": None if every_ns is None else every_ns / NS,
        "left_out": None if every_ns is None else count,
        "hides": HIDES,
    }


HIDES = (
    "users wait for answers: latency is what they saw, counted from when each was ready, not what arrivals at a rate "
    "would have met, and a target that stalls was asked less"
)
"""What must be known of a latency before it is compared with one of an open load."""
