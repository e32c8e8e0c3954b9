"""What is promised about how load is let in and spread: rate limits, balancing, automatic scaling."""

from dataclasses import dataclass

from resilience.model.events import PhaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """A limit that the target declares, and must keep both ways: let in what it allows, and no more.

    Attributes:
        name: unique in the file.
        most: operations per second that are let in.
        per: whose operations are counted together: `all`, or each `tenant`.
        operations: that are counted; empty is all.
        phase: where it is judged; each phase of that name by itself.
        within: how far what was let in may be from what should have been, as a share of 1.
        window_s: what the limit is counted over; what was left of one is not saved up for the next.
        burst: how many more may be let in at once, after a while in which less was asked.
        refused_with: the status of an answer that refuses; it must say when to come back (`Retry-After`).
    """

    name: str
    most: float
    per: str = "all"
    operations: tuple[str, ...] = ()
    phase: PhaseName = PhaseName.BASELINE
    within: float = 0.02
    window_s: float = 1.0
    burst: float = 0.0
    refused_with: int = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """That copies of the service share the load evenly; `load.served_by` tells which copy gave an answer.

    Attributes:
        phases: where it is judged; each by itself.
        copies: how many there are; 0 is as many as the embedded stack starts.
        within: how far a copy's share may be from the even share, as a share of that.
        operations: that are counted; empty is all.
    """

    phases: tuple[PhaseName, ...] = (PhaseName.BASELINE,)
    copies: int = 0
    within: float = 0.1
    operations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """That the number of replicas follows the load.

    Attributes:
        resource: the series of readings that says how many replicas serve.
        of: the part that it is of; empty if only one has it.
        per_replica: operations per second that one replica is meant for.
        least, most: bounds of the number of replicas.
        up_within_s, down_within_s: from when the load asked for another number until it was there and stayed.
        overshoot: replicas more than were needed, at most, as a share of those.
        settle_s: for so long a number must stay to count as reached.
        price_per_hour: of one replica, in whatever currency; 0 leaves costs out.
    """

    resource: str
    per_replica: float
    of: str = ""
    least: int = 1
    most: int = 1_000
    up_within_s: float = 60.0
    down_within_s: float = 600.0
    overshoot: float = 0.5
    settle_s: float = 10.0
    price_per_hour: float = 0.0
