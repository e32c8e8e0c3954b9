"""Harness mutants: each is there, gets where it should, and what it does to a record is never judged as a pass.

The live matrix is `resilience selftest --only harness`.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.selftest.harness.change import mutant
from fixtures.selftest.harness.mutants import h06, h07, h08
from resilience.drill.selftest.rows import read_matrix
from resilience.judge.verdict import judge
from resilience.model import Answer
from resilience.record.reader import read_record

ROOT = Path(__file__).parents[2]
NAMES = [f"H{number}" for number in range(1, 17)]
HOOK = ROOT / "fixtures/selftest/harness/hook"
PASSED = ROOT / "fixtures/records/postgres-crash-passed"


@pytest.fixture(scope="module")
def rows():
    return {row.name: row for row in read_matrix(ROOT / "fixtures/selftest").mutants}


def test_every_mutant_has_a_row_and_none_may_pass(rows):
    """Sixteen ways in which the tool could deceive; each row says what is an honest answer, and in which words."""
    assert list(rows) == NAMES
    for row in rows.values():
        assert 0 not in row.exits
        assert row.says


@pytest.mark.parametrize("name", NAMES)
def test_a_mutant_says_what_it_is_and_changes_modules_that_there_are(name):
    """A module that was renamed would leave a mutant that changes nothing."""
    module = mutant(name)
    assert module.__doc__.startswith(f"HARNESS MUTANT {name}: ")
    assert module.CHANGES
    for changed in module.CHANGES:
        assert changed.startswith("resilience."), "only our own tool is changed"
        assert importlib.util.find_spec(changed) is not None


def python(code, **environment):
    """What a Python that finds the hook prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={**kept, "PYTHONPATH": str(HOOK), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def test_the_hook_changes_modules_where_a_mutant_is_named_and_nowhere_else():
    """In a process that nobody told of a mutant everything is as it was."""
    code = "from resilience.load import walks; print(walks.of_share.__module__)"
    assert python(code) == "resilience.load.workers.shares"
    assert python(code, HARNESS_MUTANT="H9") == "fixtures.selftest.harness.mutants.h09"


def test_a_mutant_that_was_never_reached_is_no_evidence():
    """The launcher says so by an exit code of its own."""
    file = "fixtures/selftest/experiments/redis-down.yaml"
    done = subprocess.run(
        [sys.executable, "-m", "fixtures.selftest.harness", "H1", "--", "validate", file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 70, done.stderr
    assert "never reached" in done.stderr


@pytest.mark.parametrize("words", [[], ["H1"], ["H1", "run", "x.yaml"], ["B1", "--", "run"]])
def test_the_launcher_wants_a_mutant_and_a_command(words):
    """Anything else is wrong, and runs nothing."""
    command = [sys.executable, "-m", "fixtures.selftest.harness", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (3, "")


@pytest.mark.parametrize(
    ("damage", "said"),
    [(h06._lose, "there is no write ledger"), (h07._tear, "is not sealed"), (h08._flip, "is not what its seal says")],
    ids=["H6", "H7", "H8"],
)
def test_a_record_whose_ledger_was_damaged_is_unknown(damage, said, tmp_path):
    """What passed before is unknown then: neither a pass nor the target's failure."""
    folder = tmp_path / "run"
    shutil.copytree(PASSED, folder)
    assert judge(read_record(folder)).answer is Answer.PASS
    damage(folder)
    verdict = judge(read_record(folder))
    assert verdict.answer is Answer.UNKNOWN, verdict.because
    assert said in verdict.because
