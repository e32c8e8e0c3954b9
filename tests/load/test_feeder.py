"""Feeder files: every row by its number, whoever asks, in bounded memory; what is wrong is said. Requirement L4."""

import csv
import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.errors import LoadError
from resilience.load.feeder import EVERY, Rows
from resilience.model import Feeder

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@given(
    rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3 * EVERY),
    asked=st.lists(st.integers(0, 10**6), max_size=20),
)
@settings(deadline=None, max_examples=60)
def test_every_row_is_what_was_written(tmp_path_factory, rows, asked):
    """CSV with commas, quotes and line ends inside cells, and JSON lines: row n, modulo the rows, in any order."""
    folder = tmp_path_factory.mktemp("feeder")
    rows = [(a, b or "x") for a, b in rows]  # a line of one empty cell is an empty line
    with (folder / "a.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("name", "text"), *rows])
    (folder / "a.jsonl").write_text("".join(json.dumps({"name": a, "text": b}) + "\n" for a, b in rows))
    for name in ("a.csv", "a.jsonl"):
        fed = Rows(Feeder(file=name, columns=("text", "name")), str(folder))
        assert fed.count == len(rows)
        for number in [*asked, *range(len(rows))]:
            a, b = rows[number % len(rows)]
            assert fed.row(number) == {"name": a, "text": b}


def test_a_large_file_takes_little_memory(tmp_path):
    """Requirement L4: 200 000 rows of 60 characters, asked here and there: less than 1 MB is kept."""
    path = tmp_path / "many.csv"
    path.write_text("id,text\n" + "".join(f"{number},{'x' * 60}\n" for number in range(200_000)))
    tracemalloc.start()
    fed = Rows(Feeder(file="many.csv", columns=("id",)), str(tmp_path))
    assert [fed.row(number)["id"] for number in (199_999, 0, 123_456, 200_001)] == ["199999", "0", "123456", "1"]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1_000_000


def test_values_of_json_lines_are_texts_by_path(tmp_path):
    """Numbers and truth values are as JSON writes them; a dotted column looks into objects."""
    (tmp_path / "a.ndjson").write_text('{"n": 3, "yes": true, "in": {"deep": "x"}}\n\n')
    fed = Rows(Feeder(file="a.ndjson", columns=("n", "yes", "in.deep")), str(tmp_path))
    assert fed.row(7) == {"n": "3", "yes": "true", "in.deep": "x"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", None, "cannot be read"),
        ("a.csv", "", "has no column 'user'"),
        ("a.csv", "user\n", "has no rows"),
        ("a.csv", "name\nx\n", "has no column 'user'; it has name"),
        ("a.csv", "user,other\nx\n", "row 1 cannot be understood"),
        ("a.csv", b"user\n\xff\n", "row 1 cannot be understood"),
        ("a.jsonl", "{}\n", "row 1 has no 'user'"),
        ("a.jsonl", "nonsense\n", "row 1 cannot be understood"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, name, content, said):
    """With the path of the file."""
    if content is not None:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(LoadError, match=said) as caught:
        Rows(Feeder(file=name, columns=("user",)), str(tmp_path))
    assert str(tmp_path / name) in str(caught.value)
