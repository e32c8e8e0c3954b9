"""Objectives, degradation, recovery: what a run is measured by."""

from dataclasses import dataclass
from enum import StrEnum

from resilience.model.events import PhaseName


class Comparison(StrEnum):
    """Comparisons of k6's threshold grammar."""

    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    EQ = "=="
    NE = "!="


COMPARED_S = 20.0
"""What is compared with the baseline must be as long as this, and so must the baseline."""


@dataclass(frozen=True, slots=True)
class Objective:
    """A threshold on a metric in a phase: `p(95)<500 @ fault(redis-down)`.

    Attributes:
        expression: as written.
        aggregate: `p`, `avg`, `min`, `max`, `med` (milliseconds of response time of everything that was sent, failures
            and timeouts included; unknown if nothing was ok), `rate` (error rate: everything that was offered and not
            ok), `count` (offered), `rps` (ok per second), `degraded` (share of ok answers that were degraded), `shed`
            (share of what was offered that was put off in order), `availability` (share of what was offered that was
            ok), `apdex`, `burn`, `budget` (see `judge.budget`).
        limit: the threshold; with `relation`, the margin as a share of 1.
        quantile: for `p`, in percent: 95.0.
        operation: one operation, or `all`.
        phase: where it is judged; `fault` empty means every phase of that name, each on its own.
        window_s: `over 10s`: must hold in every sliding window of that length; None is the whole phase.
        argument: for `apdex`, T in milliseconds; for `burn` and `budget`, the promised availability in percent.
        relation: how it must compare with the baseline: `no worse than` or `within` a margin; empty for a threshold.
        tenant, region: one of them; `each` is every one on its own; empty is all together.
        measure: what is measured instead of response time: `ttft`, `queue`, `processing` (milliseconds) or `tokens`
            (per second); empty is response time.
        abort: whether the run is reverted and stopped as soon as it is seen live that it does not hold.
        delay_abort_s: not before so much of the phase.
    """

    expression: str
    aggregate: str
    comparison: Comparison
    limit: float
    quantile: float | None = None
    operation: str = "all"
    phase: PhaseName = PhaseName.BASELINE
    fault: str = ""
    window_s: float | None = None
    argument: float | None = None
    relation: str = ""
    tenant: str = ""
    region: str = ""
    abort: bool = False
    delay_abort_s: float = 0.0
    measure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """Something that the target calls, and how it is read how often it was called: a counter that only grows.

    Attributes:
        name: unique in the file.
        part: of the stack. Redis and PostgreSQL are asked themselves; any other part is asked by HTTP, at
        path: for `metric`.
        metric: names of counters of Prometheus that are added up, each with labels or without:
            `shop_cache_total{result="error"}`.
        counts: what is counted: of Redis `commands` or `connections`; of PostgreSQL `transactions`; else `metric`.
            Empty is the first of these.
        operations: whose calls they are; empty is all.
        amplification: the most that calls per operation may grow under a fault, as a factor of the baseline's.
        calls_per_operation: the most calls that there may be per operation under a fault.
    """

    name: str
    part: str
    path: str = "/metrics"
    metric: tuple[str, ...] = ()
    counts: str = ""
    operations: tuple[str, ...] = ()
    amplification: float | None = None
    calls_per_operation: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """A circuit breaker as clients can know it: it opens, what is asked meanwhile falls back at once, it closes.

    Attributes:
        name: unique in the file.
        fault: during which it must open, as the file calls it.
        operations: that fall back while it is open.
        opens_within_s: counted from the first operation that the fault did something to.
        closes_within_s: counted from when the fault was seen gone.
        quick_s: a fallback that takes longer did not come from an open breaker.
        fallbacks: share of answers that must be quick fallbacks while it is open; the rest may try.
        calls: the dependency whose counter shows who still calls while it is open; empty looks at none.
        calls_per_second: the most that may be called meanwhile.
    """

    name: str
    fault: str
    operations: tuple[str, ...]
    opens_within_s: float
    closes_within_s: float
    quick_s: float = 0.1
    fallbacks: float = 0.95
    calls: str = ""
    calls_per_second: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What the target says of itself, which must not be that it is well while its clients fail.

    Attributes:
        operation: that asks the target how it is; ok, and not degraded, says that it is well.
        within_s: how long it may take to notice.
    """

    operation: str
    within_s: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """What degradation must look like, besides what operations say of themselves.

    Attributes:
        dependencies: whose calls are counted while the run lasts.
        breakers: that must be seen to work.
        health: what the target says of itself; None compares it with nothing.
    """

    dependencies: tuple[Dependency, ...] = ()
    breakers: tuple[Breaker, ...] = ()
    health: Health | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLevel:
    """What is promised of the service over a month, by which a run's failures are measured; see `judge.budget`.

    Attributes:
        availability: promised, in percent.
        satisfied_s: Apdex's T: an answer within it satisfies.
        alert_scale: burn-rate alerts are replayed with their windows divided by this; 0 does not replay them.
    """

    availability: float = 99.9
    satisfied_s: float = 0.5
    alert_scale: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What counts as recovered, and how soon it must be.

    Attributes:
        limit_s: the most that recovery may take (mean, upper bound of the mean, and each cycle).
        hold_s: how long the recovered band must hold.
        latency_factor: a bin is good only if its p95 ≤ baseline p95 × this, or ≤ `latency_floor_s`.
        latency_floor_s: below this, latency is never bad.
        gate: what must be within the limit: `each` cycle, and the mean's upper bound if there are cycles enough for
            one; `bound`, the same, and there must be enough; or `mean` alone.
    """

    limit_s: float = 300.0
    hold_s: float = 5.0
    latency_factor: float = 2.0
    latency_floor_s: float = 0.05
    gate: str = "each"
