"""Rules on PostgreSQL, on a real server: client and server never disagree, and a commit that is cut is a commit."""
# ruff: noqa: S608 - the names of tables are drawn here
# ruff: noqa: SIM117 - what is open and what is tried are told apart
# ruff: noqa: PT012 - where in a pipeline an error surfaces is the driver's business

import contextlib
import secrets
import threading
import time

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import errors
from psycopg.pq import TransactionStatus

from resilience.wire.errors import POSTGRES

pytestmark = pytest.mark.stack

STATEMENT = sorted(state for state, error in POSTGRES.items() if error.when == "statement")
EXTENDED = pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])


@pytest.fixture
def table(store):
    """An empty table of its own, with a key and a check that is made at commit."""
    name = f"t_{secrets.token_hex(4)}"
    with store.postgres(direct=True) as connection:
        connection.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, other int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    yield name
    with store.postgres(direct=True) as connection:
        connection.execute(f"DROP TABLE {name}")


def rows(store, table):
    """The ids that are there, asked past the proxy."""
    with store.postgres(direct=True) as connection:
        return sorted(row[0] for row in connection.execute(f"SELECT id FROM {table}"))


def run(connection, extended, statement, *values):
    """In the simple protocol, or prepared and in the extended one."""
    if extended:
        return connection.execute(statement.replace("#", "%s"), values, prepare=True)
    for value in values:
        statement = statement.replace("#", str(value), 1)
    return connection.execute(statement)


@EXTENDED
@pytest.mark.parametrize("state", STATEMENT)
def test_errors_are_the_servers_own(store, table, state, extended):
    """The SQLSTATE and words of PostgreSQL; not executed; the connection goes on; counted (Requirement F2)."""
    with store.postgres() as connection:
        run(connection, extended, f"INSERT INTO {table} VALUES (#)", 1)
        with store.rule("postgres", action="error", error=state, statement=f"insert into {table}") as rule:
            with pytest.raises(psycopg.Error) as caught:
                run(connection, extended, f"INSERT INTO {table} VALUES (#)", 2)
            assert caught.value.sqlstate == state
            assert caught.value.diag.message_primary == POSTGRES[state].message
            assert connection.info.transaction_status is TransactionStatus.IDLE
            assert connection.execute("SELECT 7").fetchone() == (7,)
            assert store.counted("postgres", rule) == (1, 1, 0)
        run(connection, extended, f"INSERT INTO {table} VALUES (#)", 3)
    assert rows(store, table) == [1, 3]


@EXTENDED
def test_an_error_in_a_transaction_aborts_it_at_the_server(store, table, extended):
    """Both sides know that the transaction has failed; nothing of it is kept; after ROLLBACK all is well."""
    with store.postgres(autocommit=False) as connection:
        run(connection, extended, f"INSERT INTO {table} VALUES (#)", 1)
        with store.rule("postgres", action="error", error="40001", statement="update"):
            with pytest.raises(errors.SerializationFailure):
                run(connection, extended, f"UPDATE {table} SET other = #", 1)
            assert connection.info.transaction_status is TransactionStatus.INERROR
            with pytest.raises(errors.InFailedSqlTransaction):
                connection.execute("SELECT 1")
            with pytest.raises(errors.InFailedSqlTransaction):
                run(connection, extended, f"UPDATE {table} SET other = #", 1)
            connection.rollback()
            assert connection.info.transaction_status is TransactionStatus.IDLE
        run(connection, extended, f"INSERT INTO {table} VALUES (#)", 2)
        connection.commit()
    assert rows(store, table) == [2]


def test_an_error_in_a_savepoint_leaves_the_transaction(store, table):
    """As with a real error: back to the savepoint, and what was before it is committed."""
    with store.postgres(autocommit=False) as connection, connection.transaction():
        connection.execute(f"INSERT INTO {table} VALUES (1)")
        with store.rule("postgres", action="error", error="55P03", statement="for update"):
            with pytest.raises(errors.LockNotAvailable), connection.transaction():
                connection.execute(f"SELECT * FROM {table} FOR UPDATE")
        connection.execute(f"INSERT INTO {table} VALUES (2)")
    assert rows(store, table) == [1, 2]


def test_a_commit_that_fails_keeps_nothing(store, table):
    """COMMIT answered with an error: the transaction is not committed, and both sides agree that it failed."""
    with store.postgres(autocommit=False) as connection:
        connection.execute(f"INSERT INTO {table} VALUES (1)")
        with store.rule("postgres", action="error", error="40001", statement="^commit"):
            with pytest.raises(errors.SerializationFailure):
                connection.commit()
        connection.rollback()
        connection.execute("SELECT 1")
    assert rows(store, table) == []


