"""Names and bodies of ledger entries."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.entry import body_of, format_id, parse_id, prefix_of, tails_of

RUN = "0badcafe"
NUMBERS = st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1), st.integers(0, 2**63 - 1))


def test_id_is_written_as_promised():
    """The form is part of what target and store see: it does not change between versions."""
    assert format_id(RUN, 2, 0, 17) == "0badcafe-002-000-000017"
    assert body_of("0badcafe-002-000-000017") == (
        "0badcafe-002-000-000017|75a2ee295d7b84384783515c56982fc4e4d5efcab1ab74a06f7e61ada825ce31|c51162a1e227f75e"
    )


@settings(deadline=None)
@given(numbers=NUMBERS)
def test_id_reads_back(numbers):
    """Any entry's id gives its numbers back, also beyond the usual width, and starts with the run's prefix."""
    text = format_id(RUN, *numbers)
    assert parse_id(text, RUN) == numbers
    assert text.startswith(prefix_of(RUN))
    assert parse_id(text, "0badcaff") is None


@settings(deadline=None)
@given(one=NUMBERS, other=NUMBERS)
def test_ids_of_different_entries_differ(one, other):
    """Two entries never share an id or a body."""
    ids = [format_id(RUN, *numbers) for numbers in (one, other)]
    assert (ids[0] == ids[1]) is (one == other)
    assert (body_of(ids[0]) == body_of(ids[1])) is (one == other)


@settings(deadline=None)
@given(numbers=st.lists(NUMBERS, min_size=1, max_size=5), run=st.from_regex(r"[0-9a-f]{8}", fullmatch=True))
def test_bodies_of_many_are_those_of_each(numbers, run):
    """What is compared with a whole store is what was sent for each entry (Requirement J4: corrupted)."""
    tails = tails_of(run, *(np.array(column, np.int64) for column in zip(*numbers, strict=True)))
    ids = [format_id(run, *each) for each in numbers]
    assert [text + tail.tobytes().decode() for text, tail in zip(ids, tails, strict=True)] == list(map(body_of, ids))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0badcafe",
        "0badcafe-",
        "0badcafe-1-0-0",
        "0badcafe-0001-000-000000",
        "0badcafe-001-000-0000001",
        "0badcafe-001-000-000001 ",
        "0badcafe-001-000-000001\n",
        " 0badcafe-001-000-000001",
        "0badcafe--01-000-000001",
        "0badcafe-001-000-+00001",
        "0badcafe-001-000-00_001",
        "0badcafe-001-000-\u0660\u0660\u0660\u0660\u0660\u0661",
        "0badcafe-001-000-000001-2",
        "0badcafe-2147483648-000-000001",
        "0badcafe-001-2147483648-000001",
        "0badcafe-001-000-9223372036854775808",
        "0badcafe-99999999999-000-000001",
    ],
)
def test_other_spellings_are_not_ours(text):
    """An id has one spelling: a row under another one is foreign, not a second effect of the entry (Requirement J4)."""
    assert parse_id(text, RUN) is None


@settings(deadline=None)
@given(text=st.text(), run=st.from_regex(r"[0-9a-f]{8}", fullmatch=True))
def test_any_text_is_read_or_refused(text, run):
    """No text breaks the parser, and what it accepts is exactly what the writer writes."""
    for candidate in (text, prefix_of(run) + text):
        parsed = parse_id(candidate, run)
        assert parsed is None or format_id(run, *parsed) == candidate


@settings(deadline=None)
@given(numbers=NUMBERS, data=st.data())
def test_changed_body_is_not_intact(numbers, data):
    """A body that lost or changed any character is not the entry's body (Requirement J4: corrupted)."""
    body = body_of(format_id(RUN, *numbers))
    place = data.draw(st.integers(0, len(body) - 1))
    assert body[:place] + body[place + 1 :] != body
    assert body[:place] != body
    assert 64 <= len(body) <= 160
