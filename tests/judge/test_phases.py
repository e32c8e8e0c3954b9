"""Phases and fault windows, from events."""

import pytest

from resilience.judge.case import prepare
from resilience.judge.phases import end_s, fault_windows, phases
from resilience.model import Event, EventKind, PhaseName
from tests.judge.builder import Held, Scene

PHASE = EventKind.PHASE


def test_a_phase_ends_where_the_next_begins_and_recovery_belongs_to_the_fault_before():
    """Requirement J1: two faults, each with its own recovery, then after."""
    events = (
        Event(0.0, PHASE, "warm-up"),
        Event(4.0, PHASE, "baseline"),
        Event(19.0, PHASE, "fault", {"fault": "one"}),
        Event(27.0, PHASE, "recovery"),
        Event(36.0, PHASE, "fault", {"fault": "two"}),
        Event(40.0, PHASE, "recovery"),
        Event(45.0, PHASE, "after"),
        Event(50.0, EventKind.END),
    )
    found = phases(events, end_s(events))
    assert [phase.label for phase in found] == [
        "warm-up",
        "baseline",
        "fault(one)",
        "recovery(one)",
        "fault(two)",
        "recovery(two)",
        "after",
    ]
    assert [phase.end_s for phase in found] == [4.0, 19.0, 27.0, 36.0, 40.0, 45.0, 50.0]


def test_without_an_end_the_last_thing_seen_is_the_end():
    """A run cut short still has phases."""
    events = (Event(0.0, PHASE, "baseline"), Event(7.0, EventKind.MARK))
    assert end_s(events, 9.0) == 9.0
    assert end_s(events) == 7.0
    assert phases(events, 9.0)[0].end_s == 9.0


def test_an_unknown_phase_is_an_error():
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="coffee"):
        phases((Event(0.0, PHASE, "coffee"),), 1.0)


def test_a_fault_is_observed_until_the_next_is_requested():
    """Windows hold what the events say, and None for what they do not."""
    scene = Scene(faults=(Held(), Held("two", begin_s=36.0, length_s=1.0, without=(EventKind.CLEAR,), trouble="no")))
    one, two = scene.case().faults
    assert (one.requested_s, one.confirmed_s, one.reverting_s, one.clear_s) == (19.0, 19.05, 27.05, 27.1)
    assert one.until_s == 36.0
    assert one.proofs == ("connection refused", "connection accepted")
    assert two.until_s == 42.0
    assert two.clear_s is None
    assert two.troubles == ("inject: no",)


def test_a_fault_that_was_never_requested_has_a_window_without_instants():
    """A problem before the request is not lost."""
    (window,) = fault_windows((Event(1.0, EventKind.FAULT_PROBLEM, "x", {"message": "no proxy"}),), 9.0)
    assert window.requested_s is None
    assert window.troubles == ("fault: no proxy",)


def test_a_run_in_progress_is_judged_up_to_where_every_outcome_is_known():
    """What arrived within the longest timeout of the last end may still be under way: it is left out."""
    case = Scene(until_s=19.3).case(finished=False)
    assert case.end_s == pytest.approx(19.3 - 2.0 - 0.25, abs=0.05)
    assert case.baselines[0].end_s == case.end_s
    assert case.named(PhaseName.FAULT) == ()


def test_a_record_without_anything_can_be_prepared():
    """No samples, no events, no operations: no phases, and no exception."""
    record = Scene(rate=0.1, end_s=30.0).record()
    empty = type(record)("/", record.experiment, record.plan, "embedded", (), record.samples, None, None)
    assert prepare(empty).phases == ()
