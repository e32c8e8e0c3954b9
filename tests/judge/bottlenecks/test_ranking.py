"""Ranking: the strongest sign decides, then what came first; weak ones are not named at all."""

from dataclasses import replace

import pytest

from resilience.judge.bottlenecks.evidence import find_evidence
from resilience.judge.bottlenecks.places import Place
from resilience.judge.bottlenecks.ranking import LEAST, NAMED, apart, rank
from resilience.judge.bottlenecks.signs import Sign
from resilience.judge.bottlenecks.windows import find_course, find_windows
from tests.judge.bottlenecks.made import BASELINE, made, slow_case, step


@pytest.fixture(scope="module")
def window():
    """The one window of the run."""
    (found,) = find_windows(slow_case())
    return found


@pytest.fixture(scope="module")
def sign(window):
    """Makes signs of a strength that were first seen at an instant."""

    def of(place, strength, at_s=23.0):
        stretch = (window.start_s, window.end_s)
        seen = find_evidence(made("x", "y", step(at_s, 1, 9, 0.1)), BASELINE, stretch, find_course(slow_case()))
        return Sign(place, "y", strength, "words", seen)

    return of


def test_the_strongest_comes_first_and_no_more_than_three_are_named(window, sign):
    """Whatever else was seen."""
    signs = [sign(place, 0.5 + 0.1 * number) for number, place in enumerate(list(Place)[:5])]
    found = rank(signs, window)
    assert [one.place for one in found] == [sign.place for sign in reversed(signs)][:NAMED]


def test_further_signs_of_a_place_count_and_never_more_than_a_stronger_one(window, sign):
    """Two weak signs of the same are more than one, and less than a strong one."""
    (alone,) = rank([sign(Place.DISK, 0.6)], window)
    (both,) = rank([sign(Place.DISK, 0.6), sign(Place.DISK, 0.6)], window)
    (strong,) = rank([sign(Place.DISK, 1.0)], window)
    assert alone.score < both.score < strong.score


def test_what_came_later_loses_to_what_came_first(window, sign):
    """Of equal strength."""
    found = rank([sign(Place.POOL, 0.9, 33.0), sign(Place.CPU, 0.9, 23.0)], window)
    assert [one.place for one in found] == [Place.CPU, Place.POOL]
    assert apart(found)


def test_equal_ones_cannot_be_told_apart(window, sign):
    """Both are named."""
    found = rank([sign(Place.POOL, 0.9), sign(Place.CPU, 0.9)], window)
    assert len(found) == 2
    assert not apart(found)
    assert apart(found[:1])


def test_what_is_weak_is_not_named(window, sign):
    """Nothing is better than something invented."""
    late = replace(sign(Place.CPU, 0.4, 33.0))
    assert late.strength - 0.3 < LEAST
    assert rank([late], window) == ()
