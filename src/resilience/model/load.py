"""The load of an experiment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from resilience.model.data import DataField, Feeder, Journey, Skew, Subscription, Token
from resilience.model.operations import Operation
from resilience.model.profiles import Control, Profile, Region, Segment, Stage, Think, Tracing, Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much load when, and of what.

    The load is open, with arrivals that wait for nothing, or closed: so many users, each of whom waits for an answer,
    thinks, and only then does the next thing. `rate` and `users` exclude each other.

    Attributes:
        rate: arrivals per second at which the run begins; constant unless there are stages.
        users: of a closed load, at which the run begins; None of an open one.
        think: of the users of a closed load.
        stages: the profile, counted from the run's beginning; after the last stage its level holds.
        profile: what the stages were made from, if the file has a shape instead of stages.
        arrivals: `constant` (evenly spaced) or `poisson`.
        max_in_flight: operations at once; an arrival beyond it is dropped and counted.
        keys: how many different values `${key}` takes (0 … keys−1); `zipf` skews it (0 is uniform).
        warm_up_s, baseline_s: lengths of the first two phases.
        driver: the program that sends the load: `locust`, or `k6` or `artillery`, which run a script of their own.
        script: of k6 or Artillery, relative to the experiment's folder. It decides what is sent and when; `operations`
            and whatever else is about that are then empty.
        environment: a name that the script reads → the environment variable that holds the value.
        base_url_as: the name under which the script finds the target's address.
        tenants, regions: on whose behalf and from where operations are sent: `${tenant}`, `${region}`; may be none.
        skew: which of the keys, if neither uniform nor `zipf`.
        data, feeder: generated test data, and a file with more: `${data.NAME}`.
        priority_header: header in which each HTTP request says its operation's priority; empty for none.
        journeys: several operations one after another, beside single ones.
        tokens: bearer tokens: `${token.NAME}`.
        subscriptions: long-lived connections beside the mix; each has two of the operations, of weight 0.
        served_by: header in which answers say which copy of the service gave them; empty looks at none.
        tracing: sends some operations with a trace of their own; None sends none.
        control: splits the keys into two groups, which are then the regions `control` and `experiment`.
    """

    operations: tuple[Operation, ...] = ()
    rate: float = 0.0
    users: int | None = None
    think: Think = Think()
    stages: tuple[Stage, ...] = ()
    profile: Profile | None = None
    arrivals: str = "constant"
    max_in_flight: int = 256
    keys: int = 1000
    zipf: float = 0.0
    warm_up_s: float = 3.0
    baseline_s: float = 15.0
    driver: str = "locust"
    tenants: tuple[Segment, ...] = ()
    regions: tuple[Region, ...] = ()
    skew: Skew | None = None
    data: tuple[DataField, ...] = ()
    feeder: Feeder | None = None
    priority_header: str = ""
    journeys: tuple[Journey, ...] = ()
    tokens: tuple[Token, ...] = ()
    workers: Workers = Workers()
    script: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    base_url_as: str = "BASE_URL"
    subscriptions: tuple[Subscription, ...] = ()
    served_by: str = ""
    tracing: Tracing | None = None
    control: Control | None = None

    @property
    def closed(self) -> bool:
        """Whether users wait for their answers, so that what is offered depends on the target."""
        return self.users is not None

    @property
    def level(self) -> float:
        """At which the run begins: arrivals per second, or users of a closed load."""
        return self.rate if self.users is None else float(self.users)
