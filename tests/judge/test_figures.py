"""Figures of a phase: how many operations were in flight, against counting one by one."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.judge.case import prepare
from resilience.judge.figures import in_flight, phase_figures
from resilience.judge.quantiles import DROPPED, NS
from resilience.model import Phase, PhaseName, Region, Segment
from tests.judge.builder import Scene, Spell

PHASE = Phase(PhaseName.BASELINE, 4.0, 19.0)


def test_in_flight_is_littles_law():
    """Requirement M1: 250 per second that take 600 ms each are 150 at once; of one operation its share of them."""
    case = Scene(poisson=False, spells=(Spell(0, 42, "slow"),)).case()
    flying = in_flight(case, PHASE)
    assert flying["all"][0] == pytest.approx(150, abs=1)
    assert flying["all"][1] == pytest.approx(150, abs=1)
    assert flying["all"][0] == pytest.approx(sum(flying[name][0] for name in flying if name != "all"))
    assert flying["read-item"][0] == pytest.approx(105, rel=0.05)


def test_dropped_operations_were_never_in_flight():
    """What nothing was free to send was not sent."""
    case = Scene(spells=(Spell(0, 42, "dropped"),)).case()
    assert in_flight(case, PHASE)["all"] == (0.0, 0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.integers(0, 30), st.integers(0, 300), st.integers(0, 2), st.booleans()),
        max_size=40,
    )
)
def test_in_flight_is_what_counting_gives(rows):
    """Begun before the phase, ended after it, without length, dropped: as counted at each whole millisecond."""
    base = Scene().samples()
    rows = sorted(rows)
    ms = np.array([row[:3] for row in rows], np.int64).reshape(-1, 3) * (NS // 1000)
    count = len(rows)
    samples = replace(
        base.where(np.arange(len(base)) < count),
        arrival_ns=ms[:, 0],
        start_ns=ms[:, 0] + ms[:, 1],
        end_ns=ms[:, 0] + ms[:, 1] + ms[:, 2],
        operation=np.array([row[3] for row in rows], np.int16),
        outcome=np.array([DROPPED if row[4] else 0 for row in rows], np.int8),
    )
    case = prepare(replace(Scene().record(), samples=samples))
    found = in_flight(case, Phase(PhaseName.FAULT, 0.1, 0.3))
    for number, name in enumerate(("all", *samples.operations)):
        sent = [
            (at + lag, at + lag + length)
            for at, lag, length, operation, dropped in rows
            if not dropped and at < 300 and number in {0, operation + 1}
        ]
        level = [sum(start <= instant < end for start, end in sent) for instant in range(100, 300)]
        mean = sum(max(min(end, 300) - max(start, 100), 0) for start, end in sent) / 200
        assert found[name] == (pytest.approx(mean), max(level)), name


def test_every_operation_tenant_and_region_has_its_figures():
    """Requirement M1: per endpoint, tenant and region; the sum of the tenants is the whole."""
    load = replace(
        Scene().experiment().load,
        tenants=(Segment(name="blue"), Segment(name="green")),
        regions=(Region(name="eu"), Region(name="us")),
    )
    scene = Scene(load=load)
    plain = scene.samples()
    turn = (np.arange(len(plain)) % 2).astype(np.int16)
    samples = replace(
        plain, tenant=turn, region=np.zeros(len(plain), np.int16), tenants=("blue", "green"), regions=("eu", "us")
    )
    row = phase_figures(prepare(replace(scene.record(), samples=samples)), PHASE)
    assert set(row["operations"]) == {"all", *plain.operations}
    assert sum(one["count"] for one in row["tenants"].values()) == row["operations"]["all"]["count"]
    assert row["regions"]["us"]["count"] == 0
    assert row["regions"]["us"]["p95_ms"] is None
    assert row["operations"]["all"]["in_flight_mean"] == pytest.approx(250 * 0.0052, rel=0.1)


def test_a_phase_without_length_has_no_mean():
    """There is nothing to divide by."""
    assert in_flight(Scene().case(), Phase(PhaseName.FAULT, 5.0, 5.0))["all"] == (None, None)
