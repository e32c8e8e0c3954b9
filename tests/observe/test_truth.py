"""The truth about writes, read from a real PostgreSQL."""

import os
import random
import signal
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from resilience.entry import body_of, format_id, parse_id
from resilience.errors import RecordError
from resilience.observe import copying
from resilience.observe.rows import Columns
from resilience.observe.truth import MAX_READS, read_settled
from resilience.observe.truth_postgres import PostgresTruth

pytestmark = pytest.mark.stack

RUN = "0badcafe"
QUERY = "SELECT id, body, position FROM orders WHERE id LIKE %(prefix)s || '%%' ORDER BY position"


@pytest.fixture
def orders(postgres):
    """An empty table like that of the reference target, without its unique key: duplicates must be possible."""
    with postgres.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS orders")
        connection.execute("DROP SEQUENCE IF EXISTS orders_position")
        connection.execute("CREATE SEQUENCE orders_position")
        connection.execute(
            "CREATE TABLE orders (id text, body text, position bigint DEFAULT nextval('orders_position'))"
        )
        yield connection


def insert(connection, entry_id, body=None):
    text = body_of(entry_id) if body is None else body
    connection.execute("INSERT INTO orders (id, body) VALUES (%s, %s)", (entry_id, text))


def reader(postgres, query=QUERY, **more):
    return PostgresTruth(postgres.dsn, postgres.passfile, query, **more)


def settled(postgres, query=QUERY, **more):
    return read_settled(reader(postgres, query, **more), RUN, 0.01, lambda: 7)


def test_every_row_is_told_apart(postgres, orders):
    """Intact, corrupted, misattributed, duplicated, foreign: each is seen as such, by position (Requirement J4)."""
    first, second, third = (format_id(RUN, 1, 0, seq) for seq in range(3))
    insert(orders, second)
    insert(orders, first)
    insert(orders, second)
    insert(orders, third, body_of(first))
    insert(orders, format_id(RUN, 2, 5, 9), body_of(format_id(RUN, 2, 5, 9))[:-1])
    insert(orders, f"{RUN}-something-else", "x")
    insert(orders, format_id("ffffffff", 1, 0, 0))
    truth = settled(postgres)
    assert truth.writer.tolist() == [1, 1, 1, 1, 2, -1]
    assert truth.epoch.tolist() == [0, 0, 0, 0, 5, -1]
    assert truth.seq.tolist() == [1, 0, 1, 2, 9, -1]
    assert truth.intact.tolist() == [True, True, True, False, False, False]
    assert truth.position.tolist() == sorted(truth.position.tolist())
    assert truth.foreign == (f"{RUN}-something-else",)
    assert truth.read_ns == 7


def test_body_null_is_not_intact(postgres, orders):
    """A row that lost its body is a row with a wrong body, not an error and not a good row (Requirement J4)."""
    orders.execute("INSERT INTO orders (id) VALUES (%s)", (format_id(RUN, 0, 0, 0),))
    assert settled(postgres).intact.tolist() == [False]


@pytest.mark.usefixtures("orders")
def test_empty_store_is_an_answer(postgres):
    """No rows is a truth of no rows: everything acknowledged was lost."""
    assert len(settled(postgres)) == 0


def test_many_rows_come_in_batches(postgres, orders):
    """More rows than one batch of the cursor come whole, each once."""
    orders.execute(
        "INSERT INTO orders (id, body) SELECT %s || lpad(n::text, 6, '0'), '' FROM generate_series(0, 4999) n",
        (f"{RUN}-000-000-",),
    )
    assert settled(postgres).seq.tolist() == list(range(5000))


@pytest.mark.usefixtures("orders")
def test_facts_say_what_the_store_promises(postgres):
    """The verdict names what durability it covers: the settings are read from the server (this one has fsync off)."""
    facts = settled(postgres).facts
    assert facts["fsync"] == "off"
    assert facts["synchronous_commit"] == "on"
    assert facts["full_page_writes"] == "on"
    assert facts["in_recovery"] == "false"
    assert int(facts["system_identifier"]) > 0
    assert facts["version"]
    assert facts["started"]


