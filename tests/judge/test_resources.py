"""Resources in the phases of a run, and limits on them: literal readings in a scene with a baseline and a fault."""

import math
from dataclasses import replace

import numpy as np
import pytest

from resilience.judge.case import prepare
from resilience.judge.objectives import check_objectives
from resilience.judge.resources import document, judge_limit, stretch_of, with_limits
from resilience.judge.verdict import judge
from resilience.model import Answer, Observing, PhaseName
from resilience.model.resources import Gap, Resources, Series, Unit
from resilience.spec.resources import parse_limit
from tests.judge.builder import honest


def series(name, value, *, at_s=None, of="postgres", limit=None, unit=Unit.COUNT, limits=None, collector="postgres"):
    """A reading each second of 41, or where it is said."""
    at_s = np.arange(41.0) + 0.5 if at_s is None else np.asarray(at_s, float)
    values = np.full(len(at_s), float(value)) if np.isscalar(value) else np.asarray(value, float)
    return Series(name, of, unit, at_s, values, limit, collector, limits)


def case(*some, gaps=(), limits=()):
    """The honest scene with these readings: baseline from 4 to 19 s, fault from 19 s on."""
    record = honest().record()
    observing = Observing(limits=tuple(limits))
    record = replace(
        record,
        experiment=replace(record.experiment, observing=observing),
        resources=Resources(tuple(some), tuple(gaps)),
    )
    return prepare(record)


def judged(it, text, resource="postgres.connections", of=""):
    return judge_limit(it, parse_limit(text, resource, of))


def test_a_limit_that_holds_passes_with_its_value():
    """Requirement M2: connections below 80 % of what there may be, in the baseline."""
    (one,) = judged(case(series("postgres.connections", 70, limit=100.0)), "max<80% @ baseline")
    assert (one.answer, one.value, one.of, one.phase) == (Answer.PASS, 0.7, "postgres", "baseline")
    assert "was 70 % of its limit in baseline (15 readings)" in one.because


def test_a_limit_that_does_not_hold_fails():
    """Requirement M2: one reading above is enough for a maximum, and a mean is of all."""
    values = np.full(41, 70.0)
    values[10] = 81.0
    it = case(series("postgres.connections", values, limit=100.0))
    assert judged(it, "max<80% @ baseline")[0].answer is Answer.FAIL
    assert judged(it, "avg<80% @ baseline")[0].answer is Answer.PASS
    assert judged(it, "max<80")[0].answer is Answer.FAIL
    assert judged(it, "min>=70")[0].answer is Answer.PASS
    assert judged(it, "p(95)<=70")[0].answer is Answer.FAIL  # 14 of 15 are 93 %
    assert judged(it, "p(90)<=70")[0].answer is Answer.PASS
    assert judged(it, "med==70")[0].answer is Answer.PASS


def test_a_phase_that_was_not_read_is_unknown():
    """Requirement M2: never a pass; with the reason of the gap."""
    read = np.arange(20.0) + 0.5
    gap = Gap("postgres", "postgres", 20.0, 41.0, "OperationalError: no such host")
    it = case(series("postgres.connections", 1, at_s=read, limit=100.0), gaps=[gap])
    assert judged(it, "max<80% @ baseline")[0].answer is Answer.PASS
    for one in judged(it, "max<80% @ fault"):
        assert one.answer is Answer.UNKNOWN
        assert "no such host" in one.because


def test_what_was_never_read_is_unknown():
    """Also where a gap says why, and where there is no such phase."""
    gap = Gap("postgres", "postgres", 0.0, 41.0, "refused")
    (one,) = judged(case(gaps=[gap]), "max<80% @ baseline")
    assert (one.answer, "nothing was read: refused" in one.because) == (Answer.UNKNOWN, True)
    (one,) = judged(case(series("postgres.connections", 1)), "max<80 @ recovery(nobody)")
    assert (one.answer, "there was no phase" in one.because) == (Answer.UNKNOWN, True)


def test_a_phase_that_was_read_in_part_is_unknown_unless_it_fails_for_certain():
    """What was not seen cannot make a maximum smaller."""
    read = np.concatenate((np.arange(8.0), np.arange(25.0, 41.0))) + 0.5
    it = case(series("postgres.connections", 90, at_s=read, limit=100.0))
    assert judged(it, "max<80% @ baseline")[0].answer is Answer.FAIL
    assert judged(it, "max<95% @ baseline")[0].answer is Answer.UNKNOWN
    assert judged(it, "avg<80% @ baseline")[0].answer is Answer.UNKNOWN
    assert judged(it, "min>95% @ baseline")[0].answer is Answer.FAIL
    assert "readings cover" in judged(it, "max<95% @ baseline")[0].because


def test_without_a_limit_of_its_own_a_share_of_it_is_unknown():
    """80 % of what?"""
    assert judged(case(series("postgres.connections", 1)), "max<80% @ baseline")[0].answer is Answer.UNKNOWN
    some = np.where(np.arange(41) < 10, math.nan, 100.0)
    it = case(series("postgres.connections", 1, limit=100.0, limits=some))
    assert judged(it, "max<80% @ baseline")[0].answer is Answer.UNKNOWN


