"""The section about resources: charts of what changed, gaps, a table of all of it."""

import numpy as np

from resilience.model.resources import Gap, Resources, Series, Unit
from resilience.report.material import Material
from resilience.report.sections.resources import MOST_CHARTS, section
from tests.report.conftest import make_document, make_record, make_verdict

AT_S = np.arange(60.0) + 0.5


def series(name, values, *, of="service", limit=None, unit=Unit.COUNT, collector="system", at_s=AT_S):
    return Series(name, of, unit, at_s, np.asarray(values, float), limit, collector)


def material(*some, gaps=()):
    told = {
        "series": [
            {
                "name": one.name,
                "of": one.of,
                "unit": one.unit.value,
                "limit": one.limit,
                "phases": [{"phase": "baseline", "mean": 1.5, "max": 9.0, "min": 0.0, "share": 0.9, "count": 3}],
            }
            for one in some
        ],
        "gaps": [
            {"collector": gap.collector, "of": gap.of, "start_s": gap.start_s, "end_s": gap.end_s, "why": gap.why}
            for gap in gaps
        ],
        "problems": [],
    }
    record = make_record(resources=Resources(tuple(some), tuple(gaps)))
    return Material(record, make_verdict(document={**make_document(), "resources": told}))


def test_without_resources_there_is_no_section():
    """An old record's report is as it was."""
    assert section(Material(make_record(), make_verdict())) is None


def test_one_chart_for_each_metric_that_changed_with_a_line_for_each_part():
    """What stayed the same is in the table alone; all lines share their instants."""
    moving = np.linspace(0, 1, 60)
    found = section(
        material(
            series("process.cpu", moving, limit=2.0, unit=Unit.CORES),
            series("process.cpu", moving / 2, of="redis", limit=2.0, unit=Unit.CORES, at_s=AT_S + 0.2),
            series("process.threads", np.full(60, 4.0)),
            series("pool.used", moving * 9, limit=10.0, collector="metrics"),
        )
    )
    assert [chart.title for chart in found.charts] == ["process.cpu", "pool.used"]
    cpu = found.charts[0]
    assert [line.label for line in cpu.lines] == ["service", "redis"]
    assert (cpu.unit, cpu.limit, cpu.small) == ("cores", 2.0, True)
    assert all(len(line.values) == len(cpu.at_s) for line in cpu.lines)
    assert "process.threads" in found.body
    assert "Nearest to its limit" in found.brief[0]


def test_a_limit_far_above_would_flatten_what_there_is_to_see():
    """It is told beside the chart then."""
    found = section(material(series("process.files", np.linspace(1, 30, 60), limit=20000.0)))
    assert found.charts[0].limit is None
    assert "at most 20,000" in found.charts[0].note.replace("\u202f", ",").replace(" 000", ",000")


def test_gaps_are_hatched_where_nothing_was_read_and_told_with_their_reasons():
    """A gap of another collector, or one in which there are readings, hatches nothing."""
    at_s = np.concatenate((np.arange(20.0), np.arange(40.0, 60.0)))
    gaps = [
        Gap("redis", "redis", 20.0, 40.0, "TimeoutError: <no answer>"),
        Gap("redis", "redis", 0.0, 60.0, "another stream"),
        Gap("postgres", "postgres", 1.0, 2.0, "refused"),
    ]
    found = section(
        material(series("redis.clients", np.arange(40), of="redis", collector="redis", at_s=at_s), gaps=gaps)
    )
    assert found.charts[0].gaps == ((20.0, 40.0),)
    assert "TimeoutError: &lt;no answer&gt;" in found.body
    assert "refused" in found.body


def test_what_a_store_spent_its_time_on():
    """Requirement M3: its statements with their share, or why there are none; tables that grew."""
    kept = {
        "postgres": {
            "statements": [
                {"query": "SELECT *\n FROM <orders>", "calls": 30.0, "total_ms": 75.0, "mean_ms": 2.5},
                {"query": "INSERT", "calls": 5.0, "total_ms": 25.0, "mean_ms": 5.0},
            ],
            "tables": [
                {"name": "public.orders", "table_bytes": 8192.0, "table_bytes_now": 16384.0, "sequential_scans": 3.0,
                 "index_scans": 70.0},
                {"name": "public.still", "table_bytes": 0.0, "table_bytes_now": 8192.0},
            ],
        },
        "second": {"no_statements": "it is not loaded", "tables": []},
    }  # fmt: skip
    of = material(series("process.cpu", AT_S))
    of.record.resources.kept.update(kept)
    body = section(of).body
    assert "SELECT * FROM &lt;orders&gt;" in body
    assert "75 %" in body
    assert "public.orders" in body
    assert "public.still" not in body
    assert "second does not say what its statements cost: it is not loaded" in body


def test_a_line_is_whole_where_readings_come_a_little_early_or_late():
    """Only where nothing was read it is broken."""
    at_s = AT_S + np.where(np.arange(60) % 3 == 0, 0.45, -0.3)
    keep = (at_s < 20) | (at_s > 30)
    found = section(material(series("process.cpu", np.linspace(0, 1, 60)[keep], at_s=at_s[keep])))
    (line,) = found.charts[0].lines
    missing = [at for at, value in zip(found.charts[0].at_s, line.values, strict=True) if value is None]
    inner = [at for at in missing if 2 < at < 58]
    assert inner
    assert all(19 < at < 31 for at in inner)


def test_charts_are_bounded():
    """What is left out is counted."""
    some = [series(f"my.metric{n}", np.linspace(0, n + 1, 60)) for n in range(MOST_CHARTS + 5)]
    found = section(material(*some))
    assert len(found.charts) == MOST_CHARTS
    assert "5 more metrics changed" in found.body
