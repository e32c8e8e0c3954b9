"""The account of a worker that was lost: nothing it was to do may be missing without being counted.

What it had written down counts as it is. Of an open load every arrival of its share is known beforehand, so whatever is
not there is known one by one: it is *unknown* if the worker may have sent it, that is until it was known to be gone,
and *dropped* after that. Of users, and of later steps of journeys, it is known how many operations it had begun when it
last reported: those of them that are not there are *unknown*, and what would have been done later cannot be said.

Nobody takes over its arrivals: see ADR 0016.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from resilience.columns import Samples
from resilience.load.meter import LATE_NS
from resilience.load.workers.shares import name_of, not_among, of_share
from resilience.model import OUTCOMES, Json, LoadOrder, Outcome
from resilience.record.samples import SampleWriter, read_samples
from resilience.spec.mix import Mix
from resilience.spec.profile import arrivals

LOST = "the worker that was to send it was lost"
MAYBE_SENT = "the worker that may have sent it was lost"


class Loss(NamedTuple):
    """What is known of a lost worker.

    Attributes:
        at_ns: when it was last there; unsure_ns: when it was certainly gone, so that it cannot have sent anything.
        offered: how many operations it said that it had begun or dropped; ended: how many of each had ended.
    """

    at_ns: int
    unsure_ns: int
    offered: int
    ended: Mapping[str, int] = {}


class Missing(NamedTuple):
    """An operation that is not in the samples of a lost worker."""

    arrival_ns: int
    operation: int
    tenant: int
    region: int
    outcome: Outcome


def account_of_lost(order: LoadOrder, loss: Loss, stop_ns: int) -> dict[str, Json]:
    """Write down what is missing of a lost worker, and return its account.

    Args:
        order: its own, with its share.
        loss: what is known.
        stop_ns: when the load was to end, since the run's zero.

    Raises:
        RecordError: it cannot be written.
    """
    folder, name = Path(order.folder), name_of(order.share)
    found, _ = read_samples(folder, finished=False, of=name)
    load = order.load
    names = list(dict.fromkeys([*(operation.name for operation in load.operations), *found.operations]))
    tenants, regions = ([one.name for one in many] for many in (load.tenants, load.regions))
    writer = SampleWriter(folder, f"lost-{name}", names, tenants=tenants, regions=regions)
    counts = [Counter[Outcome]() for _ in names]
    place = {each: number for number, each in enumerate(names)}
    for code, operation in enumerate(found.operations):
        of_it = np.bincount(found.outcome[found.operation == code], minlength=len(OUTCOMES)).tolist()
        counts[place[operation]].update(dict(zip(OUTCOMES, of_it, strict=True)))
    scheduled = [] if load.closed else list(_arrivals(order, loss, stop_ns, found))
    known = len(found) + sum(one.arrival_ns <= loss.at_ns for one in scheduled)
    had = Counter({name: count.total() for name, count in zip(names, counts, strict=True)})
    had.update(names[one.operation] for one in scheduled)
    for one in (*scheduled, *_others(order, loss, loss.offered - known, had, names)):
        end_ns = max(one.arrival_ns, loss.at_ns) if one.outcome is Outcome.UNKNOWN else one.arrival_ns
        writer.add(
            one.arrival_ns,
            one.arrival_ns,
            end_ns,
            one.operation,
            OUTCOMES.index(one.outcome),
            detail=MAYBE_SENT if one.outcome is Outcome.UNKNOWN else LOST,
            tenant=one.tenant,
            region=one.region,
        )
        counts[one.operation][one.outcome] += 1
    writer.close()
    return {**_account(names, counts), **_lags(found)}


def _arrivals(order: LoadOrder, loss: Loss, stop_ns: int, found: Samples) -> Iterator[Missing]:
    """Arrivals of its share that are not among the samples."""
    mix = Mix(order.load, order.seed)
    schedule = arrivals(order.load, order.seed, min(order.max_s, (stop_ns + 1) / 1e9))
    pairs = (value for pair in of_share(schedule, order.share) for value in pair)
    planned = np.fromiter(pairs, np.int64).reshape(-1, 2)
    planned = planned[planned[:, 1] <= stop_ns]
    for index, arrival_ns in planned[not_among(planned[:, 1], found.arrival_ns)].tolist():
        outcome = Outcome.UNKNOWN if arrival_ns <= loss.unsure_ns else Outcome.DROPPED
        yield Missing(arrival_ns, mix.choose(index)[0], *mix.segment(index), outcome)


def _others(
    order: LoadOrder, loss: Loss, count: int, had: Mapping[str, int], names: Sequence[str]
) -> Iterator[Missing]:
    """So many operations that it had told of and that no schedule knows, of the kinds of which more had ended."""
    mix, share = Mix(order.load, order.seed), order.share
    kinds = [name for name in names for _ in range(loss.ended.get(name, 0) - had[name])]
    for place in range(max(count, 0)):
        index = share.index + max(loss.offered - 1 - place, 0) * share.of
        kind = names.index(kinds[place]) if place < len(kinds) else mix.choose(index)[0]
        yield Missing(loss.at_ns, kind, *mix.segment(index), Outcome.UNKNOWN)


def _account(names: list[str], counts: list[Counter[Outcome]]) -> dict[str, Json]:
    rows = {
        name: {"offered": count.total(), **{outcome.value: count[outcome] for outcome in OUTCOMES}}
        for name, count in zip(names, counts, strict=True)
    }
    keys = ("offered", *(outcome.value for outcome in OUTCOMES))
    per_operation: Mapping[str, Json] = {name: dict(row) for name, row in rows.items()}
    return {**{key: sum(row[key] for row in rows.values()) for key in keys}, "per_operation": per_operation}


def _lags(found: Samples) -> dict[str, Json]:
    """How late what it had written down was begun."""
    lags = (found.start_ns - found.arrival_ns)[found.outcome != OUTCOMES.index(Outcome.DROPPED)]
    if not len(lags):
        return {"lag_p50_s": 0.0, "lag_p99_s": 0.0, "lag_max_s": 0.0, "started_late": 0}
    half, most = (float(np.quantile(lags, quantile)) / 1e9 for quantile in (0.5, 0.99))
    late = int(np.count_nonzero(lags > LATE_NS))
    return {"lag_p50_s": half, "lag_p99_s": most, "lag_max_s": int(lags.max()) / 1e9, "started_late": late}
