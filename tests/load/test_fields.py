"""Where things are in an answer."""

import itertools

import pytest

from resilience.load.fields import Document, text_at

DOCUMENT = {"a": {"b": [10, {"c": None}]}, "t": True, "s": "x", "f": 1.5, "": "e", "n": 3}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.b.0", "10"),
        ("a.b.1.c", "null"),
        ("t", "true"),
        ("s", "x"),
        ("f", "1.5"),
        ("", "e"),
        ("a", None),
        ("a.b", None),
        ("a.b.2", None),
        ("a.b.-1", None),
        ("s.0", None),
        ("zz", None),
        ("a..b", None),
    ],
)
def test_text_at_a_path(path, expected):
    """Values are compared as JSON writes them, strings as themselves; objects, lists and nothing have no text."""
    assert text_at(DOCUMENT, path) == expected


def test_no_document_breaks_a_look_at_it():
    """Any JSON document can be looked into along any path."""
    for document, path in itertools.product([None, 1, "x", [], {}, [[]]], ["", ".", "0", "a.b"]):
        assert text_at(document, path) is None


@pytest.mark.parametrize(("body", "text"), [(b'{"a": 1}', "1"), (b"", None), (b"no JSON", None), (b"[" * 10_000, None)])
def test_a_body_that_is_not_json_holds_nothing(body, text):
    """Whatever a service answers, looking at it does not fail; and it is parsed once."""
    document = Document(body)
    assert [document.text_at("a") for _ in range(2)] == [text, text]
