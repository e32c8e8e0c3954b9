"""Faults of PostgreSQL that are a setting changed and put back: read-only, and a role's connection limit.

Both survive a restart of the server, so they are owed until the stack itself is gone.
"""

import weakref
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import suppress

import psycopg
from psycopg import sql

from resilience.errors import FaultError
from resilience.faults.postgres_held import PostgresFault
from resilience.faults.postgres_server import CANARY, LOOK_S, Server, Session, one, role_of, said, slots, terminate
from resilience.host.network import cut_off
from resilience.model import Json, Problem, Undo

READ_ONLY = "25006"
"""The SQLSTATE of a write that is refused because the transaction is read-only."""


class ConfigFault(PostgresFault):
    """A value at the server is replaced, and put back if it is still ours."""

    _given_back = False

    def prepare(self) -> Undo:
        """Note the value as it is."""
        server = self._server()
        with server.session() as session:
            more = self._more(server, session)
            return Undo(kind=self.kind, data={**server.data(), **more, "before": self._read(session, more)})

    def inject(self, undo: Undo, /) -> None:
        """Set ours."""
        with Server.named(undo.data).session() as session:
            self._write(session, undo.data, undo.data["ours"])

    def revert(self, undo: Undo, /) -> None:
        """Put back the value noted, if it is ours that stands there.

        Raises:
            FaultError: somebody else changed it meanwhile; or the server does not answer.
        """
        server, data = Server.named(undo.data), undo.data
        if server.gone:
            return
        with server.session() as session:
            now = self._read(session, data)
            if now == data["before"]:
                self._let_go()
                return
            if now != data["ours"]:
                message = f"{self._what(data)} was {data['before']!r}, we set {data['ours']!r}, somebody else {now!r}"
                raise FaultError(Problem("postgres", message, "decide which is right, set it, then `resilience reap`"))
            self._write(session, data, data["before"])
        self._given_back = True

    def active(self, undo: Undo, /) -> bool:
        """Whether the value is ours, and does what it should.

        Raises:
            FaultError: one without the other.
        """
        server, data = Server.named(undo.data), undo.data
        if server.gone:
            self.proof = "the stack is gone"
            return False
        with server.session() as session:
            there = self._read(session, data) == data["ours"]
            felt = self._felt(server, session, data)
        if there != felt:
            state = "is ours" if there else "is not ours"
            raise FaultError(Problem("postgres", f"{self._what(data)} {state}, but {self.proof}"))
        if not there and self._given_back:
            self._let_go()
        return there

    def _let_go(self) -> None:
        """Nothing of it is there any more, and nothing of ours has to stay."""

    @abstractmethod
    def _more(self, server: Server, session: Session) -> dict[str, Json]:
        """What else the undo has, `ours` among it. Refuses what cannot be done."""

    @abstractmethod
    def _read(self, session: Session, data: Mapping[str, Json]) -> Json:
        """The value as it is."""

    @abstractmethod
    def _write(self, session: Session, data: Mapping[str, Json], value: Json) -> None:
        """Set the value."""

    @abstractmethod
    def _felt(self, server: Server, session: Session, data: Mapping[str, Json]) -> bool:
        """Whether the effect is there; what was seen goes into `proof`."""

    @abstractmethod
    def _what(self, data: Mapping[str, Json]) -> str:
        """What is changed, in words."""


