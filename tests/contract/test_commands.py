"""Names of commands, exit codes and make targets do not change by accident."""

import re
from pathlib import Path

import pytest

from resilience import errors
from resilience.cli import main
from resilience.model import Answer

ROOT = Path(__file__).parents[2]

WITH_JSON = {"run", "plan", "validate", "check", "status", "debts", "reap", "selftest"}
COMMANDS = {*WITH_JSON, "schema", "report", "up", "down", "abort"}


def test_commands():
    """Every command of the contract that this version has is there under its name, with one line of help."""
    assert set(main.commands) >= COMMANDS
    assert all(command.get_short_help_str() for command in main.commands.values())


@pytest.mark.parametrize("name", sorted(WITH_JSON))
def test_results_as_json(name: str):
    """A command that prints a result takes `--json`."""
    assert "--json" in {word for option in main.commands[name].params for word in option.opts}


def test_exit_codes():
    """0 pass, 1 fail, 2 unknown, 3 file, 4 environment, 5 debts."""
    assert {answer.value: answer.exit_code for answer in Answer} == {"pass": 0, "fail": 1, "unknown": 2}
    assert errors.SpecError.exit_code == 3
    assert errors.EnvironmentNotReady.exit_code == 4
    assert errors.DebtsOutstanding.exit_code == 5
    assert {errors.FaultError.exit_code, errors.RecordError.exit_code, errors.LoadError.exit_code} == {2}


def test_make_targets():
    """The targets that users and CI call."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"setup", "demo", "test", "check", "selftest"} <= set(targets)
    ci = (ROOT / ".ci" / "run").read_text()
    assert "make check" in ci
    assert "make test" in ci
