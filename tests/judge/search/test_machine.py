"""The search as a state machine: thousands of targets whose break-point is known. Requirement M6."""

import itertools
from collections import Counter

import numpy as np
import pytest

from resilience.judge.search.machine import MOST, Kind, Purpose, Seen, Tried, most_steps, next_try, outcome, patience
from resilience.judge.search.scale import Scale
from tests.judge.search.simulation import Target, search

SCALE = Scale(start=50, limit=3200, precision=0.05)


def play(scale: Scale, answer, **options):
    """A search whose steps are answered by a function of the try and of all before."""
    tried: list[Tried] = []
    while (wanted := next_try(scale, tried, **options)) is not None:
        tried.append(Tried(wanted.level, wanted.purpose, answer(wanted, tried), wanted.long))
        assert len(tried) <= MOST
    return outcome(scale, tried, **options), tried


def breaks_above(truth: float):
    """A target without noise and without memory."""
    return lambda wanted, _tried: Seen.BREAKS if wanted.level > truth else Seen.HOLDS


def test_every_break_point_is_found():
    """Wherever it is: the interval has it, is as narrow as asked, and both of its ends were tried twice."""
    for truth in np.geomspace(50, 3199, 150):
        found, tried = play(SCALE, breaks_above(truth))
        assert found.kind is Kind.FOUND
        assert found.holds <= truth < found.breaks
        assert SCALE.close(found.holds, found.breaks)
        assert found.confirmed
        assert found.came_back is True
        assert sum(one.level == found.breaks for one in tried) >= 2
        assert most_steps(SCALE)[0] <= len(tried) <= most_steps(SCALE)[1]


def test_after_every_break_it_rests_before_it_goes_on():
    """What a step left behind is not what the next one is judged by; only the step down follows at once."""
    _, tried = play(SCALE, breaks_above(700))
    for before, after in itertools.pairwise(tried):
        if before.seen is Seen.BREAKS:
            assert after.purpose in {Purpose.REST, Purpose.DOWN}


def test_no_break_within_the_bounds():
    """It holds at the limit, confirmed: the break-point lies beyond, and nobody says where."""
    found, tried = play(SCALE, breaks_above(1e9))
    assert (found.kind, found.holds, found.breaks, found.confirmed) == (Kind.BEYOND, 3200, None, True)
    assert [one.level for one in tried] == [50, 100, 200, 400, 800, 1600, 3200, 3200]


def test_broken_at_the_lower_bound():
    """Twice, before that is said."""
    found, tried = play(SCALE, breaks_above(20))
    assert (found.kind, found.holds, found.breaks) == (Kind.BELOW, None, 50)
    assert len(tried) == 2


def test_a_break_that_does_not_come_again_is_none():
    """One step that broke for a reason that is gone: the search goes on above it."""
    seen = Counter()

    def answer(wanted, _tried):
        seen[wanted.level] += 1
        once = wanted.level == 400 and seen[400] == 1
        return Seen.BREAKS if once or wanted.level > 1000 else Seen.HOLDS

    found, _ = play(SCALE, answer)
    assert found.kind is Kind.FOUND
    assert found.holds <= 1000 < found.breaks


def test_what_holds_only_for_a_while_does_not_hold():
    """A load that is too much by little is seen by the longer confirmation, and the answer lies below it."""

    def answer(wanted, _tried):
        return Seen.BREAKS if wanted.level > (600 if wanted.long else 660) else Seen.HOLDS

    found, _ = play(SCALE, answer)
    assert found.kind is Kind.FOUND
    assert found.holds <= 600 < found.breaks


def test_hysteresis_is_told():
    """It breaks above 800 and comes back only at 300: metastable, with the level at which it holds again."""
    broken = []

    def answer(wanted, _tried):
        if wanted.level > 800:
            broken.append(1)
        if wanted.level < 300:
            broken.clear()
        return Seen.BREAKS if broken else Seen.HOLDS

    found, tried = play(SCALE, answer)
    assert found.kind is Kind.FOUND
    assert found.holds <= 800 < found.breaks
    assert found.came_back is False
    assert found.metastable
    assert found.back_at < 300
    assert [one.seen for one in tried if one.purpose is Purpose.DOWN][:4] == [Seen.BREAKS] * 4


def test_a_backlog_that_is_worked_off_is_no_hysteresis():
    """It breaks on for three steps at a tenth less, and then holds: it came back by itself."""
    left = [3]

    def answer(wanted, _tried):
        if wanted.purpose is Purpose.DOWN and left[0]:
            left[0] -= 1
            return Seen.BREAKS
        return breaks_above(800)(wanted, [])

    found, tried = play(SCALE, answer)
    assert found.came_back is True
    assert not found.metastable
    assert [one.level for one in tried if one.purpose is Purpose.DOWN] == [720.0] * 4


