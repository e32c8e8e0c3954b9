"""PostgreSQL read-only: every session feels it, what was set before comes back, somebody else's change stays."""

import psycopg
import pytest

from resilience.errors import FaultError
from resilience.faults import registry
from resilience.faults.postgres_server import one
from resilience.host import processes
from tests.faults.parts import eventually, over_json
from tests.faults.test_postgres import held, on, server
from tests.faults.world import World

__all__ = ["server"]

pytestmark = pytest.mark.stack

WRITE = "INSERT INTO orders (id, item, body) VALUES ('canary', 1, '') ON CONFLICT DO NOTHING"
NAME = "default_transaction_read_only"


def shop(server) -> psycopg.Connection:
    return psycopg.connect(server.dsn, user="shop", passfile=server.passfile)


def refused(session: psycopg.Connection) -> str:
    """The SQLSTATE of a write; empty if it is taken."""
    try:
        session.execute(WRITE)
    except psycopg.Error as error:
        return str(error.sqlstate)
    finally:
        session.rollback()
    return ""


def in_file(server) -> str | None:
    with server.session() as session:
        return one(session, "SELECT setting FROM pg_file_settings WHERE name = %s ORDER BY seqno DESC LIMIT 1", NAME)


def test_writes_are_refused_in_old_and_new_sessions(whole: World, server):
    """SQLSTATE 25006 for a session from before and a new one, reads go on, and then writes are taken again (F2)."""
    with shop(server) as before:
        assert refused(before) == ""
        with held(whole, "postgres.readonly"):
            assert refused(before) == "25006"
            with shop(server) as fresh:
                assert refused(fresh) == "25006"
            assert before.execute("SELECT count(*) >= 0 FROM orders").fetchone() == (True,)
            before.rollback()
        eventually(lambda: refused(before) == "")
    assert in_file(server) is None


def test_what_was_in_the_file_comes_back(whole: World, server):
    """An entry that was there before is there again, as it was written (Requirement F7)."""
    with server.session() as session:
        session.execute(f"ALTER SYSTEM SET {NAME} = 'false'")
        session.execute("SELECT pg_reload_conf()")
    try:
        with held(whole, "postgres.readonly"):
            assert in_file(server) == "yes"
        assert in_file(server) == "false"
    finally:
        with server.session() as session:
            session.execute(f"ALTER SYSTEM RESET {NAME}")
            session.execute("SELECT pg_reload_conf()")


def test_somebody_elses_change_survives(whole: World, server):
    """Set by somebody else while ours was in place: it stays, the error has all values, and the debt stays (F7)."""
    fault = on(whole.place("postgres"), "postgres.readonly")
    undo = fault.prepare()
    fault.inject(undo)
    try:
        with server.session() as session:
            session.execute(f"ALTER SYSTEM SET {NAME} = 'on'")
        with pytest.raises(FaultError, match="was None, we set 'yes', somebody else 'on'"):
            fault.revert(undo)
        assert in_file(server) == "on"
    finally:
        with server.session() as session:
            session.execute(f"ALTER SYSTEM RESET {NAME}")
            session.execute("SELECT pg_reload_conf()")
    fault.revert(undo)
    eventually(lambda: fault.active(undo) is False)


def test_still_owed_after_a_crash_of_the_server(whole: World, server):
    """The entry is in a file: the server is read-only when it comes back, and another process puts it right (F7)."""
    place = whole.place("postgres")
    fault = on(place, "postgres.readonly")
    undo = over_json(fault.prepare())
    fault.inject(undo)
    eventually(lambda: fault.active(undo))
    crash = on(place, "process.kill")
    crashed = crash.prepare()
    crash.inject(crashed)
    try:
        with pytest.raises(FaultError):
            registry.from_undo(undo).revert(undo)
    finally:
        crash.revert(crashed)
    eventually(lambda: crash.active(crashed) is False, 20.0)
    assert processes.alive(whole.place("postgres").identity)
    other = registry.from_undo(undo)
    eventually(lambda: other.active(undo), 10.0)
    other.revert(undo)
    eventually(lambda: other.active(undo) is False)
    with shop(server) as session:
        assert refused(session) == ""
    fault.revert(undo)


@pytest.mark.parametrize("setting", ["ALTER ROLE shop SET", "ALTER DATABASE shop SET"])
def test_refused_where_it_would_change_nothing(whole: World, server, setting: str):
    """A setting of the role's or the database's own stands above the server's: refused, and why."""
    with server.session() as session:
        session.execute(f"{setting} {NAME} = off")
        try:
            with pytest.raises(FaultError, match="the server's does not change it"):
                on(whole.place("postgres"), "postgres.readonly").prepare()
        finally:
            session.execute(f"{setting.removesuffix(' SET')} RESET {NAME}")


def test_refused_when_it_is_read_only_already(whole: World):
    """A second one would take the first one's value for what was there before."""
    with held(whole, "postgres.readonly"), pytest.raises(FaultError, match=r"read-only already"):
        on(whole.place("postgres"), "postgres.readonly").prepare()
