"""How much load when, and from where."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stage:
    """Part of a profile: the level goes linearly from the one before to `rate`.

    Attributes:
        rate: at the stage's end: arrivals per second, or users of a closed load.
        target: the same as k6 spells it; None once the file is read.
    """

    duration_s: float
    rate: float = 0.0
    target: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A shape that the load has after the baseline (see `spec.stages`); what is left out is as usual for the shape.

    Attributes:
        shape: its name, or the name of a usual size such as `peak`.
        to: the level that it goes to: arrivals per second, or users of a closed load.
        rise_s, hold_s, fall_s, rest_s: lengths of its parts.
        step: by how much the level grows each time.
        period_s: of a wave.
    """

    shape: str
    to: float | None = None
    rise_s: float | None = None
    hold_s: float | None = None
    fall_s: float | None = None
    rest_s: float | None = None
    cycles: int | None = None
    step: float | None = None
    period_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Think:
    """How long a user of a closed load thinks between an answer and the next operation.

    Attributes:
        distribution: `constant`, `exponential`, `lognormal` with this mean; or `uniform`.
        least_s, most_s: of `uniform`, instead of a mean.
        sigma: of `lognormal`, the standard deviation of the logarithm.
    """

    distribution: str = "constant"
    mean_s: float = 1.0
    least_s: float = 0.0
    most_s: float = 0.0
    sigma: float = 0.5

    @property
    def usual_s(self) -> float:
        """The mean, of whichever distribution."""
        return (self.least_s + self.most_s) / 2 if self.distribution == "uniform" else self.mean_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A tenant or a region, and its share of the arrivals: weight / sum of weights."""

    name: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Region(Segment):
    """Where operations are sent from.

    Attributes:
        latency_s: its operations reach the service by a way of their own, the part `service-NAME`, on which every
            answer is later by so much; None is that it has no such way.
        jitter_s: give or take.
    """

    latency_s: float | None = None
    jitter_s: float = 0.0


CONTROL_GROUP, EXPERIMENT_GROUP = "control", "experiment"
"""The regions that a load with a control group has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A control group: the keys of the load split at random into one that a fault meets and one that it does not.

    Attributes:
        share: of the keys that go by the way `service-experiment`.
        slow_s: an answer is good if it was ok and took no longer; None is the band of recovery.
        margin: share of good answers by which the group may be worse.
    """

    share: float = 0.5
    slow_s: float | None = None
    margin: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """How many processes carry a load.

    Attributes:
        local: on this machine; None is as many as the planned rate needs.
        remote: on other hosts, each started there with `resilience worker`.
        wait_s: how long they are waited for.
        listen: `host:port` at which they join; loopback unless said otherwise.
    """

    local: int | None = None
    remote: int = 0
    wait_s: float = 30.0
    listen: str = "127.0.0.1:0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """Operations that are sent as the beginning of a trace, so that the target's own traces can be found from them.

    Attributes:
        share: of the operations, drawn by the plan's seed.
        header: `w3c` is `traceparent` (W3C Trace Context), `xray` is `X-Amzn-Trace-Id`.
        link: where a trace can be looked at, with `${trace_id}` in it; empty is nowhere.
    """

    share: float = 0.01
    header: str = "w3c"
    link: str = ""
