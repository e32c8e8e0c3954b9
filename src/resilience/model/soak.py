"""What must not grow while a load lasts: the soak of an experiment."""

from dataclasses import dataclass

from resilience.model.events import PhaseName

SHORTEST_S = 300.0
"""Of a shorter stretch nothing is said: a service warms up for minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """Growth that does no harm.

    Attributes:
        per_hour: in the quantity's own unit (bytes, seconds, 1); with `relative`, as a share of its level.
        relative: whether it is a share of what the quantity was at first.
    """

    per_hour: float
    relative: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """A figure of response times: `p(95)`, `med` or `avg`.

    Attributes:
        aggregate: `p`, `med` or `avg`.
        quantile: of `p`, in percent.
    """

    aggregate: str
    quantile: float | None = None

    def __str__(self) -> str:
        """As it is written."""
        return self.aggregate if self.quantile is None else f"{self.aggregate}({self.quantile:g})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flat:
    """A quantity that must not grow for good: a resource, or a response time.

    Attributes:
        resource: the name of a series of readings: `process.memory`; empty is a metric of clients.
        of: the part that it is of; empty is every part that has it, each by itself.
        metric: a figure of response times; None is a resource.
        operation: the operation that the metric is of, or `all`.
        growth: what is tolerated; None is the usual for its unit, see `judge.soak`.
    """

    resource: str = ""
    of: str = ""
    metric: Times | None = None
    operation: str = "all"
    growth: Growth | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """What must stay flat in a phase; see `judge.trend`.

    Attributes:
        phase: each phase of that name is judged by itself.
        warm_up_s: left out at its beginning, besides the third that always is.
    """

    flat: tuple[Flat, ...]
    phase: PhaseName = PhaseName.AFTER
    warm_up_s: float = 0.0
