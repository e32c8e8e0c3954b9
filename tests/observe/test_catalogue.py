"""The catalogue of metrics: complete, well named, and the reference page made from it."""

import re
from pathlib import Path

from resilience.model.catalogue import COLLECTORS, METRICS, SHARES, Unit
from resilience.observe.catalogue import page, reading

ROOT = Path(__file__).parents[2]


def test_the_reference_page_is_made_from_the_catalogue():
    """`python -m resilience.observe.catalogue > docs/reference/metrics.md` renews it."""
    assert (ROOT / "docs" / "reference" / "metrics.md").read_text() == page()


def test_a_reading_has_the_unit_and_kind_of_the_catalogue():
    """One declaration for what is read and what is written about it."""
    one = reading("process.cpu", "service", 3, 2.0)
    assert (one.unit, one.counter, one.limit, one.value) == (Unit.CORES, True, 2.0, 3.0)
    assert not reading("process.threads", "service", 3).counter


def test_every_metric_that_is_made_is_in_the_catalogue_and_the_other_way_round():
    """A name that nothing makes would be a promise."""
    source = "\n".join(path.read_text() for path in (ROOT / "src" / "resilience" / "observe").glob("*.py"))
    for name in METRICS:
        made = f'"{name}"' in source or (name.startswith("postgres.waits.") and "postgres.waits.{kind}" in source)
        assert made, name


def test_names_are_dotted_and_of_one_collector():
    """No name twice, and what shares are made of is counted."""
    assert len(METRICS) == sum(len(group) for group in COLLECTORS.values())
    for name in (*METRICS, *SHARES):
        assert re.fullmatch(r"[a-z]+(\.[a-z_]+)+", name)
    for pair in SHARES.values():
        assert all(METRICS[name].counter for name in pair)
