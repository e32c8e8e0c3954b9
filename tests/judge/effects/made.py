"""Histories of accounts: sound ledgers of a few writers, drawn, and stores that may hold anything."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from resilience.columns import EffectLines, Mark
from resilience.judge.effects import EFFECTS
from resilience.judge.effects.sent import sent
from resilience.model import Account, Effect, Truth
from tests.judge.builder import A, K, R, U, ledger_lines

READ_NS = 10_000
OBJECTS = 3
AMOUNTS = st.integers(1, 5)


def account(effect, **more):
    """An account of three objects."""
    whole = {"objects": OBJECTS, "initial": 100, "min_acknowledged": 1} | more
    return Account(name="it", effect=Effect(effect), truth=Truth(query="SELECT 1", part="postgres"), **whole)


@dataclass(frozen=True)
class Write:
    """One write as drawn: who, what came of it, when, and what it was to do."""

    name: tuple
    mark: Mark | None
    begun: int
    settled: int
    value: int = 0
    object: int = 0
    other: int = 0

    @property
    def sure(self):
        """Acknowledged before the truth was read."""
        return self.mark is K and self.settled <= READ_NS

    @property
    def unsure(self):
        """May have happened."""
        return self.mark in {U, None} or (self.mark is K and self.settled > READ_NS)


def lines_of(writes):
    """The ledger of some writes."""
    rows = []
    for write in writes:
        change = (write.value, write.object, write.other)
        rows.append((*write.name, A, write.begun, *change))
        if write.mark is not None:
            rows.append((*write.name, write.mark, write.settled, *change))
    plain = ledger_lines([row[:5] for row in rows])
    value, number, other = np.asarray([row[5:] for row in rows], dtype=np.int64).reshape(-1, 3).T
    columns = {name: getattr(plain, name) for name in ("writer", "epoch", "seq", "mark", "status", "at_ns")}
    return EffectLines(**columns, value=value, object=number, other=other)


@st.composite
def ledgers(draw, values=AMOUNTS, marks=(K, K, K, R, U, None), most=8):
    """Writers that send one at a time, all mixed in time, each write to an object."""
    writes, clock = [], 0
    names = {}
    versions = dict.fromkeys(range(OBJECTS), 0)
    busy = {}
    for writer, mark in draw(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(marks)), max_size=most)):
        epoch, seq = names.get(writer, (0, 0))
        clock = max(clock + 1, 1)
        begun = max(clock, busy.get(writer, 0) + 1)
        settled = begun + draw(st.sampled_from([1, 1, 3, 9, 2 * READ_NS]))
        number = draw(st.integers(0, OBJECTS - 1))
        other = (number + draw(st.integers(1, OBJECTS - 1))) % OBJECTS
        versions[number] += 1
        value = draw(values)
        writes.append(Write((writer, epoch, seq), mark, begun, settled, value, number, other))
        busy[writer] = settled
        names[writer] = (epoch, seq + 1) if mark in {K, R} else (epoch + 1, 0)
    return writes


def versioned(writes):
    """The same as documents: values are versions in the order of beginning, negative for removals (even values)."""
    counted = dict.fromkeys(range(OBJECTS), 0)
    found = []
    for write in sorted(writes, key=lambda one: one.begun):
        counted[write.object] += 1
        version = counted[write.object] * (-1 if write.value % 2 == 0 else 1)
        found.append(Write(write.name, write.mark, write.begun, write.settled, version, write.object, 0))
    return sorted(found, key=lambda one: one.name)


def judged(one, writes, truth):
    """What the judge of the account's effect finds."""
    told = sent(lines_of(writes), READ_NS, objects=one.objects)
    assert told.problems == ()
    return EFFECTS[one.effect](told, truth, one)
