"""The page of capacity tells what searches and capacity runs found (Requirement M6)."""

from resilience.report.performance.inputs import Inputs
from resilience.report.performance.pages import lacking, written
from tests.report.performance.scene import CAPACITY, SEARCH, row, taken


def test_what_a_search_found_is_told_with_its_interval_and_headroom():
    """Two thirds of what held leaves half as much again; only where that was confirmed. Metastable is said aloud."""
    page = written(Inputs(runs=(taken("break-point", search=SEARCH),)))["capacity.md"]
    expected = ["150 /s", "157.5 /s", "100 /s", "p(95)&lt;250 was 312", "yes, at 135 /s", "3 steps, 75 s"]
    assert row(page, "healthy")[1:] == expected
    assert row(page, "database-far")[1:6] == ["60 /s", "–", "–", "–", "**no**: metastable"]
    assert "no search for the most users at once was given" in page
    assert "The title of break-point" not in written(Inputs(runs=(taken("break-point", search=SEARCH),)))["results.md"]


def test_a_capacity_run_is_told_with_its_plan_and_cost():
    """Throughput by users, scaling by copies, the law, the plan; and what its own runs say was at its limit."""
    inputs = Inputs(runs=(taken("capacity", capacity=CAPACITY, environment={"DATABASE_CONNECTIONS": "4"}),))
    page = written(inputs)["capacity.md"]
    assert "The service was started with `DATABASE_CONNECTIONS=4`." in page
    assert row(page, "1") == ["1", "4", "95", "52 ms", "4", "holds"]
    assert "* to 2 copies: linear, each keeps 95 % (91 % to 99.00 %)".replace("99.00", "99") in page
    assert "* 1 copy bears 80/s (75.6 to 84.4) at 20 users, p95 281 ms; with 50 % headroom plan for 53.3/s" in page
    assert "sigma 0.02 (0.01 to 0.03), kappa 0.001 (0 to 0.002); a peak lies beyond the 30 users" in page
    assert row(page, "60/s") == ["60/s", "90/s (50 %)", "2", "180/s", "33.3 %", "0.19 EUR", "0.88 EUR"]
    assert "the pool was full" in page
    assert "give it more connections" in page
    assert not [one for one in lacking(inputs) if "capacity run" in one]


def test_a_demand_that_nothing_bears_is_not_called_borne():
    """What would be needed was not measured, and that is said."""
    beyond = {
        "copies": None,
        "capacity_per_s": None,
        "utilisation": None,
        "measured_to_copies": 3,
        "extrapolated_copies": 5,
    }
    capacity = {**CAPACITY, "plan": {"demand_per_s": 600.0, "headroom": 0.5, "needed_per_s": 900.0, **beyond}}
    page = written(Inputs(runs=(taken("capacity", capacity=capacity),)))["capacity.md"]
    assert row(page, "600/s") == ["600/s", "900/s (50 %)", "–", "–/s", "–", "–", "–"]
    assert "up to 3, bears it. 5 would, if it went on to scale so, which was not measured" in page