def test_facts_need_no_superuser(postgres, orders):
    """A role that may only read the table can tell the truth."""
    orders.execute("CREATE ROLE reader_only LOGIN PASSWORD 'reader-password'")
    try:
        orders.execute("GRANT SELECT ON orders TO reader_only")
        dsn = postgres.dsn.replace("user=tester", "user=reader_only password=reader-password")
        truth = read_settled(PostgresTruth(dsn, "", QUERY), RUN, 0.0, lambda: 0)
        assert truth.facts["system_identifier"]
    finally:
        orders.execute("DROP OWNED BY reader_only")
        orders.execute("DROP ROLE reader_only")


def test_late_rows_are_waited_for(postgres, orders):
    """A row that arrives between two reads is in the truth: one read alone would have called it lost."""
    late = format_id(RUN, 0, 0, 0)
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 1:
            insert(orders, late)

    truth = read_settled(reader(postgres), RUN, 0.25, lambda: 0, sleep=sleep)
    assert truth.seq.tolist() == [0]
    assert waits == [0.25, 0.25]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE orders SET body = body || 'x'",
        "UPDATE orders SET position = position + 100",
        "INSERT INTO orders (id, body) SELECT id, body FROM orders LIMIT 1",
        "DELETE FROM orders WHERE position = (SELECT max(position) FROM orders)",
    ],
)
def test_store_that_changes_is_no_truth(postgres, orders, change):
    """Bodies, positions, duplicates, deletions: while any of it changes there is no truth, and it says so."""
    for seq in range(MAX_READS * 2):
        insert(orders, format_id(RUN, 0, 0, seq))
    with pytest.raises(RecordError, match=r"still changing.*the last had \d+ rows"):
        read_settled(reader(postgres), RUN, 0.0, lambda: 0, sleep=lambda _: orders.execute(change))


@pytest.mark.parametrize("end", ["", ";", " ; \n", " -- in order", "\n-- in order"])
def test_query_ends_as_queries_do(postgres, orders, end):
    """A semicolon or a comment at the end of the query takes nothing away."""
    insert(orders, format_id(RUN, 0, 0, 0))
    assert settled(postgres, QUERY + end).seq.tolist() == [0]


