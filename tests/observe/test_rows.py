"""Rows in large pieces, against one row at a time. Real servers are in `test_truth.py`."""

import struct

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from resilience.entry import body_of, format_id, parse_id
from resilience.observe import copying
from resilience.observe.rows import Columns

RUN = "0badcafe"
NUMBERS = st.tuples(
    st.sampled_from([0, 7, 127, 128, 999, 1000, 2**31 - 1]),
    st.sampled_from([0, 1, 127, 128, 32768, 2**31 - 1]),
    st.sampled_from([0, 5, 999_999, 1_000_000, 10**9 - 1, 10**9, 2**31, 10**18 - 1, 2**63 - 1]) | st.integers(0, 99),
)
POSITIONS = st.integers(0, 30) | st.sampled_from([-(2**63), -1, 2**31 - 1, 2**31, 2**63 - 1])


@st.composite
def stored(draw):
    """Rows as a store may hold them: mostly as they were sent, some with a character changed or another's body."""
    rows = []
    for numbers in draw(st.lists(NUMBERS, min_size=1, max_size=6)):
        for seq in range(draw(st.integers(1, 90))):
            entry_id = format_id(RUN, *numbers[:2], min(numbers[2] + seq, 2**63 - 1))
            rows.append([entry_id, body_of(entry_id), len(rows)])
    for row in draw(st.lists(st.sampled_from(rows), max_size=12)):
        match draw(st.sampled_from(["id", "body", "other", "position", "cut"])):
            case "other":
                row[1] = draw(st.sampled_from(rows))[1]
            case "position":
                row[2] = draw(POSITIONS)
            case "cut":
                row[1] = row[1][: draw(st.integers(0, len(row[1])))]
            case what:
                at = 0 if what == "id" else 1
                place = draw(st.integers(0, max(0, len(row[at]) - 1)))
                row[at] = row[at][:place] + draw(st.sampled_from("0129a-|/:\0\x7f")) + row[at][place + 1 :]
    return [tuple(row) for row in rows]


def message(entry_id, body, position):
    """A row as the server sends it."""
    content = struct.pack(">h", 3)
    for field in (entry_id.encode(), body.encode()):
        content += struct.pack(">i", len(field)) + field
    content += struct.pack(">iq", 8, position)
    return b"d" + struct.pack(">I", len(content) + 4) + content


@settings(deadline=None)
@given(stored(), st.integers(100, 20_000))
@example([(format_id(RUN, 0, 0, seq), body_of(format_id(RUN, 0, 0, seq)), seq) for seq in range(200)], 1000)
def test_rows_in_pieces_are_what_they_are_one_by_one(rows, size):
    """Requirement J4: name, order and intactness of each row, wherever the pieces of the stream end."""
    columns, rest = Columns(RUN, 1), b""
    content = b"".join(message(*row) for row in rows)
    for begin in range(0, len(content), size):
        rest += content[begin : begin + size]
        matrices, length = copying._rows(np.frombuffer(rest, np.uint8))
        for matrix in matrices:
            columns.add_copied(matrix)
        rest = rest[length:]
    assert rest == b""
    assert len(columns) == len(rows)
    truth = columns.truth({}, 0)
    expected = [
        (*(parse_id(entry_id, RUN) or (-1, -1, -1)), parse_id(entry_id, RUN) is not None and body == body_of(entry_id))
        for entry_id, body, _ in rows
    ]
    found = list(zip(*(c.tolist() for c in (truth.writer, truth.epoch, truth.seq, truth.intact)), strict=True))
    assert truth.position.tolist() == sorted(position for *_, position in rows)
    # Rows of one position have no order among themselves.
    by_position = [(row[2], *seen) for row, seen in zip(rows, expected, strict=True)]
    assert sorted(zip(truth.position.tolist(), *zip(*found, strict=True), strict=True)) == sorted(by_position)
    assert len(truth.foreign) == min(32, sum(parse_id(entry_id, RUN) is None for entry_id, _, _ in rows))
