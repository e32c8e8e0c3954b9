"""The time line in characters."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.live import strip
from resilience.live.state import State
from resilience.model import Event


def text_of(row):
    return "".join(text for text, _ in row)


def snapshot_at(experiment, plan, story, until):
    state = State(experiment, plan)
    for item in story(until):
        if isinstance(item, Event):
            state.on_event(item, item.at_s)
        else:
            state.on_slice(item, item.end_s)
    return state.snapshot(until)


@given(st.integers(1, 300), st.integers(1, 5000), st.data())
def test_no_second_is_lost_in_a_narrow_picture(width, length, data):
    """The highest p95 of the run is in the picture, at its place, however narrow the picture is."""
    peak = data.draw(st.integers(0, length - 1))
    cells = strip.cells({**dict.fromkeys(range(length), 1.0), peak: 900.0}, float(length), width)
    assert len(cells) == width
    where = cells.index(900.0)
    assert abs((where + 0.5) / width - (peak + 0.5) / length) <= 0.5 / width + 0.5 / length + 1e-9
    assert None not in cells


def test_second_without_answer_beats_every_latency():
    """Where several seconds share a cell, no answer at all is the worst of them."""
    assert strip.cells({0: 5.0, 1: None, 2: 7.0}, 3.0, 1) == [math.inf]


def test_faults_are_marked_beneath_the_latency(experiment, plan, story):
    """The fault phases have a character of their own, below the very cells whose latency they explain."""
    snapshot = snapshot_at(experiment, plan, story, 69.0)
    row = text_of(strip.phases(snapshot, 69.0, 69, strip.FINE))
    assert len(row) == 69
    assert [cell for cell, char in enumerate(row) if char == "▓"] == [*range(19, 27), *range(36, 44), 53]
    bars = text_of(strip.latency(strip.cells(snapshot.p95s, 69.0, 69), 1, strip.FINE)[0])
    assert bars[20] > bars[10]
    assert bars[40] > bars[20]


def test_planned_and_done_are_told_apart(experiment, plan, story):
    """What is done and what is still planned differ in character, not only in colour."""
    row = text_of(strip.phases(snapshot_at(experiment, plan, story, 30.0), 69.0, 69, strip.PLAIN))
    assert row == "=" * 19 + "F" * 8 + "=" * 3 + "-" * 6 + "f" * 8 + "-" * 9 + "f" + "-" * 15


@pytest.mark.parametrize("width", [1, 2, 9, 36, 76, 400])
def test_names_never_leave_the_row(experiment, plan, width):
    """The row of names fits any width."""
    snapshot = State(experiment, plan).snapshot(0.0)
    assert len(text_of(strip.names(snapshot, 69.0, width, {"redis-down": 1}))) <= width


def test_no_spread_is_a_flat_line():
    """One single value, or none, can be drawn."""
    assert text_of(strip.latency([3.0, 3.0], 1, strip.FINE)[0]) == "▁▁"
    assert text_of(strip.latency([None, math.inf], 2, strip.FINE)[1]) == " x"