def test_rows_of_all_shapes_are_read_exactly(postgres, orders):
    """Numbers that outgrow their width, bodies cut, long, gone: all is as one row at a time (Requirement J4)."""
    draw = random.Random(7)  # noqa: S311 - a reproducible choice
    rows = []
    for seq in range(999_000, 1_001_000):
        for writer in (7, 999, 1000, 2**31 - 1):
            entry_id = format_id(RUN, writer, 0, seq)
            rows.append((entry_id, body_of(entry_id)))
    for _ in range(200):
        place = draw.randrange(len(rows))
        entry_id, body = rows[place]
        other = rows[draw.randrange(len(rows))][1]
        bad = [body[:-1], body + "x", "", None, other, body.swapcase(), "x" * 3_000_000 if place < 100 else "y" * 300]
        ids = [entry_id, entry_id, f"{RUN}-0{entry_id[9:]}", f"{RUN}-{draw.random()}", f"{RUN}-007-000-+00001"]
        rows.insert(place, (draw.choice(ids), draw.choice([*bad, body])))
    with orders.cursor().copy("COPY orders (id, body) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    truth = settled(postgres)
    parsed = [parse_id(entry_id, RUN) or (-1, -1, -1) for entry_id, _ in rows]
    assert list(zip(truth.writer.tolist(), truth.epoch.tolist(), truth.seq.tolist(), strict=True)) == parsed
    good = [parse_id(entry_id, RUN) is not None and body == body_of(entry_id) for entry_id, body in rows]
    assert truth.intact.tolist() == good
    assert 0 < good.count(False) <= 200
    assert truth.position.tolist() == list(range(1, len(rows) + 1))


def test_no_position_behind_a_longer_body_is_an_error(postgres, orders):
    """A row as long as a good one is not taken for one: here the body has the eight bytes of the position."""
    entry_id = format_id(RUN, 0, 0, 0)
    orders.execute("INSERT INTO orders VALUES (%s, %s, null)", (entry_id, body_of(entry_id) + "8 letter"))
    with pytest.raises(RecordError, match="position None"):
        settled(postgres)


def test_rows_that_come_in_any_order_are_put_in_order(postgres, orders):
    """The truth is in the order of positions, whatever order the query or the disk gives."""
    ids = [format_id(RUN, 3, 1, seq) for seq in range(9000)]
    with orders.cursor().copy("COPY orders (id, body, position) FROM STDIN") as copy:
        for place, entry_id in enumerate(ids):
            copy.write_row((entry_id, body_of(entry_id), (place * 7) % 9000 if place % 50 == 0 else place))
    expected = sorted(((place * 7) % 9000 if place % 50 == 0 else place, place) for place in range(9000))
    for order in ("", " ORDER BY random()"):
        truth = settled(postgres, QUERY.replace(" ORDER BY position", "") + order)
        assert sorted(zip(truth.position.tolist(), truth.seq.tolist(), strict=True)) == expected
        assert truth.position.tolist() == [position for position, _ in expected]
        assert truth.intact.all()


def test_psycopg_copies_the_same(postgres, orders):
    """What is read on connections whose bytes are not ours to read is the same."""
    for writer in range(300):
        insert(orders, format_id(RUN, writer, 0, writer**3))
    statement = "COPY (SELECT id, body, position FROM orders) TO STDOUT (FORMAT binary)"
    found = []
    for way in (copying.copied, lambda connection, statement, _: copying._by_psycopg(connection, statement)):
        columns = Columns(RUN)
        with closing(postgres.connect()) as connection:
            for matrix in way(connection, statement, 5.0):
                columns.add_copied(matrix)
        found.append(columns.truth({}, 0))
    assert found[0].seq.tolist() == found[1].seq.tolist() == [writer**3 for writer in range(300)]
    assert found[0].intact.all()
    assert found[1].intact.all()


def test_unreachable_server_is_an_error_without_secrets(postgres):
    """A server that is not there is an error that names it and no password."""
    dsn = "host=127.0.0.1 port=1 user=tester dbname=postgres password=correct-horse-battery"
    with pytest.raises(RecordError, match=r"127\.0\.0\.1:1/postgres") as caught:
        read_settled(PostgresTruth(dsn, "", QUERY), RUN, 0.0, lambda: 0)
    assert postgres.password not in str(caught.value)


def test_wrong_password_is_an_error(postgres, tmp_path: Path):
    """The password comes from the passfile and from nowhere else."""
    passfile = tmp_path / "passfile"
    passfile.write_text("*:*:*:*:wrong-password\n")
    passfile.chmod(0o600)
    with pytest.raises(RecordError, match="password authentication failed"):
        read_settled(PostgresTruth(postgres.dsn, str(passfile), QUERY), RUN, 0.0, lambda: 0)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT id, body FROM orders WHERE id LIKE %(prefix)s || '%%'", "columns id, body; id, body and position"),
        ("SELECT nothing FROM nowhere WHERE id LIKE %(prefix)s", "nowhere"),
        ("SELECT %(run)s AS id, 'b' AS body, 1 AS position", "run"),
        ("SELECT 1 AS id, 'b' AS body, 1 AS position WHERE '' < %(prefix)s", "the column id is int4; a text was"),
        ("SELECT 'a' AS id, 'b' AS body, 1.5 AS position WHERE '' < %(prefix)s", "position is numeric; a whole"),
        ("SELECT null AS id, 'b' AS body, 1 AS position WHERE '' < %(prefix)s", "id None, body 'b', position 1"),
        ("SELECT 'a' AS id, 'b' AS body, null::int AS position WHERE '' < %(prefix)s", "position None"),
        ("DELETE FROM orders WHERE id LIKE %(prefix)s", "DELETE"),
    ],
)
def test_wrong_query_is_an_error(postgres, orders, query, message):
    """A query that does not yield what is needed is an error that shows what it found; it never changes anything."""
    insert(orders, format_id(RUN, 0, 0, 0))
    with pytest.raises(RecordError) as caught:
        settled(postgres, query)
    assert message in str(caught.value)
    assert orders.execute("SELECT count(*) FROM orders").fetchone() == (1,)


def test_connection_string_that_is_none_is_an_error():
    """Nonsense instead of a connection string is an error, not a crash."""
    with pytest.raises(RecordError):
        read_settled(PostgresTruth("nonsense", "", QUERY), RUN, 0.0, lambda: 0)


def test_slow_query_is_cut_off(postgres):
    """A read that takes too long is an error after the time limit (Requirement J4: no truth is unknown, not a hang)."""
    query = "SELECT 'a' AS id, 'b' AS body, 1::bigint AS position FROM pg_sleep(30) WHERE '' < %(prefix)s"
    began = time.monotonic()
    with pytest.raises(RecordError, match="statement timeout"):
        settled(postgres, query, timeout_s=0.2)
    assert time.monotonic() - began < 5


