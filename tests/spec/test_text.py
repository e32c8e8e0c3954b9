"""Files mean what they show, or are refused. Requirement E2."""

import contextlib
import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from resilience.errors import SpecError
from resilience.spec.text import MAX_ALIASES, MAX_BYTES, MAX_DEPTH, join, read_text


def problems(content, name="x.yaml"):
    with pytest.raises(SpecError) as caught:
        read_text(content, name)
    return caught.value.problems


def test_plain_yaml_words_stay_texts():
    """Only true and false are booleans; on, off, yes, no, dates, times and octal-looking codes are not converted."""
    content = (
        b"on: off\nyes: no\nday: 2024-01-02\ntime: 12:30\nsix: 1_000\nok: true\nnone: ~\ncode: 010\nhex: 0x10\nx: 1e3\n"
    )
    assert read_text(content, "x.yml").data == {
        "on": "off",
        "yes": "no",
        "day": "2024-01-02",
        "time": "12:30",
        "six": "1_000",
        "ok": True,
        "none": None,
        "code": 10,
        "hex": 16,
        "x": 1000.0,
    }


def test_quoted_scalars_are_texts():
    """Quotes and blocks are never numbers, booleans or nothing."""
    assert read_text(b"a: '1'\nb: \"true\"\nc: |-\n  null\nd: ''\n", "x.yaml").data == {
        "a": "1",
        "b": "true",
        "c": "null",
        "d": "",
    }


def test_anchors_and_merges_are_filled_in():
    """An alias is a copy; what a mapping says itself wins over what it merges, earlier merges over later ones."""
    content = b"a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}\nd: *a\n"
    data = read_text(content, "x.yaml").data
    assert data["c"] == {"x": 3, "y": 1, "z": 2}
    assert data["d"] == {"x": 1, "y": 1}


def test_places_are_known_by_path():
    """Every value's line and column are found, or those of what is around it."""
    source = read_text(b"load:\n  rate: 5\n  list:\n    - a\n    - {b: 1}\n'odd key': 1\n", "x.yaml")
    assert source.place("load.rate") == (2, 3)
    assert source.place("load.list[1].b") == (5, 8)
    assert source.place("load.list[1].missing.deeper[3]") == (5, 7)
    assert source.place(join("", "odd key")) == (6, 1)
    assert source.place(join(join("load", "odd.key"), "x")) == (1, 1)
    assert source.place("elsewhere") == (0, 0)


@pytest.mark.parametrize(
    ("content", "where", "told", "place"),
    [
        (b"", "x.yaml", "is empty", (0, 0)),
        (b" \n# only a comment\n", "x.yaml", None, None),
        (b"a: 1\nb:\n  c: 1\n  c: 2\n", "b.c", "there twice, first in line 3", (4, 3)),
        (b"1: a\n", "x.yaml", "key 1 is not a text", (1, 1)),
        (b"a: {true: b}\n", "a", "key true is not a text", (1, 5)),
        (b"a: {? [b] : c}\n", "a", "is not a text", (1, 7)),
        (b"a: .nan\n", "a", "not a finite number", (1, 4)),
        (b"a: -.inf\n", "a", "not a finite number", (1, 4)),
        (b"a: [1e999]\n", "a[0]", "not a finite number", (1, 5)),
        (b"a: 9999999999999999999\n", "a", "more than 18 digits", (1, 4)),
        (b"a: !!python/object/apply:os.system [ls]\n", "x.yaml", "tag", (1, 4)),
        (b"a: !!str 1\n", "x.yaml", "tag", (1, 4)),
        (b'a: !x "1"\n', "x.yaml", "tag", (1, 4)),
        (b"a: 1\n---\nb: 2\n", "x.yaml", "second document", (2, 1)),
        (b"a: &a [*a]\n", None, "nested more than", (1, 4)),
        (b"a: *nothing\n", "x.yaml", "undefined alias", (1, 4)),
        (b"a: {<<: 3}\n", "a", "<< takes a mapping", (1, 9)),
        (b"a: [1\n", "x.yaml", "", (2, 1)),
        (b"a:\n\tb: 1\n", "x.yaml", "", (2, 1)),
        (b"a: \xff\n", "x.yaml", "invalid start byte", (1, 0)),
        (b"a: \x01\n", "x.yaml", "control characters", (0, 0)),
        (b'a: "\\0"\n', "a", "NUL", (1, 4)),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "x.yaml", "nested more than", (1, MAX_DEPTH + 1)),
        (b"[" * 100_000, "x.yaml", "nested more than", (1, MAX_DEPTH + 1)),
    ],
)
def test_yaml_that_could_mislead_is_refused(content, where, told, place):
    """The problem names the path or the file, says what was found, and where."""
    if told is None:
        assert read_text(content, "x.yaml").data is None
        return
    (problem,) = problems(content)
    assert where is None or problem.where == where
    assert told in problem.message
    assert (problem.line, problem.column) == place


