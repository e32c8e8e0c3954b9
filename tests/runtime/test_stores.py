"""The stores of the truth in a run, with readers that say what a test wants. Requirement J4."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from resilience.errors import EnvironmentNotReady, RecordError
from resilience.model import CacheCopy
from resilience.record import truth as truth_files
from resilience.record.redact import Redactor
from resilience.runtime.stores import Stores
from tests.judge.builder import LEDGER, honest, truth_rows

CACHED = replace(LEDGER, cache=CacheCopy(part="redis", key="order:{id}"))
NOT_THERE = RecordError("the store is not there")


def stores(tmp_path, ledger=CACHED, **said):
    """Readers that return what is said, or raise it."""

    def answer(name):
        def read(*_):
            found = said[name]
            if isinstance(found, Exception):
                raise found
            return found

        return read

    readers = SimpleNamespace(
        stack=SimpleNamespace(places=dict),
        know_store=answer("before"),
        count_entries=answer("left"),
        read_truth=answer("truth"),
        read_cache=answer("copies"),
    )
    return Stores(honest(ledger=ledger).experiment(), readers, tmp_path)


def read(found):
    problems = []
    found.read("0badcafe", lambda: 7, Redactor(), lambda *about: problems.append(about))
    return problems


GOOD = {
    "before": {"run_id": "a"},
    "left": 0,
    "truth": truth_rows([(0, 0, 0)]),
    "copies": truth_rows([(0, 0, 0), (0, 0, 1)]),
}


def test_truth_and_copies_are_written_with_what_was_known_before(tmp_path):
    """Both are in the record, and the truth says what the store said before the run."""
    found = stores(tmp_path, **GOOD)
    found.know("0badcafe")
    assert read(found) == []
    assert truth_files.load(tmp_path).before == {"run_id": "a", "entries": "0"}
    assert len(truth_files.load(tmp_path, what=truth_files.CACHE)) == 2


def test_without_a_declared_cache_none_is_read(tmp_path):
    """Nobody asks a cache that no file names."""
    assert read(stores(tmp_path, LEDGER, **GOOD | {"copies": AssertionError("was asked")})) == []
    assert not (tmp_path / "writes" / "cache.json").exists()


def test_a_store_that_is_not_there_refuses_the_run(tmp_path):
    """Its truth could not be read in the end, either: nothing is touched."""
    with pytest.raises(EnvironmentNotReady, match="not there"):
        stores(tmp_path, **GOOD | {"before": NOT_THERE}).know("0badcafe")


def test_entries_of_an_earlier_run_under_the_same_name_refuse_the_run(tmp_path):
    """They would be taken for this run's own, and hide that its own were lost: nothing is touched."""
    with pytest.raises(EnvironmentNotReady, match="holds 20 entries of a run 0badcafe already"):
        stores(tmp_path, **GOOD | {"left": 20}).know("0badcafe")


def test_where_it_cannot_be_told_what_was_left_nothing_is_claimed(tmp_path):
    """A table that comes with the first write is no reason to refuse; the truth has to be read in the end anyway."""
    found = stores(tmp_path, **GOOD | {"left": NOT_THERE})
    found.know("0badcafe")
    assert read(found) == []
    assert truth_files.load(tmp_path).before == {"run_id": "a"}


@pytest.mark.parametrize(("what", "source"), [("truth", "truth"), ("copies", "cache")])
def test_what_cannot_be_read_is_a_problem(tmp_path, what, source):
    """The run is told, and the other of both is read all the same."""
    assert read(stores(tmp_path, **GOOD | {what: NOT_THERE})) == [(source, "the store is not there")]
    other = truth_files.CACHE if what == "truth" else truth_files.TRUTH
    assert len(truth_files.load(tmp_path, what=other)) > 0
