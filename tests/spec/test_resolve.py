"""The seed decides which of several parts is meant, and always the same one. Requirement E4."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from resilience.model import BeginFault, FaultGroup, FaultSpec
from resilience.spec.parse import parse
from resilience.spec.resolve import draw, resolve
from tests.spec.changing import CONTENT

COPIES = ("service-1", "service-2", "service-3")
FAULT = FaultSpec(name="stop", kind="process.kill", on="", duration_s=1.0, among=COPIES)
EXPERIMENT = parse(CONTENT, "x.yaml", "/x")


def experiment(*steps):
    return replace(EXPERIMENT, steps=steps)


@given(st.integers(0, 2**64), st.text(max_size=20), st.lists(st.text(max_size=5), min_size=1, unique=True))
def test_the_same_seed_is_the_same_choice(seed, name, among):
    """And it is one of those there are."""
    chosen = draw(tuple(among), seed, name)
    assert chosen in among
    assert chosen == draw(tuple(among), seed, name)


def test_every_part_has_its_turn():
    """Over many seeds each of three is drawn about a third of the time; over the cycles of one seed each is, too."""
    drawn = Counter(draw(COPIES, seed, "stop") for seed in range(3000))
    assert all(900 < drawn[copy] < 1100 for copy in COPIES)
    assert len({draw(COPIES, 1, f"stop-{cycle}") for cycle in range(20)}) == 3


@given(st.integers(0, 2**32))
def test_what_is_drawn_stays_and_what_is_named_is_not_touched(seed):
    """In every kind of step; candidates are kept, and drawing again under the same seed changes nothing."""
    named = FaultSpec(name="named", kind="process.kill", on="redis", duration_s=1.0)
    group = FaultGroup(name="both", faults=(FAULT, named), duration_s=1.0)
    made = resolve(experiment(FAULT, group, BeginFault(FAULT), named), seed)
    held, together, begun, same = made.steps
    assert held.on in COPIES
    assert held.among == COPIES
    assert held.on == together.faults[0].on == begun.begun.on, "one name, one choice"
    assert (together.faults[1], same) == (named, named)
    assert resolve(made, seed) == made
