"""Connections to PostgreSQL: used up, limited, ended; as the service's role sees it, on a real server."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest

from resilience.errors import FaultError
from resilience.faults import holder, registry
from resilience.faults.postgres_server import Server, one, slots
from resilience.host import processes
from resilience.host.network import cut_off
from resilience.model import FaultSpec, Place
from resilience.ports import Fault, Strike
from tests.faults.parts import eventually, over_json
from tests.faults.world import World

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def server(whole: World) -> Server:
    place = whole.place("postgres")
    return Server(place.dsn, place.passfile, place.state)


def on(place: Place, kind: str, **settings) -> Fault:
    """The fault, as a run builds it."""
    spec = FaultSpec(name="tried", kind=kind, on="postgres", duration_s=30.0, settings=settings)
    return registry.build(spec, place)


@contextmanager
def held(whole: World, kind: str, **settings) -> Iterator[Fault]:
    """A fault in place; given back by another one that knows the undo alone, and seen gone."""
    fault = on(whole.place("postgres"), kind, **settings)
    undo = over_json(fault.prepare())
    other = registry.from_undo(undo)
    try:
        fault.inject(undo)
        eventually(lambda: fault.active(undo))
        yield fault
        eventually(lambda: fault.active(undo))
    finally:
        other.revert(undo)
        eventually(lambda: other.active(undo) is False)
        fault.revert(undo)


def login(server: Server) -> str:
    """Why a login as the service is refused; empty if it is let in."""
    try:
        with psycopg.connect(server.dsn, user="shop", passfile=server.passfile, connect_timeout=3):
            return ""
    except psycopg.OperationalError as error:
        return str(error)


@contextmanager
def pool(server: Server, size: int) -> Iterator[list[psycopg.Connection]]:
    """Connections of the service's role."""
    connections = [
        psycopg.connect(server.dsn, user="shop", passfile=server.passfile, autocommit=True) for _ in range(size)
    ]
    try:
        yield connections
    finally:
        for connection in connections:
            connection.close()


def works(connection: psycopg.Connection) -> bool:
    """Whether the session is still there."""
    with suppress(psycopg.OperationalError):
        return connection.execute("SELECT 1").fetchone() == (1,)
    return False


def count(server: Server, role: str = "shop", name: str = "") -> int:
    with server.session() as session:
        found = slots(session, role, name)
    return found.ours if name else found.theirs


def test_no_connection_is_left(whole: World, server: Server):
    """The service's role gets SQLSTATE 53300 while it is held, its open sessions are gone, and then it gets in (F2)."""
    with pool(server, 6) as connections:
        with held(whole, "postgres.pool-exhaustion", leave=0):
            assert "remaining connection slots are reserved" in login(server)
            eventually(lambda: count(server) == 0)
            with pytest.raises(psycopg.OperationalError):
                connections[0].execute("SELECT 1")
        assert login(server) == ""


@pytest.mark.parametrize("kind", ["postgres.pool-exhaustion", "postgres.connection-limit"])
def test_so_many_are_left(whole: World, server: Server, kind: str):
    """With `leave` at 3 the service has three connections that work, and not a fourth (Requirement F2)."""
    with pool(server, 5), held(whole, kind, leave=3):
        eventually(lambda: count(server) <= 3)
        connections: list[psycopg.Connection] = []

        def full() -> bool:
            with suppress(psycopg.OperationalError):
                connections.append(psycopg.connect(server.dsn, user="shop", passfile=server.passfile))
            return bool(login(server))

        try:
            eventually(full)
            assert count(server) <= 3
            for connection in connections:
                assert connection.execute("SELECT 1").fetchone() == (1,)
        finally:
            for connection in connections:
                connection.close()


@pytest.mark.parametrize("kind", ["postgres.pool-exhaustion", "postgres.connection-limit"])
def test_open_sessions_stay_without_evict(whole: World, server: Server, kind: str):
    """Without `evict` a connection from before goes on working; only new ones are refused (Requirement F2)."""
    with pool(server, 2) as connections, held(whole, kind, leave=0, evict=False):
        assert login(server)
        assert connections[0].execute("SELECT 1").fetchone() == (1,)


