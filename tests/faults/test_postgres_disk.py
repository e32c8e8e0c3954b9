"""PostgreSQL on a full disk: a real one, small and its own; the host's is never filled."""

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from resilience.errors import EnvironmentNotReady, FaultError
from resilience.faults import holder, registry
from resilience.faults.postgres_server import one
from resilience.host import processes
from resilience.host.disks import free_bytes, size_bytes
from resilience.model import Place
from resilience.stack.embedded import EmbeddedStack, settle
from resilience.stack.postgres import SMALLEST_MB, may_mount
from tests.faults.parts import eventually, over_json
from tests.faults.test_postgres import held, on, server
from tests.faults.world import World

__all__ = ["server"]

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(not may_mount(), reason="only root may mount a small file system for the data folder"),
]

FILL = "INSERT INTO orders (id, item, body) SELECT %s || n, 1, repeat('x', 8000) FROM generate_series(1, 200) AS n"


@pytest.fixture
def shop(server) -> Iterator[psycopg.Connection]:
    """A session of the service's, from before the fault."""
    with psycopg.connect(server.dsn, user="shop", passfile=server.passfile, autocommit=True) as session:
        session.execute("ALTER TABLE orders ALTER body SET STORAGE EXTERNAL")  # not squeezed
        yield session


def folder_of(place: Place) -> Path:
    return Path(place.launch.folder) / "data"


def folder(whole: World) -> Path:
    return folder_of(whole.place("postgres"))


def test_what_needs_room_is_refused_and_reads_go_on(whole: World, shop: psycopg.Connection):
    """Writes that need room fail with SQLSTATE 53100, reads go on, and then there is room again (F2)."""
    before = free_bytes(folder(whole))
    with held(whole, "postgres.disk-full"):
        with pytest.raises(psycopg.errors.DiskFull) as full:
            shop.execute(FILL, ("full-",))
        assert full.value.sqlstate == "53100"
        assert shop.execute("SELECT count(*) >= 0 FROM orders").fetchone() == (True,)
    shop.execute(FILL, ("room-",))
    assert free_bytes(folder(whole)) > before - 8 * 2**20


def test_so_much_is_left(whole: World):
    """With `leave_mb` at 20 there are about 20 MB of room, and the server goes on."""
    with held(whole, "postgres.disk-full", leave_mb=20):
        assert 18 < free_bytes(folder(whole)) / 2**20 < 22


def test_a_server_that_went_down_is_started_again(whole: World):
    """A server that dies with its disk full cannot come back by itself; giving back includes it (Requirement F7)."""
    place = whole.place("postgres")
    fault = on(place, "postgres.disk-full")
    undo = over_json(fault.prepare())
    fault.inject(undo)
    try:
        eventually(lambda: fault.active(undo))
        processes.send(place.identity, 9)
        eventually(lambda: not processes.alive(place.identity))
        assert fault.active(undo), "a server that is down is what came of it"
    finally:
        other = registry.from_undo(undo)
        eventually(lambda: other.revert(undo) is None and other.active(undo) is False, 20.0)
    assert processes.alive(whole.place("postgres").identity)
    assert whole.place("postgres").identity != place.identity


def test_a_server_that_panics_comes_back(whole: World, server):
    """With no room for its log the server gives up (PANIC); with room it comes back, one way or another (F7)."""
    place = whole.place("postgres")
    fault = on(place, "postgres.disk-full")
    undo = fault.prepare()
    fault.inject(undo)
    log = Path(place.launch.log)
    try:
        with suppress(psycopg.OperationalError, FaultError), server.session() as session:
            for _ in range(100):  # more than a segment of the log, which is there already
                session.execute("SELECT pg_logical_emit_message(true, 'fill', repeat('x', 1000000))")
        eventually(lambda: "PANIC" in log.read_text(errors="replace"), 10.0)
        eventually(lambda: fault.active(undo), 10.0)
    finally:
        eventually(lambda: fault.revert(undo) is None and fault.active(undo) is False, 20.0)
    with server.session() as session:
        assert one(session, "SELECT pg_is_in_recovery()") is False


def test_the_room_comes_back_when_the_holder_dies(whole: World):
    """The file has no name: nothing is left of it, whatever ends its process (Requirement F7)."""
    fault = on(whole.place("postgres"), "postgres.disk-full")
    undo = fault.prepare()
    before = free_bytes(folder(whole))
    names = sorted(folder(whole).iterdir())
    fault.inject(undo)
    try:
        assert free_bytes(folder(whole)) < 2 * 2**20
        for process in holder.holding(str(undo.data["name"])):
            processes.send(process, 9)
        eventually(lambda: free_bytes(folder(whole)) > before - 2 * 2**20)
        assert sorted(folder(whole).iterdir()) == names
    finally:
        fault.revert(undo)
    eventually(lambda: fault.active(undo) is False, 20.0)


def test_the_hosts_disk_is_never_filled(whole: World, monkeypatch: pytest.MonkeyPatch):
    """A file system that others use, or a large one, or a server that is not here: refused, nothing is touched."""
    place = whole.place("postgres")
    monkeypatch.setattr("tempfile.tempdir", str(folder(whole)))
    with pytest.raises(FaultError, match="that others may need"):
        on(place, "postgres.disk-full")
    monkeypatch.undo()
    monkeypatch.setattr("resilience.faults.postgres_disk.LARGEST_MB", size_bytes(folder(whole)) // 2**20 - 1)
    with pytest.raises(FaultError, match="that others may need"):
        on(place, "postgres.disk-full")
    monkeypatch.undo()
    with pytest.raises(FaultError, match="not the data folder of the server at port"):
        on(replace(place, port=1), "postgres.disk-full")


def test_a_stack_takes_its_small_disk_along(tmp_path: Path):
    """It is there while the stack runs, and gone when another process settles the stack (Requirement F7)."""
    stack = EmbeddedStack(
        None, tag=f"disk-{secrets.token_hex(4)}", experiment_folder=tmp_path, postgres_disk_mb=SMALLEST_MB
    )
    try:
        stack.start()
        data = folder_of(stack.places()["postgres"])
        assert os.path.ismount(data)
        assert size_bytes(data) == SMALLEST_MB * 2**20
        settle(stack.debt_data())
        assert str(stack.folder) not in Path("/proc/self/mountinfo").read_text()
        assert not stack.folder.exists()
    finally:
        stack.stop()


def test_a_disk_too_small_is_refused(tmp_path: Path):
    """Less than a new server needs: said so, and nothing is left."""
    stack = EmbeddedStack(None, tag=f"disk-{secrets.token_hex(4)}", experiment_folder=tmp_path, postgres_disk_mb=20)
    with pytest.raises(EnvironmentNotReady, match="20 MB are too few"):
        stack.start()
    assert not stack.folder.exists()
