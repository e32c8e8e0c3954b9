"""The table says what passed, what did not, and what was not tried."""

from resilience.drill.matrix import Cell
from resilience.drill.table import markdown, rows


def cell(kind: str, signal: str, clean_s: float | None, *left: str, moment: str = "holding") -> Cell:
    return Cell(kind=kind, moment=moment, signal=signal, clean_s=clean_s, left=left)


def test_counts_and_the_slowest():
    """Passed of all for each signal; a failure, and what could not be tried, stand below with their reason."""
    found = rows(
        [
            cell("b.two", "KILL", 0.1),
            cell("b.two", "KILL", None, "toxic is there", moment="inject"),
            cell("b.two", "TERM", 0.25),
            cell("a.one", "KILL", 0.5),
        ],
        {"c.three": "needs root"},
    )
    assert [row.kind for row in found] == ["a.one", "b.two", "c.three"]
    assert found[1].tried == {"KILL": (1, 2), "TERM": (1, 1)}
    text = markdown(found, ("TERM", "KILL"))
    assert "| `a.one` | – | 1 of 1 | 0.50 s |" in text
    assert "| `b.two` | 1 of 1 | 1 of 2 | 0.25 s |" in text
    assert "| `c.three` | – | – | – |" in text
    assert "- `b.two`: KILL at inject: toxic is there" in text
    assert "- `c.three`: needs root" in text


def test_a_cell_with_something_left_is_no_pass():
    """However quickly: what is left counts."""
    assert not cell("a.one", "KILL", 0.1, "a holder").passed
    assert not cell("a.one", "KILL", None).passed
