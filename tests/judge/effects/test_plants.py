"""The canary of accounts finds a checker that is dead, and the laws that every effect obeys."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.judge.effects import EFFECTS
from resilience.judge.effects.append import PLACES
from resilience.judge.effects.findings import Findings
from resilience.judge.effects.plants import canary, plants
from resilience.judge.effects.sent import sent
from resilience.model import Effect
from tests.judge.builder import K, truth_rows
from tests.judge.effects.made import OBJECTS, READ_NS, Write, account, judged, ledgers, lines_of, versioned


def honest(effect, writes):
    """What a store holds that did everything acknowledged, one after the other, and nothing else."""
    done = sorted((w for w in writes if w.sure), key=lambda w: abs(w.value) if effect is Effect.DOCUMENT else w.begun)
    if effect is Effect.DOCUMENT:
        last = {w.object: w for w in done}
        rows = [(w.name, number) for number, w in last.items() if w.value > 0]
    elif effect in {Effect.COUNTER, Effect.TRANSFER}:
        values = {}
        for w in done:
            first = 100 if effect is Effect.TRANSFER else 0
            sign = -1 if effect is Effect.TRANSFER else 1
            values[w.object] = values.get(w.object, first) + sign * w.value
            if effect is Effect.TRANSFER:
                values[w.other] = values.get(w.other, first) + w.value
        rows = [((0, 0, number), value) for number, value in values.items()]
    elif effect is Effect.APPEND:
        rows = [(w.name, w.object * PLACES + place) for place, w in enumerate(done)]
    else:
        rows = [(w.name, place) for place, w in enumerate(done)]
    return truth_rows([name for name, _ in rows], positions=[place for _, place in rows], read_ns=READ_NS)


@st.composite
def runs(draw):
    """An effect, writes to it, and an honest store."""
    effect = draw(st.sampled_from(list(Effect)))
    writes = draw(ledgers(most=12))
    writes = versioned(writes) if effect is Effect.DOCUMENT else writes
    return effect, writes, honest(effect, writes)


@given(runs())
def test_an_honest_store_passes_and_every_plant_in_it_is_found(run):
    """Requirement J4: no false alarm, and whatever is planted adds one to its class."""
    effect, writes, truth = run
    one = account(effect)
    found = judged(one, writes, truth)
    assert found.broken == ()
    told = sent(lines_of(writes), READ_NS, objects=OBJECTS)
    amiss = canary(EFFECTS[effect], told, truth, one, found)
    assert amiss == ("" if len(found.right) else "nothing was verified, so that no error could be planted")


@given(runs())
def test_a_checker_that_finds_nothing_is_found(run):
    """A dead check, as in Jepsen's set-full from 2019 on, does not get by."""
    effect, writes, truth = run
    one = account(effect)
    found = judged(one, writes, truth)
    told = sent(lines_of(writes), READ_NS, objects=OBJECTS)

    def dead(*_: object) -> Findings:
        return found

    assert canary(dead, told, truth, one, found) != ""


@pytest.mark.parametrize("effect", list(Effect))
def test_every_effect_has_plants(effect):
    """Of a run with everything in it, at least a lost or too small, a doubled and a foreign one are planted."""
    writes = [Write((0, 0, n), K, 2 * n, 2 * n + 1, 1 + n // 2, n % 2, (n + 1) % 2) for n in range(6)]
    truth = honest(effect, writes)
    told = sent(lines_of(writes), READ_NS, objects=OBJECTS)
    names = {name for name, _ in plants(told, truth, account(effect), judged(account(effect), writes, truth).right)}
    assert {"phantom", "duplicated"} < names
    assert names & {"lost", "under_applied"}
    assert effect is not Effect.DOCUMENT or "lost_updates" in names


@given(runs(), st.randoms(use_true_random=False))
def test_the_order_of_lines_and_the_numbers_of_writers_say_nothing(run, random):
    """Splitting files, permuting writers: the same counts."""
    effect, writes, truth = run
    before = judged(account(effect), writes, truth).counts
    swap = {0: 2, 1: 0, 2: 1}
    moved = [replace(w, name=(swap[w.name[0]], *w.name[1:])) for w in writes]
    random.shuffle(moved)
    there = truth
    if effect not in {Effect.COUNTER, Effect.TRANSFER}:
        there = replace(truth, writer=np.asarray([swap[int(one)] for one in truth.writer], dtype=np.int32))
    assert judged(account(effect), moved, there).counts == before
