"""Faults in what is said to Redis and PostgreSQL, measured as a client sees them, on the way that the service has."""
# ruff: noqa: SIM117 - what is held and what is tried are told apart

import contextlib
import time
from pathlib import Path

import psycopg
import pytest
import redis as client
from psycopg.conninfo import make_conninfo
from redis.backoff import NoBackoff
from redis.retry import Retry

from resilience.drill.examples import EXAMPLES
from resilience.errors import FaultError
from resilience.faults import registry
from resilience.faults.toxiproxy import Toxiproxy
from resilience.model import FaultSpec
from tests.faults.parts import eventually, over_json
from tests.wire.stores import stores

pytestmark = pytest.mark.stack

KINDS = pytest.mark.parametrize("kind", sorted(kind for kind in EXAMPLES if kind.startswith("protocol.")))


@pytest.fixture(scope="module")
def stack():
    with stores() as started:
        yield started.stack


def spec(kind, on="", **settings):
    example = EXAMPLES[kind]
    told = {**example.settings, **settings}
    return FaultSpec(name="tried", kind=kind, on=on or example.on, duration_s=30.0, settings=told)


@pytest.fixture
def make(stack):
    def made(kind, on="", **settings):
        wanted = spec(kind, on, **settings)
        place = stack.places()[wanted.on]
        assert registry.check(wanted) == ()
        assert registry.fits(wanted, place) == ()
        return registry.build(wanted, place)

    return made


@contextlib.contextmanager
def held(fault):
    """In place, seen; and gone afterwards, seen too."""
    undo = fault.prepare()
    assert fault.active(undo) is False
    fault.inject(undo)
    try:
        eventually(lambda: fault.active(undo), 2.0)
        yield undo
    finally:
        fault.revert(undo)
        eventually(lambda: fault.active(undo) is False)


def postgres(place, **more):
    """As the service reaches it."""
    return psycopg.connect(
        make_conninfo(place.dsn, port=place.via_port, passfile=place.passfile), autocommit=True, **more
    )


def redis(place):
    """As the service reaches it."""
    return client.Redis(
        port=place.via_port, password=Path(place.passfile).read_text(), socket_timeout=5, retry=Retry(NoBackoff(), 0)
    )


@KINDS
def test_comes_and_goes(make, kind):
    """Absent, injected, seen on fresh and open connections, reverted, absent; again is harmless (Requirement F7)."""
    fault = make(kind)
    with held(fault) as undo:
        assert "open before" in fault.proof
        assert "has the rule" in fault.proof
    fault.revert(undo)
    assert fault.active(undo) is False


@KINDS
def test_revert_without_inject_is_harmless(make, kind):
    """The runner may die between writing the debt and injecting."""
    fault = make(kind)
    undo = fault.prepare()
    fault.revert(undo)
    assert fault.active(undo) is False


@KINDS
def test_reverts_from_what_another_process_knows(make, stack, kind):
    """The undo, as JSON, is all that a revert needs; it holds no password (Requirement F7)."""
    fault = make(kind)
    undo = fault.prepare()
    fault.inject(undo)
    read = over_json(undo)
    assert not [secret for secret in stack.secrets() if secret in str(read)]
    other = registry.from_undo(read)
    eventually(lambda: other.active(read), 2.0)
    other.revert(read)
    eventually(lambda: other.active(read) is False)


def test_it_ends_by_itself(make, stack):
    """Nobody reverts: the proxy ends the rule when its time is over (Requirement F7)."""
    fault = make("protocol.redis-error")
    undo = fault.prepare()
    undo.data["rule"]["ttl_ms"] = 400
    fault.inject(undo)
    eventually(lambda: fault.active(undo), 2.0)
    eventually(lambda: fault.active(undo) is False, 3.0)
    assert Toxiproxy(stack.places()["redis"].wire).toxics("redis") == {}


def test_two_at_once_are_told_apart(make):
    """A rule that meets everything does not keep another from being measured: a token concerns its own rule alone."""
    with held(make("protocol.redis-error", error="LOADING")), held(make("protocol.delay", on="redis", delay_ms=100)):
        pass


def test_redis_errors_meet_what_was_chosen(make, stack):
    """SET of `order:` is refused with READONLY, everything else works (Requirement F1)."""
    with redis(stack.places()["redis"]) as connection:
        with held(make("protocol.redis-error", command="SET", key="^order:")):
            with pytest.raises(client.exceptions.ReadOnlyError):
                connection.set("order:1", "x")
            assert connection.set("user:1", "x")
            assert connection.get("order:1") is None
        assert connection.set("order:1", "x")


@pytest.mark.parametrize("state", ["40001", "40P01", "53300", "57P01", "25006", "55P03", "57014", "53100"])
def test_every_postgres_error_is_seen(make, state):
    """Each SQLSTATE is measured, those that end or refuse connections too (Requirement F2)."""
    with held(make("protocol.postgres-error", sqlstate=state)):
        pass


