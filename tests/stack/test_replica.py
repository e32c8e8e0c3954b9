"""The second PostgreSQL of the embedded stack: it follows, it can be killed, and nothing of it is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from resilience.host import processes
from resilience.stack import parts, replica
from resilience.stack.settle import settle
from tests.stack.traces import HERE, plain_service, remains, segments_of

pytestmark = pytest.mark.stack


def sql(place, query):
    with psycopg.connect(place.dsn, passfile=place.passfile, autocommit=True, connect_timeout=2) as session:
        done = session.execute(query)
        return done.fetchone() if done.description else None


def follows(places):
    """Why it does not follow; empty if it does."""
    primary = places["postgres"]
    return replica.follows(places[parts.REPLICA].port, primary.port, primary.passfile)


def until(true, within_s):
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within_s
        time.sleep(0.02)


def test_it_follows_through_kills_of_both(make_stack):
    """It has what is written; it takes no write; killed itself, or its primary, it follows again; then all is gone."""
    stack = make_stack(plain_service(), postgres_replica=True)
    began = time.monotonic()
    stack.start()
    places = stack.places()
    assert set(places) == {"postgres", parts.REPLICA, "redis", "toxiproxy", "service"}
    second = places[parts.REPLICA]
    assert second.proxy == parts.REPLICA
    assert sql(second, "SELECT pg_is_in_recovery()") == (True,)
    sql(places["postgres"], "CREATE TABLE told (id int)")
    until(lambda: follows(places) == "", 5.0)
    assert sql(second, "SELECT count(*) FROM told") == (0,)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        sql(second, "INSERT INTO told VALUES (1)")
    shown = dict(line.split("=", 1) for line in environment(places["service"]) if "=" in line)
    assert shown["DATABASE_REPLICA_URL"].endswith(f":{second.via_port}/shop")
    identities = {}
    for name in (parts.REPLICA, "postgres"):
        processes.end([places[name].identity], gently=signal.SIGKILL)
        identities[name] = processes.start(places[name].launch)
        until(lambda: follows(places) == "", 15.0)
    pids = {identity.pid for identity in identities.values()}
    assert segments_of(pids)
    stack.stop()
    assert remains(stack.debt_data()) == []
    assert segments_of(pids) == []
    assert time.monotonic() - began < 60


def environment(place):
    return Path(f"/proc/{place.identity.pid}/environ").read_bytes().decode().split("\0")


def test_its_password_is_its_server_s_alone(make_stack):
    """Not on a command line, in no file that others can read, and not that of the superuser."""
    stack = make_stack(postgres_replica=True)
    stack.start()
    place = stack.places()[parts.REPLICA]
    file = stack.folder / parts.REPLICA / "primary.pgpass"
    secret = file.read_text().strip().rpartition(":")[2]
    assert len(secret) >= 24
    assert file.stat().st_mode & 0o077 == 0
    shown = b"".join(path.read_bytes() for path in (*stack.folder.glob("*.log"), stack.folder / "stack.json"))
    shown += Path(f"/proc/{place.identity.pid}/cmdline").read_bytes()
    assert secret.encode() not in shown
    assert secret not in (stack.folder / "admin.pgpass").read_text()
    assert secret in stack.secrets()
    dsn = stack.places()["postgres"].dsn
    with psycopg.connect(dsn, user=replica.ROLE, password=secret, connect_timeout=2) as session:
        rights = session.execute("SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = user")
        assert rights.fetchone() == (False, False, False)


def test_a_starter_that_is_killed_leaves_nothing(root):
    """SIGKILL at any moment of the start: another process finds all of it (Requirement F7)."""
    code = (
        "import sys; from pathlib import Path; from resilience.stack.embedded import EmbeddedStack\n"
        "stack = EmbeddedStack(None, postgres_replica=True, tag=sys.argv[1], experiment_folder='.', "
        "folder_root=Path(sys.argv[2]))\nstack.start()\nprint('up', flush=True)\nsys.stdin.read()"
    )
    for number, delay_s in enumerate((0.6, 1.2, 1.8, None)):
        tag = f"test-{os.getpid()}-{number}"
        starter = subprocess.Popen(
            [sys.executable, "-c", code, tag, str(root)],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        with starter:
            if delay_s is None:
                assert starter.stdout is not None
                starter.stdout.readline()
            else:
                time.sleep(delay_s)
            starter.kill()
        data = {"folder": str(root / f"resilience-{tag}"), "tag": tag}
        settle(data)
        assert remains(data) == []
