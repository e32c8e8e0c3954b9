"""The service level of a run: what it would have cost a month's error budget, and which alerts it would have set off.

Multi-window burn-rate alerts (Google, *The Site Reliability Workbook*, ch. 5, table 5-8): an alert goes off while the
burn rate over a long window and over a short one (a twelfth of it) are both at or above a factor. They are replayed on
what clients saw, an operation counting when it ends, as a counter would; before the baseline lies quiet traffic at the
baseline's rate. With a scale s every window is s times shorter, so that a run of minutes shows what hours would.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from resilience.columns import Samples
from resilience.judge.budget import DAYS, apdex, availability, bad, budget_used, burn_rate
from resilience.judge.case import Case
from resilience.judge.quantiles import NS, OK
from resilience.model import Json, PhaseName

STEP_S, FINEST_S = 1.0, 0.05
"""Alerts are evaluated so often: every second, or twelve times in the short window if that is less."""


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule: severity, factor, and lengths of its windows as in production."""

    severity: str
    factor: float
    long_s: float
    short_s: float


ALERTS = (
    Alert("page", 14.4, 3600, 300),
    Alert("page", 6.0, 6 * 3600, 1800),
    Alert("ticket", 1.0, 3 * 86_400, 6 * 3600),
)


def service_level(case: Case) -> dict[str, Json]:
    """The block `service` of `verdict.json`; nothing in it is judged."""
    level = case.record.experiment.service_level
    promise, satisfied_ms = level.availability / 100, level.satisfied_s * 1000
    judged = [phase for phase in case.phases if phase.name is not PhaseName.WARM_UP]
    usual = usual_rate(case)

    def row(samples: Samples) -> dict[str, Json]:
        failures = bad(samples)
        return {
            "bad": failures,
            "availability": availability(samples),
            "apdex": apdex(samples, satisfied_ms),
            "burn_rate": burn_rate(samples, promise),
            "budget_used": budget_used(failures, usual, promise) if usual else None,
        }

    start_s = judged[0].start_s if judged else case.end_s
    incidents: list[Json] = []
    for one in case.disturbances:
        own = row(case.traffic.between(one.requested_s, one.until_s))
        incidents.append({"fault": one.name, "start_s": one.requested_s, "end_s": one.until_s, **own})
    return {
        "promised_availability": promise,
        "budget_days": DAYS,
        "satisfied_ms": satisfied_ms,
        "usual_rps": usual,
        **row(case.traffic.between(start_s, case.end_s)),
        "phases": [{"name": one.name.value, "fault": one.fault, **row(case.during(one))} for one in judged],
        "incidents": incidents,
        "alerts": _replayed(case, start_s, usual) if level.alert_scale > 0 and usual else [],
    }


def usual_rate(case: Case) -> float | None:
    """Operations offered per second in the baseline; None without one."""
    length_s = sum(phase.end_s - phase.start_s for phase in case.baselines)
    offered = sum(len(case.during(phase)) for phase in case.baselines)
    return offered / length_s if length_s > 0 and offered else None


def _replayed(case: Case, start_s: float, usual: float) -> list[Json]:
    level = case.record.experiment.service_level
    samples = case.traffic.between(start_s, case.end_s)
    ends = np.sort(samples.end_ns)
    failed = np.sort(samples.end_ns[samples.outcome != OK])
    found: list[Json] = []
    for alert in ALERTS:
        long_s, short_s = alert.long_s / level.alert_scale, alert.short_s / level.alert_scale
        step_s = min(STEP_S, max(short_s / 12, FINEST_S))
        at_s = np.arange(start_s, case.end_s + step_s, step_s)
        burning = np.ones(len(at_s), np.bool_)
        for window_s in (long_s, short_s):
            share = _share(at_s, window_s, start_s, usual, ends, failed)
            burning &= share >= alert.factor * (1 - level.availability / 100)
        fired = int(np.argmax(burning)) if burning.any() else None
        quiet = None if fired is None or burning[fired:].all() else fired + int(np.argmin(burning[fired:]))
        found.append(
            {
                "severity": alert.severity,
                "burn_rate": alert.factor,
                "long_s": long_s,
                "short_s": short_s,
                "fired_s": None if fired is None else float(at_s[fired]),
                "quiet_s": None if quiet is None else float(at_s[quiet]),
                "resolution_s": step_s,
            }
        )
    return found


def _share(
    at_s: npt.NDArray[np.float64],
    window_s: float,
    start_s: float,
    usual: float,
    ends: npt.NDArray[np.int64],
    failed: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """The share of failures among what ended in a window before each instant."""
    until, since = np.round(at_s * NS).astype(np.int64), np.round((at_s - window_s) * NS).astype(np.int64)
    before = np.maximum(start_s - (at_s - window_s), 0.0) * usual
    total = np.searchsorted(ends, until, "right") - np.searchsorted(ends, since, "right") + before
    wrong = np.searchsorted(failed, until, "right") - np.searchsorted(failed, since, "right")
    share: npt.NDArray[np.float64] = wrong / np.maximum(total, 1.0)
    return share


def incident_words(row: dict[str, Json], promise: float) -> str:
    """`redis-down used 0.31 % of a 30-day error budget at 99.9 %`."""
    used = row["budget_used"]
    share = "an unknown share" if not isinstance(used, int | float) else f"{used * 100:.3g} %"
    return f"{row['fault']} used {share} of a {DAYS}-day error budget at {promise * 100:g} %"
