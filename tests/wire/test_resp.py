"""The end of every value is found, whatever the pieces in which it comes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.wire.mind import Lost
from resilience.wire.resp import Scanner
from tests.wire.stores import command

SIMPLE = st.one_of(
    st.sampled_from([b"+OK\r\n", b"-ERR no\r\n", b":12\r\n", b"$-1\r\n", b"*-1\r\n", b"_\r\n", b"#t\r\n", b",1.5\r\n"]),
    st.binary(max_size=60).map(lambda data: b"$%d\r\n%b\r\n" % (len(data), data)),
    st.binary(max_size=20).map(lambda data: b"!%d\r\n%b\r\n" % (len(data), data)),
)


def compound(inner):
    many = st.lists(inner, max_size=4)
    return st.one_of(
        many.map(lambda parts: b"*%d\r\n" % len(parts) + b"".join(parts)),
        many.map(lambda parts: b"~%d\r\n" % len(parts) + b"".join(parts)),
        many.map(lambda parts: b"%%%d\r\n" % len(parts) + b"".join(part + part for part in parts)),
        st.tuples(inner, inner, inner).map(lambda parts: b"|1\r\n" + b"".join(parts)),
    )


VALUE = st.recursive(SIMPLE, compound, max_leaves=12)


def pieces(data, cuts):
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[one:other] for one, other in pairwise(places)]


def frames(scanner, parts):
    found, now = [], b""
    for part in parts:
        for piece, ends in scanner.feed(part):
            now += piece
            if ends:
                found.append(now)
                now = b""
    return found, now


@given(st.lists(VALUE, max_size=6), st.lists(st.integers(0, 10_000), max_size=12))
def test_values_end_where_they_end(values, cuts):
    """The values are found one by one, and nothing is left over."""
    assert frames(Scanner(), pieces(b"".join(values), cuts)) == (values, b"")


@given(st.lists(st.lists(st.binary(max_size=30), min_size=1, max_size=5), max_size=5), st.lists(st.integers(0, 10_000)))
def test_commands_are_read_word_by_word(commands, cuts):
    """The words of each command are as they were said."""
    scanner, found = Scanner(requests=True), []
    for part in pieces(b"".join(command(*words) for words in commands), cuts):
        for _, ends in scanner.feed(part):
            if ends:
                found.append(list(scanner.words))
                scanner.forget()
    assert found == commands


@pytest.mark.parametrize("data", [b"$x\r\n", b"?\r\n", b"*1\r\n?\r\n", b"$?\r\n", b"+" + b"x" * 100_000])
def test_what_is_no_resp_is_said(data):
    """It is not guessed at."""
    with pytest.raises(Lost):
        list(Scanner().feed(data))
