"""The offset of two clocks: the true one always lies within what is told. Requirement L5."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.load.workers.offset import Exchange, Followed, Offset, estimate

delays = st.tuples(st.integers(0, 10**8), st.integers(0, 10**6), st.integers(0, 10**8))


def exchange(at: int, truth: int, there: int, held: int, back: int) -> Exchange:
    """An exchange between clocks whose difference is `truth`, with these times on the way."""
    came = at + there + truth
    return Exchange(at, came, came + held, at + there + held + back)


@given(st.integers(-(10**12), 10**12), st.lists(delays, min_size=1, max_size=20))
def test_the_true_offset_is_within_the_bound(truth, ways):
    """However unequal the two ways are."""
    found = estimate(exchange(number * 10**9, truth, *way) for number, way in enumerate(ways))
    assert found.low <= truth <= found.high
    assert abs(found.middle - truth) <= found.uncertainty
    assert found.uncertainty <= min(there + back for there, _, back in ways) // 2 + 1


def test_of_several_exchanges_the_bounds_are_taken_from_the_best_each_way():
    """A quick way there in one and a quick way back in another make it exact."""
    slow_back = exchange(0, 500, 10, 0, 10_000)
    slow_there = exchange(0, 500, 10_000, 0, 20)
    assert estimate([slow_back, slow_there]) == Offset(480, 510)


def test_clocks_that_moved_between_two_exchanges_make_the_bound_wider():
    """What contradicts each other is not averaged away."""
    found = estimate([exchange(0, 0, 5, 0, 5), exchange(0, 1000, 5, 0, 5)])
    assert found.low <= 0
    assert found.high >= 1000


def test_a_clock_that_drifts_makes_the_used_offset_more_uncertain():
    """The estimate in use stays, since instants were written by it; how wrong it may be is told."""
    followed = Followed(Offset(-10, 10))
    assert (followed.used, followed.uncertainty) == (0, 10)
    followed.again(Offset(-4, 4))
    assert followed.uncertainty == 10
    followed.again(Offset(290, 310))
    assert (followed.used, followed.uncertainty) == (0, 310)


@pytest.mark.parametrize("exchanges", [[], [Exchange(sent=0, came=5, answered=9, back=3)]])
def test_what_is_no_exchange_is_refused(exchanges):
    """None at all, or an answer that took less time than the master held it."""
    with pytest.raises(ValueError, match="expected"):
        estimate(exchanges)
