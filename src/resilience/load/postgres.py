"""A lean PostgreSQL client on libpq that does exactly one thing per call and hides nothing.

One connection per slot and server, kept between calls; statements are prepared on it when they are first needed. No
retry: a kept connection that the server has ended meanwhile is noticed before anything is sent and replaced, and from
then on whatever happens is the result (`load.transact` says what it means). The time limit covers the whole call: name
lookup, connecting, preparing, sending, waiting, reading.
"""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic_ns
from typing import Any, TypeVar

import psycopg
from gevent.hub import Waiter
from psycopg import conninfo, pq

from resilience.errors import LoadError
from resilience.load.calls import Caller, Ready
from resilience.load.classify import Happened, NotSent
from resilience.load.libpq import Collected, ServerError, connect, lost
from resilience.load.reactor import OUT, Deadlines, reactor
from resilience.load.servers import given, servers
from resilience.load.sql import Prepared, Script
from resilience.load.transact import Call
from resilience.load.waiting import ExpiredError, Limit, anything
from resilience.model import LoadOrder, Operation, Problem

_IDLE = pq.TransactionStatus.IDLE
_FRESH_NS = 1_000_000
"""A connection that was seen to be open no longer ago than this is taken to be open still."""

Job = TypeVar("Job")


class Postgres:
    """The kind of operations that ask PostgreSQL directly.

    Args:
        order: its operations say which servers are asked, and its places where these are.

    Raises:
        LoadError: it is not known where one of them is; every reason.
    """

    def __init__(self, order: LoadOrder) -> None:
        self._servers = servers(order, lambda operation: operation.sql, _target)

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
        told = given(where, sql.dsn_env, "set it, or write on:")
        try:
            return conninfo.make_conninfo(told, application_name=name)
        except psycopg.Error:
            message = f"what {sql.dsn_env} holds is no connection string"
            raise LoadError(Problem(where, message, "postgresql://user@host:5432/database")) from None
    place = order.places.get(sql.on)
    if place is None or not place.dsn:
        known = ", ".join(name for name, one in order.places.items() if one.dsn) or "none"
        raise LoadError(Problem(where, f"it is not known how to reach {sql.on!r} as PostgreSQL; known: {known}"))
    way = {"host": place.host, "port": str(place.via_port), "passfile": place.passfile, "application_name": name}
    if place.user:
        way["user"] = place.user
    return conninfo.make_conninfo(place.dsn, **way)


class Client:
    """The connections of one slot, one for each server that it asked; carries out one script at a time.

    Args:
        servers: name → connection string.
    """

    __slots__ = ("_connections", "_only", "_servers")

    def __init__(self, servers: Mapping[str, str]) -> None:
        self._servers = servers
        self._connections: dict[str, Connection] = {}
        self._only: Connection | None = None  # of all servers, if there is one

    def call(self, request: Script, timeout_s: float) -> Happened:
        """Carry out one script, once, and return what happened. Raises nothing that the server can cause."""
        connection = self._connections.get(request.server)
        if connection is None:
            connection = self._connections[request.server] = Connection(self._servers[request.server])
            self._only = connection if len(self._servers) == 1 else None
        return connection.call(request, timeout_s)

    def prompt(self) -> bool:
        """Whether there is a kept connection to the only server."""
        return self._only is not None and self._only.prompt()

    def begin(self, request: Script, timeout_s: float, job: Job, done: Callable[[Job, Happened], object]) -> None:
        """Begin a script, once, on the kept connection that `prompt` found, and do not wait for its answers."""
        connection: Any = self._only
        connection.begin(request, timeout_s, job, done)

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.close()


