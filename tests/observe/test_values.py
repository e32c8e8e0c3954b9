"""Where an entry's id, body and position are in a value. Requirement J4."""

import pytest

from resilience.errors import RecordError
from resilience.observe.values import Paths, at

PREFIX = "0badcafe-"


@pytest.mark.parametrize(
    ("value", "path", "found"),
    [
        ("plain", "", "plain"),
        ({"a": {"b": [1, {"c": "x"}]}}, "a.b.1.c", "x"),
        ({"a.b": "dotted", "a": {"b": "nested"}}, "a.b", "dotted"),
        ({"entry": '{"id": "x"}'}, "entry.id", "x"),
        ('{"id": {"n": 7}}', "id.n", 7),
        ({"a": "no JSON"}, "a.b", None),
        ({"a": "[" * 100_000}, "a.b", None),
        ({"a": [1]}, "a.1", None),
        ({"a": [1]}, "a.-1", None),
        ({"a": None}, "a.b", None),
        ("7", "a", None),
        ([], "0", None),
    ],
)
def test_a_path_leads_somewhere_or_nowhere(value, path, found):
    """Into mappings, lists and JSON in texts; never an error, whatever is there."""
    assert at(value, path) == found


def test_entries_are_those_with_the_prefix():
    """Others are left out and do not move the places of ours; what is no text is JSON; a missing body is empty."""
    values = [
        {"id": "other-1", "body": "x"},
        {"id": f"{PREFIX}1", "body": "a"},
        {"body": "without an id"},
        {"id": 7, "body": "x"},
        {"id": f"{PREFIX}2"},
        {"id": f"{PREFIX}3", "body": {"b": 1}},
        None,
    ]
    paths = Paths("somewhere", "id", "body", "")
    expected = [(f"{PREFIX}1", "a", 0), (f"{PREFIX}2", "", 1), (f"{PREFIX}3", '{"b": 1}', 2)]
    assert list(paths.ours(values, PREFIX)) == expected
    assert [position for *_, position in paths.ours(values, PREFIX, -1)] == [0, -1, -2]


def test_a_body_that_is_the_value_begins_with_its_id():
    """As bodies of entries do."""
    paths = Paths("somewhere", "", "", "")
    assert list(paths.ours([f"{PREFIX}1|abc|d", "x|y", ""], PREFIX)) == [(f"{PREFIX}1", f"{PREFIX}1|abc|d", 0)]
    assert paths.named(f"{PREFIX}9", "z") == (f"{PREFIX}9", "z", 0)


@pytest.mark.parametrize("bad", [None, "x", "", 1.5, True, [], 2**63, str(2**63), "٣"])
def test_a_position_that_is_none_is_an_error(bad):
    """A place that is said to be there and is no whole number would put entries in a wrong order."""
    paths = Paths("somewhere", "id", "body", "at")
    with pytest.raises(RecordError, match="at at; a whole number was expected"):
        list(paths.ours([{"id": f"{PREFIX}1", "at": bad}], PREFIX))
    good = [{"id": f"{PREFIX}1", "at": "-5"}, {"id": f"{PREFIX}1", "at": 2**63 - 1}]
    assert [position for *_, position in paths.ours(good, PREFIX)] == [-5, 2**63 - 1]
