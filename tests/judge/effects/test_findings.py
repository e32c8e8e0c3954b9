"""How findings are said, and how rows of objects are read."""

import numpy as np

from resilience.judge.effects.findings import numbers, off, said, values_of
from tests.judge.builder import truth_rows


def test_numbers_are_intervals_and_not_too_many():
    """Neighbours are joined; beyond 32 it says how many more there are."""
    assert numbers(np.asarray([3, 7, 8, 9, 20])) == "3, 7-9, 20"
    assert numbers(np.asarray([True, False, True, True])) == "0, 2-3"
    assert numbers(np.arange(0, 80, 2)).endswith("62 and 8 more")
    assert numbers(np.asarray([], dtype=np.int64)) == ""


def test_only_what_is_promised_and_there_is_said():
    """One is said of one, many of many."""
    sentences = (
        ("lost", True, "thing is lost", "things are lost"),
        ("late", False, "thing is late", "things are late"),
        ("gone", True, "thing is gone", "things are gone"),
        ("odd", True, "thing is odd", "things are odd"),
    )
    assert said({"lost": 1, "late": 5, "gone": 0}, sentences) == ("1 thing is lost",)
    assert said({"lost": 1200}, sentences) == ("1,200 things are lost",)


def test_rows_of_objects():
    """A row is of an object if its name is; what has no row counts as given; the rest is nobody's."""
    rows = [(2, 0, 0), (2, 0, 1), (2, 0, 1), (2, 0, 3), (1, 0, 0), (2, 1, 0), (-1, -1, -1)]
    held = values_of(truth_rows(rows, positions=[7, 8, 9, 1, 1, 1, 1], foreign=("x",)), 2, 3, 50)
    assert held.value.tolist() == [7, 9, 50]
    assert held.there.tolist() == [True, True, False]
    assert held.rows.tolist() == [1, 2, 0]
    assert held.phantom == 4


def test_what_is_off_is_shown_beside_what_should_be():
    """With the number of the object and both figures."""
    told = off("under", np.asarray([False, True]), np.asarray([0, 1234]), np.asarray([0, 5000]), "at least")
    assert told == ["under: object 1 holds 1,234, at least 5,000 was expected"]
