"""The phases of a run follow its steps, in the plan and in the run alike. Requirement E4."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.model import BeginFault, EndFault, FaultGroup, FaultSpec, Load, Observe, Phase, PhaseName
from resilience.spec.actions import ACTIONS
from resilience.spec.phases import Course, lasting_s, most_at_once, phases, placements
from tests.judge.builder import OPERATIONS

LOAD = Load(rate=1.0, operations=OPERATIONS, warm_up_s=0.0, baseline_s=10.0)
STEP = {"provider": {"module": ACTIONS, "func": "observe"}}
REST = Observe(PhaseName.RECOVERY, 5.0)
STAY = Observe(PhaseName.FAULT, 2.0)


def fault(name, on="redis", **more):
    return FaultSpec(name=name, kind="toxiproxy.down", on=on, duration_s=3.0, **more)


def planned(*steps, method=None):
    chaos = {"method": method or [STEP] * len(steps)}
    return [(phase.label, phase.end_s - phase.start_s) for phase in map(as_phase, phases(LOAD, steps, chaos)[1:])]


def as_phase(found):
    return Phase(found.name, found.start_s, found.end_s, found.fault)


def test_a_fault_inside_another_has_its_own_phase_and_gives_way_to_the_one_around_it():
    """The phase is that of the one begun last that is still in place; recovery begins when none is."""
    steps = (BeginFault(fault("slow")), STAY, fault("down"), STAY, EndFault("slow"), REST)
    assert planned(*steps) == [
        ("fault(slow)", 2.0),
        ("fault(down)", 3.0),
        ("fault(slow)", 2.0),
        ("recovery(slow)", 5.0),
    ]


def test_what_takes_no_time_is_counted_to_its_neighbour():
    """A fault that is begun right before another, and ended right after it, has no phase of its own."""
    steps = (BeginFault(fault("slow")), fault("down"), EndFault("slow"), REST)
    assert planned(*steps) == [("fault(down)", 3.0), ("recovery(down)", 5.0)]
    twice = (BeginFault(fault("a")), BeginFault(fault("b")), STAY, EndFault("a"), STAY, EndFault("b"), REST)
    assert planned(*twice) == [("fault(b)", 4.0), ("recovery(b)", 5.0)]


def test_a_group_has_the_phase_of_its_name_and_answers_to_its_members():
    """Objectives may name either."""
    group = FaultGroup(name="storm-1", of="storm", faults=(fault("a-1", of="a"), fault("b")), duration_s=4.0)
    found = phases(LOAD, (group, REST), {"method": [STEP, STEP]})
    assert [(phase.fault, phase.end_s - phase.start_s) for phase in found[1:]] == [("storm-1", 4.0), ("storm-1", 5.0)]
    assert all(found[1].about(name) for name in ("", "storm-1", "storm", "a-1", "a", "b"))
    assert not found[1].about("c")


def test_pauses_fall_into_the_phase_that_it_is_by_then():
    """After a fault that is recovery, whether or not anything observes it."""
    method = [{**STEP, "pauses": {"before": 1, "after": 2}}, STEP]
    assert planned(fault("a"), REST, method=method) == [("fault(a)", 3.0), ("recovery(a)", 7.0)]


def test_when_faults_are_in_place_by_plan():
    """Held ones as long as they last, begun ones until they are ended; most at once counts parts, not faults."""
    steps = (BeginFault(fault("slow", "postgres")), STAY, fault("down"), EndFault("slow"), REST, fault("again"), REST)
    placed = placements(LOAD, steps, {"method": [STEP] * len(steps)})
    assert [(each.fault.name, each.start_s, each.end_s) for each in placed] == [
        ("slow", 10.0, 15.0),
        ("down", 12.0, 15.0),
        ("again", 20.0, 23.0),
    ]
    assert [each.fault.name for each in most_at_once(placed)] == ["slow", "down"]
    assert most_at_once(()) == ()


lengths = st.floats(0.5, 9.0)
simple = st.one_of(
    st.builds(lambda length_s: [FaultSpec(name="f", kind="k", on="p", duration_s=length_s), REST], lengths),
    st.builds(lambda length_s: [Observe(PhaseName.AFTER, length_s)], lengths),
    st.builds(
        lambda length_s, inner: [
            BeginFault(FaultSpec(name="b", kind="k", on="p", duration_s=0.0)),
            *([Observe(PhaseName.FAULT, length_s)] if length_s > 2 else []),
            *([FaultSpec(name="i", kind="k", on="p", duration_s=length_s)] if inner else []),
            EndFault("b"),
            REST,
        ],
        lengths,
        st.booleans(),
    ),
)


def renamed(index, step):
    """The same step with names that no other has."""
    match step:
        case FaultSpec():
            return FaultSpec(name=f"{step.name}{index}", kind="k", on="p", duration_s=step.duration_s)
        case BeginFault():
            return BeginFault(renamed(index, step.begun))
        case EndFault():
            return EndFault(f"{step.ended}{index}")
        case _:
            return step


@given(st.lists(simple, max_size=6))
def test_phases_are_contiguous_and_as_long_as_the_steps(drawn):
    """From 0 on without gaps, none empty, no two alike side by side, and in all as long as what was asked for."""
    steps = [renamed(index, step) for index, several in enumerate(drawn) for step in several]
    found = phases(LOAD, steps, {"method": [STEP] * len(steps)})
    assert found[0].start_s == 0.0
    assert all(before.end_s == after.start_s for before, after in pairwise(found))
    assert all(phase.end_s > phase.start_s for phase in found)
    assert all((before.name, before.fault) != (after.name, after.fault) for before, after in pairwise(found))
    assert found[-1].end_s == pytest.approx(10.0 + sum(map(lasting_s, steps)))


@given(st.lists(simple, max_size=6))
def test_a_run_that_follows_the_plan_enters_the_planned_phases(drawn):
    """Whoever carries the steps out enters every planned phase, in order; besides them only ones that take no time."""
    steps = [renamed(index, step) for index, several in enumerate(drawn) for step in several]
    entered = []
    course = Course(steps, lambda phase, name, _called: entered.append((phase, name)))
    for step in steps:
        match step:
            case BeginFault():
                course.begin(step)
            case EndFault():
                course.end(step.ended)
            case Observe():
                course.observe(step.phase)
            case _:
                course.begin(step)
                course.over()
    assert course.in_place == ()
    left = iter(entered)
    wanted = [(phase.name, phase.fault) for phase in phases(LOAD, steps, {"method": [STEP] * len(steps)})[1:]]
    assert all(phase in left for phase in wanted)