def test_whoever_looks_costs_nobody_a_connection(whole: World, server: Server):
    """Administrators come and go by the reserved slots: what the service was left stays the same connections."""
    with held(whole, "postgres.pool-exhaustion", leave=2) as fault:
        eventually(lambda: count(server) <= 2)
        with ExitStack() as opened:
            connections: list[psycopg.Connection] = []

            def full() -> bool:
                with suppress(psycopg.OperationalError):  # a look that is just over had the slot
                    connections.extend(opened.enter_context(pool(server, 1)))
                return count(server) == 2

            eventually(full)
            for _ in range(20):
                # Logins of the service that are about to be refused have a slot, too: then even he is turned away.
                with suppress(FaultError), server.session("look"):
                    time.sleep(0.02)
            assert all(works(connection) for connection in connections)
            assert fault.proof


def test_what_comes_free_is_taken(whole: World, server: Server):
    """A slot that somebody gives up while it is held does not end the exhaustion."""
    with psycopg.connect(server.dsn, passfile=server.passfile, autocommit=True):
        fault = on(whole.place("postgres"), "postgres.pool-exhaustion", leave=0)
        undo = fault.prepare()
        fault.inject(undo)

    def exhausted():
        with suppress(FaultError):  # the place that came free is, for a moment
            return fault.active(undo)
        return False

    try:
        eventually(lambda: "reserved" in login(server))
        eventually(exhausted)
    finally:
        fault.revert(undo)
    eventually(lambda: login(server) == "")


def test_the_server_frees_what_a_stopped_holder_has(whole: World, server: Server):
    """A holder that is stopped for good loses its sessions to the server's own limit, when its lease is over."""
    place = whole.place("postgres")
    name = holder.new_name()
    told = {"role": "shop", "leave": 80, "evict": False, **Server(place.dsn, place.passfile).data()}
    process = holder.start(name, "connections", told, lease_s=2.5)
    try:
        eventually(lambda: count(server, name=name) >= 2, 10.0)
        processes.send(process, 19)
        # All but the session that counts, which is not idle for that long before it is stopped: its host would be.
        eventually(lambda: count(server, name=name) <= 1, 15.0)
    finally:
        holder.end(name)
    eventually(lambda: count(server, name=name) == 0)


def test_refused_when_there_is_nothing_to_hold(whole: World):
    """More to be left than can be had, or a role that limits do not bind: refused, nothing is touched."""
    place = whole.place("postgres")
    with pytest.raises(FaultError, match="connections can be had now"):
        on(place, "postgres.pool-exhaustion", leave=500).prepare()
    with pytest.raises(FaultError, match="superuser"):
        on(place, "postgres.pool-exhaustion", role="postgres").prepare()
    with pytest.raises(FaultError, match="no role 'nobody-here'"):
        on(place, "postgres.connection-limit", role="nobody-here").prepare()


def test_sessions_are_ended_once(whole: World, server: Server):
    """A strike ends every session of the service with 57P01, counts them, and leaves ours alone (Requirement F2)."""
    with server.session("bystander") as ours, pool(server, 4) as connections:
        strike = on(whole.place("postgres"), "postgres.kill-connections")
        assert isinstance(strike, Strike)
        strike.prepare()
        assert all(one.execute("SELECT 1").fetchone() == (1,) for one in connections)
        said = strike.strike()
        number = int(said.split()[0])
        assert number >= 4, said
        for connection in connections:
            with pytest.raises(psycopg.errors.AdminShutdown) as ended:
                connection.execute("SELECT 1")
            assert ended.value.sqlstate == "57P01"
        assert one(ours, "SELECT 1") == 1


def test_sessions_are_ended_again_and_again(whole: World, server: Server):
    """While it is held, no session of the service lasts longer than the interval; then they last (Requirement F2)."""
    ended: list[float] = []
    with held(whole, "postgres.terminate", interval_ms=200):
        for _ in range(3):
            began = time.monotonic()
            with pool(server, 1) as (connection,):
                eventually(lambda connection=connection: not works(connection))
            ended.append(time.monotonic() - began)
    assert max(ended) < 4, f"sessions lasted {ended} s"
    with pool(server, 1) as (connection,):
        time.sleep(0.6)
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_the_server_is_busy(whole: World, server: Server):
    """Two sessions keep their server processes running and spill to disk; then they are gone, files and all (F2)."""

    def cpu_s(pids: list[int]) -> float:
        return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)

    with held(whole, "postgres.heavy-queries", workers=2, spill_mb=4), server.session() as session:
        found = session.execute("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'resilience-hold-%'")
        pids = [pid for (pid,) in found.fetchall()]
        before, began = cpu_s(pids), time.monotonic()
        time.sleep(1.5)
        share = (cpu_s(pids) - before) / (time.monotonic() - began)
        assert len(pids) == 2
        assert share > 0.3, f"{share:.2f} of a core"
    with server.session() as session:
        eventually(lambda: one(session, "SELECT count(*) FROM pg_ls_tmpdir()") == 0)


