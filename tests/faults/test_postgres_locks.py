"""Locks and deadlocks in PostgreSQL: what statements of the service's role feel of them, on a real server."""

import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from resilience.errors import FaultError
from resilience.faults import holder
from resilience.faults.postgres_server import one
from resilience.host import processes
from tests.faults.parts import eventually
from tests.faults.test_postgres import held, on, server
from tests.faults.world import World

__all__ = ["server"]

pytestmark = pytest.mark.stack

READ = "SELECT count(*) FROM orders"
WRITE = "INSERT INTO orders (id, item, body) VALUES ('canary', 1, '') ON CONFLICT DO NOTHING"
CHANGE = "UPDATE items SET name = name WHERE id = 0"


@pytest.fixture
def shop(server) -> Iterator[psycopg.Connection]:
    """A session of the service's, from before the fault, that waits for a second at most and keeps nothing."""
    with psycopg.connect(server.dsn, user="shop", passfile=server.passfile, options="-c lock_timeout=1000") as session:
        yield session
        session.rollback()


def waits_s(session: psycopg.Connection, statement: str) -> float:
    """How long a statement takes; a lock that is not to be had in time took a second."""
    began = time.monotonic()
    try:
        session.execute(statement)
    except psycopg.errors.LockNotAvailable:
        return 1.0
    finally:
        session.rollback()
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("blocks", "waiting", "going"),
    [("everything", [READ, WRITE, CHANGE], []), ("writes", [WRITE, CHANGE], [READ]), ("rows", [CHANGE], [READ, WRITE])],
)
def test_what_is_locked_waits_and_nothing_else(
    whole: World, shop: psycopg.Connection, blocks: str, waiting: list[str], going: list[str]
):
    """Statements that need the lock wait for as long as it is held, the others do not; then all go on (F2)."""
    with held(whole, "postgres.locked", blocks=blocks):
        assert [waits_s(shop, statement) for statement in waiting] == [1.0] * len(waiting)
        assert all(waits_s(shop, statement) < 0.9 for statement in going)
    assert all(waits_s(shop, statement) < 0.9 for statement in (READ, WRITE, CHANGE))


def test_only_the_tables_named_are_locked(whole: World, shop: psycopg.Connection):
    """Other tables go on as before."""
    with held(whole, "postgres.locked", tables="public.orders"):
        assert waits_s(shop, WRITE) == 1.0
        assert waits_s(shop, CHANGE) < 0.9


def test_statements_wait_for_as_long_as_asked(whole: World, shop: psycopg.Connection):
    """With 300 ms of every 500 ms, the longest of many waits about 300 ms, and some do not wait (Requirement F2)."""
    quiet = sorted(waits_s(shop, READ) for _ in range(20))
    with held(whole, "postgres.slow-queries", lock_ms=300, interval_ms=500):
        waited: list[float] = []
        began = time.monotonic()
        while time.monotonic() < began + 3:
            waited.append(waits_s(shop, READ))
            time.sleep(0.02)
    assert max(waited) > 0.25 + quiet[0]
    assert max(waited) < 0.3 + max(0.5, 10 * quiet[-1])
    assert min(waited) < 0.1 + quiet[-1]
    assert sum(waited) > 0.25 * 3, "most of the locked time is waited for by one statement after another"


@pytest.mark.parametrize("rate", [2.0, 8.0])
def test_deadlocks_come_at_the_rate_asked_for(whole: World, server, rate: float):
    """The server's own counter goes up by the rate, within a third and one (Requirement F2)."""

    def counted() -> int:
        with server.session() as session:
            return int(one(session, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))

    before, began = counted(), time.monotonic()
    with held(whole, "postgres.deadlocks", rate_per_s=rate, wait_ms=60):
        time.sleep(3.0)
    took_s = time.monotonic() - began
    eventually(lambda: counted() - before >= rate * 3 * 0.67 - 1)
    assert counted() - before <= rate * took_s * 1.33 + 1