def test_hung_server_is_cut_off(postgres, orders):
    """A backend that is stopped heeds no statement timeout; the read ends nevertheless."""
    query = "SELECT 'a' AS id, 'b' AS body, 1::bigint AS position FROM pg_sleep(1) WHERE '' < %(prefix)s"
    find = "SELECT pid FROM pg_stat_activity WHERE application_name = 'resilience-truth' AND wait_event = 'PgSleep'"
    stopped = []

    def stop_backend():
        deadline = time.monotonic() + 5
        while not stopped and time.monotonic() < deadline:
            for (pid,) in orders.execute(find).fetchall():
                os.kill(pid, signal.SIGSTOP)
                stopped.append(pid)
            time.sleep(0.01)

    stopper = threading.Thread(target=stop_backend)
    stopper.start()
    began = time.monotonic()
    try:
        with pytest.raises(RecordError, match="the truth cannot be read"):
            settled(postgres, query, timeout_s=0.9)
    finally:
        stopper.join()
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    assert stopped
    assert time.monotonic() - began < 5


class Scripted:
    """A reader that answers from a list: rows and the server's start, one pair per read."""

    def __init__(self, answers):
        self.answers = iter(answers)
        self.now = None

    def read(self, _prefix):
        """The next answer's rows."""
        self.now = next(self.answers)
        return self.now[0]

    def facts(self):
        """The same answer's server."""
        return {"started": self.now[1]}


def row(seq):
    return (format_id(RUN, 0, 0, seq), "", 1)


def test_duplicates_that_change_are_no_agreement():
    """Two rows twice each are told apart from two others twice each: their digests must not cancel out."""
    answers = [([row(1), row(1)], "one"), ([row(2), row(2)], "one"), ([row(2), row(2)], "one")]
    assert read_settled(Scripted(answers), RUN, 0.0, lambda: 0).seq.tolist() == [2, 2]


def test_server_that_restarts_between_reads_is_read_again():
    """Equal rows from servers that are not the same one are no agreement."""
    answers = [([row(0)], "one"), ([row(0)], "two"), ([row(0)], "two")]
    reads = iter(range(100))
    truth = read_settled(Scripted(answers), RUN, 0.0, lambda: next(reads))
    assert truth.facts == {"started": "two"}
    assert truth.read_ns == 1


def looked_at(postgres, query=QUERY):
    """By what a look tells: a snapshot, or all rows."""
    return "snapshot" if reader(postgres, query).look(RUN).digest.startswith("snapshot ") else "rows"


@pytest.mark.parametrize(
    ("query", "by"),
    [
        (QUERY, "snapshot"),
        (QUERY.replace(" ORDER", " AND position + 1 > abs(0) ORDER"), "snapshot"),
        ("WITH one AS (TABLE orders) SELECT * FROM one JOIN (VALUES (1)) AS two(n) ON n = 1", "snapshot"),
        (QUERY.replace("ORDER", "AND random() < 2 ORDER"), "rows"),
        (QUERY.replace("ORDER", "AND now() > '2000-01-01' ORDER"), "rows"),
        (QUERY.replace("ORDER", "AND CURRENT_TIMESTAMP > '2000-01-01' ORDER"), "rows"),
        (QUERY.replace("ORDER", "AND LOCALTIME IS NOT NULL ORDER"), "rows"),
        (QUERY.replace("ORDER", "AND EXISTS (SELECT FROM pg_stat_activity) ORDER"), "rows"),
        ("SELECT id, body, position FROM orders TABLESAMPLE BERNOULLI (50) WHERE id LIKE %(prefix)s || '%%'", "rows"),
        (f"{QUERY} LIMIT 5", "rows"),
        ("SELECT orders.* FROM orders, generate_series(1, 1)", "rows"),
    ],
)
def test_a_snapshot_stands_for_rows_only_where_tables_alone_decide(postgres, orders, query, by):
    """What a clock, chance, another server or an order left open may change is looked at row by row."""
    insert(orders, format_id(RUN, 1, 0, 0))
    assert looked_at(postgres, query) == by
    if by == "snapshot":
        assert len(settled(postgres, query)) == 1


