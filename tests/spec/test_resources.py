"""Limits of resources as they are written."""

import pytest

from resilience.errors import SpecError
from resilience.model import Comparison, PhaseName
from resilience.spec.resources import parse_limit


def test_what_a_limit_says():
    """Aggregate, comparison, number, share, phase."""
    one = parse_limit("p(95)<=80% @ fault(redis-down)", "redis.clients", "redis")
    assert (one.aggregate, one.quantile, one.comparison, one.share) == ("p", 95.0, Comparison.LE, True)
    assert (one.limit, one.phase, one.fault, one.of) == (0.8, PhaseName.FAULT, "redis-down", "redis")
    other = parse_limit("avg > 3", "a")
    assert (other.limit, other.share, other.phase) == (3.0, False, PhaseName.BASELINE)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("use<80%", "'use' is nothing that is told of a resource"),
        ("mean<80%", "expected one of avg"),
        ("p<80%", r"write p\(95\)"),
        ("avg(3)<80%", "takes nothing in parentheses"),
        ("max<lots", "not a plain number"),
        ("max>=0", "always holds"),
        ("max<0%", "never holds"),
        ("max<80% over 5s", "whole phase"),
        ("max<80% @ falt", "is not a phase"),
        ("80%", "is no limit of a resource"),
    ],
)
def test_what_is_wrong_is_told(text, why):
    """With what to write instead."""
    with pytest.raises(SpecError, match=why):
        parse_limit(text, "a")
