"""Messages of PostgreSQL end where they end, whatever the pieces in which they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.wire.frames import KEPT, Frames
from resilience.wire.mind import Lost
from tests.wire.test_resp import pieces

MESSAGE = st.tuples(
    st.sampled_from(b"QPBDESXZCTRK").map(lambda code: bytes([code])),
    st.one_of(st.binary(max_size=80), st.integers(KEPT - 3, 3 * KEPT).map(bytes)),
)


def encoded(kind, body):
    return kind + (len(body) + 4).to_bytes(4) + body


@given(st.lists(MESSAGE, max_size=8), st.lists(st.integers(0, 10**6), max_size=12))
def test_messages_end_where_they_end(messages, cuts):
    """Kind and body of each are found, long ones in pieces, the first with enough to judge it; nothing is left over."""
    frames, found, now = Frames(typed=True), [], b""
    for part in pieces(b"".join(encoded(*message) for message in messages), cuts):
        for frame in frames.feed(part):
            assert frame.first is (now == b"")
            if frame.first:
                assert frame.last or len(frame.body) >= KEPT
            now += frame.raw
            if frame.last:
                found.append((frame.kind, now[5:]))
                now = b""
    assert found == messages
    assert (now, frames.rest()) == (b"", b"")


@pytest.mark.parametrize("data", [b"Q\x00\x00\x00\x03x", b"Q\xff\xff\xff\xffx"])
def test_a_length_that_cannot_be_is_said(data):
    """It is not guessed at, and what came is not lost."""
    frames = Frames(typed=True)
    with pytest.raises(Lost):
        list(frames.feed(data))
    assert frames.rest() == data


def test_tls_without_asking_is_not_waited_for():
    """A ClientHello where a start is expected is no message of this protocol."""
    with pytest.raises(Lost):
        list(Frames(typed=False).feed(bytes.fromhex("16030100f1010000ed0303")))
