"""The canary finds what it planted, and nothing else, also where entries are stored in no order."""

import random

import pytest

from resilience.judge.canary import run_canary
from resilience.judge.entries import index
from resilience.judge.taxonomy import classify
from tests.judge.builder import ledger_lines, steady_ledger, stored, truth_rows


@pytest.mark.parametrize("seed", range(40))
def test_entries_that_come_late_do_not_confuse_it(seed: int):
    """One that is stored behind later ones makes those out of order; with it gone they are not (Requirement J4)."""
    rows = steady_ledger(writers=4, each=60)
    kept = stored(rows)
    positions = list(range(len(kept)))
    drawn = random.Random(seed)  # noqa: S311 - nothing secret about it
    for _ in range(40):  # some come a little later than others of their writer
        place = drawn.randrange(len(kept) - 8)
        positions[place], positions[place + 8] = positions[place + 8], positions[place]
    lines, truth = ledger_lines(rows), truth_rows(kept, positions=positions)
    entries = index(lines)
    found = classify(entries, truth)
    assert len(found.members["out_of_order"]) > 0
    assert run_canary(lines, entries, truth, found) == ""
