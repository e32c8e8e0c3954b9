"""The pages about the self-test say what the program does, and the published matrix has every row."""

import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from resilience.cli import main
from resilience.cli_selftest import MARK
from resilience.drill.classes import CLASSES, UNEXPLAINED
from resilience.drill.selftest.rows import DEFAULT, SCHEMAS, read_matrix

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs" / "reference" / "selftest.md").read_text()
MATRIX = (ROOT / "docs" / "reference" / "selftest-matrix.md").read_text()
HOW_TO = (ROOT / "docs" / "how-to" / "plant-bugs.md").read_text()

ROWS = read_matrix(ROOT / DEFAULT)
NAMES = [row.name for row in (*ROWS.bugs, *ROWS.mutants)]


@pytest.mark.parametrize("name", NAMES)
def test_the_published_matrix_has_every_row(name: str):
    """Issue 6: every planted bug and every defect of the tool. `resilience selftest --resume --write-docs` mends it."""
    assert re.search(rf"^\| {name} \|", MATRIX, re.MULTILINE)


def test_the_published_matrix_has_no_other_row():
    """A row that is gone is gone from the page, and nobody has written on it by hand."""
    found = re.findall(r"^\| ([BH][0-9]+) \|", MATRIX.partition(MARK)[2], re.MULTILINE)
    assert sorted(found) == sorted(NAMES)


def test_every_key_of_a_row_is_on_the_page():
    """Whoever writes a row finds each key explained."""
    told = set(re.findall(r"`(\w+)`", REFERENCE))
    assert {key for schema in SCHEMAS.values() for key in schema["properties"]} <= told


def test_every_class_is_on_the_page():
    """Whoever writes a row finds each class explained."""
    told = set(re.findall(r"`([\w-]+)`", REFERENCE.partition("## Classes")[2]))
    assert {*CLASSES, UNEXPLAINED} <= told


def test_every_option_is_on_the_page():
    """And no other."""
    told = set(re.findall(r"^\| `(--[a-z-]+)", REFERENCE, re.MULTILINE))
    assert told == {word for option in main.commands["selftest"].params for word in option.opts}


def test_the_row_of_the_how_to_is_right():
    """Whoever copies it has a row."""
    [row] = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", HOW_TO, re.DOTALL)]
    assert list(Draft202012Validator(SCHEMAS["bugs"]).iter_errors(row)) == []
