"""What a break-point search and a capacity run are asked for."""

from dataclasses import dataclass

from resilience.model.promises import Comparison, Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search for the level at which objectives break.

    Attributes:
        over: `rate` (arrivals per second), `users`, or `fault`: a setting of a fault.
        fault, setting: of `fault`, which of the method's faults, and which of its settings.
        start: the mildest level, which the target is expected to bear.
        limit: the hardest level that may be tried; below `start` where less is harder (a quota, a pool).
        objectives: what must hold; the level breaks when one of them does not.
        step_s: how long a step is measured, before it is extended. settle_s: what is left out at its beginning.
        confirm_s: how long the last level that held is measured again.
        precision: the width of the answer's interval, as a share of it.
        must_hold: a level that must hold; the verdict fails if it does not.
        faults: of the method; the search is made healthy, and again with each of them in place.
        step_down: whether, after it broke, the load goes back to the level that held, to see whether it holds again.
    """

    over: str
    start: float
    limit: float
    objectives: tuple[Objective, ...]
    fault: str = ""
    setting: str = ""
    step_s: float = 5.0
    settle_s: float = 2.0
    confirm_s: float = 15.0
    precision: float = 0.05
    must_hold: float | None = None
    faults: tuple[str, ...] = ()
    step_down: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What running the target costs.

    Attributes:
        copy_hour: one copy of the service, for an hour. fixed_hour: everything else that it needs, for an hour.
        currency: what that is in.
    """

    copy_hour: float = 0.0
    fixed_hour: float = 0.0
    currency: str = "EUR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """A measurement of how throughput grows with users and with copies of the service.

    Attributes:
        users: how many at once, who never think; ascending.
        copies: how many copies of the service; empty is only as many as the file has.
        step_s, settle_s: as of a search.
        objectives: what must hold for throughput to count as capacity; may be none.
        demand: requests per second that are to be served; None if nothing is to be planned.
        headroom: how much more than that is to be there, as a share of it: 0.5 is half as much again.
        prices: None if cost is not asked for.
    """

    users: tuple[int, ...]
    copies: tuple[int, ...] = ()
    step_s: float = 5.0
    settle_s: float = 2.0
    objectives: tuple[Objective, ...] = ()
    demand: float | None = None
    headroom: float = 0.5
    prices: Prices | None = None


def allowed_share(objective: Objective) -> float | None:
    """The share of operations that an objective allows to be bad; None if it is not about a share.

    `p(95)<250` says that at most 5 % may take that long, `rate<0.01` that at most 1 % may not be ok.
    """
    below = objective.comparison in {Comparison.LT, Comparison.LE}
    if objective.measure or objective.relation or objective.window_s is not None:
        return None
    if objective.aggregate in {"p", "med"} and below:
        return 1 - (50.0 if objective.aggregate == "med" else objective.quantile or 0.0) / 100
    if objective.aggregate == "availability" and objective.comparison in {Comparison.GT, Comparison.GE}:
        return 1 - objective.limit
    if objective.aggregate in {"rate", "degraded", "shed"} and below:
        return objective.limit
    return None
