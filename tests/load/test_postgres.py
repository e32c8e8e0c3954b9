"""The PostgreSQL client against a real server: what certainly had no effect, what was done, and what is uncertain."""
# ruff: noqa: S608 - the names of tables are drawn here

import os
import secrets
import signal
import socket
import time

import psycopg
import pytest

from resilience.columns import Mark
from resilience.errors import LoadError
from resilience.load.classify import Broken, NotSent, Refused, StoreAnswer
from resilience.load.postgres import Postgres
from resilience.model import Outcome, Role, SqlStatement
from tests.load.stores import asking, finding, order, sql
from tests.wire.stores import stores

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def store():
    """Servers with the proxies before them."""
    with stores() as started:
        yield started


@pytest.fixture
def table(store):
    """A table with 10 rows; `other` is checked at commit."""
    name = f"t_{secrets.token_hex(4)}"
    with store.postgres(direct=True) as connection:
        connection.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, other int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        connection.execute(f"INSERT INTO {name} SELECT id, id FROM generate_series(0, 9) AS id")
    yield name
    with store.postgres(direct=True) as connection:
        # What a client gave up goes on in the server, and has its locks.
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%'"
            " AND pid <> pg_backend_pid()"
        )
        connection.execute(f"DROP TABLE {name}")


def count(store, table):
    """How many rows there are, asked past the proxy."""
    with store.postgres(direct=True) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def insert(table, **more):
    """A statement that stores a row."""
    return SqlStatement(statement=f"INSERT INTO {table} VALUES (%(key)s, %(key)s)", rows=1, **more)


def test_a_row_by_its_key_and_a_kept_connection(store, table):
    """The answer is the row, as text; the next call goes by the same connection (Requirement L7)."""
    read = sql(SqlStatement(statement=f"SELECT id, pg_backend_pid() AS pid FROM {table} WHERE id = %(key)s", rows=1))
    with asking(Postgres, store, read) as ask:
        first, second = (ask(key=key).document() for key in ("3", "4"))
        assert [one["rows"][0]["id"] for one in (first, second)] == ["3", "4"]
        assert first["rows"][0]["pid"] == second["rows"][0]["pid"]
        assert finding(ask(key="99"), Role.READ).detail == "unexpected answer: 0 rows, expected 1"


def test_a_value_is_never_a_part_of_the_statement(store, table):
    """What would be SQL is a text that is looked for."""
    with asking(Postgres, store, sql(f"SELECT id FROM {table} WHERE id::text = %(key)s")) as ask:
        assert ask(key=f"0' OR '1'='1'; DROP TABLE {table}; --").document() == {"count": 0, "rows": []}
    assert count(store, table) == 10


def test_an_error_at_the_implicit_commit_is_no_success(store, table):
    """The statement is answered as done before its transaction commits; what fails then was never done."""
    with asking(Postgres, store, sql(f"INSERT INTO {table} VALUES (%(key)s, 5)", role=Role.WRITE)) as ask:
        happened = ask(key="77")
        assert isinstance(happened, Refused)
        assert happened.reason.startswith("sqlstate 23505: ")
    assert count(store, table) == 10


def test_an_error_at_commit_is_a_refusal(store, table):
    """The same where COMMIT is said: everything is undone, and the connection goes on."""
    write = sql("SELECT 1", f"INSERT INTO {table} VALUES (%(key)s, 5)", role=Role.WRITE)
    with asking(Postgres, store, write) as ask:
        for _ in range(2):
            assert ask(key="77").reason.startswith("sqlstate 23505: ")
    assert count(store, table) == 10


def test_a_transaction_whose_answer_is_not_as_expected_is_rolled_back(store, table):
    """As an application would: the write before it is undone, and that is certain."""
    read = SqlStatement(statement=f"SELECT id FROM {table} WHERE id = %(key)s", rows=0)
    with asking(Postgres, store, sql(insert(table), read, role=Role.WRITE)) as ask:
        assert ask(key="50") == Refused("unexpected answer: 1 rows, expected 0")
    assert count(store, table) == 10


