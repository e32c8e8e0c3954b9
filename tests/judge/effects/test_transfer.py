"""Transfers against the definition, written down as plainly as it can be."""

from hypothesis import given
from hypothesis import strategies as st

from tests.judge.builder import K, U, truth_rows
from tests.judge.effects.made import OBJECTS, READ_NS, Write, account, judged, ledgers

BANK = account("transfer")
FIRST = 100


def held(balances):
    """A store that holds a balance for each object that is named."""
    return truth_rows([(0, 0, number) for number in balances], positions=list(balances.values()), read_ns=READ_NS)


def played(happened):
    """Balances after those that happened, of whoever took part."""
    balances = {}
    for write in happened:
        for number, amount in ((write.object, -write.value), (write.other, write.value)):
            balances[number] = balances.get(number, FIRST) + amount
    return balances


def oracle(writes, balances):
    """Bounds for each object, and the total."""
    counts = {"under_applied": 0, "over_applied": 0, "lost": 0, "verified": 0}
    for number in range(OBJECTS):
        into = [w for w in writes if w.other == number]
        out = [w for w in writes if w.object == number]
        base = FIRST + sum(w.value for w in into if w.sure) - sum(w.value for w in out if w.sure)
        low, high = base - sum(w.value for w in out if w.unsure), base + sum(w.value for w in into if w.unsure)
        value = balances.get(number, FIRST)
        lost = number not in balances and any(w.sure for w in into + out)
        counts["under_applied"] += value < low
        counts["over_applied"] += value > high
        counts["lost"] += lost
        counts["verified"] += low <= value <= high and not lost and any(w.sure or w.unsure for w in into + out)
    total = sum(balances.get(number, FIRST) for number in range(OBJECTS)) - FIRST * OBJECTS
    return counts | {"total_off": total, "phantom": 0, "duplicated": 0}


@given(ledgers(), st.dictionaries(st.integers(0, OBJECTS - 1), st.integers(80, 120)))
def test_every_balance_and_the_total_are_compared(writes, balances):
    """Requirement J4: whatever was transferred and whatever is there."""
    assert judged(BANK, writes, held(balances)).counts == oracle(writes, balances)


@given(ledgers(), st.randoms(use_true_random=False))
def test_an_honest_bank_passes_whatever_became_of_the_uncertain(writes, random):
    """All that was acknowledged happened, and any of what is unsure: no promise is broken."""
    happened = [w for w in writes if w.sure or (w.unsure and random.random() < 0.5)]
    assert judged(BANK, writes, held(played(happened))).broken == ()


@given(ledgers())
def test_half_a_transfer_is_money_made(writes):
    """The receiver has it, the giver still does: the total says so, even where the transfer is unsure."""
    happened = [w for w in writes if w.sure]
    for mark in (K, U):
        half = Write((7, 0, 0), mark, 1, 2, 3, 0, 1)
        balances = played([*happened, half])
        balances[0] = balances.get(0, FIRST) + 3
        found = judged(BANK, [*writes, half], held(balances))
        assert found.counts["total_off"] == 3
        assert found.broken[0] == "the total is off by +3"


def test_a_balance_that_is_gone_is_lost():
    """Of an object that took part in an acknowledged transfer there must be a row, and one."""
    writes = [Write((0, 0, 0), K, 1, 2, 5, 0, 1), Write((0, 0, 1), K, 3, 4, 5, 1, 0)]
    found = judged(BANK, writes, held({0: FIRST}))
    assert found.counts["lost"] == 1
    assert "1 balance is lost" in found.broken
