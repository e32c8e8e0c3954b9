"""Keys are skewed as the file says, in range, and the same whoever asks. Requirement L4."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.model import Load, Operation, Skew
from resilience.spec.mix import BLOCK, Mix
from resilience.spec.skew import chooser

LOAD = Load(rate=1, operations=(Operation(name="read", weight=1, method="GET", path="/"),), keys=100)


def keys_of(skew, count=50_000, keys=100, first=0):
    mix = Mix(replace(LOAD, keys=keys, skew=skew), 1)
    return [mix.choose(index)[1] for index in range(first, first + count)]


def test_uniform_is_what_there_is_without_a_skew():
    """The same keys, one by one."""
    assert keys_of(Skew(kind="uniform"), 1000) == keys_of(None, 1000)


def test_zipf_is_the_same_by_either_name():
    """`zipf: 1.1` and a skew of kind zipf with that exponent."""
    older = Mix(replace(LOAD, zipf=1.1), 1)
    assert keys_of(Skew(kind="zipf", exponent=1.1), 1000) == [older.choose(index)[1] for index in range(1000)]


def test_a_hot_set_gets_its_share_evenly():
    """10 % of the keys get 90 % of the arrivals; inside and outside of it keys are alike."""
    found = Counter(keys_of(Skew(kind="hot", hot_keys=0.1, hot_share=0.9)))
    assert sum(found[key] for key in range(10)) / 50_000 == pytest.approx(0.9, abs=0.01)
    assert [found[key] / 50_000 for key in range(10)] == pytest.approx([0.09] * 10, abs=0.006)
    assert [found[key] / 50_000 for key in range(10, 100)] == pytest.approx([0.1 / 90] * 90, abs=0.001)


@pytest.mark.parametrize(
    ("hot_keys", "hot_share", "expected"),
    [(0.001, 0.5, {0}), (1.0, 0.3, set()), (0.5, 1.0, set(range(50))), (0.5, 0.0, set())],
)
def test_the_ends_of_a_hot_set(hot_keys, hot_share, expected):
    """At least one key is hot; all keys may be; all of the arrivals, or none, may be for it."""
    found = Counter(keys_of(Skew(kind="hot", hot_keys=hot_keys, hot_share=hot_share), 20_000))
    assert set(found) <= set(range(100))
    if hot_share == 1.0:
        assert set(found) == expected
    elif hot_share == 0.0:
        assert set(found) <= set(range(50, 100))
    elif hot_keys == 1.0:
        assert len(found) == 100
    else:
        assert found[0] / 20_000 == pytest.approx(0.5, abs=0.02)


def test_latest_is_popular_and_moves_on():
    """The newest key is the most asked for, the one before next, and each is the newest for `every` arrivals."""
    skew = Skew(kind="latest", exponent=0.99, every=100)
    mix = Mix(replace(LOAD, keys=1000, skew=skew), 1)
    distances = Counter((index // 100 - mix.choose(index)[1]) % 1000 for index in range(100_000))
    weights = [(rank + 1) ** -0.99 for rank in range(1000)]
    expected = [weight / sum(weights) for weight in weights[:5]]
    assert [distances[rank] / 100_000 for rank in range(5)] == pytest.approx(expected, abs=0.005)


def test_sequential_goes_through_all_keys_in_turn():
    """Also across the border of a block, and begins again."""
    assert keys_of(Skew(kind="sequential"), 250) == [*range(100), *range(100), *range(50)]
    assert keys_of(Skew(kind="sequential"), 4, keys=7, first=BLOCK - 2) == [(BLOCK - 2 + step) % 7 for step in range(4)]


@given(
    skew=st.builds(
        Skew,
        kind=st.sampled_from(["uniform", "zipf", "hot", "latest", "sequential"]),
        exponent=st.floats(0.01, 10),
        hot_keys=st.floats(0.0001, 1),
        hot_share=st.floats(0, 1),
        every=st.integers(1, 10**9),
    ),
    keys=st.integers(1, 300),
    first=st.integers(0, 10**9),
)
@settings(deadline=None)
def test_every_key_is_in_range(skew, keys, first):
    """Whatever is asked, also for the least and the greatest number that can be drawn."""
    numbers = np.array([0.0, 0.25, 0.5, 0.75, 1 - 2**-53])
    found = chooser(replace(LOAD, keys=keys, skew=skew))(numbers, first)
    assert all(0 <= key < keys for key in found)
    assert found.dtype == np.int64
