"""How evenly copies share a load, from drawn answers: Requirement J7."""

from dataclasses import replace

import numpy as np
import pytest

from resilience.judge.balance import check_balance, decide, shares
from resilience.judge.quantiles import NS
from resilience.model import Answer, PhaseName, Service, StackSpec
from resilience.model.serving import Balance
from tests.judge.builder import Scene, prepare

NAMES = ("service", "service-2", "service-3")


def drawn(weights, seed: int = 1, blocks: int = 40, each: int = 400, kept: float = 0.0):
    """Answers in blocks; with `kept`, weights of each block wander, as kept connections make them."""
    rng = np.random.default_rng(seed)
    p = np.asarray(weights, float) / np.sum(weights)
    return np.stack([rng.multinomial(each, rng.dirichlet(p / kept) if kept else p) for _ in range(blocks)])


def judged(weights, within: float = 0.1, **more) -> Answer:
    return decide(shares(drawn(weights, **more), NAMES, 3), 3, within)[0]


@pytest.mark.parametrize("kept", [0.0, 0.01])
def test_an_even_share_is_hardly_ever_told_to_be_uneven(kept: float):
    """Of 200 even balances, with and without kept connections, at most 4 fail; Bonferroni over three copies at 1 %."""
    answers = [judged([1, 1, 1], within=1e-6, kept=kept, seed=seed) for seed in range(200)]
    assert answers.count(Answer.FAIL) <= 4


@pytest.mark.parametrize("kept", [0.0, 0.001])
def test_an_even_share_passes_and_one_that_is_not_fails(kept: float):
    """16,000 answers: even passes within 10 %; a copy with a third more than its share is told."""
    assert judged([1, 1, 1], kept=kept) is Answer.PASS
    assert judged([4, 3, 3], kept=kept) is Answer.FAIL
    assert judged([1, 0.01, 1], kept=kept) is Answer.FAIL


def test_few_answers_tell_nothing_either_way():
    """A hundred answers of three copies: neither even nor uneven by 10 %."""
    assert judged([1, 1, 1], blocks=10, each=10) is Answer.UNKNOWN


def test_a_copy_that_never_answered_fails_and_one_too_many_is_unknown():
    """However even the others are."""
    two = shares(drawn([1, 1]), NAMES[:2], 3)
    assert decide(two, 3, 0.1)[0] is Answer.FAIL
    three = shares(drawn([1, 1, 1]), NAMES, 3)
    answer, why = decide(three, 2, 0.1)
    assert answer is Answer.UNKNOWN
    assert "3 copies answered where 2 were expected" in why


def test_dispersion_says_how_much_more_than_chance_shares_wander():
    """1 for independent draws; of kept connections more, and the intervals are wider by its root."""
    alone, kept = shares(drawn([1, 1, 1]), NAMES, 3), shares(drawn([1, 1, 1], kept=0.02), NAMES, 3)
    assert 0.7 < alone.dispersion < 1.4
    assert kept.dispersion > 4

    def width(found):
        return np.mean([high - low for _, low, high, _ in found.copies.values()])

    assert width(kept) / width(alone) == pytest.approx(np.sqrt(kept.dispersion / alone.dispersion), rel=0.3)


def case(weights, *, served: bool = True, copies: int = 3):
    """A quiet minute whose answers say which copy they are of."""
    scene = Scene(faults=(), end_s=64.0, rate=200.0)
    made = scene.record()
    rng = np.random.default_rng(5)
    p = np.asarray(weights, float) / np.sum(weights)
    column = rng.choice(len(p), len(made.samples), p=p).astype(np.int16) + 1
    some = replace(made.samples, served=column, copies=("", *NAMES)) if served else made.samples
    stack = StackSpec(service=Service(command=("x",), copies=copies))
    balance = Balance(phases=(PhaseName.BASELINE,))
    return prepare(replace(made, samples=some, experiment=replace(made.experiment, stack=stack, balance=balance)))


def test_the_copies_of_the_stack_are_judged_by_what_answers_said():
    """Requirement J7: shares with intervals, in the part and in its rows."""
    part = check_balance(case([1, 1, 1]))
    assert part.answer is Answer.PASS, part.because
    row = part.data["balance"][0]
    assert set(row["copies"]) == set(NAMES)
    assert sum(one["share"] for one in row["copies"].values()) == pytest.approx(1)
    assert sum(one["count"] for one in row["copies"].values()) == row["answers"]
    assert check_balance(case([2, 1, 1])).answer is Answer.FAIL
    assert check_balance(case([1, 1, 1], copies=4)).answer is Answer.FAIL


def test_answers_that_do_not_say_are_unknown():
    """A record without the column, and a phase that was never there."""
    assert check_balance(case([1, 1, 1], served=False)).answer is Answer.UNKNOWN
    there = case([1, 1, 1])
    elsewhere = replace(there.record.experiment, balance=Balance(phases=(PhaseName.AFTER,)))
    assert check_balance(prepare(replace(there.record, experiment=elsewhere))).answer is Answer.UNKNOWN


def test_an_answer_belongs_to_the_phase_in_which_it_came():
    """Not to that in which it was asked: what copies did is counted when they did it."""
    there = case([1, 1, 1])
    late = replace(there.record.samples, end_ns=there.record.samples.end_ns + 100 * NS)
    assert check_balance(prepare(replace(there.record, samples=late))).answer is Answer.UNKNOWN
