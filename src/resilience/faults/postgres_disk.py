"""PostgreSQL whose disk is full: only where its data folder is on a small file system of its own."""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import psycopg

from resilience.errors import FaultError
from resilience.faults import holder
from resilience.faults.kinds import LEASE, Settings
from resilience.faults.postgres_held import PATIENCE_S, POLL_S, PostgresFault, told_by
from resilience.faults.postgres_server import CANARY, LOOK_S, Bounds, Server, one, role_of, said
from resilience.faults.process import Kill
from resilience.host import processes
from resilience.host.disks import free_bytes, size_bytes
from resilience.host.network import cut_off
from resilience.model import Json, Place, Problem, Undo

LARGEST_MB = 2048
"""A file system larger than this is taken for the host's own."""

SLACK = 2**20
"""What the server gives up in passing (a temporary file, a segment of its log) is taken within moments."""

_SPILL = "SELECT count(*) FROM (SELECT n FROM generate_series(1, 50000) AS n ORDER BY -n OFFSET 0) AS sorted"
"""Sorts what does not fit in 64 kB of memory: needs 1 MB of disk for as long as it runs, and writes nothing else."""


class DiskFull(PostgresFault):
    """The file system of the data folder is full: statements that need room fail (SQLSTATE 53100).

    A server that cannot write its log ahead goes down; that is part of it. How it is undone: the process that has the
    room is ended, and with it its file, which has no name; a server that went down is started again as the stack
    started it. What it needs: a data folder on this machine, on a small file system of its own, and the right to write
    there. When it fails: it is full already, or the server does not come back.
    """

    kind = "postgres.disk-full"
    clear_s: ClassVar[float] = 20.0
    """Until a server that went down has gone through its log and answers."""

    def prepare(self) -> Undo:
        """Note the folder, and how the server is started."""
        place, server = self._place, self._server()
        if place is None or (problems := unfit(self._settings, place)):
            raise FaultError(problems if place else Problem(self.kind, "needs a part of a stack"))
        with server.session() as session:
            folder = str(one(session, "SELECT current_setting('data_directory')"))
            role = role_of(session, self._settings["role"])
        if refusal := _spill(server, role):
            raise FaultError(Problem("postgres", f"it has no room as it is: {refusal}"))
        told: dict[str, Json] = {"folder": folder, "leave_mb": int(self._settings["leave_mb"]), "role": role}
        start = Kill(None, place).prepare().data if place.launch and place.state else None
        name, lease_s = holder.new_name(), self._settings[LEASE]
        return Undo(kind=self.kind, data={**server.data(), "name": name, "told": told, LEASE: lease_s, "start": start})

    def inject(self, undo: Undo, /) -> None:
        """Fill it, and return once there is no more room."""
        data: Mapping[str, Any] = undo.data
        process = holder.start(data["name"], "ballast", data["told"], lease_s=data[LEASE])
        deadline = time.monotonic() + PATIENCE_S
        while not _full(undo):
            if not processes.alive(process) or time.monotonic() > deadline:
                state = "was not done in time" if processes.alive(process) else "has ended by itself"
                raise FaultError(Problem("postgres", f"what should fill {data['told']['folder']} {state}"))
            time.sleep(POLL_S)

    def revert(self, undo: Undo, /) -> None:
        """End the holder; start the server if it went down."""
        holder.end(str(undo.data["name"]))
        if undo.data["start"] and not Server.named(undo.data).gone:
            Kill().revert(Undo(kind=Kill.kind, data=undo.data["start"]))  # type: ignore[arg-type]

    def active(self, undo: Undo, /) -> bool:
        """Whether there is no room, and the server has none for a statement that needs some.

        Raises:
            FaultError: one without the other; or it is not there any more and the server does not answer.
        """
        server, told = Server.named(undo.data), told_by(undo)
        if server.gone or not Path(told["folder"]).is_dir():
            self.proof = "the stack is gone"
            return False
        held, full = bool(holder.holding(str(undo.data["name"]))), _full(undo)
        # With some room left, a statement that takes it would make things worse than asked for.
        refusal = "" if held and told["leave_mb"] else _spill(server, told["role"])
        free = free_bytes(told["folder"]) / 2**20
        self.proof = f"{free:.1f} of {size_bytes(told['folder']) / 2**20:.0f} MB are free; " + (
            f"a statement that needs room: {refusal}" if refusal else "statements that need room go on"
        )
        if held and full and (refusal or told["leave_mb"]):
            return True
        if held or refusal:
            raise FaultError(Problem("postgres", f"{'filled' if held else 'not filled any more'}, but {self.proof}"))
        return False


def unfit(settings: Settings, place: Place) -> tuple[Problem, ...]:  # noqa: ARG001 - as preflight is declared
    """Why the data folder may not be filled. Looks only, never raises."""
    hint = "let the experiment have `stack: {postgres_disk_mb: 256}` and run as root"
    try:
        with Server.of(place, place.name).session() as session:
            folder = Path(str(one(session, "SELECT current_setting('data_directory')")))
        number, size = folder.stat().st_dev, size_bytes(folder)
        others = {Path(other).stat().st_dev for other in ("/", tempfile.gettempdir(), Path.home())}
        entries = (folder / "postmaster.pid").read_text().splitlines()
    except FaultError as error:
        return error.problems
    except OSError as error:
        return (Problem("postgres", f"its data folder cannot be looked at from here: {error}", hint),)
    if entries[3:4] != [str(place.port)]:
        message = f"{folder} is not the data folder of the server at port {place.port}"
        return (Problem("postgres", message, "only a server on this machine can be filled"),)
    if number in others or size > LARGEST_MB * 2**20:
        message = f"its data folder {folder} is on a file system of {size // 2**20} MB that others may need"
        return (Problem("postgres", message, hint),)
    return ()


def _full(undo: Undo) -> bool:
    told = told_by(undo)
    return free_bytes(told["folder"]) <= int(told["leave_mb"]) * 2**20 + SLACK


def _spill(server: Server, role: str) -> str:
    """How a statement that needs room is refused, to the service's role if it can log in; empty if it is not."""
    try:
        bounds: Bounds = {"work_mem": "64kB", "statement_timeout": 2000}
        with (
            server.connect(CANARY, bounds, role=role if server.knows(role) else "") as session,
            cut_off(session.fileno(), LOOK_S),
        ):
            session.execute(_SPILL)
    except psycopg.Error as error:
        return said(error)
    return ""
