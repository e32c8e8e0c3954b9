"""How figures are set: in units that read well, never so that they say something else."""

import pytest

from resilience.report.performance.layout import code, figures, grid, loaded, ok_per_s, quantity
from tests.report.performance.scene import document, taken


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (None, "bytes", "–"),
        (512.0, "bytes", "512 B"),
        (3 * 2**20, "bytes_per_s", "3 MiB/s"),
        (0.125, "ratio", "12.5 %"),
        (0.25, "seconds", "0.25 s"),
        (5.0, "count", "5"),
        (5.5, "count", "5.5"),
        (12345.0, "count", "12,345"),
        (1.25, "cores", "1.25 cores"),
        (40.0, "per_s", "40 per s"),
    ],
)
def test_a_reading_has_its_unit(value, unit, shown):
    """What is not known is a dash."""
    assert quantity(value, unit) == shown


def test_the_loaded_phase_is_the_one_in_which_most_was_asked_for():
    """Per second, not in all; what was dropped counts, for it was asked for. A warm-up never is."""
    run = taken()
    assert loaded(run)["name"] == "after"
    phases = document()["phases"]
    long = {**phases[2], "end_s": 1012.0}
    assert loaded(taken(phases=[*phases[:2], long]))["name"] == "baseline"
    assert loaded(taken(phases=[])) == {}
    assert figures(taken(phases=[])) == []


def test_a_rate_is_of_what_was_ok_over_the_length_of_the_phase():
    """No length, or nothing counted: no rate."""
    phase = document()["phases"][2]
    assert ok_per_s(phase) == 45.0
    assert ok_per_s(phase, "list") == 32.5
    assert ok_per_s(phase, "nobody") is None
    assert ok_per_s({**phase, "end_s": phase["start_s"]}) is None


def test_a_text_of_others_stays_one_cell():
    """As code it cannot end the code, nor begin another cell."""
    assert code("a`b|c") == "`a'b\\|c`"
    assert grid(("one", "two"), [["1", "2"]]) == ["| one | two |", "|---|---|", "| 1 | 2 |"]