def test_a_limit_that_changes_is_each_readings_own():
    """A quota under a fault: half a core of half a core is all of it."""
    limits = np.where(np.arange(41) < 19, 2.0, 0.5)
    it = case(series("process.cpu", 0.5, limit=0.5, limits=limits, unit=Unit.CORES))
    assert judged(it, "max<80% @ baseline", "process.cpu")[0].value == 0.25
    assert judged(it, "max<80% @ fault", "process.cpu")[0].answer is Answer.FAIL


def test_a_share_is_of_what_was_counted():
    """Requirement M2: one second with 1000 hits of 1000, fourteen with none of one: the hit rate is 98.6 %."""
    at_s = np.arange(41.0) + 0.5
    hits = np.where(np.arange(41) == 10, 1000.0, 0.0)
    misses = np.where(np.arange(41) == 10, 0.0, 1.0)
    share = hits / (hits + misses)
    some = [
        series("redis.hits", hits, at_s=at_s, of="redis"),
        series("redis.misses", misses, at_s=at_s, of="redis"),
        series("redis.hit_ratio", share, at_s=at_s, of="redis", limit=1.0, unit=Unit.RATIO),
    ]
    (one,) = judged(case(*some), "avg>90% @ baseline", "redis.hit_ratio")
    assert one.value == pytest.approx(1000 / 1014)
    assert one.answer is Answer.PASS
    assert judged(case(*some), "min>90% @ baseline", "redis.hit_ratio")[0].answer is Answer.FAIL


def test_a_share_of_seconds_in_which_nothing_was_counted_is_no_gap():
    """Who was asked every third second was watched all the time."""
    some = [
        series("redis.hits", np.where(np.arange(41) % 5 == 0, 10.0, 0.0), of="redis"),
        series("redis.misses", 0.0, of="redis"),
        series("redis.hit_ratio", 1.0, at_s=np.arange(0.5, 41, 5), of="redis", limit=1.0, unit=Unit.RATIO),
    ]
    assert judged(case(*some), "avg>90% @ baseline", "redis.hit_ratio")[0].answer is Answer.PASS


def test_every_thing_of_that_name_is_judged_unless_one_is_named():
    """Two copies of a service: each must hold."""
    some = [series("process.cpu", use, of=f"service-{n}", limit=1.0) for n, use in ((1, 0.5), (2, 0.9))]
    assert [one.answer for one in judged(case(*some), "max<80%", "process.cpu")] == [Answer.PASS, Answer.FAIL]
    assert [one.of for one in judged(case(*some), "max<80%", "process.cpu", "service-1")] == ["service-1"]


def test_the_mean_is_over_time():
    """Readings that come late stand for longer, a gap for nothing."""
    it = case()
    phase = it.baselines[0]
    some = series("a", [0.0, 4.0, 1.0], at_s=[5.0, 6.0, 8.0])
    stretch = stretch_of(some, phase, Resources((some,)))
    assert stretch.weight_s.tolist() == [1.0, 1.0, 3.5]
    assert stretch.mean == pytest.approx((4 + 3.5) / 5.5)


def test_limits_are_among_the_objectives():
    """Their rows, the worst answer, and a sentence that says which."""
    limit = parse_limit("max<80% @ baseline", "postgres.connections")
    other = parse_limit("avg<10 @ baseline", "postgres.connections")
    it = case(series("postgres.connections", 90, limit=100.0), limits=(limit, other))
    part = with_limits(it, check_objectives(it, ()))
    assert part.answer is Answer.FAIL
    assert part.because.startswith("postgres.connections of postgres: max<80% @ baseline was 90 % of its limit")
    assert part.because.endswith("(and 1 more limits on resources not met)")
    rows = part.data["objectives"]
    assert [row["resource"] for row in rows] == ["postgres.connections"] * 2
    assert [(row["value"], row["unit"]) for row in rows] == [(0.9, "share"), (90.0, "count")]
    good = case(series("postgres.connections", 9, limit=100.0), limits=(limit, other))
    assert with_limits(good, check_objectives(good, ())).because.endswith("all 2 limits on resources held")


def test_a_limit_decides_the_verdict_and_readings_alone_do_not():
    """Collecting never changes the answer; a promise does."""
    plain = judge(honest().record())
    read = case(series("postgres.connections", 100, limit=100.0)).record
    assert judge(read).answer is plain.answer is Answer.PASS
    limited = case(
        series("postgres.connections", 100, limit=100.0),
        limits=(parse_limit("max<80% @ baseline", "postgres.connections"),),
    ).record
    assert judge(limited).answer is Answer.FAIL


def test_figures_of_every_phase_stand_in_the_verdict():
    """Mean, least, most, share of the limit; gaps with their reasons; nothing where nothing was read."""
    gap = Gap("redis", "redis", 20.0, 28.0, "timeout")
    it = case(series("postgres.connections", np.arange(41.0), limit=100.0), gaps=[gap])
    found = judge(it.record).document["resources"]
    (one,) = found["series"]
    assert (one["name"], one["of"], one["unit"], one["limit"]) == ("postgres.connections", "postgres", "count", 100.0)
    baseline = next(row for row in one["phases"] if row["phase"] == PhaseName.BASELINE)
    assert (baseline["count"], baseline["min"], baseline["max"], baseline["share"]) == (15, 4.0, 18.0, 0.18)
    assert baseline["mean"] == pytest.approx(11.0, abs=0.6)
    assert found["gaps"][0]["why"] == "timeout"
    assert document(case()) is None
