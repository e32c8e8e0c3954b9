"""Operations and keys come in the proportions asked for, reproducibly. Requirement L4."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.model import Load, Operation, Segment
from resilience.spec.mix import BLOCK, Mix


def load(weights=(70, 20, 10), keys=1000, zipf=0.0):
    operations = tuple(
        Operation(name=f"op-{index}", weight=weight, method="GET", path="/") for index, weight in enumerate(weights)
    )
    return Load(rate=1, operations=operations, keys=keys, zipf=zipf)


def test_shares_are_those_of_the_weights():
    """70/20/10 within one percentage point over 50 000 arrivals."""
    mix = Mix(load(), 1)
    found = Counter(mix.choose(index)[0] for index in range(50_000))
    assert [found[index] / 50_000 for index in range(3)] == pytest.approx([0.7, 0.2, 0.1], abs=0.01)


@pytest.mark.parametrize("zipf", [0.0, 0.8, 1.0, 1.1, 2.0])
def test_keys_are_skewed_by_the_exponent(zipf):
    """Key k has the share (k+1)**-zipf / sum, to one percentage point; zipf 0 is uniform."""
    mix = Mix(load(keys=50, zipf=zipf), 1)
    found = Counter(mix.choose(index)[1] for index in range(50_000))
    total = sum((key + 1) ** -zipf for key in range(50))
    expected = [(key + 1) ** -zipf / total for key in range(50)]
    assert [found[key] / 50_000 for key in range(50)] == pytest.approx(expected, abs=0.01)


def test_keys_do_not_depend_on_the_operation():
    """Each operation sees the same popular keys: the choices are independent."""
    mix = Mix(load(weights=(1, 1), keys=2), 1)
    found = Counter(mix.choose(index) for index in range(20_000))
    assert all(found[pair] / 20_000 == pytest.approx(0.25, abs=0.02) for pair in [(0, 0), (0, 1), (1, 0), (1, 1)])


@given(
    st.integers(min_value=0, max_value=2**32),
    st.lists(st.integers(min_value=0, max_value=20 * BLOCK), min_size=1, max_size=30),
    st.floats(min_value=0, max_value=3),
)
@settings(max_examples=25, deadline=None)
def test_a_choice_depends_on_seed_and_index_alone(seed, indices, zipf):
    """Whoever asks in whatever order, also across blocks, gets the same operation and key, both in range."""
    description = load(keys=17, zipf=zipf)
    once, again = Mix(description, seed), Mix(description, seed)
    forward = {index: once.choose(index) for index in indices}
    assert {index: again.choose(index) for index in reversed(indices)} == forward
    assert all(0 <= operation < 3 and 0 <= key < 17 for operation, key in forward.values())


def test_another_seed_chooses_otherwise():
    """A seed that were ignored would make every run the same."""
    first, second = Mix(load(), 1), Mix(load(), 2)
    assert [first.choose(index) for index in range(100)] != [second.choose(index) for index in range(100)]


SEGMENTS = {
    "tenants": (Segment(name="blue", weight=3), Segment(name="green", weight=1)),
    "regions": (Segment(name="eu"), Segment(name="us"), Segment(name="asia", weight=2)),
}


def test_tenants_and_regions_have_their_shares_independently():
    """Requirement L4: 3 to 1 and 1 to 1 to 2, and neither says anything about the other."""
    mix = Mix(replace(load(), **SEGMENTS), 1)
    found = Counter(mix.segment(index) for index in range(20_000))
    for tenant, share in enumerate((0.75, 0.25)):
        for region, part in enumerate((0.25, 0.25, 0.5)):
            assert found[tenant, region] / 20_000 == pytest.approx(share * part, abs=0.015)


def test_a_segment_depends_on_seed_and_index_alone_and_changes_nothing_else():
    """Whoever asks in whatever order gets the same; operations and keys are those of a load without tenants."""
    some = replace(load(), **SEGMENTS)
    once, again, plain = Mix(some, 7), Mix(some, 7), Mix(load(), 7)
    indices = [0, 5 * BLOCK, 1, BLOCK - 1, BLOCK, 9 * BLOCK + 3]
    forward = {index: once.segment(index) for index in indices}
    assert {index: again.segment(index) for index in reversed(indices)} == forward
    assert [once.choose(index) for index in indices] == [plain.choose(index) for index in indices]
    assert [Mix(some, 8).segment(index) for index in range(50)] != [once.segment(index) for index in range(50)]


def test_a_load_without_tenants_has_none():
    """-1 is nobody; a load may have one of the two."""
    assert Mix(load(), 1).segment(3) == (-1, -1)
    assert Mix(replace(load(), regions=SEGMENTS["regions"][:1]), 1).segment(3) == (-1, 0)
