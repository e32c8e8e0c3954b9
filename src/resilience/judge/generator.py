"""Whether the generator was fit to judge by: if it was the bottleneck, nothing is known about the target.

An operation never waits for another (see `load.engine`), so whatever lies between its intended and its actual start is
the generator's own lateness. A processor that the generator used up, a stall, a machine that slept, ports or files that
it ran out of: each can look like the target's doing. Nothing that is judged depends on the wall clock; where that
stepped, this run's instants cannot be compared with other machines' logs, and that is told.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from resilience.columns import Samples
from resilience.judge.case import Case
from resilience.judge.closed import closed_figures
from resilience.judge.quantiles import DROPPED, NS, nearest_rank
from resilience.judge.signal import MAX_BIN_S
from resilience.judge.workers import worker_figures, worker_problems
from resilience.model import EventKind, Json, Phase, PhaseName

LAG_LIMIT_S = 0.1
"""p99 of (start - arrival) in the baseline; beyond it the generator is what is slow: a tenth of a second is more than
the pauses of a busy small machine, and less than anything that an objective on a service would tolerate unseen."""

PHASE_LAG_S = MAX_BIN_S
"""The same in any other phase: what is late by more than the longest bin is judged as of another time."""

STALL_LIMIT_S = MAX_BIN_S
"""A generator that stood still for longer than the longest bin may have made, or hidden, an outage."""

ASLEEP_LIMIT_S = 0.1
OUT_OF = "generator out of resources: "
"""How the detail of an operation begins that the generator had no port, file or memory for (see `load.http`)."""


def account_of(case: Case) -> Mapping[str, Json]:
    """The generator's account; empty unless there is just one."""
    accounts = [event.detail for event in case.record.events if event.kind is EventKind.LOAD]
    return accounts[0] if len(accounts) == 1 else {}


def lag_s(samples: Samples, quantile: float = 0.99) -> float | None:
    """How late operations were started; None if none was."""
    sent = samples.outcome != DROPPED
    lags = samples.start_ns[sent] - samples.arrival_ns[sent]
    if len(lags) == 0:
        return None
    place = max(math.ceil(round(quantile * len(lags), 9)), 1) - 1  # the nearest rank, as in judge.quantiles
    return int(np.partition(lags, place)[place]) / NS


def baseline_lag_s(case: Case) -> float | None:
    """How late operations of the baseline were started, at p99."""
    pieces = [case.during(phase) for phase in case.baselines]
    sent = [piece.outcome != DROPPED for piece in pieces]
    lags = [piece.start_ns[which] - piece.arrival_ns[which] for piece, which in zip(pieces, sent, strict=True)]
    together = np.sort(np.concatenate(lags)) if lags else np.zeros(0, dtype=np.int64)
    return nearest_rank(together, 0.99) / NS if len(together) else None


def generator_problems(case: Case) -> Iterable[str]:
    """What says that the generator was the bottleneck."""
    late_s = baseline_lag_s(case)
    if late_s is not None and late_s > LAG_LIMIT_S:
        yield (
            f"the generator, not the target: in the baseline operations started {late_s * 1000:.0f} ms late at p99, "
            f"at most {LAG_LIMIT_S * 1000:.0f} ms can be judged"
        )
    judged = [phase for phase in case.phases if phase.name is not PhaseName.WARM_UP]
    for phase in judged:
        late_s = None if phase.name is PhaseName.BASELINE else lag_s(case.during(phase))
        if late_s is not None and late_s > PHASE_LAG_S:
            yield (
                f"the generator, not the target: in {phase.label} operations started {late_s:.2f} s late at p99, "
                f"at most {PHASE_LAG_S:g} s can be judged"
            )
    yield from _resources(case, judged)
    yield from worker_problems(case)
    said = account_of(case).get("generator")
    if isinstance(said, Mapping):
        yield from _fares(said, judged)


def _resources(case: Case, judged: list[Phase]) -> Iterable[str]:
    for reason, count in out_of(case, judged).items():
        yield f"the generator, not the target: {count:,} operations were not sent for want of its own: {reason}"


