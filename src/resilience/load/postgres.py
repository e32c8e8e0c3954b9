"""A lean PostgreSQL client on libpq that does exactly one thing per call and hides nothing.

One connection per slot and server, kept between calls; statements are prepared on it when they are first needed. No
retry: a kept connection that the server has ended meanwhile is noticed before anything is sent and replaced, and from
then on whatever happens is the result. The time limit covers the whole call: name lookup, connecting, preparing,
sending, waiting, reading.

What may have happened follows from what was sent, never from how it ended:

* before anything that could take effect by itself was sent, certainly nothing did: while connecting and preparing, and
  in a transaction until COMMIT is sent, because the server rolls back what is not committed;
* after that, an ERROR that the server answers says that everything is undone, except where it says that it does not
  know (`UNSURE`), or where the statement may have committed by itself before (CALL, DO, VACUUM);
* everything else is uncertain: FATAL (`57P01`), a connection that is lost, a time limit. Only the server's word that it
  is ready again, with no error before it, proves a commit: the answer to the statement comes before the commit.
"""

import os
from collections.abc import Mapping, Sequence

import psycopg
from psycopg import conninfo

from resilience.errors import LoadError
from resilience.load.calls import Caller, Ready
from resilience.load.classify import Broken, Happened, NotSent, Refused, StoreAnswer
from resilience.load.libpq import Connection, PgTable, ServerError, lost
from resilience.load.sql import Prepared, Script, Statement, document_of, entry_of, server_name
from resilience.load.waiting import ExpiredError, Limit
from resilience.model import LoadOrder, Operation, Problem


class Postgres:
    """The kind of operations that ask PostgreSQL directly.

    Args:
        order: its operations say which servers are asked, and its places where these are.

    Raises:
        LoadError: it is not known where one of them is; every reason.
    """

    def __init__(self, order: LoadOrder) -> None:
        asked = {server_name(one.sql.on, one.sql.dsn_env): one for one in order.load.operations if one.sql is not None}
        problems: list[Problem] = []
        self._servers: dict[str, str] = {}
        for name, operation in asked.items():
            try:
                self._servers[name] = _target(operation, order)
            except LoadError as error:
                problems.extend(error.problems)
        if problems:
            raise LoadError(problems)

    def prepare(self, operation: Operation, segments: Sequence[str]) -> Ready:
        """An operation whose parameters are bound for each arrival."""
        return Prepared(operation, segments)

    def caller(self) -> Caller:
        """A client with connections of its own."""
        return Client(self._servers)


def _target(operation: Operation, order: LoadOrder) -> str:
    """The connection string of the server that an operation asks; kept in memory only."""
    sql = operation.sql
    assert sql is not None  # noqa: S101 - for the type checker
    where, name = f"operation {operation.name}", f"resilience {order.run}"
    if sql.dsn_env:
        given = os.environ.get(sql.dsn_env)
        if not given:
            raise LoadError(
                Problem(where, f"the environment variable {sql.dsn_env} is not set", "set it, or write on:")
            )
        try:
            return conninfo.make_conninfo(given, application_name=name)
        except psycopg.Error:
            message = f"what {sql.dsn_env} holds is no connection string"
            raise LoadError(Problem(where, message, "postgresql://user@host:5432/database")) from None
    place = order.places.get(sql.on)
    if place is None or not place.dsn:
        known = ", ".join(name for name, one in order.places.items() if one.dsn) or "none"
        raise LoadError(Problem(where, f"it is not known how to reach {sql.on!r} as PostgreSQL; known: {known}"))
    told = {"host": place.host, "port": str(place.via_port), "passfile": place.passfile, "application_name": name}
    if place.user:
        told["user"] = place.user
    return conninfo.make_conninfo(place.dsn, **told)


class Client:
    """The connections of one slot, one for each server that it asked; used by one greenlet at a time.

    Args:
        servers: name → connection string.
    """

    __slots__ = ("_connections", "_limit", "_servers")

    def __init__(self, servers: Mapping[str, str]) -> None:
        self._servers = servers
        self._connections: dict[str, Connection] = {}
        self._limit = Limit()

    def call(self, request: Script, timeout_s: float) -> Happened:
        """Carry out one script, once, and return what happened. Raises nothing that the server can cause."""
        connection = self._connections.get(request.server)
        if connection is None:
            connection = self._connections[request.server] = Connection(self._servers[request.server])
        call = _Call(connection, request)
        self._limit.start(timeout_s)
        try:
            return call.run()
        except ExpiredError:
            return call.ended(f"timeout: {timeout_s:g} s")
        except (psycopg.Error, OSError) as error:
            return call.ended(lost(error))
        finally:
            self._limit.stop()
            connection.keep_if_idle()

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.close()


class _Call:
    """One script on one connection, and how far it got.

    Attributes:
        connected: there is a connection; nothing that a server could carry out was sent before.
        committing: something was sent that takes effect by itself: COMMIT, or a statement outside a transaction.
        refused: why it will not be committed, once that is decided.
    """

    __slots__ = ("_connection", "_script", "committing", "connected", "refused")

    def __init__(self, connection: "Connection", script: Script) -> None:
        self._connection = connection
        self._script = script
        self.connected = self.committing = False
        self.refused = ""

    def run(self) -> Happened:
        """Carry it out."""
        connection, script = self._connection, self._script
        connection.open()
        self.connected = True
        try:
            for statement in script.statements:
                connection.prepare(statement)
            return self._transaction() if script.begin else self._alone(script.statements[0])
        except ServerError as error:
            return self._answered(error, certain=True)

    def ended(self, reason: str) -> Happened:
        """What it means that it came to no end of its own."""
        self._connection.close()
        if self.refused:
            return Refused(self.refused)
        if not self.connected:
            return NotSent(reason)
        return Broken(reason) if self.committing else Refused(f"{reason}, before commit")

    def _alone(self, statement: Statement) -> Happened:
        self.committing = True
        try:
            table = PgTable(self._connection.execute(statement, statement.bound(self._script.values)))
        except ServerError as error:
            return self._answered(error, certain=statement.certain)
        return self._answer(table, statement.unmet(table, self._script.values))

    def _transaction(self) -> Happened:
        connection, script = self._connection, self._script
        connection.say(script.begin)
        table = None
        for statement in script.statements:
            try:
                table = PgTable(connection.execute(statement, statement.bound(script.values)))
            except ServerError as error:
                return self._roll_back(str(error))
            if fault := statement.unmet(table, script.values):
                return self._roll_back(fault)
        self.committing = True
        if connection.say(b"COMMIT").command_status != b"COMMIT":
            return Refused("not committed: the transaction had failed")
        assert table is not None  # noqa: S101 - there is a statement
        return self._answer(table, "")

    def _roll_back(self, reason: str) -> Happened:
        """Undo what was begun. Whether that is answered changes nothing: what is not committed is undone."""
        self.refused = reason
        self._connection.say(b"ROLLBACK")
        return Refused(reason)

    def _answer(self, table: PgTable, fault: str) -> StoreAnswer:
        entry = entry_of(table) if self._script.seeks else None
        return StoreAnswer(fault, entry, lambda: document_of(table))

    def _answered(self, error: ServerError, *, certain: bool) -> Happened:
        if not self.committing or (certain and error.undone):
            return Refused(self.refused or str(error))
        return Broken(str(error))