def test_the_role_gets_its_limit_back(whole: World, server: Server):
    """A limit that was there before is put back, not removed (Requirement F7)."""
    with server.session() as session:
        session.execute("ALTER ROLE shop CONNECTION LIMIT 40")
        try:
            with held(whole, "postgres.connection-limit", leave=1):
                assert one(session, "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'shop'") == 1
            assert one(session, "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'shop'") == 40
        finally:
            session.execute("ALTER ROLE shop CONNECTION LIMIT -1")


def test_somebody_elses_limit_survives(whole: World, server: Server):
    """Changed by somebody else meanwhile: it stays, and the error names all three values (Requirement F7)."""
    fault = on(whole.place("postgres"), "postgres.connection-limit", leave=1)
    undo = fault.prepare()
    fault.inject(undo)
    try:
        with server.session() as session:
            session.execute("ALTER ROLE shop CONNECTION LIMIT 7")
            with pytest.raises(FaultError, match="was -1, we set 1, somebody else 7"):
                fault.revert(undo)
            assert one(session, "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'shop'") == 7
    finally:
        with server.session() as session:
            session.execute("ALTER ROLE shop CONNECTION LIMIT -1")
    fault.revert(undo)
    eventually(lambda: fault.active(undo) is False)


def test_two_at_once_are_refused(whole: World):
    """A second one on the same server has nothing to take, and would end the first one's proof."""
    with held(whole, "postgres.pool-exhaustion", leave=2), pytest.raises(FaultError, match="can be had now"):
        on(whole.place("postgres"), "postgres.pool-exhaustion", leave=2).prepare()


def test_nothing_is_owed_to_a_stack_that_is_gone(whole: World, tmp_path: Path):
    """The stack was taken down: reverting asks nobody, and nothing is active (Requirement F7)."""
    place = whole.place("postgres")
    for kind in ("postgres.pool-exhaustion", "postgres.connection-limit"):
        undo = on(place, kind).prepare()
        gone = replace(undo, data={**undo.data, "state": str(tmp_path / "stack.json"), "dsn": "postgresql://[::1]:9/"})
        other = registry.from_undo(gone)
        other.revert(gone)
        assert other.active(gone) is False


def test_preflight_says_what_is_missing(whole: World, tmp_path: Path):
    """No server, or no superuser: said before anything is touched, with what to do."""
    place = whole.place("postgres")
    kind = registry.find("postgres.pool-exhaustion")
    settings = kind.complete({})
    assert kind.preflight(settings, place) == ()
    nobody = replace(place, dsn=f"postgresql://postgres@127.0.0.1:9/{tmp_path.name}")
    assert "refused" in str(kind.preflight(settings, nobody)[0])
    ordinary = replace(place, dsn=place.dsn.replace("postgres@", "shop@"))
    assert "no superuser" in str(kind.preflight(settings, ordinary)[0])


def test_a_stopped_server_is_not_waited_for(whole: World):
    """A server that is stopped answers nothing and closes nothing: every look ends all the same, with an error."""
    place = whole.place("postgres")
    looking = Server(place.dsn, place.passfile)
    group = (place.identity, *processes.descendants(place.identity))
    with looking.connect("look") as session:
        try:
            for identity in (*group, *processes.descendants(place.identity)):
                processes.send(identity, 19)
            began = time.monotonic()
            with pytest.raises(psycopg.OperationalError), cut_off(session.fileno(), 0.5):
                session.execute("SELECT 1")
            with pytest.raises(FaultError), looking.session():
                pass
            assert time.monotonic() - began < 15
        finally:
            for identity in (*group, *processes.descendants(place.identity)):
                processes.send(identity, 18)


def test_many_may_revert_at_once(whole: World, server: Server):
    """Runner and reaper may revert side by side; nothing of ours is left."""
    fault = on(whole.place("postgres"), "postgres.pool-exhaustion", leave=2)
    undo = fault.prepare()
    fault.inject(undo)
    threads = [threading.Thread(target=registry.from_undo(undo).revert, args=(undo,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: count(server, name=str(undo.data["name"])) == 0)
    assert login(server) == ""
