"""The rows: read as they stand, and everything that is wrong with them told at once."""

import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from resilience.drill.selftest.rows import DEFAULT, SCHEMAS, read_matrix
from resilience.errors import SpecError
from tests.drill.selftest.scene import BUGS, HARNESS, write_matrix
from tests.program import ROOT


def problems(folder: Path) -> list[str]:
    with pytest.raises(SpecError) as raised:
        read_matrix(folder)
    return [str(problem) for problem in raised.value.problems]


def test_what_a_row_says(tmp_path: Path):
    """Paths start at the row's file, and a bug is switched on as the matrix says."""
    matrix = read_matrix(write_matrix(tmp_path / "m", "B1", more="needs_fault: true\nalso: [stale]\n"))
    (bug,), (mutant,) = matrix.bugs, matrix.mutants
    assert bug.experiment == mutant.experiment == tmp_path / "m" / "story.yaml"
    assert (bug.reported, bug.also, bug.needs_fault, bug.alone) == (("lost",), ("stale",), True, False)
    assert bug.environment == {"TARGET_BUGS": "B1"}
    assert (mutant.exits, mutant.says, mutant.environment) == ((2,), "never seen", {})
    assert matrix.variables == {"TARGET_BUGS"}


def test_a_service_of_somebody_else_is_switched_by_its_own_variables(tmp_path: Path):
    """A row's own variables stand instead of the usual one; without `matrix.yaml` that is TARGET_BUGS."""
    folder = write_matrix(tmp_path / "m", "B1", harness="", matrix="")
    (folder / "bugs" / "B2.yaml").write_text(BUGS.format(name="B2") + "environment: {SHOP_RETRIES: twice}\n")
    matrix = read_matrix(folder)
    assert [bug.environment for bug in matrix.bugs] == [{"TARGET_BUGS": "B1"}, {"SHOP_RETRIES": "twice"}]
    assert matrix.variables == {"TARGET_BUGS", "SHOP_RETRIES"}


def test_everything_wrong_is_told_at_once(tmp_path: Path):
    """Every file, every problem, each with its file and line."""
    folder = write_matrix(tmp_path / "m", "B1")
    (folder / "bugs" / "B2.yaml").write_text("bug: B2\nexposed_by: x\nexperiment: nowhere.yaml\nreported: [eaten]\n")
    (folder / "bugs" / "B3.yaml").write_text("bug: B3\nreported: []\nsurprise: 1\n")
    (folder / "bugs" / "B4.yaml").write_text("bug: [\n")
    (folder / "harness" / "H02.yaml").write_text(HARNESS.replace("[2]", "[0]"))
    told = "\n".join(problems(folder))
    for wrong in ("B2.yaml: reported[0] (line 4", '"eaten"', "B3.yaml: exposed_by", "surprise", "B4.yaml", "H02.yaml"):
        assert re.search(re.escape(wrong), told), f"{wrong} is not in\n{told}"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("also: [lost]\n", "stands in `reported` and in `also`"),
        ("objective: rate<0.01 @ after\n", "names an objective that is no class of it"),
    ],
)
def test_rows_that_contradict_themselves(tmp_path: Path, more: str, told: str):
    """What keeps the schema may still mean nothing."""
    assert told in "\n".join(problems(write_matrix(tmp_path / "m", "B1", more=more)))


def test_an_experiment_that_is_not_there_and_a_name_given_twice(tmp_path: Path):
    """Both are told before anything is run."""
    folder = write_matrix(tmp_path / "m", "B1")
    (folder / "bugs" / "again.yaml").write_text(BUGS.format(name="B1").replace("story", "tale"))
    told = "\n".join(problems(folder))
    assert "tale.yaml is not there" in told
    assert "2 rows have this name" in told


def test_defects_of_the_tool_need_a_launcher(tmp_path: Path):
    """Without one they would be runs of the honest tool, and so would be runs without their fault."""
    told = problems(write_matrix(tmp_path / "m", "B1", more="needs_fault: true\n", matrix=""))
    assert any("nothing here can make faults do nothing" in one for one in told)
    assert any("no launcher" in one for one in told)


def test_an_empty_folder_is_no_matrix(tmp_path: Path):
    """It would be a self-test that passes without having run anything."""
    assert "has no rows" in problems(tmp_path)[0]


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_schemas_are_schemas(kind: str):
    """A schema that is none refuses nothing."""
    Draft202012Validator.check_schema(SCHEMAS[kind])


def test_the_matrix_of_this_repository_can_be_read():
    """Issue 6: every row keeps its schema and names an experiment that is there."""
    matrix = read_matrix(ROOT / DEFAULT)
    assert matrix.bugs
    assert matrix.mutants
    assert all(bug.environment == {"TARGET_BUGS": bug.name} for bug in matrix.bugs)
