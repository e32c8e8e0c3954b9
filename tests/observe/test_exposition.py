"""Prometheus' text format: samples, types, selecting."""

import pytest

from resilience.observe.exposition import Sample, is_counter, matches, samples_of, selector

TEXT = """# HELP shop_cache_total Uses
# TYPE shop_cache_total counter
shop_cache_total{result="hit",of="a\\"b"} 40
shop_cache_total{result="miss"} 2 1700000000000
# a remark
shop_up 1
broken line here with words
"""


def test_samples_and_types_are_read():
    """Labels with escapes, timestamps, lines that are nothing."""
    assert list(samples_of(TEXT)) == [
        Sample("shop_cache_total", {}, "", "counter"),
        Sample("shop_cache_total", {"result": "hit", "of": 'a\\"b'}, "40"),
        Sample("shop_cache_total", {"result": "miss"}, "2"),
        Sample("shop_up", {}, "1"),
    ]


def test_a_selector_takes_samples_that_have_its_labels_among_theirs():
    """Without labels it takes all of the name."""
    samples = [sample for sample in samples_of(TEXT) if not sample.kind]
    assert [matches(sample, selector('shop_cache_total{result="miss"}')) for sample in samples] == [False, True, False]
    assert [matches(sample, selector("shop_cache_total")) for sample in samples] == [True, True, False]
    with pytest.raises(ValueError, match="is no metric"):
        selector("9 lives")


@pytest.mark.parametrize(
    ("name", "kinds", "expected"),
    [
        ("a_total", {"a_total": "counter"}, True),
        ("a_total", {"a": "counter"}, True),
        ("a", {"a": "gauge"}, False),
        ("a_total", {"a_total": "gauge"}, False),
        ("a_seconds_count", {"a_seconds": "histogram"}, True),
        ("a_seconds_sum", {"a_seconds": "summary"}, True),
        ("a_seconds", {"a_seconds": "summary"}, False),
        ("a_total", {}, True),
        ("a", {}, False),
    ],
)
def test_counters_are_told_by_their_type_else_by_their_name(name, kinds, expected):
    """A histogram's count and sum grow; a quantile does not."""
    assert is_counter(name, kinds) is expected


def test_a_value_that_is_no_number_is_an_error_only_when_it_is_asked_for():
    """Somebody else's broken metric takes ours away from nobody."""
    (sample,) = samples_of("a many")
    with pytest.raises(ValueError, match="many"):
        _ = sample.value
