"""What is read of resources while a run lasts, and what must hold of them."""

from dataclasses import dataclass

from resilience.model.events import PhaseName
from resilience.model.promises import Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A metric of a program, as a series.

    Attributes:
        name: of the series: `pool.used`.
        metric: samples of Prometheus that are added up: `shop_dependency_busy{dependency="postgres"}`.
        limit: the most that it can be; or
        limit_metric: the metric that says so.
    """

    name: str
    metric: str
    limit: float | None = None
    limit_metric: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """A program that shows metrics to Prometheus.

    Attributes:
        part: of the stack; or
        url: of a program outside of it.
        path: where it shows them.
        take: which of them.
        token: environment variable with a bearer token.
    """

    take: tuple[Taken, ...]
    part: str = ""
    url: str = ""
    path: str = "/metrics"
    token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question to a Prometheus server.

    Attributes:
        name: of the series; what they are of are the labels of the answer.
        query: PromQL, answered for now.
        limit: the most that it can be.
    """

    name: str
    query: str
    limit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusServer:
    """A Prometheus server.

    Attributes:
        url: its base address.
        queries: what it is asked.
        token: environment variable with a bearer token.
    """

    url: str
    queries: tuple[Query, ...]
    token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesMetrics:
    """Pods of a cluster that has metrics.k8s.io.

    Attributes:
        namespace: of the pods.
        selector: labels that they have: `app=cart`; empty is all of them.
        context: of the client's configuration; empty is the present one.
    """

    namespace: str
    selector: str = ""
    context: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileOf:
    """A part whose program is profiled while a phase lasts.

    Attributes:
        part: of the stack, a Python program.
        phase, fault: when; without a fault, the first phase of that name.
        duration_s: at most so long.
        rate: samples per second.
    """

    part: str
    phase: PhaseName = PhaseName.BASELINE
    fault: str = ""
    duration_s: float = 30.0
    rate: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceLimit:
    """What must hold of a resource in a phase: `max<80% @ fault`.

    Attributes:
        resource: name of the series.
        expression: as written.
        of: what it is of; empty if there is only one.
        aggregate: `avg`, `min`, `max`, `med` or `p`.
        quantile: of `p`, in percent.
        share: whether the limit is a share of the resource's own limit (written with %), rather than in its unit.
        limit: the threshold; of a share, 1 is all of it.
        phase, fault: where it is judged; `fault` empty means every phase of that name, each on its own.
    """

    resource: str
    expression: str
    of: str = ""
    aggregate: str
    comparison: Comparison
    limit: float
    share: bool = False
    quantile: float | None = None
    phase: PhaseName = PhaseName.BASELINE
    fault: str = ""


COLLECTED = ("system", "postgres", "redis", "toxiproxy")
"""The collectors that need nothing but the stack's own parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observing:
    """What is read while the run lasts.

    Attributes:
        period_s: how often.
        collect: which of `COLLECTED`; None is all of them on a stack that we started, and none on another.
        streams: of Redis, whose length and groups are read.
        metrics, prometheus, kubernetes: what is read besides.
        profile: what is profiled, and when.
        limits: what must hold.
    """

    period_s: float = 1.0
    collect: tuple[str, ...] | None = None
    streams: tuple[str, ...] = ()
    metrics: tuple[Metrics, ...] = ()
    prometheus: tuple[PrometheusServer, ...] = ()
    kubernetes: tuple[KubernetesMetrics, ...] = ()
    profile: tuple[ProfileOf, ...] = ()
    limits: tuple[ResourceLimit, ...] = ()

    def collected(self, stack: str) -> tuple[str, ...]:
        """The collectors of a run on that kind of stack."""
        if self.collect is not None:
            return self.collect
        return COLLECTED if stack == "embedded" else ()