class ReadOnly(ConfigFault):
    """The whole server refuses writes (SQLSTATE 25006), as after a failover to a standby: sessions old and new.

    How it is undone: `default_transaction_read_only` in `postgresql.auto.conf` is put back as it was. What it needs: a
    superuser, and a server that was not told on its command line. When it fails: it is read-only already, or the
    service's role has a setting of its own; a service that sets its transactions to read-write does not feel it.
    """

    kind = "postgres.readonly"
    setting = "default_transaction_read_only"
    ours = "yes"
    """As good as `on`, and nobody else writes it so: what stands in the file is known as ours."""

    _before: Session | None = None
    """Open since `prepare`, for what a session that the service had before feels."""

    def _more(self, server: Server, session: Session) -> dict[str, Json]:
        role = role_of(session, self._settings["role"])
        own = one(
            session,
            """SELECT count(*) FROM pg_db_role_setting AS s, unnest(setconfig) AS c
               WHERE c LIKE 'default_transaction_read_only=%%'
                     AND setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = %s))
                     AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))""",
            role,
        )
        self._before = self._canary(server, role)
        weakref.finalize(self, self._before.close)  # whoever forgets us
        try:
            self._changeable(self._before, role, own=bool(own))
        except FaultError:
            self._let_go()
            raise
        return {"role": role, "ours": self.ours}

    def _changeable(self, before: Session, role: str, *, own: bool) -> None:
        """Refuse if the server's setting would change nothing."""
        source = str(one(before, "SELECT source FROM pg_settings WHERE name = %s", self.setting))
        if own or source not in {"default", "configuration file"}:
            message = f"{self.setting} is set for {role} itself (by {source}): the server's does not change it"
            raise FaultError(Problem("postgres", message, "take it away there"))
        if self._refuses(before):
            raise FaultError(Problem("postgres", "it is read-only already", "wait until it takes writes"))

    def _read(self, session: Session, data: Mapping[str, Json]) -> Json:  # noqa: ARG002 - as declared
        value = one(
            session,
            """SELECT setting FROM pg_file_settings
               WHERE name = %s AND sourcefile LIKE '%%postgresql.auto.conf' ORDER BY seqno DESC LIMIT 1""",
            self.setting,
        )
        return None if value is None else str(value)

    def _write(self, session: Session, data: Mapping[str, Json], value: Json) -> None:  # noqa: ARG002 - as declared
        if value is None:
            session.execute(sql.SQL("ALTER SYSTEM RESET {}").format(sql.Identifier(self.setting)))
        else:
            session.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(self.setting), str(value)))
        session.execute("SELECT pg_reload_conf()")

    def _felt(self, server: Server, session: Session, data: Mapping[str, Json]) -> bool:  # noqa: ARG002 - as declared
        try:
            with self._canary(server, str(data["role"])) as fresh, cut_off(fresh.fileno(), LOOK_S):
                seen = {"a new session": self._refuses(fresh)}
        except psycopg.Error as error:
            raise FaultError(Problem("postgres", said(error))) from error
        if self._before is not None and not self._before.closed:
            with (
                suppress(psycopg.OperationalError),
                cut_off(self._before.fileno(), LOOK_S),
            ):  # ended by somebody else: the new one must do
                seen["one from before"] = self._refuses(self._before)
        self.proof = "; ".join(f"a write in {which} is {answer or 'taken'}" for which, answer in seen.items())
        felt = [bool(answer) for answer in seen.values()]
        if any(felt) and not all(felt):
            raise FaultError(Problem("postgres", f"some sessions only: {self.proof}"))
        return all(felt)

    def _what(self, data: Mapping[str, Json]) -> str:  # noqa: ARG002 - as declared
        return self.setting

    def _let_go(self) -> None:
        if self._before is not None:
            self._before.close()

    @staticmethod
    def _canary(server: Server, role: str) -> Session:
        """A session like one of the service's."""
        if server.knows(role):
            return server.connect(CANARY, {"statement_timeout": 1000}, role=role)
        return server.connect(CANARY, {"default_transaction_read_only": None})

    @staticmethod
    def _refuses(session: Session) -> str:
        """How a write is refused because it is one; empty if it is taken. It leaves nothing."""
        try:
            with session.transaction(force_rollback=True):
                session.execute("CREATE TEMPORARY TABLE resilience_canary ()")
        except psycopg.errors.ReadOnlySqlTransaction as error:
            return f"refused: {said(error)}"
        except psycopg.errors.InsufficientPrivilege:
            return ""  # the server looks at this after it has looked whether the transaction is read-only
        return ""


class ConnectionLimit(ConfigFault):
    """The service's role may have only `leave` connections (SQLSTATE 53300); open ones beyond are ended if `evict`.

    How it is undone: the role's limit is put back as it was. What it needs: a superuser. When it fails: the limit is
    that low already; somebody else changes it meanwhile.
    """

    kind = "postgres.connection-limit"

    def _more(self, server: Server, session: Session) -> dict[str, Json]:  # noqa: ARG002 - as declared
        data: dict[str, Json] = {
            "role": role_of(session, self._settings["role"]),
            "ours": int(self._settings["leave"]),
            "evict": bool(self._settings["evict"]),
            "before": -1,
        }
        now = int(str(self._read(session, data)))
        if 0 <= now <= int(self._settings["leave"]):
            message = f"{data['role']} is limited to {now} connections already, {data['ours']} were to be left"
            raise FaultError(Problem("leave", message, "leave fewer"))
        return data

    def _read(self, session: Session, data: Mapping[str, Json]) -> Json:
        value = one(session, "SELECT rolconnlimit FROM pg_roles WHERE rolname = %s", data["role"])
        return data["before"] if value is None else int(value)  # a role that is gone has nothing to be put back

    def _write(self, session: Session, data: Mapping[str, Json], value: Json) -> None:
        role = str(data["role"])
        statement = sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}")
        session.execute(statement.format(sql.Identifier(role), sql.Literal(int(str(value)))))
        if value == data["ours"] and data["evict"]:
            surplus = slots(session, role, "").theirs - int(str(value))
            if surplus > 0:
                terminate(session, role, surplus)

    def _felt(self, server: Server, session: Session, data: Mapping[str, Json]) -> bool:
        role, limit = str(data["role"]), int(str(data["ours"]))
        theirs = slots(session, role, "").theirs
        now = int(str(self._read(session, data)))
        self.proof = f"{theirs} connections of {role}, which may have {now if now >= 0 else 'any number'}"
        if theirs < limit and now == limit:
            return True  # a login would take a place of theirs
        refusal = server.refuses(role)
        if refusal is None:
            self.proof += "; its password is not known, no login was tried"
            return now == limit and (theirs <= limit or not data["evict"])
        self.proof += f"; a login was {f'refused: {refusal}' if refusal else 'let in'}"
        return bool(refusal) and not (theirs > limit and data["evict"])

    def _what(self, data: Mapping[str, Json]) -> str:
        return f"the connection limit of {data['role']}"