def out_of(case: Case, judged: Iterable[Phase]) -> dict[str, int]:
    """How many operations the generator had no means to send, by reason: `Cannot assign requested address` is ports."""
    reasons = {
        index: text.removeprefix(OUT_OF)
        for index, text in enumerate(case.traffic.samples.details)
        if text.startswith(OUT_OF)
    }
    found: dict[str, int] = {}
    for phase in judged if reasons else ():
        details = case.during(phase).detail
        for index, reason in reasons.items():
            count = int(np.count_nonzero(details == index))
            if count:
                found[reason] = found.get(reason, 0) + count
    return found


def _fares(said: Mapping[str, Json], judged: list[Phase]) -> Iterable[str]:
    """Problems from what the generator noted of itself; what cannot be read is one, too."""
    try:
        busy = [_numbers(one, 3) for one in _listed(said, "busy")]
        cores = _number(said.get("cores", 1))
        stalls = [_numbers(one, 2) for one in _listed(said, "stalls")]
        asleep_s = _number(said.get("asleep_s", 0.0))
        _clock(said)
    except (TypeError, ValueError) as error:
        yield f"the generator's account of itself cannot be read: {error}"
        return
    whole = "a core" if cores <= 1 else f"all {cores:g} cores"
    for start_s, end_s, share in busy:
        if _meets(judged, start_s, end_s):
            yield (
                f"the generator, not the target: it used {share:.0%} of {whole} from {start_s:.1f} to {end_s:.1f} s, "
                "and had no room to be punctual"
            )
    for start_s, length_s in stalls:
        if length_s > STALL_LIMIT_S and _meets(judged, start_s, start_s + length_s):
            yield f"the generator, not the target: it stood still for {length_s:.2f} s at {start_s:.1f} s"
    if asleep_s > ASLEEP_LIMIT_S:
        yield f"the machine of the generator was suspended for {asleep_s:.1f} s"


def _meets(judged: list[Phase], start_s: float, end_s: float) -> bool:
    return any(start_s < phase.end_s and end_s > phase.start_s for phase in judged)


def clock_words(case: Case) -> list[str]:
    """What is to be told of the wall clock: its steps, or that it was pulled."""
    said = account_of(case).get("generator")
    if not isinstance(said, Mapping):
        return []
    try:
        steps, moved_s = _clock(said)
    except (TypeError, ValueError):
        return []  # told as a problem
    words = [f"the wall clock stepped by {step_s:+.3f} s at {at_s:.1f} s" for at_s, step_s in steps]
    if not steps and abs(moved_s) > LAG_LIMIT_S:
        words.append(f"the wall clock was pulled by {moved_s:+.3f} s in the course of the run")
    if words:
        words.append("instants by the wall clock are unknown; nothing that is judged depends on them")
    return words


def load_figures(case: Case) -> dict[str, Json]:
    """The block `load` of `verdict.json`."""
    judged = [phase for phase in case.phases if phase.name is not PhaseName.WARM_UP]
    said = account_of(case).get("generator")
    own: Mapping[str, Any] = said if isinstance(said, Mapping) else {}
    samples = case.traffic.samples
    words = clock_words(case)
    reasons: dict[str, Json] = dict(out_of(case, judged))
    return {
        **closed_figures(case),
        "offered": len(samples),
        "dropped": int(np.count_nonzero(samples.outcome == DROPPED)),
        "lag_p99_s": lag_s(samples),
        "baseline_lag_p99_s": baseline_lag_s(case),
        "out_of_resources": reasons,
        **({"jobs": jobs} if isinstance(jobs := account_of(case).get("jobs"), Mapping) else {}),
        "wall_clock": None if not own else "unknown" if words else "steady",
        **{
            name: own.get(name)
            for name in ("cpu_share", "cpu_share_max", "busy", "stalls", "stalled_s", "clock_steps", "asleep_s")
        },
        **worker_figures(case),
    }


def _clock(said: Mapping[str, Json]) -> tuple[list[list[float]], float]:
    return [_numbers(one, 2) for one in _listed(said, "clock_steps")], _number(said.get("clock_moved_s", 0.0))


def _listed(said: Mapping[str, Json], name: str) -> list[Json]:
    value = said.get(name, [])
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name} is {value!r}")
    return list(value)


def _numbers(value: Json, count: int) -> list[float]:
    if not isinstance(value, list | tuple) or len(value) != count:
        raise TypeError(f"{value!r} was found, {count} numbers were expected")
    return [_number(one) for one in value]


def _number(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{value!r} was found, a number was expected")
    return float(value)