def test_a_serialization_failure_is_certain(store, table):
    """Two read and write the same under SERIALIZABLE: one of them is refused with 40001, and only one is stored."""
    total = f"SELECT sum(other) AS total FROM {table}"
    one = sql(total, insert(table), isolation="serializable", role=Role.WRITE)
    with asking(Postgres, store, one) as ask, store.postgres(direct=True, autocommit=False) as other:
        other.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        other.execute(total)
        other.execute(f"INSERT INTO {table} VALUES (60, 60)")
        with store.rule("postgres", action="delay", delay_ms=600, statement="COMMIT"):
            doing = ask.beside(key="61")
            other.commit()
            happened = doing.get(timeout=10)
        assert isinstance(happened, Refused)
        assert happened.reason.startswith("sqlstate 40001: ")
        assert finding(happened).mark is Mark.REJECTED
    assert count(store, table) == 11


@pytest.mark.parametrize("many", [False, True], ids=["alone", "transaction"])
def test_a_commit_whose_answer_is_lost_is_uncertain(store, table, many):
    """Cut after COMMIT before the acknowledgement: unknown, though it is stored; nothing is sent again."""
    write = sql(*(["SELECT 1"] if many else []), insert(table), role=Role.WRITE)
    with asking(Postgres, store, write) as ask:
        assert isinstance(ask(key="100"), StoreAnswer)
        with store.rule("postgres", action="cut", statement="commit" if many else f"insert into {table}"):
            happened = ask(key="101")
        assert isinstance(happened, Broken)
        assert (finding(happened).outcome, finding(happened).mark) == (Outcome.UNKNOWN, Mark.INDETERMINATE)
        assert isinstance(ask(key="102"), StoreAnswer)
    assert count(store, table) == 13


@pytest.mark.parametrize("many", [False, True], ids=["alone", "transaction"])
def test_a_connection_that_ends_before_the_commit(store, table, many):
    """57P01 in the middle: by itself it is uncertain; in a transaction nothing was told to commit, so it is certain."""
    slow = f"INSERT INTO {table} SELECT %(key)s, %(key)s FROM pg_sleep(20)"
    write = sql(*(["SELECT 1"] if many else []), slow, role=Role.WRITE)
    with asking(Postgres, store, write) as ask:
        doing = ask.beside(key="100", timeout_s=15)
        with store.postgres(direct=True) as connection:
            query = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE %s AND pid <> pg_backend_pid()"
            )
            assert connection.execute(query, (f"%{table}%pg_sleep%",)).fetchall() == [(True,)]
        happened = doing.get(timeout=10)
        assert isinstance(happened, Refused if many else Broken)
        assert happened.reason.startswith("sqlstate 57P01: ")
        assert finding(happened).outcome is (Outcome.FAILED if many else Outcome.UNKNOWN)
    assert count(store, table) == 10


@pytest.mark.parametrize("many", [False, True], ids=["alone", "transaction"])
def test_a_time_limit_covers_everything(store, table, many):
    """It ends in time: by itself it is uncertain, before the commit certain; the next call is a new connection."""
    slow = f"INSERT INTO {table} SELECT %(key)s, %(key)s FROM pg_sleep(5)"
    write = sql(*(["SELECT 1"] if many else []), slow, role=Role.WRITE)
    with asking(Postgres, store, write, sql("SELECT 1", name="alive")) as ask:
        began = time.monotonic()
        happened = ask(key="100", timeout_s=0.3)
        assert 0.28 < time.monotonic() - began < 3
        assert happened == (Refused("timeout: 0.3 s, before commit") if many else Broken("timeout: 0.3 s"))
        assert isinstance(ask("alive"), StoreAnswer)


def test_what_commits_by_itself_is_uncertain_when_it_fails(store, table):
    """A procedure may have committed before its error: the error does not say that nothing was done."""
    with store.postgres(direct=True) as connection:
        connection.execute(f"""CREATE PROCEDURE p_{table}(k int) LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO {table} VALUES (k, k); COMMIT; PERFORM 1 / 0; END $$""")
    with asking(Postgres, store, sql(f"CALL p_{table}(%(key)s)", role=Role.WRITE)) as ask:
        happened = ask(key="200")
        assert isinstance(happened, Broken)
        assert happened.reason.startswith("sqlstate 22012: ")
    assert count(store, table) == 11


