"""SQL statements with parameters: numbered, and refused where a value would become a part of the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.spec.statements import first_word, numbered, parameters, problems


@pytest.mark.parametrize(
    ("statement", "text", "names"),
    [
        ("SELECT 1", "SELECT 1", ()),
        ("SELECT %(a)s, %(b)s, %(a)s", "SELECT $1, $2, $1", ("a", "b")),
        ("SELECT '100%%' WHERE x = %(data.name)s", "SELECT '100%' WHERE x = $1", ("data.name",)),
        ("SELECT '%%(a)s'", "SELECT '%(a)s'", ()),
    ],
)
def test_parameters_are_numbered(statement, text, names):
    """In the order in which they first stand; one name is one parameter; %% is one %."""
    assert numbered(statement) == (text, names)
    assert parameters(statement) == names


@pytest.mark.parametrize("statement", ["SELECT 5 % 3", "SELECT %s", "SELECT '100%'", "SELECT %(a)d"])
def test_a_single_percent_is_refused(statement):
    """It is neither a parameter nor what it says."""
    with pytest.raises(ValueError, match="is no parameter"):
        numbered(statement)
    assert any("is no parameter" in message for message, _ in problems(statement))


@given(st.text().filter(lambda text: "%" not in text))
def test_a_text_without_percent_is_left_alone(text):
    """Character by character."""
    assert numbered(text) == (text, ())


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("select 1", "SELECT"),
        ("  -- a comment\n /* and\nanother */ ((Select 1))", "SELECT"),
        ("/* unfinished", ""),
        ("", ""),
        ("with x as (select 1) delete from y", "WITH"),
    ],
)
def test_the_first_word_is_found(statement, word):
    """Behind comments and parentheses."""
    assert first_word(statement) == word


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("SELECT ${key}", "would become a part of the text"),
        ("begin", "BEGIN cannot be a statement"),
        ("/**/COMMIT", "COMMIT cannot be a statement"),
        ("COPY x FROM stdin", "COPY cannot be a statement"),
        (" ", "is no statement"),
    ],
)
def test_what_cannot_be_a_statement(statement, told):
    """With what to do instead, where there is something."""
    assert told in " / ".join(message for message, _ in problems(statement))
    assert not list(problems("SELECT %(key)s"))
