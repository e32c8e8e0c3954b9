"""Nothing can be demanded of a service that was taken away; of one with a copy left, everything. Requirement J1."""

from hypothesis import given
from hypothesis import strategies as st

from resilience.judge.away import LEAST_S, away, outside
from resilience.judge.degradation import check_degradation
from resilience.model import Answer, Service, StackSpec
from tests.judge.builder import Held, Scene, Spell

TWO = StackSpec(service=Service(command=("shop",), copies=2))


def copy(number, **changes):
    return Held(f"copy-{number}", "process.kill", f"service-{number}", **changes)


def test_a_fault_on_the_service_or_its_balancer_takes_it_away():
    """And one on a dependency does not."""
    assert away(Scene(faults=(Held(on="service"),)).case()) == ((19.0, 27.1),)
    assert away(Scene(faults=(Held(on="balancer"),), stack=TWO).case()) == ((19.0, 27.1),)
    assert away(Scene().case()) == ()


def test_one_copy_of_two_is_no_excuse_and_both_are_as_long_as_both_are_away():
    """The time that they have in common."""
    assert away(Scene(faults=(copy(1),), stack=TWO).case()) == ()
    both = (copy(1), copy(2, begin_s=24.0, inside=True))
    assert away(Scene(faults=both, stack=TWO).case()) == ((24.0, 27.1),)
    in_turn = (copy(1, length_s=3.0), copy(2, begin_s=30.0, length_s=3.0))
    assert away(Scene(faults=in_turn, stack=TWO).case()) == ()


def test_failures_while_one_copy_is_away_fail_the_run():
    """A rolling restart must be survived; the whole service being away cannot be."""
    failing = (Spell(19.5, 26.0, "failed", 0.5),)
    assert check_degradation(Scene(faults=(copy(1),), stack=TWO, spells=failing).case()).answer is Answer.FAIL
    whole = Scene(faults=(Held(on="service"),), spells=failing)
    assert check_degradation(whole.case()).answer is Answer.PASS


def test_a_short_restart_inside_a_long_fault_excuses_only_itself():
    """What fails under the other fault, before and after the service was away, counts."""
    faults = (
        Held("slow", begin_s=19.0, length_s=12.0),
        Held("kill", "process.kill", "service", begin_s=24.0, length_s=1.0, inside=True),
    )
    within = Scene(faults=faults, spells=(Spell(23.9, 25.1, "failed"),))
    assert check_degradation(within.case()).answer is Answer.PASS
    beyond = Scene(faults=faults, spells=(Spell(23.9, 30.0, "failed"),))
    found = check_degradation(beyond.case())
    assert found.answer is Answer.FAIL
    assert "under kill" in found.because


@given(
    st.tuples(st.floats(0, 50), st.floats(50, 100)),
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 30)).map(lambda drawn: (drawn[0], sum(drawn))), max_size=5),
    st.floats(0, 2),
)
def test_what_is_left_is_inside_and_touches_nothing_that_was_taken(span, gone, before_s):
    """Pieces lie in the span, in order, and none of them in what was away."""
    pieces = outside(span, gone, before_s)
    for start_s, end_s in pieces:
        assert span[0] <= start_s <= end_s <= span[1]
        assert not any(from_s < end_s and to_s > start_s for from_s, to_s in gone)
        assert pieces == (span,) or end_s - start_s >= LEAST_S
