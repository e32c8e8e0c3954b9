"""Lines of ledgers on disk, plain ones and of accounts: what every write was to do is read back, damaged or not."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.columns import EffectLines, Mark
from resilience.record import ledger as ledgers
from resilience.record import truth as truths
from resilience.record.folder import writes_of
from resilience.record.ledger import HEADER_SIZE, AccountWriter, LedgerWriter, StoredEffectLines, read_ledger
from resilience.record.lines import EFFECTS
from tests.judge.builder import truth_rows

RUN = "0badcafe"
CHANGES = st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))


def write(folder, changes, name="load", writer=0, account="stock"):
    """A sealed file with an attempt and an acknowledgement for each change."""
    file = AccountWriter(writes_of(folder, account) / f"{name}.ledger", RUN)
    for seq, change in enumerate(changes):
        file.note(Mark.ATTEMPTED, writer, 0, seq, 10 * seq, 0, change)
        file.note(Mark.ACKNOWLEDGED, writer, 0, seq, 10 * seq + 5, 200, change)
    file.close()


def changes_of(lines):
    """What was to be done, line by line."""
    assert isinstance(lines, EffectLines)
    return list(zip(lines.value.tolist(), lines.object.tolist(), lines.other.tolist(), strict=True))


@settings(deadline=None)
@given(changes=st.lists(CHANGES, max_size=10))
def test_what_was_to_be_done_is_read_back(tmp_path_factory, changes):
    """Requirement J4: on each line, in order; and the ledger of `ledger` itself is another one."""
    folder = tmp_path_factory.mktemp("run")
    write(folder, changes)
    LedgerWriter(folder / "writes" / "load.ledger", RUN).close()
    lines = read_ledger(folder, run=RUN, account="stock")
    assert lines.problems == ()
    assert changes_of(lines) == [change for change in changes for _ in range(2)]
    plain = read_ledger(folder, run=RUN)
    assert (len(plain), plain.problems) == (0, ())


def test_a_large_ledger_is_read_block_by_block(tmp_path, monkeypatch):
    """The same lines, whether they are held in memory or not."""
    changes = [(seq, seq % 7, seq % 5) for seq in range(300)]
    write(tmp_path, changes)
    held = read_ledger(tmp_path, account="stock")
    monkeypatch.setattr(ledgers, "LARGE", 10)
    monkeypatch.setattr(ledgers, "BLOCK", 64)
    stored = read_ledger(tmp_path, account="stock")
    assert isinstance(stored, StoredEffectLines)
    assert changes_of(stored) == changes_of(held)
    assert [change for block in stored.blocks() for change in changes_of(block)] == changes_of(held)


@pytest.mark.parametrize("field", [0, 8, 20, 30, 38, 42, 47])
def test_a_changed_byte_is_found(tmp_path, field):
    """Wherever in a line it is; that line is left out."""
    write(tmp_path, [(1, 2, 3)] * 5)
    path = writes_of(tmp_path, "stock") / "load.ledger"
    content = bytearray(path.read_bytes())
    content[HEADER_SIZE + 4 * EFFECTS.size + field] ^= 1
    path.write_bytes(content)
    lines = read_ledger(tmp_path, account="stock")
    assert len(lines) == 9
    assert "writes/accounts/stock/load.ledger has 1 damaged lines, the first is number 5" in lines.problems


def test_many_processes_write_a_file_each(tmp_path):
    """Requirement H16: together they are the ledger; one writer in two files is a problem."""
    write(tmp_path, [(1, 0, 0)] * 3, "load-0", 0)
    write(tmp_path, [(2, 0, 0)] * 3, "load-1", 1)
    lines = read_ledger(tmp_path, account="stock")
    assert (len(lines), lines.problems) == (12, ())
    write(tmp_path, [(2, 0, 0)] * 3, "load-2", 1)
    (problem,) = read_ledger(tmp_path, account="stock").problems
    assert problem == "writer 1 is in writes/accounts/stock/load-1.ledger and in writes/accounts/stock/load-2.ledger"


def test_a_killed_writer_leaves_all_that_it_noted(tmp_path):
    """SIGKILL right after a line: every line is there, and the ledger says that its writer was cut short."""
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from resilience.columns import Mark\n"
        "from resilience.record.ledger import AccountWriter\n"
        "writer = AccountWriter(Path(sys.argv[1]), '0badcafe')\n"
        "for seq in range(100):\n"
        "    writer.note(Mark.ATTEMPTED, 0, 0, seq, seq, 0, (seq, 1, 2))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = writes_of(tmp_path, "stock") / "load.ledger"
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == -9
    lines = read_ledger(tmp_path, account="stock")
    assert changes_of(lines) == [(seq, 1, 2) for seq in range(100)]
    assert lines.problems == ("writes/accounts/stock/load.ledger is not sealed: its writer was cut short",)


@pytest.mark.parametrize("account", ["stock", ""])
def test_a_file_of_the_other_kind_is_not_believed(tmp_path, account):
    """A plain ledger in an account's place, or the other way round, is told by its version."""
    kind = LedgerWriter if account else AccountWriter
    kind(writes_of(tmp_path, account) / "load.ledger", RUN).close()
    (problem,) = read_ledger(tmp_path, account=account).problems
    assert "was expected" in problem


def test_each_account_has_a_truth_of_its_own(tmp_path):
    """Saved beside its ledger, read back by its name."""
    for number, account in enumerate(("", "stock", "money")):
        truths.save(tmp_path, truth_rows([(number, 0, 0)]), account=account)
    found = [truths.load(tmp_path, account=account).writer.tolist() for account in ("", "stock", "money")]
    assert found == [[0], [1], [2]]
