"""How a compared figure is told."""

import json

from resilience.judge.regression.rows import Row
from resilience.model import Change


def test_words():
    """Times and rates as shares of the one before, shares in points, outages in seconds."""
    time = Row("baseline", "read", "p95_ms", Change.WORSE, 10.0, 12.5, 0.25, 0.1, 0.4)
    assert time.words() == "p95 of read in baseline 10 ms → 12.5 ms (+25 %, +10 % to +40 %)"
    share = Row("fault(x)", "read", "error_rate", Change.WORSE, 0.01, 0.05, 0.04, 0.03, 0.05, because="so much")
    assert share.words() == "error rate of read in fault(x) 1 % → 5 % (+4 pt, +3 pt to +5 pt); so much"
    outage = Row("", "redis-down", "outage_s", Change.WORSE, 12.0, 31.0, 19.0, 9.0, 29.0)
    assert outage.words() == "outage of redis-down 12 s → 31 s (+19 s, +9 s to +29 s)"
    rate = Row("baseline", "read", "ok_per_s", Change.SAME, 100.0, 99.0, -0.01, -0.05, 0.05)
    assert rate.words().startswith("throughput of read in baseline 100/s → 99/s (-1 %")


def test_a_figure_that_lacks():
    """What was not measured has a reason instead of figures."""
    row = Row("baseline", "read", "p50_ms", Change.UNKNOWN, because="too little was measured")
    assert row.words() == "p50 of read in baseline: too little was measured"
    assert row.interval == row.figure(None) == "–"


def test_as_json():
    """Every field, the answer in words."""
    document = Row("baseline", "read", "p50_ms", Change.SAME, 1.0, 1.0, 0.0, -0.1, 0.1).json()
    assert json.loads(json.dumps(document))["answer"] == "same"
    assert document["low"] == -0.1
