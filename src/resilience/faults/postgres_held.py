"""What faults of PostgreSQL have in common, and those of connections that a process of ours holds or ends."""

import select
import time
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import psycopg

from resilience.errors import FaultError
from resilience.faults import holder
from resilience.faults.kinds import LEASE
from resilience.faults.postgres_server import (
    CANARY,
    Server,
    Session,
    end_named,
    one,
    role_of,
    said,
    slots,
    terminate,
)
from resilience.host import processes
from resilience.host.network import cut_off
from resilience.model import Json, Place, Problem, Undo

PATIENCE_S = 10.0
"""Until what a holder was told to do must be seen: it has to start, and to log in up to a hundred times."""

POLL_S = 0.02
REFUSED = ("Connection refused", "No such file or directory")
"""What libpq says where nothing listens: all sessions are gone with the server."""


_SPILLED = """
    SELECT count(DISTINCT pid), count(f.name), coalesce(sum(f.size), 0)
    FROM pg_stat_activity LEFT JOIN pg_ls_tmpdir() AS f ON f.name LIKE 'pgsql\\_tmp' || pid || '.%%'
    WHERE application_name = %(name)s AND state = 'active'
"""


class PostgresFault:
    """What they have in common.

    Args:
        settings: complete; none to revert.
        place: the part; None to revert.
    """

    kind: ClassVar[str]

    def __init__(self, settings: Mapping[str, Json] | None = None, place: Place | None = None) -> None:
        """Nothing is looked at yet."""
        self._settings: Mapping[str, Any] = settings or {}
        self._place = place
        self.proof = ""

    def _server(self) -> Server:
        return Server.of(self._place, self.kind)


