"""What PostgreSQL says of itself, on a real server."""

import psycopg
import pytest

from resilience.model import Place
from resilience.observe.postgres import NAME, SIZES_S, Postgres, _grown


class Clock:
    """A clock that goes as it is told."""

    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        """What it shows."""
        return self.now_s


@pytest.fixture
def watched(postgres):
    """A watcher of the server, and its clock; closed with the test."""
    clock = Clock()
    place = Place(name="postgres", host="127.0.0.1", port=0, via_port=0, dsn=postgres.dsn, passfile=postgres.passfile)
    watcher = Postgres(place, clock)
    yield watcher, clock
    watcher.close()


def values(watcher):
    return {one.name: one for one in watcher.read()}


def test_sessions_are_told_by_state(postgres, watched):
    """Requirement M2: beside the most that there may be, without the collector's own; waits for locks among them."""
    watcher, _ = watched
    before = values(watcher)["postgres.connections"].value
    with postgres.connect() as holder, postgres.connect() as waiter:
        holder.execute("CREATE TABLE IF NOT EXISTS held (a int)")
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE held")
        waiter.execute("SET statement_timeout = '30s'")
        waiting = waiter.pgconn
        waiting.send_query(b"SELECT * FROM held")
        seen = values(watcher)
        while seen["postgres.waits.lock"].value < 1:
            seen = values(watcher)
        holder.execute("ROLLBACK")
        while waiting.get_result() is not None:
            pass
    assert seen["postgres.connections"].value == before + 2
    assert seen["postgres.connections"].limit == 100.0
    assert seen["postgres.connections.idle_in_transaction"].value == 1
    assert seen["postgres.connections.active"].value == 1
    assert seen["postgres.queries.longest"].value > 0
    assert seen["postgres.transactions.oldest"].value > 0
    assert seen["postgres.queries.slow"].value >= 0


def test_what_the_server_counts_grows_with_work(postgres, watched):
    """Rows written, scans by index and of whole tables, log written, sizes."""
    watcher, clock = watched
    with postgres.connect() as session:
        session.execute("DROP TABLE IF EXISTS worked")
        session.execute("CREATE TABLE worked (a int PRIMARY KEY, b text)")
        before = values(watcher)
        session.execute("INSERT INTO worked SELECT i, repeat('x', 200) FROM generate_series(1, 2000) AS i")
        session.execute("SET enable_seqscan = off")
        for _ in range(3):
            session.execute("SELECT b FROM worked WHERE a = 7").fetchall()
    clock.now_s += SIZES_S
    after = values(watcher)
    while (
        after["postgres.scans.index"].value < before["postgres.scans.index"].value + 3
    ):  # told when it ended, or later
        clock.now_s += SIZES_S
        after = values(watcher)
    for name in ("postgres.rows.written", "postgres.wal", "postgres.size.tables", "postgres.size"):
        assert after[name].value > before[name].value, name
    assert after["postgres.rows.written"].counter
    assert not any(one.anew for one in after.values())
    assert after["postgres.replicas"].value == 0
    assert "postgres.replication.lag" not in after


def test_what_tables_grew_by_is_kept(postgres, watched):
    """Since the first reading; without `pg_stat_statements` it is said why there are no statements."""
    watcher, _ = watched
    with postgres.connect() as session:
        session.execute("DROP TABLE IF EXISTS grows")
        session.execute("CREATE TABLE grows (b text)")
        watcher.read()
        session.execute("INSERT INTO grows SELECT repeat('x', 500) FROM generate_series(1, 2000)")
    kept = watcher.close()
    grown = next(row for row in kept["tables"] if row["name"] == "public.grows")
    assert grown["table_bytes"] > 500_000
    assert "pg_stat_statements" in kept["no_statements"]


def test_statements_are_the_difference_and_ours_are_not_among_them():
    """The slowest first, with their mean; what began anew in between counts as a whole."""

    def rows(**calls):
        return {
            name: {"name": name, "query": query, "calls": float(number), "total_ms": float(total)}
            for name, (query, number, total) in calls.items()
        }

    before = {"tables": {}, "statements": rows(a=("A", 10, 100), b=("B", 50, 10), c=(f"SELECT /* {NAME} */", 1, 1))}
    after = {"tables": {}, "statements": rows(a=("A", 14, 180), b=("B", 5, 200), c=(f"SELECT /* {NAME} */", 9, 999))}
    found = _grown(before, after)["statements"]
    assert [(row["query"], row["calls"], row["total_ms"], row["mean_ms"]) for row in found] == [
        ("B", 5.0, 200.0, 40.0),
        ("A", 4.0, 80.0, 20.0),
    ]


def test_a_session_that_was_ended_is_an_error_and_had_again(postgres, watched):
    """One reading is missing, the next one is there."""
    watcher, _ = watched
    watcher.read()
    with postgres.connect() as session:
        ended = session.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = %s", (NAME,)
        ).fetchall()
    assert ended == [(True,)]
    with pytest.raises(psycopg.Error):
        watcher.read()
    assert watcher.read()


def test_a_server_that_is_not_there_is_an_error():
    """And nothing is kept of it."""
    watcher = Postgres(Place(name="postgres", host="", port=1, via_port=1, dsn="host=127.0.0.1 port=1 user=a dbname=b"))
    with pytest.raises(psycopg.OperationalError):
        watcher.read()
    assert watcher.close() == {}
