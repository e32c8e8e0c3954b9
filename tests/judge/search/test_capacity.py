"""Little's law, scaling over copies, and plans. Requirement M6."""

import pytest

from resilience.judge.search.capacity import Copies, best, efficiencies, judge_level, measured_of, plan
from resilience.model import Capacity, Prices
from resilience.spec.thresholds import parse_objective
from tests.judge.search.samples import samples

P95 = parse_objective("p(95)<250")


def level(users: int, rate: float, took_ms: float):
    """So many users at so much throughput."""
    return judge_level(samples(int(rate * 5), 5.0, took_ms), users, 0.0, 5.0, (P95,))


def test_littles_law_holds_for_what_was_measured_right():
    """Eight users at 100/s have 80 ms; with 40 ms half of them would do nothing, so something was measured wrong."""
    assert level(8, 100, 80).little < 0.02
    assert level(8, 100, 40).little == pytest.approx(0.5, abs=0.02)


def test_capacity_is_the_highest_throughput_at_which_objectives_held():
    """Not the highest of all."""
    levels = [level(4, 100, 40), level(10, 200, 50), level(90, 220, 400)]
    assert best(levels).users == 10
    assert best(levels[2:]) is None


COPIES = (Copies(1, 100.0, 1.0, 10), Copies(2, 196.0, 1.0, 20), Copies(3, 240.0, 1.0, 30))


def test_linear_is_confirmed_or_refused_with_its_interval():
    """Two copies keep 98 %, three 80 %; with errors of a tenth nobody knows."""
    two, three = efficiencies(COPIES)
    assert (two.linear, three.linear) == (True, False)
    assert two.low < 0.98 < two.high
    unsure = efficiencies([Copies(1, 100.0, 10.0, 10), Copies(2, 180.0, 18.0, 20)])[0]
    assert unsure.linear is None
    assert efficiencies(COPIES[:1]) == ()


def wanted(demand: float, headroom: float = 0.5, **more) -> Capacity:
    """A capacity run with a demand."""
    return Capacity(users=(1, 2, 4, 8, 16, 32), demand=demand, headroom=headroom, **more)


def test_a_plan_has_the_fewest_copies_that_bear_the_demand_with_headroom():
    """A demand of 120/s with half as much again is 180/s: two copies, used to 61 %."""
    planned = plan(wanted(120), COPIES)
    assert (planned["needed_per_s"], planned["copies"]) == (180, 2)
    assert planned["utilisation"] == pytest.approx(120 / 196)
    assert planned["extrapolated_copies"] is None
    assert plan(wanted(60), COPIES)["copies"] == 1
    assert plan(Capacity(users=(1, 2, 4, 8, 16, 32)), COPIES) is None


def test_what_was_not_measured_is_not_planned_but_told_as_what_it_is():
    """400/s with half as much again are beyond three copies: no plan, and an extrapolation that says that it is one."""
    planned = plan(wanted(400), COPIES)
    assert planned["copies"] is None
    assert planned["capacity_per_s"] is None
    assert planned["measured_to_copies"] == 3
    assert planned["extrapolated_copies"] == 8  # 600 / (240 / 3) = 7.5


def test_cost_of_a_million():
    """Two copies at 0.5 and 1 for the rest: 2 an hour, for 120/s: 432,000 requests an hour."""
    prices = Prices(copy_hour=0.5, fixed_hour=1.0, currency="EUR")
    planned = plan(wanted(120, prices=prices), COPIES)
    assert planned["cost_hour"] == 2.0
    assert planned["cost_per_million_at_demand"] == pytest.approx(2.0 / 0.432)
    assert planned["currency"] == "EUR"


def test_verdicts_without_capacity_are_left_out():
    """One that is unknown adds nothing to a scaling."""
    good = {"capacity": {"copies": 2, "best": {"rps": 196.0, "error": 1.0, "users": 20, "p95_ms": 50.0}}}
    assert measured_of([good, {"capacity": {"copies": 1, "best": None}}, {}]) == (Copies(2, 196.0, 1.0, 20),)
