"""A search judged from its record. Requirement M6."""

from dataclasses import replace

import pytest

from resilience.judge.case import prepare
from resilience.judge.search.checks import (
    check_break_point,
    check_hysteresis,
    check_leases,
    check_writes_in,
    found,
)
from resilience.judge.verdict import judge
from resilience.judge.writes import check_writes
from resilience.model import Answer, Event, EventKind, FaultSpec
from tests.judge.search.samples import SEARCH, record_of


def queue(capacity: float):
    """A target that is quick up to its capacity."""
    return lambda level: 40.0 if level <= capacity else 900.0


def test_a_break_point_is_told_with_its_numbers():
    """Between which levels, by which objective, at what cost; and again from the record alone."""
    case = prepare(record_of(queue(300)))
    part = check_break_point(case)
    assert part.answer is Answer.PASS
    told = part.data["search"]["conditions"][0]
    assert told["kind"] == "found"
    assert told["holds"] <= 300 < told["breaks"] <= told["holds"] * 1.06
    assert told["holds"] < told["break_point"] < told["breaks"]
    assert told["objective"] == "p(95)<250 was 900"
    assert told["cost_s"] > 0
    assert f"holds at {told['holds']:g}/s and breaks at {told['breaks']:g}/s (p(95)<250 was 900)" in part.because
    assert check_hysteresis(case).answer is Answer.PASS


@pytest.mark.parametrize(
    ("capacity", "must_hold", "answer"),
    [(300, 200, Answer.PASS), (300, 400, Answer.FAIL), (1e9, 800, Answer.PASS), (10, None, Answer.FAIL)],
)
def test_what_must_hold(capacity, must_hold, answer):
    """A level that must hold and breaks fails the verdict, and so does a start; beyond the limit is a pass."""
    record = record_of(queue(capacity), replace(SEARCH, must_hold=must_hold))
    assert check_break_point(prepare(record)).answer is answer


def test_a_level_inside_the_interval_is_not_known_to_hold():
    """300 holds and 315 breaks: nobody knows of 310."""
    record = record_of(queue(300))
    told = found(prepare(record), SEARCH)[0].result
    search = replace(SEARCH, must_hold=(told.holds + told.breaks) / 2)
    between = replace(record, experiment=replace(record.experiment, search=search))
    assert check_break_point(prepare(between)).answer is Answer.UNKNOWN


@pytest.mark.parametrize("steps", range(1, 12))
def test_a_search_that_was_cut_short_is_unknown(steps):
    """Whatever it had seen, and it says why."""
    case = prepare(record_of(queue(300), steps=steps))
    part = check_break_point(case)
    assert part.answer is Answer.UNKNOWN
    assert "cut short" in part.because
    assert check_hysteresis(case).answer is Answer.UNKNOWN


def test_a_record_without_any_step_is_unknown():
    """Nothing was tried."""
    record = record_of(queue(300), marks=lambda _events: [])
    assert check_break_point(prepare(record)).answer is Answer.UNKNOWN
    assert check_hysteresis(prepare(record)).answer is Answer.UNKNOWN


def test_hysteresis_fails():
    """It broke at 320/s, and then did not bear what it had borne: said with the level at which it came back."""
    broken = []

    def took(level):
        broken[:] = [1] if level > 300 or (broken and level >= 200) else []
        return 900.0 if broken else 40.0

    part = check_hysteresis(prepare(record_of(took)))
    assert part.answer is Answer.FAIL
    assert "metastable" in part.because


def test_what_was_said_while_it_went_on_is_not_believed():
    """Marks that claim that a step held do not make it hold: the samples decide."""

    def lie(events):
        return [replace(one, detail={**one.detail, "seen": "holds"}) if "seen" in one.detail else one for one in events]

    record = record_of(queue(300), marks=lie)
    honest = found(prepare(record_of(queue(300))), SEARCH)[0]
    liar = found(prepare(record), SEARCH)[0]
    assert liar.result == honest.result
    assert liar.differ > 0


def test_the_verdict_of_a_search_has_its_own_parts():
    """And a part that cannot be told makes it unknown."""
    verdict = judge(record_of(queue(300)))
    assert [part.name for part in verdict.parts] == ["break-point", "hysteresis", "writes", "faults", "validity"]
    damaged = record_of(queue(300), marks=lambda events: [replace(events[0], detail={"text": ""}), *events[1:]])
    parts = {part.name: part for part in judge(damaged).parts}
    assert parts["break-point"].answer is Answer.UNKNOWN


def test_a_lease_that_was_not_seen_is_unknown():
    """Asked for and never confirmed; confirmed and never gone; both ends seen."""
    asked = Event(31.0, EventKind.REQUESTED, "far-1", {"kind": "toxiproxy.latency", "on": "postgres", "settings": {}})
    seen = Event(31.5, EventKind.CONFIRMED, "far-1", {"proof": "later by 20 ms"})
    gone = Event(40.0, EventKind.CLEAR, "far-1", {"proof": "as before"})
    for events, answer in (
        ((asked,), Answer.UNKNOWN),
        ((asked, seen), Answer.UNKNOWN),
        ((asked, seen, gone), Answer.PASS),
    ):
        record = record_of(queue(300))
        case = prepare(replace(record, events=tuple(sorted((*record.events, *events), key=lambda one: one.at_s))))
        assert check_leases(case).answer is answer


def test_writes_over_a_fault_do_not_wait_for_it_under_its_own_name():
    """Each step has a lease under a name of its own: the one of the file was never requested, and need not be."""
    record = record_of(queue(300))
    spec = FaultSpec(name="far", kind="toxiproxy.latency", on="postgres", duration_s=5.0)
    experiment = replace(record.experiment, steps=(spec,), search=replace(SEARCH, over="fault", fault="far"))
    over = prepare(replace(record, experiment=experiment))
    assert "never requested" in check_writes(over).because
    assert "never requested" not in check_writes_in(over).because
    held = replace(experiment, search=replace(SEARCH, faults=("far",)))
    assert "never requested" in check_writes_in(prepare(replace(record, experiment=held))).because
