"""Patterns cannot take long, and how often a rule fires is what was asked."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience import patterns
from resilience.wire import rules
from resilience.wire.body import BodyError

PIECE = st.sampled_from(
    [
        "a",
        "b",
        ".",
        "a*",
        "b+",
        ".*",
        "(a|b)",
        "(a|ab)",
        "(ab|a.)",
        "(ab)?",
        "[ab]{2,5}",
        "^",
        "$",
        "\\s",
        "a{3}",
        "(a.b)",
    ]
)


@settings(max_examples=60)
@given(st.lists(PIECE, max_size=12).map("".join))
def test_what_is_taken_is_quick(text):
    """Whatever the pattern, and Python's engine says the same: on the worst text of full length it ends at once."""
    pattern = patterns.read(text)
    began = time.process_time()
    if pattern is not None:
        pattern.search("ab" * (rules.LONGEST_TEXT // 2))
        pattern.search("a" * rules.LONGEST_TEXT)
        for some in ("", "ab", "aab\n", "bbaaab ab", "A b\nA"):
            own = re.search(text, some, re.IGNORECASE | re.DOTALL)
            assert (pattern.search(some) is None) == (own is None) or "$" in text  # ours has no end before a line's end
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "text",
    [
        r"(a)\1",
        "(?=a)b",
        "((a{50}){50}){50}",
        "(",
        "x" * 201,
    ],
)
def test_what_could_take_long_is_refused(text):
    """The message says what is wrong."""
    with pytest.raises(ValueError, match=r"pattern .*RE2|too long"):
        patterns.read(text)


def test_ordinary_patterns_are_taken():
    """What people write: prefixes, alternatives, words in order, whatever the case."""
    for text in ("^order:", "insert|update", "into orders", "^(insert|update).*orders", "select .* for update"):
        assert patterns.read(text) is not None
    assert patterns.read("into ORDERS").search("INSERT\nINTO orders") is not None
    assert patterns.read("^into orders").search("INSERT\nINTO orders") is None
    assert patterns.read("insert.*into orders").search("INSERT\nINTO orders") is not None
    assert patterns.read("") is None


def rule(**attributes):
    told = {**rules.DEFAULTS["redis"], "action": "delay", **attributes}
    return rules.make("redis", "redis", told)


@given(st.integers(0, 100), st.integers(1, 7), st.integers(0, 5), st.integers(0, 1000), st.integers(0, 60))
def test_counts_are_exact(percent, every, at_most, seed, count):
    """Hits never exceed `at_most`, never come but each `every`-th time, and what is counted is what fired."""
    one = rule(percent=float(percent), every=every, at_most=at_most, seed=seed)
    fired = [one.fires(canary=False) for _ in range(count)]
    assert (one.matched, one.hits) == (count, sum(fired))
    assert not at_most or one.hits <= at_most
    assert all((number + 1) % every == 0 for number, hit in enumerate(fired) if hit)
    if percent == 100 and not at_most:
        assert sum(fired) == count // every


def test_a_change_goes_on_counting():
    """Other attributes, the same account."""
    before = rule(at_most=2)
    for _ in range(3):
        before.fires(canary=False)
    after = rules.make("redis", "redis", {**rules.DEFAULTS["redis"], "action": "delay", "at_most": 3}, before=before)
    assert [after.fires(canary=False) for _ in range(2)] == [True, False]


def test_another_protocol_is_refused():
    """A rule for PostgreSQL means nothing on a proxy that speaks Redis."""
    with pytest.raises(BodyError, match="needs a proxy with protocol"):
        rules.make("postgres", "redis", {**rules.DEFAULTS["postgres"], "action": "delay"})
