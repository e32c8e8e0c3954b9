"""Pages about performance say what the runs say, no more, and tell what is missing (Requirement M6)."""

import copy
import json

import pytest

from resilience.model import Baseline, Estimate, Measured
from resilience.report.performance.inputs import Inputs, Taken, in_order, take
from resilience.report.performance.pages import PAGES, lacking, written

HEADER = {
    "wall_clock": "2026-01-02T03:04:05.678+00:00",
    "versions": {"resilience": "0.1.0", "postgres": "15.18, PATH"},
    "machine": {"cores": 2, "memory_gib": 24, "processor": "Secret 9000", "system": "Linux x86_64"},
}


def figures(count, ok, p95):
    """Of an operation."""
    shares = {"error_rate": (count - ok) / count, "in_flight_mean": 1.5}
    return {"count": count, "ok": ok, "p50_ms": p95 / 2, "p95_ms": p95, "p99_ms": p95 * 2, "max_ms": p95 * 3, **shares}


def document(name="normal", run="aaaa1111", ok=900, p95=80.0, **more):
    """A verdict of a run with a baseline of 10 s and 20 s of load."""
    return {
        "answer": "pass",
        "because": "all is well",
        "experiment": name,
        "title": f"The title of {name} (short variant: 0.05 of its length)",
        "run": run,
        "seed": 7,
        "duration_s": 34.0,
        "phases": [
            {"name": "warm-up", "fault": "", "start_s": 0.0, "end_s": 2.0, "operations": {"all": figures(5, 5, 999.0)}},
            {
                "name": "baseline",
                "fault": "",
                "start_s": 2.0,
                "end_s": 12.0,
                "operations": {"all": figures(100, 100, 10.0)},
            },
            {
                "name": "after",
                "fault": "",
                "start_s": 12.0,
                "end_s": 32.0,
                "operations": {
                    "all": figures(1000, ok, p95),
                    "list": figures(700, 650, p95),
                    "read": figures(300, 300, 9.0),
                },
            },
        ],
        "resources": {
            "series": [
                series("process.cpu", "service", "cores", 2.0, 1.5, 0.9),
                series("postgres.connections", "postgres", "count", 100.0, 42.0, 0.42),
                series("redis.keys", "redis", "count", None, 12.0, None),
            ]
        },
        "bottlenecks": {"answer": "not-saturated", "because": "full service throughout", "windows": []},
        **more,
    }


def series(name, of, unit, limit, value, share):
    """A resource, read in the loaded phase."""
    phase = {"phase": "after", "count": 20, "mean": value, "min": value / 2, "max": value, "share": share}
    return {"name": name, "of": of, "unit": unit, "limit": limit, "phases": [phase]}


def taken(*args, header=HEADER, capacity=None, **more):
    """A run."""
    return Taken(document(*args, **more), header, capacity or {})


SEARCH = {
    "over": "rate",
    "unit": "/s",
    "objectives": ["p(95)<250"],
    "conditions": [
        {
            "condition": "healthy",
            "kind": "found",
            "holds": 150.0,
            "breaks": 157.5,
            "objective": "p(95)<250 was 312",
            "confirmed": True,
            "came_back": True,
            "back_at": 135.0,
            "metastable": False,
            "cost_s": 75.0,
            "steps": [{}, {}, {}],
        },
        {"condition": "database-far", "holds": 60.0, "breaks": None, "metastable": True, "steps": []},
    ],
}

CAPACITY = {
    "answer": "pass",
    "because": "2 bear the demand",
    "scaling": [{"copies": 2, "value": 0.95, "low": 0.91, "high": 0.99, "linear": True}],
    "plan": {
        "demand_per_s": 60.0,
        "headroom": 0.5,
        "needed_per_s": 90.0,
        "copies": 2,
        "capacity_per_s": 180.0,
        "utilisation": 1 / 3,
        "currency": "EUR",
        "cost_hour": 0.19,
        "cost_per_million_at_demand": 0.8796,
    },
    "runs": [
        {
            "experiment": "capacity",
            "run": "cccc0001",
            "capacity": {
                "copies": 1,
                "best": {"users": 20, "rps": 80.0, "error": 2.0, "p95_ms": 281.0},
                "levels": [{"users": 4, "rps": 95.0, "p95_ms": 52.0, "in_flight": 4.02, "seen": "holds"}],
                "law": {
                    "sigma": {"value": 0.02, "low": 0.01, "high": 0.03},
                    "kappa": {"value": 0.001, "low": 0.0, "high": 0.002},
                    "fits": True,
                    "peak": None,
                    "measured_to": 30.0,
                },
            },
            "bottlenecks": {
                "answer": "found",
                "because": "the pool was full",
                "windows": [{"ranked": [{"recommendation": "give it more connections"}]}],
            },
        }
    ],
}