def test_who_waits_for_long_is_given_longer():
    """With a time limit of 30 s a backlog may take 300: 40 steps of 7.5 s, more than are made, so it is not known."""
    assert patience(5.5, 2.0) == 4
    assert patience(7.5, 30.0) == 40
    broken = []

    def answer(wanted, _tried):
        broken[:] = [1] if wanted.level > 800 or (broken and wanted.level >= 300) else []
        return Seen.BREAKS if broken else Seen.HOLDS

    patient, tried = play(SCALE, answer, downs=9)
    assert patient.came_back is False
    assert [one.seen for one in tried if one.purpose is Purpose.DOWN][:9] == [Seen.BREAKS] * 9
    unknown, tried = play(SCALE, answer, downs=40)
    assert unknown.came_back is None
    assert not unknown.metastable
    assert unknown.back_at < 300


def test_one_that_does_not_come_back_at_all_is_left_alone():
    """After three rests at the start: nothing else is tried on a target that stays broken."""
    broken = []

    def answer(wanted, _tried):
        broken.extend([1] if wanted.level > 800 else [])
        return Seen.BREAKS if broken else Seen.HOLDS

    found, tried = play(SCALE, answer)
    assert found.kind is Kind.STUCK
    assert found.metastable
    assert [one.purpose for one in tried[-3:]] == [Purpose.REST] * 3
    assert found.holds == 800


@pytest.mark.parametrize("spoiled", [400, 3200])
def test_a_generator_that_is_the_limit_is_no_break_point(spoiled):
    """Tried once more, then the search ends: not known."""
    found, tried = play(SCALE, lambda wanted, _tried: Seen.SPOILED if wanted.level >= spoiled else Seen.HOLDS)
    assert found.kind is Kind.SPOILED
    assert [one.level for one in tried[-2:]] == [spoiled, spoiled]


def test_one_spoiled_step_is_made_again():
    """A hiccup of the generator costs a step and nothing else."""
    spoiled = []

    def answer(wanted, _tried):
        if wanted.level == 400 and not spoiled:
            spoiled.append(1)
            return Seen.SPOILED
        return breaks_above(1000)(wanted, [])

    found, _ = play(SCALE, answer)
    assert found.kind is Kind.FOUND
    assert found.holds <= 1000 < found.breaks


def test_where_nobody_can_tell_the_interval_reaches_around_it():
    """Between 500 and 700 no step is certain: the interval covers that, and is no wider than it must be."""

    def answer(wanted, _tried):
        return Seen.HOLDS if wanted.level < 500 else Seen.BREAKS if wanted.level > 700 else Seen.UNSURE

    found, _ = play(SCALE, answer)
    assert found.kind is Kind.FOUND
    assert 500 / 1.06 <= found.holds < 500
    assert 700 < found.breaks <= 700 * 1.06


def test_unsure_at_the_start_is_not_decided():
    """There is nothing to go on from."""
    found, tried = play(SCALE, lambda _wanted, _tried: Seen.UNSURE)
    assert (found.kind, len(tried)) == (Kind.UNDECIDED, 1)


def test_what_is_cut_short_is_not_decided():
    """Whatever was seen until then: only a search that is over has an answer."""
    _, tried = play(SCALE, breaks_above(700))
    for count in range(len(tried)):
        assert outcome(SCALE, tried[:count]).kind is Kind.UNDECIDED


@pytest.mark.parametrize("seed", range(300))
def test_it_always_ends(seed):
    """Whatever is answered, even at random, it ends, and asks only for levels between its bounds."""
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet([1, 1, 0.5, 0.2])
    scale = Scale(start=100, limit=3, precision=0.1, whole=True) if seed % 2 else SCALE

    def answer(_wanted, _tried):
        return list(Seen)[int(rng.choice(4, p=weights))]

    _, tried = play(scale, answer, downs=(0, 4, 9)[seed % 3])
    assert all(0 <= scale.place(one.level) <= 1 for one in tried)


def drawn(seed: int, *, hysteresis: bool) -> tuple[Target, np.random.Generator]:
    """A target."""
    rng = np.random.default_rng([seed, hysteresis])
    truth = float(np.exp(rng.uniform(np.log(80), np.log(3000))))
    back = truth * float(rng.uniform(0.6, 0.85)) if hysteresis else None
    return Target(truth, rng.uniform(8, 80), rng.uniform(50, 2000), back), rng


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """Of 1,000 noisy targets at least 95 % of the intervals have the break-point, and hardly any remains unknown."""
    kinds, covered, widths = Counter(), 0, []
    for seed in range(1000):
        target, rng = drawn(seed, hysteresis=False)
        found, _ = search(SCALE, target, rng)
        kinds[found.kind] += 1
        if found.kind is Kind.FOUND:
            covered += found.holds <= target.truth <= found.breaks
            widths.append(found.breaks / found.holds - 1)
        assert not found.metastable
    assert kinds[Kind.FOUND] >= 970, kinds
    assert covered >= 0.95 * kinds[Kind.FOUND]
    assert np.median(widths) <= 0.06


def test_hysteresis_is_found_where_it_is():
    """Of 250 noisy targets that stay broken down to 60–85 % of their break-point, each is told so."""
    for seed in range(250):
        target, rng = drawn(seed, hysteresis=True)
        found, _ = search(SCALE, target, rng)
        assert found.kind is Kind.FOUND, (seed, found)
        assert found.holds <= target.truth <= found.breaks
        assert found.came_back is False
        assert found.back_at < target.back
