"""How replicas follow a load, from literal histories: Requirement J6."""

from dataclasses import replace

import numpy as np
import pytest

from resilience.judge.scaling import check_scaling, decide, follow, needed
from resilience.model import Answer, Load, Stage
from resilience.model.resources import Resources, Series, Unit
from resilience.model.serving import Scaling
from tests.judge.builder import OPERATIONS, Scene, prepare

PROMISED = Scaling(
    resource="service.replicas",
    per_replica=100.0,
    least=1,
    up_within_s=60.0,
    down_within_s=120.0,
    overshoot=0.5,
    price_per_hour=0.36,
)
AT = np.arange(0.0, 600.0)
WANTED = [(0.0, 1), (100.0, 3), (300.0, 1)]


def history(*changes: tuple[float, float]) -> np.ndarray:
    """Replicas, read once a second: from each instant on so many."""
    value = np.zeros(len(AT))
    for at_s, count in changes:
        value[at_s <= AT] = count
    return value


def scaled(*changes: tuple[float, float], promised: Scaling = PROMISED):
    found = follow(WANTED, AT, history(*changes), 600.0, promised)
    assert not isinstance(found, str)
    return found


def test_what_is_needed_follows_from_the_rate_within_bounds():
    """Rounded up, and never less than `least` or more than `most`."""
    rate = np.asarray([0.0, 100.0, 100.1, 950.0, 40.0])
    steps = needed(np.arange(5.0), rate, replace(PROMISED, most=5))
    assert steps == [(0.0, 1), (2.0, 2), (3.0, 5), (4.0, 1)]


def test_replicas_that_follow_in_time_pass_with_their_times_and_cost():
    """Up after 40 s, down after 90 s; 0.36 an hour is 0.0001 a second of one replica."""
    found = scaled((0, 1), (120, 2), (140, 3), (390, 1))
    assert [one.followed_s for one in found.triggers] == [40.0, 90.0]
    assert found.undershoot_replica_s == pytest.approx(20 * 2 + 20 * 1)
    assert found.overshoot == 0.0
    assert found.cost == pytest.approx((120 + 20 * 2 + 250 * 3 + 210) * 0.0001)
    assert found.needed_cost == pytest.approx((100 + 200 * 3 + 300) * 0.0001)
    answer, told = decide(found, PROMISED)
    assert answer is Answer.PASS
    assert told[0] == "1 → 3 replicas at 100.0 s: followed after 40.0 s"


def test_too_late_and_never_are_told():
    """Requirement J6: after the limit, or not at all while there was time for it."""
    late = decide(scaled((0, 1), (170, 3), (390, 1)), PROMISED)
    assert late[0] is Answer.FAIL
    assert "followed after 70.0 s, limit 60 s" in late[1][0]
    never = decide(scaled((0, 1)), PROMISED)
    assert never[0] is Answer.FAIL
    assert "followed never" in never[1][0]


def test_a_number_that_does_not_stay_does_not_count():
    """Three for five seconds, two again, and then three for good: the second time counts."""
    found = scaled((0, 1), (110, 3), (115, 2), (150, 3), (390, 1))
    assert found.triggers[0].followed_s == 50.0


def test_more_than_needed_is_overshoot():
    """Six where three are needed; what is being scaled down to does not count as beyond."""
    found = scaled((0, 1), (120, 6), (390, 1))
    assert found.overshoot == pytest.approx(1.0)
    answer, told = decide(found, PROMISED)
    assert answer is Answer.FAIL
    assert "100% more than needed served" in told[0]


def test_what_was_needed_for_ten_seconds_alone_is_not_judged():
    """Less than it may take, and then the contrary: nothing was missed. At the end of the run nobody knows."""
    found = follow([(0.0, 1), (100.0, 3), (110.0, 1)], AT, history((0, 1)), 600.0, PROMISED)
    assert not isinstance(found, str)
    assert decide(found, PROMISED)[0] is Answer.PASS
    late = follow([(0.0, 1), (590.0, 3)], AT, history((0, 1)), 600.0, PROMISED)
    assert not isinstance(late, str)
    assert decide(late, PROMISED)[0] is Answer.UNKNOWN


def test_on_a_ramp_every_step_up_has_its_own_time():
    """One more each 30 s, followed 40 s behind: later ones do not excuse earlier ones, and 70 s behind fails."""
    wanted = [(0.0, 1), (100.0, 2), (130.0, 3), (160.0, 4)]
    for behind_s, answer in ((40.0, Answer.PASS), (70.0, Answer.FAIL)):
        counts = [(0.0, 1), *((at_s + behind_s, count) for at_s, count in wanted[1:])]
        found = follow(wanted, AT, history(*counts), 600.0, PROMISED)
        assert not isinstance(found, str)
        assert [one.followed_s for one in found.triggers] == [behind_s] * 3
        assert decide(found, PROMISED)[0] is answer
        assert found.overshoot == 0.0


def test_a_load_that_never_asks_for_more_tells_nothing():
    """Nothing was tried."""
    found = follow([(0.0, 1)], AT, history((0, 1)), 600.0, PROMISED)
    assert not isinstance(found, str)
    assert decide(found, PROMISED)[0] is Answer.UNKNOWN


def test_replicas_that_were_not_read_are_not_known():
    """No readings at all, and a gap in the middle."""
    assert follow(WANTED, AT[:0], AT[:0], 600.0, PROMISED) == "the number of replicas was never read"
    seen = (AT < 200) | (AT > 300)
    gap = follow(WANTED, AT[seen], history((0, 1), (120, 3))[seen], 600.0, PROMISED)
    assert gap == "the number of replicas was not read for 102 s"


def test_a_record_is_judged_by_its_series_and_the_load_s_profile():
    """Requirement J6: the load jumps from 90 to 250 per second at 100 s; without the series the answer is unknown."""
    load = Load(rate=90.0, stages=(Stage(100.0, 90.0), Stage(0.0, 250.0)), operations=OPERATIONS)
    made = Scene(faults=(), end_s=300.0, rate=90.0, load=load).record()
    series = Series("service.replicas", "shop", Unit.COUNT, AT, history((0, 1), (130, 3)))
    record = replace(made, experiment=replace(made.experiment, scaling=PROMISED), resources=Resources((series,)))
    part = check_scaling(prepare(record))
    assert part.answer is Answer.PASS, part.because
    (trigger,) = part.data["scaling"]["triggers"]
    assert (trigger["before"], trigger["needed"]) == (1, 3)
    assert trigger["followed_s"] == pytest.approx(30.0, abs=1.0)
    assert check_scaling(prepare(replace(record, resources=Resources()))).answer is Answer.UNKNOWN