class Connection:
    """A connection to PostgreSQL, kept between calls, which the reactor of the thread serves.

    Args:
        target: connection string.
    """

    __slots__ = (
        "_call",
        "_collected",
        "_deadlines",
        "_done",
        "_job",
        "_limit",
        "_looked_ns",
        "_number",
        "_pg",
        "_prepared",
        "_reactor",
        "_steps",
        "_target",
        "_timeout_s",
        "_writing",
        "deadline_ns",
    )

    def __init__(self, target: str) -> None:
        self._target = target
        self._limit = Limit()
        self._pg: Any = None
        self._prepared: set[bytes] = set()
        self._number = -1
        self._reactor: Any = None
        self._deadlines: Deadlines | None = None
        self._timeout_s = 0.0
        self._call: Call | None = None
        self._steps: Any = None
        self._collected = Collected()
        self._done: Callable[[Any, Happened], object] | None = None
        self._job: object = None
        self._writing = False
        self._looked_ns = 0
        self.deadline_ns = 0

    def call(self, script: Script, timeout_s: float) -> Happened:
        """Carry out one script, once, connecting first if there is no connection, and wait for what happens."""
        if self.prompt():
            return self._wait(script, timeout_s)
        self._limit.start(timeout_s)
        try:
            self._connect()
            return self._wait(script, 0.0)  # the limit that runs already is its own
        except ExpiredError:
            reason, call = f"timeout: {timeout_s:g} s", self._call
            self.close()
            return NotSent(reason) if call is None else call.ended(reason)
        except (psycopg.Error, OSError) as error:
            return NotSent(lost(error))
        finally:
            self._limit.stop()

    def prompt(self) -> bool:
        """Whether there is a kept connection. One that the server has ended is closed, so that a new one is made.

        What else it said meanwhile, such as a new value of a setting, is taken in.
        """
        if self._pg is None:
            return False
        return monotonic_ns() - self._looked_ns < _FRESH_NS or not anything(self._number) or self._alive()

    def begin(self, script: Script, timeout_s: float, job: Job, done: Callable[[Job, Happened], object]) -> None:
        """Begin a script, once, on the kept connection, and do not wait for its answers.

        Args:
            script: what to do.
            timeout_s: time limit, counted from now; 0 is none.
            job: handed to `done`.
            done: called once with what happened, in the loop; it must not wait. Not called if `close` comes before.
        """
        self._done, self._job = done, job
        self._call = Call(self._pg, self._prepared, script)
        self._steps = self._call.steps()
        self._timeout_s = timeout_s
        if timeout_s:
            deadlines = self._deadlines = self._reactor.deadlines(timeout_s)
            self.deadline_ns = monotonic_ns() + int(timeout_s * 1e9)
            deadlines.waiting[self._number] = self
            if not deadlines.watched:
                deadlines.watch()
        try:
            next(self._steps)
            self._flush()
        except psycopg.Error as error:
            self._end(self._call.ended(lost(error)), keep=False)

    def close(self) -> None:
        """Close it, and forget what was begun on it. Idempotent."""
        if self._deadlines is not None:
            self._deadlines.waiting.pop(self._number, None)
            self._deadlines = None
        if self._pg is not None:
            try:
                self._reactor.remove(self._pg.socket)
            except psycopg.Error:
                self._reactor.forget(self._number)  # libpq has closed it, just now
            self._pg.finish()
            self._pg = None
        self._prepared = set()
        self._call = self._steps = self._done = self._job = None
        self._collected = Collected()

    def ready(self, events: int) -> None:
        """For the reactor: there is something to be read, or room for what is still to be sent."""
        call = self._call
        if call is None:
            self._alive()
            return
        try:
            if events & ~OUT:
                self._pg.consume_input()
            if events & OUT:
                self._flush()
            collected = self._collected
            if collected.complete(self._pg):
                self._collected = Collected()
                self._go_on(call, collected)
        except psycopg.Error as error:
            if self._collected.bad is None:
                self._end(call.ended(lost(error)), keep=False)
            else:  # the server has said why it ended the connection
                self._go_on(call, self._collected)

    def overdue(self) -> None:
        """For the reactor: the time limit is over."""
        if self._call is not None:
            self._end(self._call.ended(f"timeout: {self._timeout_s:g} s"), keep=False)

    def _go_on(self, call: Call, collected: Collected) -> None:
        """The step is answered: the next one, or the end."""
        try:
            try:
                self._steps.send(collected.result())
            except ServerError as error:
                self._steps.throw(error)
            self._flush()
        except StopIteration as stop:
            self._end(stop.value, keep=self._pg.transaction_status == _IDLE)
        except psycopg.Error as error:
            self._end(call.ended(lost(error)), keep=False)

    def _flush(self) -> None:
        self._reactor_writes(wanted=bool(self._pg.flush()))

    def _reactor_writes(self, *, wanted: bool) -> None:
        if wanted != self._writing:
            self._writing = wanted
            self._reactor.writing(self._number, wanted=wanted)

    def _end(self, happened: Happened, *, keep: bool) -> None:
        """What was begun has ended."""
        done, job = self._done, self._job
        if keep:
            if self._timeout_s and self._deadlines is not None:
                self._deadlines.waiting.pop(self._number, None)
            self._call = self._steps = self._done = self._job = None
            self._looked_ns = monotonic_ns()
        else:
            self.close()
        if done is not None:
            done(job, happened)

    def _wait(self, script: Script, timeout_s: float) -> Happened:
        """Carry a script out on the kept connection, and wait for what happens."""
        waiter: Any = Waiter()
        try:
            self.begin(script, timeout_s, waiter, Waiter.switch)
            happened: Happened = waiter.get()
        except ExpiredError:
            raise
        except BaseException:
            self.close()
            raise
        return happened

    def _connect(self) -> None:
        self._pg = connect(self._target)
        self._number = self._pg.socket
        self._writing = False
        self._reactor = reactor()
        self._reactor.add(self._number, self)

    def _alive(self) -> bool:
        """Take in what was said unasked; False, and closed, if that was the end."""
        try:
            while anything(self._number):
                self._pg.consume_input()
                self._pg.is_busy()
        except psycopg.Error:
            self.close()
            return False
        if self._pg.status != pq.ConnStatus.OK:
            self.close()
            return False
        return True
