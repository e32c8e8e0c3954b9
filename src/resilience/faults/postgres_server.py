"""How PostgreSQL faults talk to the server: bounded sessions under names of ours, and what can be seen of others.

Every session has limits that the server itself enforces, so that it frees what a process of ours held that is gone.
Whatever is ours is known by its `application_name`, which begins with `PREFIX`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from resilience.errors import FaultError
from resilience.host.network import cut_off
from resilience.model import Json, Place, Problem

PREFIX = "resilience-"
"""What the names of our sessions begin with: they are never taken for the service's."""

CANARY = PREFIX + "canary"
"""The session that stands for one of the service's."""

OLDEST = 140000
"""The first version that ends idle sessions and notices vanished clients by itself."""

MOST_TABLES = 100

LOOK_S = 6.0
"""A look at the server that takes longer than this is cut: more than it is ever asked to wait."""

OWNER = "(owner)"
"""In place of a role's name: the owner of the database."""

ALL = "*"
"""In place of tables' names: all of the role's."""

Session = psycopg.Connection[tuple[Any, ...]]

Bounds = Mapping[str, str | int | None]

_NONE: Bounds = {}
_BOUNDS: Bounds = {
    "statement_timeout": 2000,
    "lock_timeout": 500,
    "idle_in_transaction_session_timeout": 10_000,
    "client_connection_check_interval": 200,
    # A host that vanished is noticed within ten seconds.
    "tcp_keepalives_idle": 4,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    # The read-only fault must not keep us from giving back.
    "default_transaction_read_only": "off",
}

_SLOTS = """
    SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true)::int, 0)
           - count(*) FILTER (WHERE backend_type = 'client backend'
                              AND application_name NOT IN ('resilience-look', 'resilience-canary')),
           count(*) FILTER (WHERE usename = %(role)s AND backend_type = 'client backend'
                            AND application_name NOT LIKE 'resilience-%%'),
           count(*) FILTER (WHERE application_name = %(name)s),
           current_setting('superuser_reserved_connections')::int
    FROM pg_stat_activity
"""

_TERMINATE = """
    SELECT pid, backend_start::text, pg_terminate_backend(pid) FROM (
        SELECT pid, backend_start FROM pg_stat_activity
        WHERE usename = %(role)s AND backend_type = 'client backend' AND pid <> pg_backend_pid()
              AND (application_name NOT LIKE 'resilience-%%' OR application_name = %(also)s)
        ORDER BY backend_start DESC LIMIT %(most)s
    ) AS theirs
"""


@dataclass(frozen=True, slots=True)
class Slots:
    """Who has the connection slots that are open to ordinary roles.

    Attributes:
        free: slots that nobody has, looks of ours left out, which are over at once; below 0 if superusers use what is
            reserved for them.
        theirs: sessions of the service's role.
        ours: sessions of a holder.
        reserved: slots that only superusers get.
    """

    free: int
    theirs: int
    ours: int
    reserved: int


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL server as its administrator reaches it.

    Attributes:
        dsn: connection string without password.
        passfile: password file; it may have passwords of further roles.
        state: the stack's state file; empty if there is none.
    """

    dsn: str
    passfile: str
    state: str = ""

    @classmethod
    def of(cls, place: Place | None, kind: str) -> "Server":
        """The server of a part.

        Raises:
            FaultError: there is no part.
        """
        if place is None:
            raise FaultError(Problem(kind, "needs a part of a stack"))
        return cls(place.dsn, place.passfile, place.state)

    @classmethod
    def named(cls, data: Mapping[str, Any]) -> "Server":
        """The server that an undo, or a holder's orders, name."""
        return cls(str(data["dsn"]), str(data["passfile"]), str(data.get("state", "")))

    def data(self) -> dict[str, Json]:
        """As JSON, for `named`."""
        return {"dsn": self.dsn, "passfile": self.passfile, "state": self.state}

    @property
    def gone(self) -> bool:
        """Whether the stack that the server belonged to was taken down: then nothing is owed to it."""
        return bool(self.state) and not Path(self.state).exists()

    def connect(self, name: str = "look", bounds: Bounds = _NONE, *, role: str = "") -> Session:
        """A new session, autocommitting.

        Args:
            name: the session's name; `PREFIX` is put before it unless it is there.
            bounds: the server's settings for this session, milliseconds where they are times; None leaves one as it is.
            role: who logs in; the administrator unless given.

        Raises:
            psycopg.Error: it was refused, or did not come about in time.
        """
        # Only the administrator may say how the server notices that we are gone.
        told = {**({} if role else _BOUNDS), **bounds}
        return psycopg.connect(
            make_conninfo(self.dsn, **({"user": role} if role else {})),
            passfile=self.passfile or None,
            application_name=name if name.startswith(PREFIX) else PREFIX + name,
            options=" ".join(f"-c {key}={value}" for key, value in told.items() if value is not None),
            connect_timeout=2,
            tcp_user_timeout=3000,
            autocommit=True,
        )

    @contextmanager
    def session(self, name: str = "look") -> Iterator[Session]:
        """An administrator's session for a moment.

        Raises:
            FaultError: the server cannot be asked, or refuses what it is asked.
        """
        try:
            with self.connect(name) as connection, cut_off(connection.fileno(), LOOK_S):
                yield connection
        except psycopg.Error as error:
            raise FaultError(Problem("postgres", said(error))) from error

    def knows(self, role: str) -> bool:
        """Whether the password file lets us log in as that role."""
        if role == conninfo_to_dict(self.dsn).get("user"):
            return True
        with suppress(OSError):
            lines = Path(self.passfile).read_text().splitlines()
            return any(line.split(":")[3:4] == [role] for line in lines)
        return False

    def refuses(self, role: str) -> str | None:
        """Why a new login of the role is refused; empty if it is let in, None if we do not have its password."""
        if not self.knows(role):
            return None
        try:
            with self.connect(CANARY, role=role) as connection, cut_off(connection.fileno(), LOOK_S):
                return ""
        except psycopg.Error as error:
            return said(error)