def row(page, first):
    """The cells of the row of a page's tables that begins so."""
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {first} ")]
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_without_anything_every_page_says_what_is_missing():
    """Nothing is left out silently: four scenarios, baselines, two searches, capacity, optimisation."""
    pages = written(Inputs(runs=()))
    assert list(pages) == ["README.md", *PAGES]
    assert len(lacking(Inputs(runs=()))) == 9
    assert all("**Missing:**" in page for page in pages.values())
    assert all(f"* {one}" in pages["README.md"] for one in lacking(Inputs(runs=())))
    assert pages["results.md"].count("**Missing:** no run of it was given") == 4


def test_the_same_runs_in_any_order_give_the_same_bytes():
    """Ordered by when they began, each once."""
    later = {**HEADER, "wall_clock": "2026-01-02T04:00:00.000+00:00"}
    runs = [taken("peak", "bbbb2222", header=later), taken(), taken()]
    first, second = (written(Inputs(runs=in_order(each))) for each in (runs, runs[::-1]))
    assert first == second
    assert [one.run for one in in_order(runs)] == ["aaaa1111", "bbbb2222"]


def test_results_are_the_figures_of_the_verdict():
    """Rates are of ok operations over the phase's own length; the loaded phase also by operation; no warm-up."""
    page = written(Inputs(runs=(taken(),)))["results.md"]
    assert "short variant: 0.05 of its length" in page
    expected = "20 s", "all", "45", "10 %", "40 ms", "80 ms", "160 ms", "240 ms", "1.5"
    rows = [line for line in page.splitlines() if line.startswith("| after | ")]
    assert [cell.strip() for cell in rows[0].strip("|").split(" | ")] == ["after", *expected]
    assert [line.split(" | ")[2] for line in rows] == ["all", "list", "read"]
    assert row(page, "baseline")[1:5] == ["10 s", "all", "10", "0 %"]
    assert "warm-up" not in page
    assert "999" not in page
    assert "full service throughout" in page


def test_resources_that_are_near_a_limit_are_shown_and_the_others_counted():
    """The usual ones always."""
    page = written(Inputs(runs=(taken(),)))["results.md"]
    assert row(page, "`process.cpu`") == [
        "`process.cpu`",
        "service",
        "1.5 cores",
        "0.75 cores",
        "1.5 cores",
        "2 cores",
        "90 %",
    ]
    assert row(page, "`postgres.connections`")[2:] == ["42", "21", "42", "100", "42 %"]
    assert "redis.keys" not in page
    assert "3 series were read" in page
    none = written(Inputs(runs=(taken(resources={}),)))["results.md"]
    assert "**Missing:** no resource was read in after" in none


@pytest.mark.parametrize("answer", ["fail", "unknown"])
def test_a_run_that_did_not_pass_is_never_shown_as_if_it_had(answer):
    """Its answer stands before its figures, and that they are those of such a run."""
    pages = written(Inputs(runs=(taken(answer=answer),)))
    assert f"**{answer}**, all is well. These are the figures of a run that did not pass." in pages["results.md"]
    assert row(pages["README.md"], "`aaaa1111`")[-1] == answer


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
    inputs = Inputs(runs=(taken("capacity", capacity=CAPACITY),))
    page = written(inputs)["capacity.md"]
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


