"""Faults that were in place together are one disturbance. Requirements J1, J3."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from resilience.judge.disturbances import find_disturbances
from resilience.judge.phases import FaultWindow
from resilience.model import EventKind
from tests.judge.builder import Held, Scene

BOTH = (
    Held("a", begin_s=19.0, length_s=10.0),
    Held("b", "process.pause", begin_s=22.0, length_s=3.0, inside=True),
)


def found(*held, **scene):
    return Scene(faults=held, **scene).case().disturbances


def test_faults_one_after_the_other_are_one_each():
    """As it always was: each until the next is requested."""
    one, two = found(Held(), Held("two", begin_s=36.0, length_s=1.0))
    assert (one.name, one.what, one.until_s, one.clear_s) == ("redis-down", "toxiproxy.down on redis", 36.0, 27.1)
    assert (two.name, two.until_s) == ("two", 42.0)


def test_a_fault_inside_another_is_part_of_it():
    """From the first request to the last clear, named by both."""
    (one,) = found(*BOTH)
    assert (one.name, one.requested_s, one.clear_s, one.until_s) == ("a + b", 19.0, 29.1, 42.0)
    assert one.confirmed_s == 19.05
    assert one.what == "toxiproxy.down on redis + process.pause on redis"
    assert [member.name for member in one.members] == ["a", "b"]


def test_a_group_has_its_own_name_and_repeated_ones_are_alike():
    """What is written once is alike each time, whatever was drawn."""
    first = tuple(Held(f"{of}-1", on=on, of=of, group="storm-1") for of, on in (("a", "redis"), ("b", "postgres")))
    second = tuple(
        Held(f"{of}-2", on="postgres", of=of, group="storm-2", begin_s=35.0, length_s=1.0) for of in ("a", "b")
    )
    one, two = found(*first, *second)
    assert (one.name, two.name) == ("storm-1", "storm-2")
    assert one.like == two.like == "a + b"


def test_what_was_not_seen_of_every_one_is_not_known_of_all():
    """One that was never confirmed, or never clear, leaves the whole without a clock."""
    (one,) = found(BOTH[0], BOTH[1].but(without=(EventKind.CONFIRMED,)))
    assert one.confirmed_s is None
    (one,) = found(BOTH[0].but(without=(EventKind.CLEAR,)), BOTH[1])
    assert (one.clear_s, one.end_s) == (None, 42.0)


def test_a_fault_that_nobody_reverted_goes_on():
    """Whatever comes later comes on top of it; one that was reverted but not seen gone does not swallow the next."""
    later = Held("later", begin_s=36.0, length_s=1.0)
    open_ended = Held(without=(EventKind.REVERTING, EventKind.CLEAR))
    assert [one.name for one in found(open_ended, later)] == ["redis-down + later"]
    assert [one.name for one in found(Held(without=(EventKind.CLEAR,)), later)] == ["redis-down", "later"]


def test_a_strike_lasts_as_long_as_its_phase():
    """It is clear when it struck; its consequences are what was asked for until its phase ends."""
    (one,) = found(Held("flush", strike=True))
    assert (one.clear_s, one.over_s) == (19.05, 27.1)


def window(begin_s, length_s):
    end_s = begin_s + length_s
    instants = {"requested_s": begin_s, "confirmed_s": begin_s, "reverting_s": end_s, "clear_s": end_s, "over_s": end_s}
    return FaultWindow(name=f"from-{begin_s}-to-{end_s}", kind="process.pause", on="redis", **instants)


@given(st.lists(st.builds(window, st.floats(0, 100), st.floats(0, 20)), max_size=12))
def test_disturbances_cover_all_windows_and_do_not_overlap(drawn):
    """Every fault is in exactly one; each begins after the one before it is over, which is watched until then."""
    made = find_disturbances(drawn, 200.0)
    assert sorted(id(member) for one in made for member in one.members) == sorted(map(id, drawn))
    for one in made:
        assert all(one.requested_s <= (member.requested_s or 0) for member in one.members)
        assert all((member.clear_s or 0) <= (one.clear_s or 0) for member in one.members)
    for one, after in pairwise(made):
        assert one.until_s == after.requested_s
        assert (one.clear_s or 0) < after.requested_s
