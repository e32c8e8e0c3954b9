"""Users of a closed load come and go at exact instants, and think as long as they should. Requirements L1, L4."""

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.model import Load, Operation, Stage, Think
from resilience.spec.profile import arrivals, expected_count, level_at, user_seconds
from resilience.spec.users import Change, Thinks, changes, most_users

READ = (Operation(name="read", weight=1, method="GET", path="/"),)
SECOND = 1_000_000_000


def closed(users: int, *stages: Stage) -> Load:
    return Load(users=users, operations=READ, stages=stages)


LEVELS = st.floats(min_value=0, max_value=60).map(lambda level: round(level, 2))
LENGTHS = st.floats(min_value=0, max_value=8).map(lambda length: round(length, 2))
STAGES = st.lists(st.builds(Stage, LENGTHS, LEVELS), max_size=5).map(tuple)
LOADS = st.builds(lambda users, stages: closed(users, *stages), st.integers(0, 40), STAGES)
INSTANTS = st.integers(1, 40_000).map(lambda milliseconds: milliseconds / 1000 + 0.0005)


def test_those_at_first_come_at_once_and_a_ramp_is_even():
    """From 2 to 6 users in 2 s: one more every half second, the last at its end."""
    found = list(changes(closed(2, Stage(2, 6)), 9.0))
    assert [change.at_ns for change in found] == [0, 0, SECOND // 2, SECOND, 3 * SECOND // 2, 2 * SECOND]
    assert [change.user for change in found] == [1, 2, 3, 4, 5, 6]
    assert all(change.there for change in found)


def test_who_came_last_leaves_first():
    """From 4 to 1 in 3 s: user 4 leaves as the level begins to fall, and user 1 stays."""
    found = [change for change in changes(closed(4, Stage(1, 4), Stage(3, 1)), 99.0) if not change.there]
    assert found == [Change(at * SECOND, user, there=False) for at, user in ((1, 4), (2, 3), (3, 2))]


def test_a_jump_is_at_one_instant():
    """Up and down."""
    found = list(changes(closed(1, Stage(2, 1), Stage(0, 3), Stage(2, 3), Stage(0, 1)), 99.0))
    assert [(change.at_ns // SECOND, change.user, change.there) for change in found] == [
        (0, 1, True), (2, 2, True), (2, 3, True), (4, 3, False), (4, 2, False),
    ]  # fmt: skip


@given(LOADS, INSTANTS)
@settings(max_examples=100, deadline=None)
def test_as_many_users_are_there_as_the_level_says(load: Load, until_s: float):
    """Whoever came and did not go: users 1 to floor(level), at an instant at which nobody comes or goes."""
    there: set[int] = set()
    for change in changes(load, until_s):
        assert (change.user in there) is not change.there, "nobody comes twice, or goes without having come"
        (there.add if change.there else there.remove)(change.user)
    level = level_at(load, until_s)
    # `level_at` is a float: an exact level that is whole may be a hair below it.
    assert there in [set(range(1, count + 1)) for count in {math.floor(level), math.floor(level + 1e-9)}]
    assert len(there) <= most_users(load, until_s)


@given(LOADS, INSTANTS, INSTANTS)
@settings(max_examples=60, deadline=None)
def test_instants_grow_and_more_time_only_adds(load: Load, one_s: float, other_s: float):
    """A longer run begins exactly like a shorter one."""
    short, long = sorted((one_s, other_s))
    found = list(changes(load, long))
    first = list(changes(load, short))
    assert found[: len(first)] == first
    assert all(before.at_ns <= after.at_ns for before, after in itertools.pairwise(found))
    assert all(change.at_ns < long * 1e9 for change in found)


@given(LOADS.filter(lambda load: bool(load.stages)), st.integers(0, 4), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_a_stage_cut_in_two_is_the_same(load: Load, which: int, tenths: int):
    """Users and arrivals alike, wherever on the line it is cut."""
    index = which % len(load.stages)
    before, cut = load.stages[:index], load.stages[index]
    begin = Fraction(repr(before[-1].rate)) if before else Fraction(load.users or 0)
    share = Fraction(tenths, 10)
    middle = begin + (Fraction(repr(cut.rate)) - begin) * share
    first = Stage(float(Fraction(repr(cut.duration_s)) * share), float(middle))
    second = Stage(float(Fraction(repr(cut.duration_s)) * (1 - share)), cut.rate)
    stages = (*before, first, second, *load.stages[index + 1 :])
    assert list(changes(closed(load.users or 0, *stages), 50.0)) == list(changes(load, 50.0))
    rates = [Load(rate=float(load.users or 0), operations=READ, stages=one) for one in (load.stages, stages)]
    whole, pieces = ([*arrivals(one, 1, 50.0)] for one in rates)
    assert len(whole) == len(pieces) == math.ceil(expected_count(rates[0], 50.0))
    assert all(abs(one - other) <= 1000 for one, other in zip(whole, pieces, strict=True)), "to the microsecond"


@given(LOADS, INSTANTS)
@settings(max_examples=60, deadline=None)
def test_the_time_of_all_users_is_the_integral_of_the_level(load: Load, until_s: float):
    """Each user's visits together, to within the part of a user that the level has and nobody can be."""
    visits_ns = sum((-1 if change.there else 1) * change.at_ns for change in changes(load, until_s))
    left = sum(1 if change.there else -1 for change in changes(load, until_s))
    assert visits_ns / 1e9 + left * until_s == pytest.approx(user_seconds(load, until_s), abs=until_s + 1e-6)


def test_an_open_load_has_no_users_and_a_closed_one_no_arrivals():
    """What is offered to a target by users depends on the target, so nobody can say it before."""
    assert user_seconds(Load(rate=5, operations=READ), 10.0) == 0
    assert most_users(Load(rate=5, operations=READ), 10.0) == 0
    assert expected_count(closed(5), 10.0) == 0
    assert list(arrivals(closed(5), 1, 10.0)) == []
    assert user_seconds(closed(5), 10.0) == 50


@pytest.mark.parametrize(
    ("think", "mean", "deviation"),
    [
        (Think(mean_s=2.0), 2.0, 0.0),
        (Think(distribution="uniform", least_s=1.0, most_s=3.0), 2.0, 1 / math.sqrt(3)),
        (Think(distribution="exponential", mean_s=2.0), 2.0, 2.0),
        (Think(distribution="lognormal", mean_s=2.0, sigma=0.5), 2.0, 2.0 * math.sqrt(math.exp(0.25) - 1)),
    ],
    ids=lambda value: value.distribution if isinstance(value, Think) else "",
)
def test_think_times_have_their_distribution(think: Think, mean: float, deviation: float):
    """Mean and standard deviation of 20 000 within 3 %; the same seed gives the same, another gives others."""
    drawn = [Thinks(think, 7).after_ns(index) / SECOND for index in range(1)]
    thinks = Thinks(think, 7)
    found = [thinks.after_ns(index) / SECOND for index in range(20_000)]
    assert found[:1] == drawn
    average = sum(found) / len(found)
    assert average == pytest.approx(mean, rel=0.03)
    spread = math.sqrt(sum((one - average) ** 2 for one in found) / len(found))
    assert spread == pytest.approx(deviation, rel=0.03, abs=1e-6)
    assert think.usual_s == mean
    others = [Thinks(think, 8).after_ns(index) / SECOND for index in range(3)]
    assert (others == found[:3]) is (deviation == 0)


def test_users_who_come_together_do_not_begin_together():
    """In any tenth of a think time a tenth of a thousand users begin, to within a few."""
    thinks = Thinks(Think(mean_s=10.0), 1)
    begins = [thinks.before_ns(user) / SECOND for user in range(1, 1001)]
    counts = [sum(tenth <= begin < tenth + 1 for begin in begins) for tenth in range(10)]
    assert all(abs(count - 100) <= 3 for count in counts)
