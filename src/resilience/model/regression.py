"""What a run is compared by with earlier ones: what was measured of each, and how much worse it may be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from resilience.model.basics import Json

LATENCY, TAIL, THROUGHPUT, ERRORS, RECOVERY = "latency", "tail", "throughput", "errors", "recovery"
SUBJECTS = (LATENCY, TAIL, THROUGHPUT, ERRORS, RECOVERY)
"""What can be demanded: medians; 95th percentiles; ok per second; failures; how long recoveries take."""


class Change(StrEnum):
    """What a comparison says. *Same* is a claim that was shown, not the lack of another."""

    WORSE = "worse"
    BETTER = "better"
    SAME = "same"
    UNKNOWN = "not enough data"
    NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """How a run is compared with its baseline.

    Attributes:
        baseline: file of it, relative to the experiment's folder; empty is none.
        margin: share by which times may be longer, rates lower and failures more without harm.
        floor_s: a difference of response times below this is none.
        share_floor: a difference of shares below this is none.
        require: of `SUBJECTS`, those for which *not enough data* keeps the verdict from passing: of operations in
            phases without a fault, and of recoveries.
    """

    baseline: str = ""
    margin: float = 0.2
    floor_s: float = 0.001
    share_floor: float = 0.005
    require: tuple[str, ...] = (LATENCY,)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure of one run, and how far chance within the run may have moved it.

    Attributes:
        value: milliseconds, per second, or a share of 1.
        error: standard error from time slices: of ln(value) for times and rates, of the value for shares.
        slices: how many slices it rests on; the degrees of freedom of `error` are one less.
    """

    value: float
    error: float
    slices: int


@dataclass(frozen=True, slots=True)
class Outage:
    """How long service was lost in one cycle.

    Attributes:
        length_s: 0 without visible impact.
        resolution_s: how exact that is; -1 says that it lasted at least so long, until the watch ended.
    """

    length_s: float
    resolution_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured of one run: all that comparing needs, and small enough for a file in git.

    Attributes:
        run: its id. at: wall clock at its beginning, ISO 8601. answer: of its verdict.
        unfit: why it should not be compared with anything; empty if it is fit.
        conditions: what must be alike for a comparison to mean something: name → value, or a digest of it.
        cells: phase label → operation → metric → estimate.
        recoveries: fault as written → its outages.
        counts: what is counted over the whole run: of a month's error budget per fault, classes of writes.
    """

    run: str
    at: str
    answer: str
    unfit: str = ""
    conditions: Mapping[str, Json] = field(default_factory=dict)
    cells: Mapping[str, Mapping[str, Mapping[str, Estimate]]] = field(default_factory=dict)
    recoveries: Mapping[str, tuple[Outage, ...]] = field(default_factory=dict)
    counts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """Earlier runs of one experiment, under like conditions: what a later one is compared with."""

    experiment: str
    runs: tuple[Measured, ...]