def test_a_rule_for_everything_lets_clients_roll_back(store):
    """ROLLBACK is never answered with an error: nobody could get out of a transaction."""
    with store.postgres(autocommit=False) as connection:
        connection.execute("SELECT 1")
        with store.rule("postgres", action="error", error="40P01"):
            with pytest.raises(errors.DeadlockDetected):
                connection.execute("SELECT 1")
            connection.rollback()
            assert connection.info.transaction_status is TransactionStatus.IDLE


def test_in_a_pipeline_everything_to_the_next_sync_is_skipped(store, table):
    """Of several under way the one that is met fails, those behind it are skipped, those after Sync are not."""
    with store.postgres() as connection, store.rule("postgres", action="error", error="40001", statement="42"):
        with pytest.raises(errors.SerializationFailure), connection.pipeline() as pipeline:
            connection.execute(f"INSERT INTO {table} VALUES (1)")
            pipeline.sync()
            connection.execute(f"INSERT INTO {table} VALUES (2)")
            connection.execute(f"INSERT INTO {table} VALUES (3) -- 42")
            connection.execute(f"INSERT INTO {table} VALUES (4)")
            pipeline.sync()
        with connection.pipeline():
            connection.execute(f"INSERT INTO {table} VALUES (5)")
        assert connection.execute("SELECT 7").fetchone() == (7,)
    assert rows(store, table) == [1, 5]


def test_fatal_ends_the_connection(store, table):
    """57P01: the connection ends with that error; a transaction is rolled back (Requirement F2)."""
    with store.postgres(autocommit=False) as connection:
        connection.execute(f"INSERT INTO {table} VALUES (1)")
        with store.rule("postgres", action="error", error="57P01", statement="select 5"):
            with pytest.raises(errors.AdminShutdown):
                connection.execute("SELECT 5")
            assert connection.closed
    assert rows(store, table) == []


def test_too_many_clients_refuses_connections(store):
    """53300: new connections are refused in the server's words; those that are open go on (Requirement F2)."""
    with store.postgres() as connection, store.rule("postgres", action="error", error="53300"):
        with pytest.raises(psycopg.OperationalError, match="sorry, too many clients already"):
            store.postgres()
        assert connection.execute("SELECT 7").fetchone() == (7,)


@EXTENDED
def test_delay_is_added(store, extended):
    """A statement that is met takes 150 ms longer, others do not (Requirement F2)."""
    with store.postgres() as connection, store.rule("postgres", action="delay", delay_ms=150, statement="^select 8"):

        def took(statement):
            began = time.monotonic()
            run(connection, extended, statement, 1)
            return time.monotonic() - began

        took("SELECT 9, #")
        assert took("SELECT 9, #") < 0.1
        assert 0.15 <= took("SELECT 8, #") < 0.3


@EXTENDED
def test_cut_after_an_autocommitted_write(store, table, extended):
    """The row is there, and the client was told nothing: its connection broke (Requirement J4)."""
    with store.postgres() as connection, store.rule("postgres", action="cut", at_most=1) as rule:
        run(connection, extended, "SELECT #", 1)
        with pytest.raises(psycopg.OperationalError):
            run(connection, extended, f"INSERT INTO {table} VALUES (#)", 1)
        assert connection.closed
        assert rows(store, table) == [1]
        assert store.counted("postgres", rule)[1] == 1
        with store.postgres() as again:
            run(again, extended, f"INSERT INTO {table} VALUES (#)", 2)
    assert rows(store, table) == [1, 2]


@EXTENDED
def test_cut_after_commit_and_not_before(store, table, extended):
    """In a transaction the writes are answered; COMMIT is not, and all of it is there (Requirement J4)."""
    with store.postgres(autocommit=False) as connection, store.rule("postgres", action="cut") as rule:
        assert run(connection, extended, f"INSERT INTO {table} VALUES (#) RETURNING id", 1).fetchone() == (1,)
        run(connection, extended, f"INSERT INTO {table} VALUES (#)", 2)
        assert rows(store, table) == []
        with pytest.raises(psycopg.OperationalError):
            connection.commit()
        assert rows(store, table) == [1, 2]
        assert store.counted("postgres", rule) == (1, 1, 0)


