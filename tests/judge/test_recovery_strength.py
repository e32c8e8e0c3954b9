"""Failures that never end, weaker and weaker: a recovery that is passed says what share it could not have seen."""

import re

import pytest

from resilience.judge.recovery import check_recovery
from resilience.model import Answer
from tests.judge.simulator import World

SEEDS = range(4)
SAYS = re.compile(r"failures of ([\d.]+)% or more that remain for ever would be found")


def judged(share, seed):
    """At 100 operations a second, watched for eight seconds after the fault: what a short experiment has."""
    world = World(seed=seed, rate=100.0, length_s=None, share=share, watched_s=13.0 - 20.0)
    return check_recovery(world.scene().case())


def claimed(part):
    """The share of failures that a part says it would have found."""
    (share,) = {float(found[1]) / 100 for line in part.evidence if (found := SAYS.match(str(line).partition(": ")[2]))}
    return share


@pytest.mark.parametrize("share", [0.2, 0.1, 0.05])
def test_what_is_strong_enough_is_never_passed(share):
    """One operation of twenty or more, for ever: fail, or unknown where it may be luck (Requirement J4)."""
    assert Answer.PASS not in {judged(share, seed).answer for seed in SEEDS}


@pytest.mark.parametrize("share", [0.02, 0.01, 0.005])
def test_what_is_passed_was_said_to_be_too_little_to_be_seen(share):
    """A planted share below what can be seen may be passed, but not by a verdict that claims to have seen as much."""
    parts = [judged(share, seed) for seed in SEEDS]
    assert all(claimed(part) > share for part in parts if part.answer is Answer.PASS)
    if share < 0.01:
        assert {part.answer for part in parts} == {Answer.PASS}