def test_statements_wait_while_a_deadlock_lasts(whole: World, shop: psycopg.Connection):
    """The deadlock is on the service's tables: its writes wait for about `wait_ms` of each, its reads do not (F2)."""
    with held(whole, "postgres.deadlocks", rate_per_s=2.0, wait_ms=300):
        writes, reads = [], []
        began = time.monotonic()
        while time.monotonic() < began + 2.5:
            writes.append(waits_s(shop, WRITE))
            reads.append(waits_s(shop, READ))
            time.sleep(0.02)
    assert max(writes) > 0.15
    assert sorted(reads)[len(reads) // 2] < 0.15


def test_a_transaction_of_the_service_may_be_the_one_that_is_ended(whole: World, server):
    """With a long `wait_ms` the server looks for the service first: its transaction over two tables gets 40P01 (F2)."""
    options = "-c deadlock_timeout=50"
    with server.connect("victim") as session:
        session.execute(options.replace("-c ", "SET "))

        def ended() -> bool:
            try:
                with session.transaction():
                    session.execute("SET LOCAL lock_timeout = '3s'")
                    session.execute("LOCK TABLE orders IN ROW EXCLUSIVE MODE")
                    time.sleep(0.2)
                    session.execute("LOCK TABLE items IN ROW EXCLUSIVE MODE")
            except psycopg.errors.DeadlockDetected as error:
                return error.sqlstate == "40P01"
            except psycopg.errors.LockNotAvailable:
                return False
            return False

        with held(whole, "postgres.deadlocks", rate_per_s=0.5, wait_ms=1500, tables="items, orders"):
            eventually(ended, 20.0)


def test_a_table_that_is_locked_already_is_refused(whole: World, server):
    """Somebody else's lock is not ours to claim: refused, with the table's name."""
    with server.session() as other, other.transaction():
        other.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        for kind in ("postgres.locked", "postgres.slow-queries", "postgres.deadlocks"):
            with pytest.raises(FaultError, match=r"locked already by somebody else: public\.orders"):
                on(whole.place("postgres"), kind).prepare()


@pytest.mark.parametrize("named", ["no_such_table", "orders, no_such_table", "pg_stat_activity"])
def test_tables_that_are_not_there_are_refused(whole: World, named: str):
    """A name that is no table: refused before anything is touched."""
    with pytest.raises(FaultError, match="are there"):
        on(whole.place("postgres"), "postgres.locked", tables=named).prepare()


def test_settings_that_cannot_go_together_are_refused(whole: World):
    """A lock longer than its interval, deadlocks that last longer than the time between them."""
    place = whole.place("postgres")
    with pytest.raises(FaultError, match="not less than interval_ms"):
        on(place, "postgres.slow-queries", lock_ms=500, interval_ms=500)
    with pytest.raises(FaultError, match="more than a second"):
        on(place, "postgres.deadlocks", rate_per_s=10.0, wait_ms=200)


def test_it_does_not_queue_for_long(whole: World, server, shop: psycopg.Connection):
    """Behind a long transaction it gives up and tries again: nobody waits behind it for ever; then it gets its turn."""
    fault = on(whole.place("postgres"), "postgres.locked")
    undo = fault.prepare()
    name = str(undo.data["name"])
    told = {**undo.data["told"], **server.data()}
    with server.connect("long") as other:
        other.execute("BEGIN; LOCK TABLE orders IN ACCESS SHARE MODE")
        process = holder.start(name, "locks", told, lease_s=30.0)
        try:
            waited = [waits_s(shop, READ) for _ in range(100)]
            assert max(waited) < 1.0
            assert processes.alive(process)
            other.execute("ROLLBACK")
            eventually(lambda: fault.active(undo))
        finally:
            fault.revert(undo)
    assert waits_s(shop, READ) < 0.9


def test_the_server_ends_the_lock_of_a_stopped_holder(whole: World, server, shop: psycopg.Connection):
    """A holder that is stopped for good keeps a lock no longer than its lease (Requirement F7)."""
    undo = on(whole.place("postgres"), "postgres.locked").prepare()
    name, told = str(undo.data["name"]), {**undo.data["told"], **server.data()}
    process = holder.start(name, "locks", told, lease_s=2.0)
    reads: Callable[[], float] = lambda: waits_s(shop, READ)  # noqa: E731 - one line is enough
    try:
        eventually(lambda: reads() == 1.0, 10.0)
        processes.send(process, 19)
        eventually(lambda: reads() < 0.5, 15.0)
        assert processes.state_of(process) == "T"
    finally:
        holder.end(name)