def test_a_function_of_the_users_that_may_change_its_mind_is_looked_at_row_by_row(postgres, orders):
    """The same by an operator: what it calls is not in the plan."""
    orders.execute("CREATE FUNCTION fickle(text, text) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN true; END'")
    try:
        assert looked_at(postgres, QUERY) == "snapshot"
        assert looked_at(postgres, QUERY.replace("ORDER", "AND fickle(id, body) ORDER")) == "rows"
        orders.execute("CREATE OPERATOR ~~~ (LEFTARG = text, RIGHTARG = text, FUNCTION = fickle)")
        assert looked_at(postgres, QUERY.replace("ORDER", "AND id ~~~ body ORDER")) == "rows"
    finally:
        orders.execute("DROP FUNCTION fickle CASCADE")


def test_whatever_is_written_in_between_is_looked_at(postgres, orders):
    """A row that came, one that went, a change: never the truth; a change elsewhere: the same rows, one look later."""
    orders.execute("CREATE TABLE IF NOT EXISTS elsewhere (n int)")
    for seq in range(3):
        insert(orders, format_id(RUN, 1, 0, seq))
    for change in (
        "INSERT INTO orders (id, body) VALUES ('0badcafe-1-0-9', 'x')",
        "UPDATE orders SET body = body || '#' WHERE position = (SELECT min(position) FROM orders)",
        "DELETE FROM orders WHERE position = (SELECT max(position) FROM orders)",
        "TRUNCATE orders",
        "INSERT INTO elsewhere VALUES (1)",
    ):
        source = reader(postgres)
        before = source.look(RUN)
        orders.execute(change)
        seen, truth = source.read(RUN, before, 7)
        assert truth is None, change
        again, truth = source.read(RUN, seen, 7)
        assert again.rows == len(truth) == orders.execute("SELECT count(*) FROM orders").fetchone()[0], change


def test_a_transaction_that_was_open_at_both_looks_changes_nothing(postgres, orders):
    """Its rows are seen by neither; once it has committed, they are."""
    insert(orders, format_id(RUN, 1, 0, 0))
    source = reader(postgres)
    with postgres.connect() as other:
        other.autocommit = False
        insert(other, format_id(RUN, 1, 0, 1))
        before = source.look(RUN)
        seen, truth = source.read(RUN, before, 7)
        assert seen == before
        assert len(truth) == 1
        other.commit()
    assert source.read(RUN, before, 7)[1] is None
    assert len(settled(postgres)) == 2


def forgetful(orders):
    """A table whose index has forgotten one row of twenty."""
    orders.execute("CREATE INDEX orders_id ON orders (id)")
    for seq in range(19):
        insert(orders, format_id(RUN, 0, 0, seq))
    orders.execute("SET allow_system_table_mods = on")
    orders.execute("UPDATE pg_index SET indisready = false WHERE indexrelid = 'orders_id'::regclass")
    insert(orders, format_id(RUN, 0, 0, 19))
    orders.execute("UPDATE pg_index SET indisready = true WHERE indexrelid = 'orders_id'::regclass")


def test_an_index_that_forgot_a_row_is_found(postgres, orders):
    """By way of the index there are 19 rows, in the table 20: the truth is the table, and the facts say so. J4."""
    forgetful(orders)
    truth = settled(postgres, check_index=True)
    assert truth.seq.tolist() == list(range(20))
    assert truth.facts["index"] == "orders_id"
    assert truth.facts["index_agrees"] == "false"
    assert (truth.facts["index_rows"], truth.facts["table_rows"]) == ("19", "20")
    assert "index" not in settled(postgres).facts
    orders.execute("REINDEX TABLE orders")
    whole = settled(postgres, check_index=True)
    assert (whole.facts["index_agrees"], whole.facts["index_rows"]) == ("true", "20")


def test_a_query_without_an_index_says_so(postgres, orders):
    """Nothing to compare is no agreement."""
    insert(orders, format_id(RUN, 0, 0, 0))
    facts = settled(postgres, check_index=True).facts
    assert facts["index"] == "none"
    assert "index_agrees" not in facts


def test_the_server_is_known_before_anything_is_written(postgres):
    """Its identity and timeline are told without the query."""
    facts = reader(postgres, "SELECT nothing").facts()
    assert int(facts["system_identifier"]) > 0
    assert facts["timeline"] == "1"