def test_a_rule_that_meets_nothing_is_idle(make, stack):
    """Its own canary does not count: only what the target's clients said does."""
    fault = make("protocol.redis-error", error="READONLY", key="^nobodys:")
    with held(fault) as undo:
        assert "met nothing" in fault.idle(undo)
    fault = make("protocol.redis-error", error="READONLY", key="^ours:")
    with held(fault) as undo, redis(stack.places()["redis"]) as session:
        with pytest.raises(client.ReadOnlyError):
            session.set("ours:1", "x")
        eventually(lambda: fault.idle(undo) == "", 2.0)


def test_a_share_of_statements_fails(make, stack):
    """20 % of 300 inserts (35 to 88: 4 standard deviations); what was answered well is there (Requirement F2)."""
    with postgres(stack.places()["postgres"]) as connection:
        connection.execute("CREATE TEMP TABLE made (id int)")
        failed = 0
        fault = make("protocol.postgres-error", statement="insert into made", percent=20.0)
        with held(fault):
            for number in range(300):
                try:
                    connection.execute("INSERT INTO made VALUES (%s)", (number,))
                except psycopg.errors.SerializationFailure:
                    failed += 1
        assert 35 <= failed <= 88
        assert connection.execute("SELECT count(*) FROM made").fetchone() == (300 - failed,)
    assert f"was about 300 of what the target said and met {failed} of it" in fault.proof


@pytest.mark.parametrize("part", ["redis", "postgres"])
def test_delay_is_what_was_asked(make, stack, part):
    """150 ms more for what is met, for one round trip, give or take 50 ms (Requirement F1, F2)."""
    place = stack.places()[part]
    with redis(place) if part == "redis" else postgres(place) as connection:

        def took():
            began = time.monotonic()
            connection.get("x") if part == "redis" else connection.execute("SELECT 1")
            return time.monotonic() - began

        without = min(took() for _ in range(5))
        with held(make("protocol.delay", on=part, delay_ms=150)):
            added = min(took() for _ in range(3)) - without
    assert 0.145 <= added < 0.2


def test_a_commit_that_is_cut_is_kept(make, stack):
    """The client lost its connection at COMMIT; the row is there (Requirement J4)."""
    place = stack.places()["postgres"]
    with postgres(place) as watcher:
        watcher.execute("CREATE TABLE kept (id int)")
        connection = postgres(place)
        with contextlib.closing(connection), held(make("protocol.cut-after-commit", statement="into kept", at_most=1)):
            with pytest.raises(psycopg.OperationalError):
                connection.execute("INSERT INTO kept VALUES (1)")
        assert watcher.execute("SELECT count(*) FROM kept").fetchone() == (1,)
        watcher.execute("DROP TABLE kept")


def test_an_answer_that_is_swallowed_was_given(make, stack):
    """INCR is executed and never answered: the client times out, the value is there (Requirement J4)."""
    place = stack.places()["redis"]
    password = Path(place.passfile).read_text()
    with redis(place) as watcher, held(make("protocol.swallow-answer", command="INCRBY")):
        with client.Redis(
            port=place.via_port, password=password, socket_timeout=0.3, retry=Retry(NoBackoff(), 0)
        ) as connection:
            with pytest.raises(client.exceptions.TimeoutError):
                connection.incr("counted")
        assert watcher.get("counted") == b"1"


def test_what_does_not_fit_is_refused_before(stack):
    """A pattern that is none, a rule for another protocol, a part without the proxy: told by preflight."""
    assert registry.check(spec("protocol.delay", statement="(?=a)"))
    wrong = spec("protocol.redis-error", on="postgres")
    assert "speaks postgres" in str(registry.fits(wrong, stack.places()["postgres"])[0])
    mixed = spec("protocol.delay", on="redis", statement="x")
    assert "means nothing to redis" in str(registry.fits(mixed, stack.places()["redis"])[0])
    assert registry.fits(spec("protocol.redis-error", on="toxiproxy"), stack.places()["toxiproxy"])


def test_a_proxy_that_is_gone_owes_nothing(make):
    """The stack has ended: revert succeeds, and the fault is not there (Requirement F7)."""
    fault = make("protocol.redis-error")
    undo = fault.prepare()
    undo.data["control"] = "http://127.0.0.1:9"
    fault.revert(undo)
    assert fault.active(undo) is False


def test_a_part_that_is_not_wired_is_refused(stack):
    """Without the protocol proxy in the way there is nothing that could be told a rule."""
    fault = registry.KINDS["protocol.delay"].build({}, stack.places()["toxiproxy"])
    with pytest.raises(FaultError, match="behind the protocol proxy"):
        fault.prepare()