@EXTENDED
def test_what_was_not_committed_is_not_cut(store, table, extended):
    """A check that fails at commit, a duplicate, a rollback: the client hears all of it."""
    with store.postgres() as connection, store.rule("postgres", action="cut") as rule:
        with store.postgres(direct=True) as direct:
            direct.execute(f"INSERT INTO {table} VALUES (1, 1)")
        with pytest.raises(errors.UniqueViolation):
            run(connection, extended, f"INSERT INTO {table} VALUES (#, #)", 2, 1)
        with pytest.raises(errors.UniqueViolation):
            run(connection, extended, f"INSERT INTO {table} VALUES (#)", 1)
        connection.execute("BEGIN")
        run(connection, extended, f"INSERT INTO {table} VALUES (#)", 3)
        connection.execute("ROLLBACK")
        connection.execute("BEGIN")
        with pytest.raises(errors.UniqueViolation):
            run(connection, extended, f"INSERT INTO {table} VALUES (#)", 1)
        connection.execute("COMMIT")
        assert connection.execute("SELECT 7").fetchone() == (7,)
        assert store.counted("postgres", rule) == (0, 0, 0)
    assert rows(store, table) == [1]


def test_cut_in_a_pipeline(store, table):
    """Everything up to the Sync that commits is withheld together (Requirement J4)."""
    with store.postgres() as connection, store.rule("postgres", action="cut"):
        with pytest.raises(psycopg.OperationalError), connection.pipeline() as pipeline:
            first = connection.execute(f"INSERT INTO {table} VALUES (1)")
            connection.execute(f"INSERT INTO {table} VALUES (2)")
            pipeline.sync()
            assert first.rowcount == 1
    assert rows(store, table) == [1, 2]


def test_no_acknowledged_write_is_missing_when_commits_are_cut(store, table):
    """200 writes, half of whose commits are cut: whatever was acknowledged is there, and so is what was cut."""
    acknowledged, unknown = [], []
    with store.rule("postgres", action="cut", percent=50, seed=11) as rule:
        connection = store.postgres()
        for number in range(200):
            try:
                connection.execute(f"INSERT INTO {table} VALUES (%s)", (number,))
                acknowledged.append(number)
            except psycopg.OperationalError:
                unknown.append(number)
                connection = store.postgres()
        connection.close()
        assert store.counted("postgres", rule) == (200, len(unknown), 0)
    assert 60 <= len(unknown) <= 140
    assert rows(store, table) == sorted(acknowledged + unknown)


def test_swallow_executes_and_says_nothing(store, table):
    """Executed, never answered, connection open; once the rule is gone the connection ends."""
    connection = store.postgres()
    with contextlib.closing(connection), store.rule("postgres", action="swallow", statement="insert"):
        heard = []

        def insert():
            try:
                connection.execute(f"INSERT INTO {table} VALUES (1)")
            except psycopg.OperationalError as error:
                heard.append(error)

        asking = threading.Thread(target=insert)
        asking.start()
        asking.join(0.4)
        assert asking.is_alive()
        assert rows(store, table) == [1]
        store.wire.json("POST", "/reset")
        asking.join(5)
        assert len(heard) == 1


def test_copy_passes_both_ways(store, table):
    """COPY in and out, in the simple and the extended protocol, with a rule that meets nothing."""
    with store.postgres() as connection, store.rule("postgres", action="error", error="40001", statement="nothing"):
        cursor = connection.cursor()
        with cursor.copy(f"COPY {table} (id) FROM STDIN") as copy:
            for number in range(5000):
                copy.write_row((number,))
        with cursor.copy(f"COPY {table} (id) TO STDOUT") as copy:
            assert len(list(copy.rows())) == 5000
        with cursor.copy(f"COPY (SELECT id FROM {table} WHERE id < %s) TO STDOUT", (10,)) as copy:
            assert len(list(copy.rows())) == 10
        assert connection.execute("SELECT count(*) FROM " + table).fetchone() == (5000,)


def test_copy_in_the_extended_protocol_keeps_count_of_syncs(store, table):
    """A Sync sent while the server takes data is ignored by it; the answers still belong to their questions."""
    with store.postgres() as connection, store.rule("postgres", action="error", error="40001", statement="fails"):
        pgconn = connection.pgconn
        pgconn.send_query_params(f"COPY {table} (id) FROM STDIN".encode(), [])
        assert pgconn.get_result().status == psycopg.pq.ExecStatus.COPY_IN
        pgconn.put_copy_data(b"1\n2\n")
        pgconn.put_copy_end()
        while (result := pgconn.get_result()) is not None:
            assert result.status == psycopg.pq.ExecStatus.COMMAND_OK
        with pytest.raises(errors.SerializationFailure):
            connection.execute("SELECT %s AS fails", (1,))
        assert connection.execute("SELECT %s", (7,)).fetchone() == (7,)
    assert rows(store, table) == [1, 2]


