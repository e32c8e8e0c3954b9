"""Who carries what: every arrival, slot, user and document exactly once, whatever the number of workers."""

from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.load.workers.shares import name_of, not_among, of_share, own_object, slots
from resilience.model import Load, Share
from resilience.spec.profile import arrivals

counts = st.integers(1, 9)


@given(counts, st.integers(0, 200))
def test_every_arrival_is_in_one_share_with_its_index(of, size):
    """All shares together are the schedule, and an arrival has the index that it has in the whole schedule."""
    schedule = [3 * place for place in range(size)]
    shares = [list(of_share(schedule, Share(index, of))) for index in range(of)]
    assert sorted(chain.from_iterable(shares)) == list(enumerate(schedule))
    assert all(index % of == number for number, share in enumerate(shares) for index, _ in share)


def test_the_schedule_of_a_share_is_that_of_the_load():
    """Also of random arrivals: nothing is drawn anew for a share."""
    load = Load(rate=300.0, arrivals="poisson")
    whole = list(arrivals(load, 7, 5.0))
    assert [at for _, at in of_share(arrivals(load, 7, 5.0), Share(1, 3))] == whole[1::3]


@given(counts, st.integers(1, 500))
def test_every_slot_is_in_one_share_and_shares_are_even(of, total):
    """Slots number the writers of the ledger: two workers with one number would be told apart by nobody."""
    shares = [slots(total, Share(index, of)) for index in range(of)]
    assert [number for share in shares for number in share] == list(range(total))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@given(counts, st.integers(1, 100), st.integers(0, 99))
def test_a_document_is_written_by_one_worker(of, more, number):
    """Versions count up within one worker, so no two workers may give versions of one document."""
    objects = of + more
    owned = {own_object(number % objects, objects, Share(index, of)) for index in range(of)}
    assert len(owned) == of
    assert all(0 <= each < objects for each in owned)
    assert {each % of for each in owned} == set(range(of))


def test_one_worker_alone_has_everything():
    """A load of one process is what it always was: same objects, same slots, same name of its files."""
    assert [own_object(number, 10, Share()) for number in range(10)] == list(range(10))
    assert slots(7, Share()) == range(7)
    assert [name_of(Share()), name_of(Share(0, 2)), name_of(Share(1, 2))] == ["load", "load-1", "load-2"]


@given(st.lists(st.integers(0, 20)), st.lists(st.booleans()), st.lists(st.integers(30, 40)))
def test_what_is_missing_is_found_also_among_arrivals_of_one_instant(instants, kept, others):
    """Samples of other operations of a flow, which are at no arrival, change nothing."""
    scheduled = np.array(sorted(instants), np.int64)
    there = [at for at, keep in zip(scheduled.tolist(), kept, strict=False) if keep]
    missing = scheduled[not_among(scheduled, np.array([*there, *others], np.int64))].tolist()
    assert sorted([*missing, *there]) == sorted(instants)


@pytest.mark.parametrize("found", [[], [5], [5, 5], [5, 5, 5]])
def test_as_many_are_missing_as_were_not_found(found):
    """Of two arrivals at one instant with one sample, one is missing; more samples than arrivals leave none."""
    assert len(not_among(np.array([5, 5]), np.array(found, np.int64))) == max(2 - len(found), 0)
