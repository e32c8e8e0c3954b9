"""One action stands for as many steps as it says, each under a name of its own. Requirement F1 (cycles)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.model import BeginFault, EndFault, FaultGroup, FaultSpec, Observe, PhaseName, is_name
from resilience.spec.expand import expand, numbered, times

ONCE = {"name": "redis-down", "kind": "toxiproxy.down", "part": "redis", "duration": "8s"}
names = st.from_regex(r"[a-z][a-z0-9-]{0,9}", fullmatch=True)


def test_a_fault_without_more_is_itself():
    """No number, no other name, nothing drawn."""
    assert expand("hold_fault", ONCE) == (
        FaultSpec(name="redis-down", kind="toxiproxy.down", on="redis", duration_s=8.0),
    )


def test_cycles_are_numbered_and_rest_in_between():
    """Each time has its own name and keeps the one that was written; each is followed by its rest."""
    steps = expand("hold_fault", {**ONCE, "cycles": 2, "rest": "5s", "settings": {"a": 1}})
    assert [step.name for step in steps if isinstance(step, FaultSpec)] == ["redis-down-1", "redis-down-2"]
    assert {step.of for step in steps} == {"redis-down"}
    assert steps[1] == Observe(PhaseName.RECOVERY, 5.0, "redis-down")
    assert steps[0].settings == {"a": 1}


def test_one_of_several_parts_is_left_to_the_seed_and_each_is_taken_in_turn():
    """`pick: one` keeps the candidates; `pick: each` is one time for each, in order, as often as there are cycles."""
    several = {**ONCE, "part": ["a", "b"], "rest": "5s"}
    (one, _) = expand("hold_fault", several)
    assert (one.name, one.on, one.among, one.parts) == ("redis-down", "", ("a", "b"), ("a", "b"))
    each = expand("hold_fault", {**several, "pick": "each", "cycles": 2})
    assert [(step.name, step.on, step.among) for step in each if isinstance(step, FaultSpec)] == [
        ("redis-down-1", "a", ()),
        ("redis-down-2", "b", ()),
        ("redis-down-3", "a", ()),
        ("redis-down-4", "b", ()),
    ]
    assert expand("hold_fault", {**ONCE, "part": ["a"]})[0].on == "a"


def test_a_group_is_one_step_with_its_members():
    """Members are numbered with their group."""
    member = {"kind": "toxiproxy.down", "part": "redis"}
    arguments = {
        "name": "storm",
        "faults": [{"name": "a", **member}, {"name": "b", **member, "settings": {"x": 1}}],
        "duration": "3s",
    }
    (alone,) = expand("hold_faults", arguments)
    assert isinstance(alone, FaultGroup)
    assert [(each.name, each.of, each.group, each.duration_s) for each in alone.faults] == [
        ("a", "", "storm", 3.0),
        ("b", "", "storm", 3.0),
    ]
    assert alone.called == ("a", "b")
    _, _, second, _ = expand("hold_faults", {**arguments, "cycles": 2, "rest": "4s"})
    assert (second.name, second.of, second.called) == ("storm-2", "storm", ("storm", "a-2", "a", "b-2", "b"))


def test_begin_end_strike_and_observe_are_one_step_each():
    """A begun fault has its lease's length; a strike says that it is one."""
    common = {"name": "x", "kind": "redis.flush", "part": "redis"}
    (begin,) = expand("begin_fault", {**common, "at_most": "1m"})
    assert isinstance(begin, BeginFault)
    assert begin.begun.at_most_s == 60.0
    assert expand("end_fault", {"name": "x"}) == (EndFault("x"),)
    (strike,) = expand("strike", {**common, "duration": "9s"})
    assert (strike.strike, strike.duration_s) == (True, 9.0)
    assert expand("observe", {"phase": "fault", "duration": "2s"}) == (Observe(PhaseName.FAULT, 2.0),)
    with pytest.raises(ValueError, match="'dance' is no action"):
        expand("dance", {})


@given(
    name=names,
    parts=st.lists(names, min_size=1, max_size=4, unique=True),
    cycles=st.integers(1, 6),
    pick=st.sampled_from(["one", "each"]),
    rests=st.booleans(),
)
def test_every_expansion_has_unique_names_and_keeps_what_was_written(name, parts, cycles, pick, rests):
    """As many faults as `times` says, all names different and valid, all written alike, all parts from the list."""
    arguments = {
        **ONCE,
        "name": name,
        "part": parts,
        "cycles": cycles,
        "pick": pick,
        **({"rest": "1s"} if rests else {}),
    }
    steps = expand("hold_fault", arguments)
    faults = [step for step in steps if isinstance(step, FaultSpec)]
    assert len(faults) == times(arguments)
    assert len(steps) == len(faults) * (1 + rests)
    assert len({fault.name for fault in faults}) == len(faults)
    assert all(is_name(fault.name) and fault.written == name for fault in faults)
    assert all(set(fault.parts) <= set(parts) for fault in faults)
    assert [fault.name for fault in faults] == list(numbered(name, len(faults)))
    if pick == "each":
        assert [fault.on for fault in faults] == parts * cycles