@pytest.mark.parametrize(
    ("content", "where", "told"),
    [
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "b.c", "there twice"),
        (b'{"a": NaN}', "x.json", "NaN is not a finite number"),
        (b'{"a": [1e999]}', "a[0]", "too large"),
        (b'{"a": 9999999999999999999}', "a", "more than 18 digits"),
        (b'{"a": ' + b"9" * 5000 + b"}", "x.json", ""),
        (b'{"a": "\\ud800"}', "a", "surrogate"),
        (b'{"a": 1,}', "x.json", ""),
        (b"a: 1", "x.json", "Expecting value"),
        (b"[" * 100_000, "x.json", "nested more than"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), None, "nested more than"),
    ],
)
def test_json_is_held_to_the_same_rules(content, where, told):
    """What is refused in YAML is refused in JSON."""
    (problem,) = problems(content, "x.json")
    assert where is None or problem.where == where
    assert told in problem.message


def test_limits_of_size_and_aliases():
    """Too many bytes, too many aliases, and few aliases that stand for very many values are refused quickly."""
    assert "bytes" in problems(b"a" * (MAX_BYTES + 1))[0].message
    assert "aliases" in problems(b"a: &a 1\nb: [" + b"*a, " * (MAX_ALIASES + 1) + b"]\n")[0].message
    bomb = ["a0: &a0 [1, 1, 1]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 6)}]" for n in range(1, 15)]
    assert "once aliases are filled in" in problems("\n".join(bomb).encode())[0].message


def test_a_name_must_say_what_the_file_is():
    """The reader does not guess the format."""
    assert ".json" in problems(b"a: 1", "experiment.txt")[0].hint


def test_all_problems_of_a_file_are_told():
    """A duplicate key, an infinite number and a key that is no text: three problems."""
    assert len(problems(b"a: .inf\na: 2\n3: 4\n")) == 3


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**15), max_value=10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs"))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz-_ ", min_size=1), inner, max_size=4),
    max_leaves=15,
)


@given(PLAIN)
def test_json_documents_read_back(value):
    """Whatever JSON can hold arrives unchanged, from JSON and from YAML as PyYAML writes it."""
    document = {"value": value}
    assert read_text(json.dumps(document).encode(), "x.json").data == document
    written = yaml.safe_dump(document, allow_unicode=True, default_style='"' if isinstance(value, str) else None)
    if isinstance(value, str):
        assert read_text(written.encode(), "x.yaml").data == document


@given(st.binary(max_size=60) | st.text("{}[]:,&*!|>-'\"#%@ \n\tab1.~<", max_size=60).map(str.encode))
def test_no_bytes_break_the_reader(content):
    """Whatever is in a file, the answer is data or a SpecError."""
    for name in ("x.yaml", "x.json"):
        with contextlib.suppress(SpecError):
            assert json.dumps(read_text(content, name).data, allow_nan=False)
