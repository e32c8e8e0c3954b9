"""Server-sent events: whatever way the bytes come in, the events are the same. Requirement L8."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.load.sse import LINE_LIMIT, Events, TooLongError

TEXT = (
    b": hello\r\ndata: one\r\n\r\nevent: x\ndata: two\ndata:three\nid: 7\n\n\n"
    b'data\n\ndata: {"a": 1}\r\rdatabase: no\n\ndata: open'
)
DATA = ["one", "two\nthree", '{"a": 1}']


def of(pieces: list[bytes]) -> list[str]:
    events = Events()
    return [data for piece in pieces for data in events.feed(piece)]


def test_events_are_read_as_the_standard_says():
    """CR, LF and both end lines; comments and other fields mean nothing; the lines of one event are joined."""
    assert [data for data in of([TEXT]) if data] == DATA


@given(st.lists(st.integers(0, len(TEXT)), max_size=12))
def test_where_the_pieces_end_does_not_matter(cuts: list[int]):
    """Not even between a CR and its LF."""
    places = [0, *sorted(cuts), len(TEXT)]
    assert of([TEXT[begin:end] for begin, end in itertools.pairwise(places)]) == of([TEXT])


def test_an_event_is_there_once_its_empty_line_is():
    """What is not complete is no event."""
    events = Events()
    assert list(events.feed(b"data: one\n")) == []
    assert list(events.feed(b"\n")) == ["one"]


def test_a_line_without_an_end_is_refused():
    """Memory is bounded."""
    with pytest.raises(TooLongError):
        of([b"data: " + b"x" * LINE_LIMIT])
