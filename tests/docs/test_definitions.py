"""The page of definitions has every number of a verdict, and the page of proofs names tests that exist."""

import re
from pathlib import Path

import pytest

from fixtures.histories import load_all
from resilience.judge.verdict import judge

ROOT = Path(__file__).parents[2]
DEFINITIONS = ROOT / "docs" / "explanation" / "definitions.md"
PROOFS = ROOT / "docs" / "explanation" / "how-the-judge-is-tested.md"
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")


def numbers(value, name=""):
    """The keys under which a document has a number, whatever is around them."""
    match value:
        case bool():
            return set()
        case int() | float():
            return {name}
        case dict():
            return {found for key, one in value.items() for found in numbers(one, key)}
        case list():
            return {found for one in value for found in numbers(one, name)}
        case _:
            return set()


def test_every_number_of_a_verdict_has_its_definition():
    """Issue 4: an engineer finds formula, unit and source of each number, over a fifth of the histories."""
    found = set()
    for history in list(load_all())[::5]:
        document = judge(history.record).document
        names = {phase["name"] for phase in document["phases"]}
        operations = {name for phase in document["phases"] for name in phase["operations"]}
        found |= numbers(document) - names - operations
    told = set(re.findall(r"`([\w]+)`", DEFINITIONS.read_text()))
    keys = {name for name in found if re.fullmatch(r"\w+", name)}  # the others are texts of a generator
    assert sorted(keys - told) == []


@pytest.mark.parametrize(("file", "name"), sorted(set(TEST.findall(PROOFS.read_text()))))
def test_a_test_that_is_named_as_a_proof_exists(file, name):
    """A renamed test takes its line of the table with it."""
    found = [path for path in (ROOT / "tests").rglob(Path(file).name) if str(path).endswith(file)]
    assert any(re.search(rf"^def {name}\(", path.read_text(), re.MULTILINE) for path in found)


def test_each_failure_of_the_harness_has_its_line():
    """H1 to H16, each once."""
    lines = re.findall(r"^\| (H\d+) \|", PROOFS.read_text(), re.MULTILINE)
    assert lines == [f"H{number}" for number in range(1, 17)]
