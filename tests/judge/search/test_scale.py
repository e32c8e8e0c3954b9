"""Levels: what is harder, what lies between, when two are close. Requirement M6."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.judge.search.scale import Scale

ENDS = st.floats(0, 1e5).map(lambda value: float(f"{value:.4g}"))


def scales(whole: bool) -> st.SearchStrategy[Scale]:
    """Scales of either direction and kind."""
    ends = st.tuples(ENDS, ENDS).map(lambda pair: tuple(float(round(one)) for one in pair) if whole else pair)
    fit = ends.filter(
        lambda pair: abs(pair[0] - pair[1]) >= max(1.0, 0.01 * max(pair)) and min(pair, key=abs) in {0} | set(pair)
    )
    return st.builds(
        lambda pair, precision: Scale(start=pair[0], limit=pair[1], precision=precision, whole=whole),
        fit.filter(lambda pair: 0 not in pair or max(pair) > 1).filter(lambda pair: min(pair) == 0 or min(pair) > 1e-3),
        st.floats(0.01, 0.3),
    )


@given(st.booleans().flatmap(scales))
def test_a_climb_reaches_the_limit(scale):
    """Each step is harder than the one before, and the last one is the limit."""
    level, count = scale.start, 0
    while level != scale.limit:
        further = scale.beyond(level)
        assert scale.harder(further, level), (level, further)
        level, count = further, count + 1
        assert count < 80


@given(st.booleans().flatmap(scales))
def test_bisection_ends(scale):
    """Whatever side is taken, the bracket gets close in a few steps, and what is tried always lies inside it."""
    for side in (0, 1):
        mild, hard, count = scale.start, scale.limit, 0
        while not scale.close(mild, hard):
            middle = scale.between(mild, hard)
            assert scale.harder(middle, mild)
            assert scale.harder(hard, middle)
            mild, hard = (middle, hard) if side else (mild, middle)
            count += 1
            assert count < 80


def test_a_climb_doubles():
    """Where both ends are above 0."""
    scale = Scale(start=50, limit=700, precision=0.05)
    assert [scale.beyond(level) for level in (50, 100, 200, 400)] == [100, 200, 400, 700]


def test_less_can_be_harder():
    """A pool of 16 connections down to 1: halves of it, whole numbers, and 8 is harder than 9."""
    scale = Scale(start=16, limit=1, precision=0.05, whole=True)
    assert [scale.beyond(level) for level in (16, 8, 4, 2)] == [8, 4, 2, 1]
    assert scale.harder(8, 9)
    assert scale.close(5, 4)
    assert not scale.close(8, 4)


def test_a_scale_from_0_is_linear():
    """Packet loss from none: the first step is a small part of the whole."""
    scale = Scale(start=0, limit=64, precision=0.1)
    assert scale.beyond(0) == 2
    assert scale.beyond(2) == 4
    assert scale.between(8, 16) == 12


@pytest.mark.parametrize(("mild", "hard", "close"), [(100, 105, True), (100, 106, False), (95, 100, True)])
def test_close_is_relative(mild, hard, close):
    """To five percent of the harder one."""
    assert Scale(start=10, limit=1000, precision=0.05).close(mild, hard) is close


def test_levels_read_well():
    """No level has more digits than tell anything."""
    scale = Scale(start=30, limit=480, precision=0.05)
    assert scale.level(0.37) == float(f"{30 * 16**0.37:.4g}")
