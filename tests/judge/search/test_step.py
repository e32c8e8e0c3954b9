"""What a step shows, on samples written out. Requirement M6."""

import numpy as np
import pytest

from resilience.judge.quantiles import DROPPED
from resilience.judge.search.machine import Seen
from resilience.judge.search.step import SLICES, SURE, judge_step, needed, share_bounds
from resilience.model import allowed_share
from resilience.spec.thresholds import parse_objective
from tests.judge.search.samples import samples

P95 = parse_objective("p(95)<250")
RATE = parse_objective("rate<0.05")
RNG = np.random.default_rng(1)


def seen(some, *objectives, **told) -> Seen:
    """What five seconds of them show."""
    return judge_step(some, 0.0, 5.0, objectives or (P95, RATE), **told).seen


def test_what_is_quick_and_ok_holds():
    """With the figures of the stretch."""
    judged = judge_step(samples(), 0.0, 5.0, (P95, RATE), due=1000)
    assert judged.seen is Seen.HOLDS
    assert (judged.offered, judged.ok, judged.rps, judged.p95_ms, judged.late_ms) == (1000, 1000, 200.0, 50.0, 0.0)
    assert judged.why == ""


def test_what_is_slow_breaks():
    """And says which objective, and what it was."""
    judged = judge_step(samples(took_ms=400.0), 0.0, 5.0, (RATE, P95))
    assert judged.seen is Seen.BREAKS
    assert judged.why == "p(95)<250 was 400"


def test_errors_break():
    """One in ten, evenly, where one in twenty is allowed."""
    assert seen(samples(bad=range(0, 1000, 8))) is Seen.BREAKS


@pytest.mark.parametrize("share", [0.045, 0.05, 0.055])
def test_near_the_limit_nothing_is_certain(share):
    """A thousand operations do not tell 4.5 % from 5 %."""
    hits = RNG.permutation(1000)[: int(share * 1000)]
    assert seen(samples(bad=hits), RATE) is Seen.UNSURE


def test_what_was_dropped_is_neither_ok_nor_quick():
    """There was no room for it: to an objective about latency alone it is bad."""
    assert seen(samples(bad=range(0, 1000, 8), outcome=DROPPED), P95) is Seen.BREAKS


def test_bad_ones_that_come_together_are_less_certain():
    """Eighty in a row say less of the share than eighty one by one."""
    together = judge_step(samples(bad=range(400, 480)), 0.0, 5.0, (RATE,)).bounds[0]
    apart = judge_step(samples(bad=range(0, 960, 12)), 0.0, 5.0, (RATE,)).bounds[0]
    assert together.bad == apart.bad == 0.08
    assert apart.seen is Seen.BREAKS
    assert together.seen is Seen.UNSURE
    assert together.low < apart.low < apart.high < together.high


def test_a_queue_that_grows_is_not_good_yet():
    """Within the limit still, but beyond it before a confirmation would be over."""
    rising = np.linspace(20, 180, 1000)
    assert seen(samples(took_ms=rising), P95) is Seen.HOLDS
    assert seen(samples(took_ms=rising), P95, ahead_s=10.0) is Seen.UNSURE
    falling = rising[::-1]
    assert seen(samples(took_ms=falling), P95, ahead_s=10.0) is Seen.HOLDS


def test_noise_is_not_taken_for_a_queue():
    """Of 400 stretches of noise around 100 ms at most 2 % seem to rise that fast."""
    rng = np.random.default_rng(4)
    rising = sum(seen(samples(took_ms=rng.gamma(20, 5, 1000)), P95, ahead_s=10.0) is not Seen.HOLDS for _ in range(400))
    assert rising <= 8


def test_a_generator_that_was_late_spoils_a_step():
    """Also one that would break: then nothing is known of the target."""
    assert seen(samples(late_ms=150.0)) is Seen.SPOILED
    assert seen(samples(late_ms=150.0, took_ms=2000.0)) is Seen.SPOILED
    assert seen(samples(late_ms=60.0, took_ms=220.0), P95) is Seen.SPOILED  # slow only because it began late
    assert seen(samples(late_ms=60.0, took_ms=900.0), P95) is Seen.BREAKS


def test_a_generator_that_offered_less_spoils_a_step():
    """Half of what was due was never sent."""
    assert seen(samples(), due=2000) is Seen.SPOILED
    assert seen(samples(), due=1000) is Seen.HOLDS


def test_a_handful_tells_nothing():
    """However quick they are."""
    assert seen(samples(count=12)) is Seen.UNSURE
    assert seen(samples(count=0)) is Seen.UNSURE


def test_only_the_stretch_counts():
    """What settles before, and what came after, is not in it."""
    some = samples(count=3000, seconds=15.0, took_ms=np.repeat([900.0, 50.0, 900.0], 1000))
    assert judge_step(some, 5.0, 10.0, (P95,)).seen is Seen.HOLDS
    assert judge_step(some, 4.0, 10.0, (P95,)).seen is not Seen.HOLDS


def test_bounds_cover_as_often_as_they_say():
    """A lower bound is too high in at most 1 % of cases, an upper one too low in at most 2 %, in uneven slices.

    Counts of rare things are skewed, so the upper one misses more often than it says: what seemed to hold is confirmed.
    """
    rng = np.random.default_rng(7)
    for even in (100, 1000, 1e6):
        missed = np.zeros(2)
        for _ in range(2000):
            counts = np.full(SLICES, 80)
            bad = rng.binomial(counts, rng.beta(0.05 * even, 0.95 * even, SLICES))
            _, low, high = share_bounds(bad, counts)
            missed += [low > 0.05, high < 0.05]
        assert missed[0] / 2000 <= 2 * (1 - SURE)  # a break that is none
        assert missed[1] / 2000 <= 0.02


@pytest.mark.parametrize("allowed", [0.5, 0.05, 0.01, 0.001])
def test_so_many_are_needed(allowed):
    """With that many and none bad it is certain; with a tenth less it is not."""
    count = needed(allowed)
    for factor, certain in ((1.0, True), (0.9, False)):
        n = np.full(SLICES, count * factor / SLICES)
        assert (share_bounds(np.zeros(SLICES), n)[2] <= allowed * 1.01) is certain


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("p(95)<250", 0.05),
        ("med<100", 0.5),
        ("rate<0.01", 0.01),
        ("availability>=0.99", 0.01),
        ("shed<0.2", 0.2),
        ("avg<100", None),
        ("max<100", None),
        ("rps>100", None),
        ("p(95)>250", None),
        ("p(95)<250 over 5s", None),
    ],
)
def test_which_objectives_are_about_a_share(text, share):
    """Those can be judged in a step with an interval."""
    found = allowed_share(parse_objective(text))
    assert found == (None if share is None else pytest.approx(share))