def said(error: psycopg.Error) -> str:
    """What the server, or libpq, said: one line, with the SQLSTATE if there is one."""
    text = " ".join(str(error).split())
    return f"{error.sqlstate} {text}" if error.sqlstate else text


def one(session: Session, query: str, *values: object) -> Any:  # noqa: ANN401 - whatever the column holds
    """The first column of the first row; None if there is no row."""
    row = session.execute(query.encode(), values or None).fetchone()
    return row[0] if row else None


def role_of(session: Session, named: str) -> str:
    """The service's role: the one named, or the owner of the database.

    Raises:
        FaultError: there is no such role, or it is a superuser, which limits do not bind.
    """
    found = session.execute(
        """SELECT rolname, rolsuper FROM pg_roles
           WHERE rolname = coalesce(nullif(%s, %s), (SELECT pg_get_userbyid(datdba) FROM pg_database
                                                     WHERE datname = current_database()))""",
        (named, OWNER),
    ).fetchone()
    if found is None:
        raise FaultError(Problem("role", f"there is no role {named!r}", "name the service's role"))
    if found[1]:
        message = f"{found[0]} is a superuser, for whom limits do not hold"
        raise FaultError(Problem("role", message, "name the ordinary role that the service logs in as"))
    return str(found[0])


def tables_of(session: Session, named: str, role: str) -> list[list[str]]:
    """Tables as [schema, name]: those named, separated by commas, or all of the role's in this database.

    Raises:
        FaultError: one is not there, or there is none, or there are too many.
    """
    wanted = [] if named == ALL else [name.strip() for name in named.split(",") if name.strip()]
    found = session.execute(
        """SELECT n.nspname, c.relname, c.oid = ANY (SELECT to_regclass(w)::oid FROM unnest(%s::text[]) AS w)
           FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
           WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
                 AND CASE WHEN %s THEN c.oid = ANY (SELECT to_regclass(w)::oid FROM unnest(%s::text[]) AS w)
                          ELSE pg_get_userbyid(c.relowner) = %s END
           ORDER BY 1, 2""",
        (wanted, bool(wanted), wanted, role),
    ).fetchall()
    if not found or len(found) < len(wanted):
        message = f"of the tables {named!r} {len(found)} are there" if wanted else f"{role} owns no table"
        raise FaultError(Problem("tables", message, "name tables of the service's, with their schema if need be"))
    if len(found) > MOST_TABLES:
        message = f"{role} owns {len(found)} tables, at most {MOST_TABLES} can be locked"
        raise FaultError(Problem("tables", message, "name the ones that matter"))
    return [[schema, name] for schema, name, _ in found]


def listed(tables: list[list[str]]) -> sql.Composed:
    """Tables for SQL, separated by commas."""
    return sql.SQL(", ").join(sql.Identifier(*table) for table in tables)


def slots(session: Session, role: str, name: str) -> Slots:
    """Who has the connection slots now."""
    row = session.execute(_SLOTS, {"role": role, "name": name}).fetchone()
    return Slots(*(row or (0, 0, 0, 0)))


def terminate(session: Session, role: str, most: int = 10_000, also: str = "") -> list[tuple[int, str]]:
    """End sessions of a role, the youngest first; return their pid and when they began.

    Args:
        session: the administrator's.
        role: whose sessions; those with names of ours are left alone.
        most: so many at most.
        also: the name of a session of ours that is to be treated like theirs.
    """
    found = session.execute(_TERMINATE, {"role": role, "most": most, "also": also}).fetchall()
    return [(pid, began) for pid, began, done in found if done]


def end_named(session: Session, name: str) -> int:
    """End the sessions with a name of ours; return how many there were."""
    return len(
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", (name,)
        ).fetchall()
    )


def lacking(place: Place) -> tuple[Problem, ...]:
    """What a primary, or our access to it, lacks for these faults. Looks only, never raises."""
    return lacks(place, _unfit)


def lacks(place: Place, unfit: Callable[[Place, Session], Iterable[Problem]]) -> tuple[Problem, ...]:
    """What a server, or our access to it, lacks. Looks only, never raises.

    Args:
        place: where it is.
        unfit: what else is wrong with it, as a superuser's session shows; may raise FaultError.
    """
    try:
        with Server.of(place, place.name).session() as session:
            return (*_access(place, session), *unfit(place, session))
    except FaultError as error:
        return error.problems


def _access(place: Place, session: Session) -> Iterator[Problem]:
    if session.info.server_version < OLDEST:
        version = session.info.server_version // 10000
        yield Problem(place.name, f"PostgreSQL {version} is too old", "14 or later is needed")
    if not one(session, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        yield Problem(place.name, "the role of its connection string is no superuser", "name one that is")


def _unfit(place: Place, session: Session) -> Iterator[Problem]:
    reserved = int(one(session, "SELECT current_setting('superuser_reserved_connections')"))
    if reserved < 2:  # noqa: PLR2004 - one to look, one to give back
        message = f"superuser_reserved_connections is {reserved}: nobody might get in to give back"
        yield Problem(place.name, message, "set it to 2 or more; 3 is the default")
    if one(session, "SELECT pg_is_in_recovery()"):
        yield Problem(place.name, "is a standby (pg_is_in_recovery)", "name the primary")
