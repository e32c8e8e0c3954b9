"""Stopping gently, restarting, and a crash of PostgreSQL: what was acknowledged is there afterwards, once."""

import signal
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import psycopg
import pytest

from resilience.errors import FaultError
from resilience.faults import effects, process, process_stop, registry
from resilience.host import files, processes
from resilience.model import FaultSpec, Launch, Place
from resilience.ports import Fault, Strike
from tests.faults.parts import Parts, eventually
from tests.faults.world import World

pytestmark = pytest.mark.stack

PROGRAM = """
import signal, sys, time
def drain(*_):
    time.sleep(float(sys.argv[1]))
    open("drained", "w").close()
    sys.exit(0)
signal.signal(signal.SIGTERM, drain)
open("up", "w").close()
while True:
    time.sleep(1)
"""


def built(kind: str, place: Place, **settings) -> Fault | Strike:
    return registry.build(FaultSpec(name="ended", kind=kind, on=place.name, duration_s=5, settings=settings), place)


@pytest.mark.parametrize(("drains_s", "drained"), [("0.2", True), ("30", False)])
def test_it_may_drain_and_not_for_ever(tmp_path: Path, drains_s: str, drained: bool):
    """A program that drains in time is left to; one that does not is killed when patience is over (Requirement F4)."""
    launch = Launch(
        name="worker",
        argv=(sys.executable, "-c", PROGRAM, drains_s),
        environment={},
        folder=str(tmp_path),
        log=str(tmp_path / "log"),
        tag=f"tests-{tmp_path.name}",
    )
    root = processes.start(launch)
    try:
        eventually((tmp_path / "up").exists)
        state = tmp_path / "stack.json"
        place = Place(name="worker", host="", port=0, via_port=0, identity=root, launch=launch, state=str(state))
        files.write_json(state, {"places": {"worker": asdict(place)}})
        fault = built("process.stop", place, patience_s=1.0)
        assert isinstance(fault, Fault)
        undo = fault.prepare()
        began = time.monotonic()
        fault.inject(undo)
        assert not processes.alive(root)
        assert time.monotonic() - began < 3.0
        assert (tmp_path / "drained").exists() is drained
        fault.revert(undo)
        fault.revert(undo)
        assert processes.alive(process.recorded(state, "worker"))
        assert len(processes.tagged(launch.tag)) == 1
    finally:
        processes.end(processes.tagged(launch.tag))


def test_restart_is_another_process_that_serves(running: Parts):
    """A restart names both processes and how long it took; the part serves when it is through (Requirement F4)."""
    before = running.recorded()
    strike = built("process.restart", running.place)
    assert isinstance(strike, Strike)
    strike.prepare()
    assert running.recorded() == before
    proof = strike.strike()
    after = running.recorded()
    assert after != before
    assert str(before.pid) in proof
    assert str(after.pid) in proof
    assert running.healthy()


def test_restart_goes_on_without_its_runner(running: Parts):
    """What stops the part also starts it: whoever asked for it may be gone."""
    root = running.recorded()
    told = {
        "state": running.place.state,
        "part": "redis",
        "root": asdict(root),
        "signal": int(signal.SIGTERM),
        "patience_s": 2.0,
    }
    process_stop.restart(told)
    eventually(running.healthy)
    now = running.recorded()
    process_stop.restart(told)  # once more, late: it is another process by now
    assert running.recorded() == now


def test_restart_of_what_is_down_is_refused(running: Parts):
    """What does not serve cannot be restarted with a meaning."""
    silent = replace(running.place, port=9)
    strike = built("process.restart", silent)
    with pytest.raises(FaultError, match="does not serve"):
        strike.prepare()


@pytest.mark.parametrize("kind", ["process.kill", "process.stop"])
def test_postgres_comes_back_with_what_it_had_acknowledged(whole: World, kind: str):
    """After a crash, or a stop, the server recovers; it is not called back while it starts up (Requirement F2)."""
    place = whole.place("postgres")
    log = Path(place.launch.log)

    def connect() -> psycopg.Connection:
        return psycopg.connect(place.dsn, passfile=place.passfile, connect_timeout=2, autocommit=True)

    with connect() as session:
        session.execute("CREATE TABLE IF NOT EXISTS crashed (kind text)")
        session.execute("INSERT INTO crashed VALUES (%s)", (kind,))
        fault = built(kind, place)
        assert isinstance(fault, Fault)
        undo = fault.prepare()
        said_before = len(log.read_text())
        began = time.monotonic()
        fault.inject(undo)
        assert time.monotonic() - began < 2.9, "a session that is open does not keep it from going"
        assert fault.active(undo) is True
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    fault.revert(undo)
    eventually(lambda: fault.active(undo) is False, 20.0)
    with connect() as session:  # at once: it takes logins, or `active` was wrong
        assert session.execute("SELECT count(*) FROM crashed WHERE kind = %s", (kind,)).fetchone() == (1,)
    recovered = "was not properly shut down" in log.read_text()[said_before:]
    assert recovered is (kind == "process.kill")
    eventually(
        lambda: effects.well(effects.ask((place.host, place.port), effects.serving(place)), effects.serving(place))
    )


@pytest.mark.parametrize(
    ("said", "serves"),
    [
        (b"R\0\0\0\x17\0\0\0\nSCRAM-SHA-256\0\0", True),
        (b"E\0\0\0\x60SFATAL\0VFATAL\0C28000\0Mno pg_hba.conf entry", True),
        (b"E\0\0\0\x60SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up", False),
        (b"E\0\0\0\x60SFATAL\0VFATAL\0C53300\0Msorry, too many clients already", False),
    ],
)
def test_what_postgres_says_while_it_starts_is_not_well(said: bytes, serves: bool):
    """A server that recovers answers, and does not serve."""
    words = effects.serving(Place(name="postgres", host="", port=0, via_port=0, protocol="postgres"))
    assert effects.well(effects.Look(effects.Seen.ANSWERED, 0.0, said), words) is serves
