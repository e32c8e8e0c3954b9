"""From bytes to answers: what is known from before says what the parser would say, however the bytes are cut."""

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from resilience.load import answers
from resilience.load.answers import KNOWN_HEADS, Answer, NoAnswerError, known

HEADS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nDate: today\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n",
    b"HTTP/1.1 503 Later\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 204 Nothing\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 103 Hints\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 05\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 9\n\n",
    b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    b"nonsense\r\n\r\n",
)
BODIES = (b"", b"01234", b"0123", b"012345", b"5\r\n01234\r\n0\r\n\r\n", b"\r\n\r\n5", b"\r\n\r\n\xff")
ANSWERS = st.one_of(
    st.builds(lambda *parts: b"".join(parts), st.sampled_from(HEADS), st.sampled_from(BODIES)),
    st.builds(
        lambda first, second, body: first + second + body,
        st.sampled_from(HEADS),
        st.sampled_from(HEADS),
        st.sampled_from(BODIES),
    ),
    st.binary(max_size=60),
)


def parsed(pieces: list[bytes]) -> object:
    """What the parser alone makes of what was received, and of the end of the stream after it."""
    answer = Answer(no_body=False)
    try:
        if any(answer.feed(piece) for piece in pieces) or answer.feed(b""):
            return answer.reply()
    except NoAnswerError as error:
        return str(error)
    return None


def received(pieces: list[bytes]) -> object:
    """What the client makes of it: what is known is not parsed."""
    return known(pieces[0]) or parsed(pieces)


def cut(content: bytes, places: list[int]) -> list[bytes]:
    """The bytes in pieces, none of them empty."""
    ends = sorted({0, len(content), *(place % (len(content) + 1) for place in places)})
    return [content[begin:end] for begin, end in pairwise(ends)] or [content]


@given(st.lists(st.tuples(ANSWERS, st.lists(st.integers(0, 300), max_size=3)), min_size=1, max_size=12))
@example([(HEADS[0] + b"01234", []), (HEADS[0] + b"56789", []), (HEADS[0] + b"567890", [])])
@example([(HEADS[6] + HEADS[0] + b"01234", []), (HEADS[6] + HEADS[0] + b"56789", [])])
@example([(HEADS[4] + b"01234", []), (HEADS[4] + b"01234", [])])
@example([(HEADS[9] + BODIES[4], []), (HEADS[9] + b"01234", [])])
def test_what_is_known_is_what_the_parser_says(stream):
    """Whatever came before, and wherever the bytes are cut, both ways give the same answer or the same reason."""
    answers._heads.clear()
    for content, places in stream:
        pieces = cut(content, places)
        if not pieces[0]:
            continue
        found = received(pieces)
        before = dict(answers._heads)
        answers._heads.clear()
        assert found == parsed(pieces)
        answers._heads.clear()
        answers._heads.update(before)


def test_the_second_answer_with_a_head_is_not_parsed():
    """The common answer becomes known; another body of the same length under the same head is told apart from it."""
    answers._heads.clear()
    assert known(HEADS[0] + b"01234") is None
    first = parsed([HEADS[0] + b"01234"])
    assert known(HEADS[0] + b"01234") == first
    reply, keep = known(HEADS[0] + b"56789")
    assert (reply.status, reply.body, keep) == (200, b"56789", True)
    assert known(HEADS[0] + b"5678") is None  # not yet whole
    assert known(HEADS[0] + b"567890") is None  # more than it announced


def test_an_answer_to_head_makes_nothing_known():
    """The answer to HEAD has no body whatever it announces; nothing may be learned from it."""
    answers._heads.clear()
    answer = Answer(no_body=True)
    assert answer.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert answers._heads == {}


def test_what_is_known_is_bounded():
    """Heads that are different every time are not kept for ever."""
    answers._heads.clear()
    for number in range(3 * KNOWN_HEADS):
        parsed([b"HTTP/1.1 200 OK\r\nX: %d\r\nContent-Length: 0\r\n\r\n" % number])
        assert len(answers._heads) <= KNOWN_HEADS
    assert len(answers._heads) > 0
