"""Rows to ask for: the same for the same seed, in bounded memory, there as a whole or not at all, and removable."""

import os
import subprocess
import sys
import tracemalloc

import psycopg
import pytest

from resilience.errors import EnvironmentNotReady
from resilience.load.rows import BLOCK, TABLE, blocks, fill, remove
from tests.wire.stores import stores


@pytest.fixture(scope="module")
def store():
    """A server."""
    with stores() as started:
        yield started


@pytest.fixture
def connection(store):
    """Past the proxies; no table before, none after."""
    with store.postgres(direct=True) as made:
        yield made
        made.execute(f"DROP TABLE IF EXISTS {TABLE}")


def test_the_same_seed_gives_the_same_rows():
    """And another seed others; the number of rows changes none of those before."""
    first = b"".join(blocks(BLOCK + 5, 1, ["red", "blue"], "x"))
    assert first == b"".join(blocks(BLOCK + 5, 1, ["red", "blue"], "x"))
    assert first != b"".join(blocks(BLOCK + 5, 2, ["red", "blue"], "x"))
    lines = first.splitlines()
    assert len(lines) == BLOCK + 5
    assert lines[11].split(b"\t")[:3] == [b"11", b"1", b"blue"]
    assert lines[12].endswith(b"\tx")


def test_a_name_cannot_break_a_row():
    """Tabs and line ends in a tenant's name stay in it."""
    (block,) = blocks(1, 1, ["a\tb\\\n"], "x")
    assert block.count(b"\n") == 1
    assert block.split(b"\t")[2] == rb"a\tb\\\n"


def test_memory_does_not_grow_with_the_rows():
    """Six times the rows, the same peak: a few blocks (Requirement L7)."""
    peaks = []
    for rows in (2 * BLOCK, 12 * BLOCK):
        tracemalloc.start()
        for _ in blocks(rows, 1, ["red"], "x"):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.stack
def test_rows_are_there_once_and_can_be_removed(connection):
    """Asked for again they stay; asked for differently they are replaced; removed, nothing is left."""
    assert fill(connection, 25_000, tenants=["red", "blue"], run="r1")
    children = f"SELECT count(*), min(c.id), max(c.id) FROM {TABLE} p JOIN {TABLE} c ON c.parent = p.id WHERE p.id = 7"  # noqa: S608
    assert connection.execute(children).fetchone() == (10, 70, 79)
    by_tenant = f"SELECT tenant, count(*), min(run) FROM {TABLE} GROUP BY tenant ORDER BY tenant"  # noqa: S608
    assert connection.execute(by_tenant).fetchall() == [("blue", 12_500, "r1"), ("red", 12_500, "r1")]
    assert not fill(connection, 25_000, tenants=["red", "blue"], run="r2")
    assert fill(connection, 1000)
    assert connection.execute(f"SELECT count(*) FROM {TABLE}").fetchone() == (1000,)  # noqa: S608
    assert remove(connection)
    assert not remove(connection)
    assert connection.execute("SELECT to_regclass(%s)", (TABLE,)).fetchone() == (None,)


@pytest.mark.stack
def test_a_table_of_somebody_else_is_never_touched(connection):
    """Neither replaced nor removed, though it has the name."""
    connection.execute(f"CREATE TABLE {TABLE} (precious int)")
    for touch in (lambda: fill(connection, 10), lambda: remove(connection)):
        with pytest.raises(EnvironmentNotReady, match="that we did not make"):
            touch()
    assert connection.execute(f"SELECT precious FROM {TABLE}").fetchall() == []  # noqa: S608


@pytest.mark.stack
def test_whoever_is_cut_off_in_the_middle_leaves_nothing(store, connection):
    """All rows come in one transaction: there is no table with half of them."""
    with store.postgres(direct=True) as other:

        class Cutting(str):
            """A name that ends the connection when the first block is made."""

            __slots__ = ()

            def translate(self, _table):
                connection.execute("SELECT pg_terminate_backend(%s)", (other.info.backend_pid,))
                return "red"

        with pytest.raises(psycopg.Error):
            fill(other, 50_000, tenants=[Cutting("red")])
    assert connection.execute("SELECT to_regclass(%s)", (TABLE,)).fetchone() == (None,)


@pytest.mark.stack
def test_the_command(store, connection):
    """It fills and removes what a variable names; without the variable it says so, and shows no secret."""
    place = store.stack.places()["postgres"]
    environment = {**os.environ, "ROWS_DSN": place.dsn, "PGPASSFILE": place.passfile}

    def run(*words):
        command = [sys.executable, "-m", "resilience.load.rows", *words]
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)

    done = run("fill", "--rows", "1000", "--dsn-env", "ROWS_DSN", "--run", "r")
    assert (done.returncode, done.stdout) == (0, f"{TABLE}: 1,000 rows written\n")
    assert run("remove", "--dsn-env", "ROWS_DSN").stdout == f"{TABLE}: removed\n"
    assert "NO_DSN is not set" in run("fill", "--dsn-env", "NO_DSN").stderr
    connection.execute(f"CREATE TABLE {TABLE} (precious int)")
    assert run("fill", "--dsn-env", "ROWS_DSN").returncode == 4
