"""Copies in a cache against the store, beside an oracle of a few lines. The histories have the rest. Requirement J4."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from resilience.judge.cache import check_cache
from resilience.model import Answer, CacheCopy
from tests.judge.builder import LEDGER, honest, truth_rows

DECLARED = replace(LEDGER, cache=CacheCopy(part="redis", key="order:{id}"))
NAMES = st.tuples(st.sampled_from([0, 1, 2**31 - 1]), st.integers(0, 1), st.sampled_from([0, 1, 2, 2**40]))
ROWS = st.lists(st.tuples(NAMES, st.booleans()), max_size=12)


def columns(rows):
    return truth_rows([name for name, _ in rows], torn=[place for place, (_, good) in enumerate(rows) if not good])


def judged(stored, copies, declared=DECLARED):
    record = replace(honest(ledger=declared, truth=columns(stored)).record(), cached=columns(copies))
    case = honest(ledger=declared).case()
    return check_cache(replace(case, record=record))


def oracle(stored, copies):
    """(equal, divergent, not compared), told one copy at a time."""
    held = {}
    for name, good in stored:
        held[name] = held.get(name, True) and good
    equal = sum(held.get(name) is True and good for name, good in copies)
    untold = sum(held.get(name) is False and not good for name, good in copies)
    return equal, len(copies) - equal - untold, untold


@given(stored=ROWS, copies=ROWS)
def test_every_copy_is_told_as_by_hand(stored, copies):
    """Equal, divergent or not to be compared, whatever is stored and copied, twice or damaged."""
    part = judged(stored, copies)
    equal, divergent, untold = oracle(stored, copies)
    found = part.data["cache"]
    assert (found["equal"], found["divergent"], found["not_compared"]) == (equal, divergent, untold)
    assert found["copies"] == len(copies)
    wanted = Answer.FAIL if divergent else Answer.PASS if equal else Answer.UNKNOWN
    assert part.answer is wanted
    assert len([line for line in part.evidence if str(line).startswith("cache-divergent")]) == divergent


def test_at_most_so_many_are_named():
    """Evidence stays readable; the count is exact."""
    part = judged([], [((0, 0, seq), True) for seq in range(100)])
    assert part.data["cache"]["not_in_store"] == 100
    assert len(part.evidence) == 33


def test_fewer_than_needed_is_unknown():
    """A handful of copies proves what it proves, and no more than is asked for."""
    many = replace(DECLARED, cache=replace(DECLARED.cache, min_compared=3))
    rows = [((0, 0, seq), True) for seq in range(3)]
    assert judged(rows, rows, many).answer is Answer.PASS
    assert judged(rows, rows[:2], many).answer is Answer.UNKNOWN
