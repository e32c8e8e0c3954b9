"""A run touches only what its plan names, no more at once and no longer than allowed. Requirement F7."""

from contextlib import suppress
from dataclasses import replace

import pytest

from resilience.errors import FaultError
from resilience.model import FaultSpec
from resilience.runtime.radius import Radius

LATE = FaultSpec(name="late", kind="toxiproxy.latency", on="redis", duration_s=5.0)
PAUSED = FaultSpec(name="paused", kind="process.pause", on="redis", duration_s=5.0)


def radius(max_at_once: int = 1) -> Radius:
    """Redis and PostgreSQL, ten seconds."""
    return Radius(frozenset({"redis", "postgres"}), max_at_once=max_at_once, max_fault_s=10.0)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (replace(LATE, on="service"), "does not name 'service'"),
        (replace(LATE, on=""), "does not name ''"),
        (replace(LATE, duration_s=11.0), "longer than safety.max_fault"),
        (replace(LATE, duration_s=1.0, at_most_s=11.0), "longer than safety.max_fault"),
    ],
)
def test_refused(spec: FaultSpec, said: str):
    """Another part than those of the plan, or a longer lease, is refused and does not count as in place."""
    limits = radius()
    with pytest.raises(FaultError, match=said):
        limits.enter(spec)
    limits.enter(LATE)


def test_parts_at_once():
    """Parts are counted, not faults; what is gone counts no more."""
    limits, other = radius(), replace(LATE, name="other", on="postgres")
    limits.enter(LATE)
    limits.enter(replace(LATE, name="again"))
    with pytest.raises(FaultError, match=r"on 2 parts at once, safety\.max_at_once is 1"):
        limits.enter(other)
    limits.leave(LATE)
    with pytest.raises(FaultError, match="2 parts"):
        limits.enter(other)
    radius(2).enter(other)


def test_kinds_that_do_not_go_together():
    """A part that is paused gets no other fault that could then not be measured."""
    limits = radius()
    limits.enter(PAUSED)
    with pytest.raises(FaultError, match="while paused"):
        limits.enter(LATE)


def test_a_strike_counts_while_it_is_done():
    """And not afterwards, whatever it raises."""
    limits = radius()
    with limits.inside(PAUSED), pytest.raises(FaultError):
        limits.enter(LATE)
    with suppress(ValueError), limits.inside(PAUSED):
        raise ValueError("it failed")
    limits.enter(LATE)