@pytest.mark.parametrize(
    ("ok", "p95", "said"),
    [
        (1000, 39.0, "p95 was halved and throughput doubled, or better"),
        (1000, 41.0, "Not both: p95 halved, throughput doubled"),
        (990, 39.0, "Not both: p95 halved, throughput doubled"),
    ],
)
def test_an_optimisation_is_told_by_both_of_its_figures(ok, p95, said):
    """Only if p95 is at most half and throughput at least twice what they were; with the limit that was found."""
    header = {**HEADER, "versions": {**HEADER["versions"], "target": "slow variant: no-cache"}}
    found = {
        "answer": "found",
        "because": "the database was busy",
        "windows": [{"ranked": [{"recommendation": "add an index"}]}],
    }
    before = taken("leafing", "before01", ok=500, p95=80.0, bottlenecks=found, header=header)
    after = taken("leafing", "after001", ok=ok, p95=p95)
    compared = {
        "answer": "better",
        "because": "quicker",
        "before": [{"run": "before01"}],
        "after": [{"run": "after001"}],
    }
    inputs = Inputs(runs=(), before=before, after=after, compared=compared)
    page = written(inputs)["optimisation.md"]
    assert said in page
    assert row(page, "all") == [
        "all",
        "25",
        f"{ok / 20:g}",
        f"{ok / 500:.3g}",
        "80 ms",
        f"{p95:g} ms",
        f"{p95 / 80:.3g}",
        *row(page, "all")[7:],
    ]
    assert "slow variant: no-cache" in page
    assert "the database was busy" in page
    assert "* add an index" in page
    assert "**better**: quicker" in page
    assert [one.run for one in inputs.all] == ["after001", "before01"]


def test_an_optimisation_that_cannot_be_told_is_no_success():
    """Nothing was ok before: no ratio, and no claim."""
    before, after = taken("leafing", "before01", ok=0), taken("leafing", "after001")
    page = written(Inputs(runs=(), before=before, after=after))["optimisation.md"]
    assert "throughput cannot be compared" in page
    assert "or better" not in page
    assert "**Missing:** the two were not compared" in page


def test_baselines_are_told_with_their_intervals():
    """An error of a time is one of its logarithm; a run that was too short for an interval says so."""
    long = {
        "p95_ms": Estimate(100.0, 0.1, 61),
        "ok_per_s": Estimate(50.0, 0.0, 61),
        "error_rate": Estimate(0.01, 0.01, 61),
    }
    run = Measured(run="aaaa1111", at=HEADER["wall_clock"], answer="pass", cells={"baseline": {"all": long}})
    short = Measured(
        run="bbbb2222",
        at="",
        answer="pass",
        unfit="busy",
        cells={"baseline": {"one": {"p95_ms": Estimate(1.0, 0.1, 3)}}},
    )
    inputs = Inputs(runs=(), baselines={"baselines/normal.json": Baseline(experiment="normal", runs=(run, short))})
    page = written(inputs)["baselines.md"]
    assert row(page, "baseline | all")[2:] == [
        "50 (50 to 50)",
        "–",
        "100 ms (81.9 ms to 122 ms)",
        "–",
        "1 % (0 % to 3 %)",
    ]
    assert "1 ms (too short for an interval)" in page
    assert "not fit to be compared (busy)" in page
    assert "`resilience compare baselines/normal.json runs/latest`" in page
    assert not [one for one in lacking(inputs) if "baselines" in one]


def test_nothing_that_names_a_machine_and_no_markup_of_others():
    """Cores and memory, not the processor; a title is only text."""
    hostile = taken(title="<script>alert(1)</script> | [x](http://evil) @all")
    text = "".join(written(Inputs(runs=(hostile,))).values())
    assert "Secret 9000" not in text
    assert "2 cores, 24 GiB of memory, Linux" in text
    assert "<script>" not in text
    assert "http://evil" not in text
    assert " @all" not in text


def test_what_is_missing_in_a_verdict_is_absent_and_no_error():
    """Whatever key is gone."""
    whole = document(search=SEARCH, capacity={"copies": 1})
    for key in whole:
        cut = copy.deepcopy(whole)
        del cut[key]
        run = Taken(cut, {}, {})
        assert written(Inputs(runs=(run,), before=run, after=run))


def test_a_run_is_read_from_its_folder(tmp_path):
    """Verdict, header and, where there is one, the result of a capacity run."""
    (tmp_path / "verdict.json").write_text(json.dumps(document()))
    (tmp_path / "events.jsonl").write_text(json.dumps({"kind": "header", "detail": HEADER}) + "\n" + "{}\n")
    assert take(tmp_path).at == "2026-01-02 03:04:05"
    assert take(tmp_path).capacity == {}
    (tmp_path / "capacity.json").write_text(json.dumps(CAPACITY))
    assert take(tmp_path).capacity == CAPACITY