def test_no_connection_is_certain(store, table):
    """Refused, too many, never made in time: nothing was sent, so a write did not happen."""
    write = sql(insert(table), role=Role.WRITE)
    with asking(Postgres, store, write) as ask, store.rule("postgres", action="error", error="53300"):
        happened = ask(key="300")
        assert happened == NotSent("not connected: FATAL: sorry, too many clients already")
        assert finding(happened).mark is Mark.REJECTED
    asked = order(store, write)
    for listening, reason in ((False, "not connected: Connection refused"), (True, "timeout: 0.3 s")):
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            if listening:
                bound.listen()
            port = str(bound.getsockname()[1])
            os.environ["NOBODY_DSN"] = f"postgresql://me:hush@127.0.0.1:{port}/x"
            try:
                nobody = sql(insert(table), role=Role.WRITE, dsn_env="NOBODY_DSN")
                with asking(Postgres, store, nobody) as ask:
                    assert ask(key="300", timeout_s=0.3) == NotSent(reason)
            finally:
                del os.environ["NOBODY_DSN"]
    assert asked.places
    assert count(store, table) == 10


def test_a_connection_that_was_ended_while_idle_is_replaced(store):
    """It is noticed before anything is sent, so the call succeeds, once, on a new connection."""
    with asking(Postgres, store, sql("SELECT pg_backend_pid() AS pid")) as ask:
        before = ask().document()["rows"][0]["pid"]
        with store.postgres(direct=True) as connection:
            connection.execute("SELECT pg_terminate_backend(%s::int)", (before,))
            deadline = time.monotonic() + 10
            while connection.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s::int", (before,)).fetchone():
                assert time.monotonic() < deadline
        time.sleep(0.2)  # until the end has come through the proxies
        assert ask().document()["rows"][0]["pid"] != before


def test_an_operation_must_know_its_server(store, monkeypatch):
    """A variable that is not set, nonsense in it (never shown), and a part that is no PostgreSQL: all are told."""
    monkeypatch.setenv("BAD_DSN", "hush hush")
    asked = [
        sql("SELECT 1", name=f"a{number}", **more)
        for number, more in enumerate(
            [{"dsn_env": "NO_SUCH_DSN"}, {"dsn_env": "BAD_DSN"}, {"on": "redis"}, {"on": "oracle"}]
        )
    ]
    with pytest.raises(LoadError) as caught:
        Postgres(order(store, *asked))
    assert [problem.where for problem in caught.value.problems] == [f"operation a{number}" for number in range(4)]
    assert "hush" not in str(caught.value)


def test_a_server_that_is_killed_in_the_middle(store, table):
    """SIGKILL of a backend takes the whole server down: what was under way is uncertain, what was not sent certain.

    Last in this module: it ends everybody's connections.
    """
    slow = sql(f"INSERT INTO {table} SELECT %(key)s, %(key)s FROM pg_sleep(20)", role=Role.WRITE)
    many = sql("SELECT 1", insert(table), "SELECT pg_sleep(20)", role=Role.WRITE, name="many")
    with asking(Postgres, store, slow) as alone, asking(Postgres, store, many) as transaction:
        doing = alone.beside(key="100", timeout_s=15), transaction.beside("many", key="101", timeout_s=15)
        with store.postgres(direct=True) as connection:
            query = "SELECT pid FROM pg_stat_activity WHERE query LIKE %s AND pid <> pg_backend_pid()"
            victims = [row[0] for row in connection.execute(query, ("%pg_sleep(20)%",))]
            assert len(victims) == 2
            os.kill(victims[0], signal.SIGKILL)
            happened = [one.get(timeout=10) for one in doing]
        assert [type(one) for one in happened] == [Broken, Refused]
        deadline = time.monotonic() + 20
        while not isinstance(transaction("many", key="102", timeout_s=0.5), Refused):  # until it is up again
            assert time.monotonic() < deadline
    assert count(store, table) == 10
