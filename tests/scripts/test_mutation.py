"""Mutation testing: each kind of mistake is made, where it stands is known, and a module that runs gets it."""

import importlib
import importlib.util
import sys
import time
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
SOURCE = '''"""A module."""
LIMIT = 3
NAMES = ("one", "two")

def judged(value, *, strict=False):
    """Whether a value is within the limit."""
    if strict and value < 0:
        return "refused"
    return value <= LIMIT

def doubled(values):
    return [value * 2
            for value in values]
'''


@pytest.fixture(scope="module", autouse=True)
def scripts():
    """The folder of programs is no package: it is on the path for these tests alone."""
    sys.path.insert(0, str(SCRIPTS))
    yield
    sys.path.remove(str(SCRIPTS))


@pytest.fixture
def made(tmp_path, monkeypatch):
    """The module above, imported, and its mutants by line and name."""
    mistakes, patched = importlib.import_module("mutation.mistakes"), importlib.import_module("mutation.patched")
    path = tmp_path / "resilience_sample.py"
    path.write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("resilience_sample")
    yield module, patched.Living("resilience_sample", str(path), SOURCE), patched, mistakes.mutants(SOURCE, str(path))
    del sys.modules["resilience_sample"]


def test_each_kind_of_mistake_is_made_and_none_twice(made):
    """Conditions, comparisons, terms, numbers, names, members; not docstrings, and no name of the module left out."""
    *_, mutants = made
    found = [(one.line, one.what) for one in mutants]
    assert len(set(found)) == len(found)
    assert set(found) >= {
        *((7, what) for what in ("if True", "if False", "without term 1", "without term 2", "And → Or", "Lt → LtE")),
        *((2, "3 → 4"), (3, "without member 1"), (3, "'two' → 'XX…'"), (8, "'refused' → 'XX…'"), (9, "LtE → Lt")),
        *((5, "False → True"), (12, "Mult → Div"), (7, "0 → 1")),
    }
    assert not {line for line, what in found if what == "left out"} & {2, 3}


def test_a_mistake_can_be_seen_where_one_of_its_lines_runs(made):
    """A condition on its own line; an expression on any line of its statement."""
    *_, mutants = made
    lines = {(one.line, one.what): one.lines for one in mutants}
    assert lines[7, "if True"] == range(7, 8)
    assert set(lines[12, "Mult → Div"]) == {12, 13}


def test_a_function_that_is_imported_already_gets_the_mistake(made):
    """And nothing else changes: who holds the function calls the mutant."""
    module, living, patched, mutants = made
    held = module.judged
    (mutant,) = (one for one in mutants if one.what == "LtE → Lt")
    found = patched.change(living.code, mutant.code)
    assert living.knows(found)
    assert held(3)
    living.patch(found)
    assert not held(3)
    assert held(2)


def test_a_table_gets_another_value_wherever_it_was_imported(made, monkeypatch):
    """In the module itself, and under the same name in others of ours."""
    module, living, patched, mutants = made
    other = importlib.util.module_from_spec(importlib.util.spec_from_loader("resilience_other", None))
    other.NAMES = module.NAMES
    monkeypatch.setitem(sys.modules, "resilience_other", other)
    (mutant,) = (one for one in mutants if one.what == "without member 1")
    assert not living.knows(patched.change(living.code, mutant.code))
    living.run(mutant.statement)
    assert module.NAMES == other.NAMES == ("two",)


def test_what_the_compiler_makes_the_same_of_is_no_change(made):
    """Nobody could notice it."""
    _, living, patched, _ = made
    found = patched.change(living.code, living.code)
    assert (found.functions, found.outside) == ((), False)


def test_a_default_is_no_change_of_a_function_alone(made):
    """It belongs to the statement that makes the function: the module is imported anew for it."""
    _, living, patched, mutants = made
    (mutant,) = (one for one in mutants if one.what == "False → True")
    assert patched.change(living.code, mutant.code).outside
    assert mutant.statement is None


def test_how_a_fork_ends_is_told_and_one_that_only_waits_has_noticed_nothing():
    """On a busy machine a process that gets no time looks like one that waits: the score is never too good for that."""
    trying = importlib.import_module("mutation.trying")
    for ended in trying.Ended:
        assert trying.forked(lambda ended=ended: ended, 60.0) is ended
    assert trying.forked(lambda: 1 / 0, 60.0) is trying.Ended.NOTICED
    assert trying.forked(lambda: time.sleep(600), 0.001) is trying.Ended.SURVIVED