def test_cancel_reaches_the_server(store):
    """A cancel request, on a connection of its own, goes through."""
    with store.postgres() as connection:
        threading.Timer(0.2, connection.cancel).start()
        began = time.monotonic()
        with pytest.raises(errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(20)")
        assert time.monotonic() - began < 10


def test_tls_is_asked_for_and_refused_by_the_server(store):
    """A client that would like TLS asks; the server's answer passes, and rules hold on what follows."""
    with store.postgres(sslmode="prefer", gssencmode="disable") as connection:
        with store.rule("postgres", action="error", error="40001", statement="select 5"):
            with pytest.raises(errors.SerializationFailure):
                connection.execute("SELECT 5")


def test_long_statements_and_rows(store):
    """5 MB there and back; a long statement that is met fails as a whole, and the connection goes on."""
    text = "x" * 5_000_000
    with store.postgres() as connection:
        assert connection.execute("SELECT %s::text", (text,)).fetchone() == (text,)
        with store.rule("postgres", action="error", error="40001", statement="^select 1 as met"):
            with pytest.raises(errors.SerializationFailure):
                connection.execute(f"SELECT 1 AS met, '{text}'")
            assert connection.execute("SELECT 7").fetchone() == (7,)


def test_notifications_pass(store):
    """What the server says of its own accord reaches the client."""
    with store.postgres() as connection, store.postgres(direct=True) as other:
        connection.execute("LISTEN news")
        other.execute("NOTIFY news, 'hello'")
        (heard,) = connection.notifies(timeout=5, stop_after=1)
        assert heard.payload == "hello"


STEP = st.sampled_from(
    [
        ("SELECT %s + 1", (1,)),
        ("SELECT generate_series(1, %s)", (50,)),
        ("SELECT 1 / %s", (0,)),
        ("INSERT INTO w VALUES (%s) ON CONFLICT DO NOTHING", (1,)),
        ("INSERT INTO w VALUES (%s)", (2,)),
        ("UPDATE w SET id = id + %s RETURNING id", (10,)),
        ("BEGIN", None),
        ("COMMIT", None),
        ("ROLLBACK", None),
        ("SAVEPOINT a", None),
        ("ROLLBACK TO a", None),
        ("nonsense", None),
        ("SELECT repeat('y', %s)", (40_000,)),
        ("", None),
    ]
)


@settings(max_examples=40)
@given(steps=st.lists(st.tuples(STEP, st.booleans()), max_size=15), piped=st.booleans())
def test_without_rules_nothing_changes(store, steps, piped):
    """Any statements, prepared or not, pipelined or not: the same results, errors and states as past the proxy.

    Not prepared in a pipeline: what psycopg takes for prepared after one that failed depends on when answers came.
    """

    def history(connection):
        said = []
        with connection:
            connection.execute("CREATE TEMP TABLE w (id int PRIMARY KEY)")
            for (statement, values), prepare in steps:
                try:
                    if piped:
                        with connection.pipeline():
                            cursor = connection.execute(statement, values, prepare=False)
                            connection.execute("SELECT 1")
                    else:
                        cursor = connection.execute(statement, values, prepare=prepare)
                    said.append((cursor.statusmessage, cursor.fetchall() if cursor.description else None))
                except psycopg.Error as error:
                    said.append((error.sqlstate, str(error)))
                said.append(connection.info.transaction_status)
        return said

    assert history(store.postgres()) == history(store.postgres(direct=True))


@settings(max_examples=40)
@given(steps=st.lists(st.tuples(STEP, st.booleans()), max_size=15), seed=st.integers(0, 10**6), piped=st.booleans())
def test_client_and_server_never_disagree(store, steps, seed, piped):
    """With a third of all statements failing: the client's idea of the transaction is the server's own, at any time."""
    with store.postgres() as connection:
        pid = connection.info.backend_pid
        connection.execute("CREATE TEMP TABLE w (id int PRIMARY KEY)")
        with store.postgres(direct=True) as watcher:
            with store.rule("postgres", action="error", error="40001", percent=33, seed=seed):
                for (statement, values), prepare in steps:
                    try:
                        if piped:
                            with connection.pipeline():
                                connection.execute(statement, values, prepare=prepare)
                                connection.execute("SELECT 1")
                        else:
                            connection.execute(statement, values, prepare=prepare)
                    except psycopg.Error:
                        assert not connection.closed
                    expected = {
                        TransactionStatus.IDLE: "idle",
                        TransactionStatus.INTRANS: "idle in transaction",
                        TransactionStatus.INERROR: "idle in transaction (aborted)",
                    }[connection.info.transaction_status]
                    query = "SELECT state FROM pg_stat_activity WHERE pid = %s"
                    deadline = time.monotonic() + 2  # the server says it a moment after it has answered
                    while watcher.execute(query, (pid,)).fetchone()[0] != expected:
                        assert time.monotonic() < deadline, (statement, expected)
