"""Charts: values as they are, in the picture and in the table beneath it."""

import numpy as np
import pytest

from resilience.report.charts import Chart, Line, as_json, binned, figure, shown

EVIL = "<img src=x onerror=alert(1)>\x1b\u202e\"'"


def test_binned_means_and_holes():
    """Each bin has the mean of its values; a bin without one is a hole, and so is a value that is no number."""
    at_s = np.array([0.5, 1.5, 2.5, 9.5])
    middles, means = binned(at_s, np.array([1.0, 3.0, np.nan, 5.0]), 10.0, most=5)
    assert middles == [1.25, 3.75, 6.25, 8.75]  # as many bins as values, at most
    assert means == [2.0, None, None, 5.0]
    assert binned(np.array([]), np.array([]), 10.0) == ([5.0], [None])


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "ms", "–"),
        (12.34, "ms", "12.3 ms"),
        (1536.0, "bytes", "1.5 KiB"),
        (3 * 1024.0**3, "bytes_per_s", "3 GiB/s"),
        (5 * 1024.0**4, "bytes", "5 TiB"),
        (0.125, "ratio", "12.5 %"),
        (1.5, "cores", "1.5"),
        (249.87, "per_s", "249.9/s"),
        (1234.0, "count", "1,234"),
        (0.25, "count", "0.2"),
    ],
)
def test_figures_for_reading(value, unit, text):
    """Each unit as people write it; what is not known is a dash."""
    assert shown(value, unit) == text


def test_hostile_texts_of_a_chart():
    """Titles, notes, labels and names are only text; none of them can leave its place."""
    chart = Chart(EVIL, EVIL, "count", [0.0], (Line(EVIL, [1.0]),), note=EVIL)
    markup = str(figure(chart))
    assert "<img" not in markup
    assert "\x1b" not in markup
    assert "\u202e" not in markup
    assert 'onerror=alert(1)>"' not in markup


def test_values_reach_the_script_as_they_are():
    """Four digits, no NaN, holes stay holes; limit and gaps are carried."""
    chart = Chart("x", "X", "bytes", [0.0, 1.0, 2.0], (Line("l", [1.23456, None, float("nan")]),), 5.0, [(0.0, 1.0)])
    made = as_json(chart)
    assert made["lines"][0]["values"] == [1.235, None, None]
    assert (made["limit"], made["gaps"]) == (5.0, [[0.0, 1.0]])
    assert "<td>–</td>" in str(figure(chart))