class HeldFault(PostgresFault):
    """A fault that is there while a process of ours has sessions at the server."""

    module: ClassVar[str]
    """The holder's, in `faults/holders/`."""

    def prepare(self) -> Undo:
        """Work out what the holder is to be told, and give it a name."""
        server = self._server()
        with server.session() as session:
            told = self._orders(session)
        lease_s = self._settings[LEASE]
        return Undo(kind=self.kind, data={**server.data(), "name": holder.new_name(), "told": told, LEASE: lease_s})

    def inject(self, undo: Undo, /) -> None:
        """Start the holder, and return once its effect is seen."""
        data: Mapping[str, Any] = undo.data
        told = {**Server.named(data).data(), **data["told"]}
        process = holder.start(data["name"], self.module, told, lease_s=data[LEASE])
        deadline = time.monotonic() + PATIENCE_S
        doubt = "nothing was seen of it"
        while time.monotonic() < deadline and processes.alive(process):
            try:
                if self.active(undo):
                    return
            except FaultError as error:
                doubt = str(error)
            time.sleep(POLL_S)
        state = "still runs" if processes.alive(process) else "has ended by itself"
        raise FaultError(Problem(self.kind, f"what should hold it {state}: {doubt}"))

    def revert(self, undo: Undo, /) -> None:
        """End the holder, and what the server has left of its sessions."""
        name = str(undo.data["name"])
        holder.end(name)
        server = Server.named(undo.data)
        if server.gone:
            return
        try:
            with server.session() as session:
                end_named(session, name)
        except FaultError as error:
            if not any(words in str(error) for words in REFUSED):
                raise

    def active(self, undo: Undo, /) -> bool:
        """Whether sessions of the holder are there, and do what they should.

        Raises:
            FaultError: they are there and the effect is not.
        """
        server = Server.named(undo.data)
        if server.gone:
            self.proof = "the stack is gone"
            return False
        with server.session() as session:
            ours = one(session, "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", undo.data["name"])
            if not ours:
                self.proof = f"no session of ours; {self._absent(server, session, undo)}"
                return False
            self._look(server, session, undo)
        return True

    @abstractmethod
    def _orders(self, session: Session) -> dict[str, Json]:
        """What the holder is to be told. Refuses what cannot be done."""

    @abstractmethod
    def _look(self, server: Server, session: Session, undo: Undo) -> None:
        """Measure the effect and put it into `proof`; FaultError if it is not there."""

    def _absent(self, server: Server, session: Session, undo: Undo) -> str:  # noqa: ARG002 - for those that can tell more
        """What is seen once no session of ours is there, in words."""
        others = one(session, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
        return f"the server has {others} others"


class PoolExhaustion(HeldFault):
    """Connections to the server are really held, until others can have only `leave`; open ones are ended if `evict`.

    How it is undone: the process that holds them is ended, and sessions of its name with it. What it needs: a superuser
    who gets in by the slots reserved for them. When it fails: the slots are used up already, or there are too many.
    """

    kind = "postgres.pool-exhaustion"
    module = "connections"
    most: ClassVar[int] = 1000

    def _orders(self, session: Session) -> dict[str, Json]:
        role = role_of(session, self._settings["role"])
        now, leave = slots(session, role, ""), int(self._settings["leave"])
        available = now.free + (now.theirs if self._settings["evict"] else 0)
        if available <= leave:
            message = f"{available} connections can be had now, no more than the {leave} to be left"
            raise FaultError(Problem("leave", message, "leave fewer, or evict"))
        if available > self.most:
            message = f"{available} connections would have to be held, at most {self.most} can be"
            raise FaultError(Problem("postgres", message, "use postgres.connection-limit"))
        return {"role": role, "leave": leave, "evict": bool(self._settings["evict"])}

    def _look(self, server: Server, session: Session, undo: Undo) -> None:
        told = told_by(undo)
        now = slots(session, told["role"], str(undo.data["name"]))
        available = max(now.free, 0) + (now.theirs if told["evict"] else 0)
        self.proof = f"{now.ours} connections held, {now.theirs} of {told['role']}, {max(now.free, 0)} free"
        if available > told["leave"]:
            raise FaultError(Problem("postgres", f"not exhausted: {self.proof}"))
        if now.free <= 0:  # a login that is let in takes nobody's place only then
            refusal = server.refuses(told["role"])
            if refusal == "":
                raise FaultError(Problem("postgres", f"{told['role']} was let in: {self.proof}"))
            self.proof += f"; a login as {told['role']}: {refusal or 'not tried, its password is not known'}"

    def _absent(self, server: Server, session: Session, undo: Undo) -> str:  # noqa: ARG002 - as declared
        return _let_in(server, told_by(undo)["role"])


class HeavyQueries(HeldFault):
    """So many sessions sort what does not fit in memory, without a pause: the server's cores and its disk are busy.

    How it is undone: the process that asks for it is ended, and its sessions with it; the server removes the files.
    What it needs: a superuser. When it fails: the server has no room for the files, or no connection.
    """

    kind = "postgres.heavy-queries"
    module = "queries"

    def _orders(self, session: Session) -> dict[str, Json]:  # noqa: ARG002 - as declared
        return {"workers": int(self._settings["workers"]), "spill_mb": int(self._settings["spill_mb"])}

    def _look(self, server: Server, session: Session, undo: Undo) -> None:  # noqa: ARG002 - as declared
        workers = told_by(undo)["workers"]
        busy, files, size = session.execute(_SPILLED, {"name": undo.data["name"]}).fetchone() or (0, 0, 0)
        self.proof = f"{busy} of {workers} sessions sort, with {files} temporary files of {int(size) / 2**20:.1f} MB"
        if busy < workers or not files:
            raise FaultError(Problem("postgres", f"not all are at it: {self.proof}"))


class Terminate(HeldFault):
    """The sessions of the service are ended every `interval_ms` (SQLSTATE 57P01): new ones come and do not last.

    How it is undone: the process that ends them is ended. What it needs: a superuser. When it fails: nothing is known
    to stop it.
    """

    kind = "postgres.terminate"
    module = "terminations"

    def _orders(self, session: Session) -> dict[str, Json]:
        return {
            "role": role_of(session, self._settings["role"]),
            "interval_ms": int(self._settings["interval_ms"]),
        }

    def _look(self, server: Server, session: Session, undo: Undo) -> None:
        told = told_by(undo)
        bound_s = told["interval_ms"] / 1000 + 1
        if server.knows(told["role"]):
            lasted_s, end = _until_ended(server, told["role"], bound_s)
        else:
            before, began, lasted_s, end = _killed(session), time.monotonic(), 0.0, ""
            while not end and lasted_s < bound_s:
                lasted_s = time.monotonic() - began
                end = f"{now} sessions of it killed, {before} before" if (now := _killed(session)) > before else ""
        if not end:
            raise FaultError(Problem("postgres", f"no session of {told['role']} was ended within {bound_s:g} s"))
        self.proof = f"a session of {told['role']} was ended after {lasted_s:.3f} s: {end}"

    def _absent(self, server: Server, session: Session, undo: Undo) -> str:  # noqa: ARG002 - as declared
        return _let_in(server, told_by(undo)["role"])


class KillConnections(PostgresFault):
    """The service's sessions are ended once, with whatever they were doing (SQLSTATE 57P01).

    How it is undone: not at all; the service connects again. What it needs: a superuser. When it fails: the service has
    no session.
    """

    kind = "postgres.kill-connections"

    def prepare(self) -> None:
        """There must be something to end."""
        with self._server().session() as session:
            role = role_of(session, self._settings["role"])
            if not slots(session, role, "").theirs:
                message = f"{role} has no session that could be ended"
                raise FaultError(Problem("postgres", message, "is the service running, and is this its role?"))

    def strike(self) -> str:
        """End them; then none of them may be left."""
        server = self._server()
        with server.session() as session:
            role = role_of(session, self._settings["role"])
            ended = terminate(session, role)
            if not ended:
                raise FaultError(Problem("postgres", f"{role} had no session that could be ended"))
            deadline = time.monotonic() + 2.0
            while left := _still_there(session, ended):
                if time.monotonic() > deadline:
                    raise FaultError(Problem("postgres", f"{left} of {len(ended)} sessions of {role} did not end"))
                time.sleep(POLL_S)
            back = slots(session, role, "").theirs
        return f"{len(ended)} sessions of {role} ended, none of them is left; {back} new ones since"


def told_by(undo: Undo) -> Mapping[str, Any]:
    """The orders in an undo."""
    told: Mapping[str, Any] = undo.data["told"]  # type: ignore[assignment]
    return told


def _until_ended(server: Server, role: str, bound_s: float) -> tuple[float, str]:
    """Open a session as the service does and do nothing: how long it lasts, and what the server says at its end."""
    began = time.monotonic()
    try:
        with server.connect(CANARY, role=role) as session, cut_off(session.fileno(), bound_s + 1):
            select.select([session.fileno()], [], [], bound_s)  # a session that is ended is told so unasked
            lasted_s = time.monotonic() - began
            session.execute("SELECT 1")
    except psycopg.Error as error:
        return time.monotonic() - began, said(error)
    return lasted_s, ""


def _killed(session: Session) -> int:
    """Sessions of this database that were ended by order, since the counters began."""
    query = "SELECT sessions_killed FROM pg_stat_database WHERE datname = current_database()"
    return int(one(session, query) or 0)


def _still_there(session: Session, sessions: list[tuple[int, str]]) -> int:
    query = """SELECT count(*) FROM pg_stat_activity
               WHERE (pid, backend_start::text) IN (SELECT * FROM unnest(%s::int[], %s::text[]))"""
    pids, began = ([each[place] for each in sessions] for place in (0, 1))
    return int(one(session, query, pids, began))


def _let_in(server: Server, role: str) -> str:
    refusal = server.refuses(role)
    if refusal is None:
        return f"the password of {role} is not known, no login was tried"
    return f"a login as {role} was {f'refused: {refusal}' if refusal else 'let in'}"
