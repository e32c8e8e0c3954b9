"""Users for locustfiles that ask a store directly: `from resilience.load import PostgresUser, RedisUser`.

One call is one attempt and one event: no retry, no reconnect inside a call, a time limit on the whole call, and an
event also for what is in flight when the user is stopped. *failed* certainly had no effect, *unknown* may have had one.
"""

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Protocol

from gevent import GreenletExit
from locust import User
from locust.env import Environment
from psycopg.conninfo import make_conninfo

from resilience.errors import LoadError
from resilience.load.classify import Broken, Happened, StoreAnswer, classify
from resilience.load.operate import IN_FLIGHT_AT_END
from resilience.load.sql import Prepared
from resilience.load.statistics import OperationNotOkError
from resilience.model import Expect, Operation, Outcome, Problem, Role, Sql, SqlStatement
from resilience.spec.statements import first_word, parameters

_SERVER = "server"
_EXPECT = Expect()
_READS = frozenset({"SELECT", "VALUES", "TABLE"})
_number = itertools.count()


class Asker(Protocol):
    """A client of a store."""

    def call(self, request: Any, timeout_s: float) -> Happened:  # noqa: ANN401 - as the store takes it
        """Carry it out, once."""

    def close(self) -> None:
        """Close the connection."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a call.

    Attributes:
        outcome: `ok`, `failed` or `unknown`.
        document: the answer: of SQL `{"count": 1, "rows": [{"id": "7"}]}`, of Redis `{"reply": …}`; None if none came.
        detail: why it was not ok: `kind` or `kind: particulars`; empty if it was.
    """

    outcome: str
    document: Any = None
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether it was what was expected."""
        return self.outcome == Outcome.OK.value


class _Store:
    """Calls of one user, on one connection that is kept."""

    def __init__(self, environment: Environment, caller: Asker, kind: str, timeout_s: float) -> None:
        self._fire = environment.events.request.fire
        self._caller, self._kind, self._timeout_s = caller, kind, timeout_s

    def close(self) -> None:
        """Close the connection. The next call makes a new one."""
        self._caller.close()

    def _ask(self, request: object, name: str, timeout_s: float | None, *, write: bool) -> Asked:
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        if not limit_s > 0:
            raise LoadError(Problem("timeout_s", f"{limit_s!r} is no time limit; more than 0 s was expected"))
        began_s, wall_s = time.monotonic(), time.time()
        try:
            happened = self._caller.call(request, limit_s)
        except BaseException as error:  # the user is stopped meanwhile, or has a time limit of its own
            self.close()
            reason = IN_FLIGHT_AT_END if isinstance(error, GreenletExit) else f"interrupted: {type(error).__name__}"
            self._ended(Broken(reason), name, began_s, wall_s, write=write)
            raise
        return self._ended(happened, name, began_s, wall_s, write=write)

    def _ended(self, happened: Happened, name: str, began_s: float, wall_s: float, *, write: bool) -> Asked:
        """Fire Locust's request event, and say what became of it."""
        finding = classify(Role.WRITE if write else Role.READ, happened, _EXPECT)
        took_ms = (time.monotonic() - began_s) * 1e3
        outcome = finding.outcome.value
        self._fire(  # type: ignore[no-untyped-call]  # Locust's events have no types
            request_type=self._kind,
            name=name,
            response_time=took_ms,
            response_length=0,
            response=None,
            context={"outcome": outcome, "detail": finding.detail, "service_ms": took_ms, "lag_ms": 0.0},
            exception=None
            if finding.outcome is Outcome.OK
            else OperationNotOkError(f"{outcome}: {finding.detail.partition(':')[0]}"),
            start_time=wall_s,
        )
        document = happened.document() if isinstance(happened, StoreAnswer) else None
        return Asked(outcome, document, finding.detail)


class LeanSql(_Store):
    """PostgreSQL, asked by one user.

    Args:
        environment: Locust's; its request event is fired once for every call, with the type `SQL`.
        dsn: connection string; it is in no event.
        timeout_s: time limit of a call, if the call has none of its own.
    """

    def __init__(self, environment: Environment, dsn: str, timeout_s: float) -> None:
        from resilience.load.postgres import Client  # noqa: PLC0415 - each user imports what it asks

        target = make_conninfo(dsn, application_name="resilience locust")
        super().__init__(environment, Client({_SERVER: target}), "SQL", timeout_s)

    def run(
        self,
        statement: str,
        values: Mapping[str, object] | None = None,
        *,
        name: str = "",
        rows: int | None = None,
        min_rows: int = 0,
        timeout_s: float | None = None,
        write: bool | None = None,
    ) -> Asked:
        """Carry out one statement, once, by itself.

        Args:
            statement: with `%(key)s` for values, which are bound and never a part of the text.
            values: of the parameters; each is sent as its text.
            name: in Locust's statistics; the statement's beginning if empty.
            rows: how many must come back, or be changed; None is any number.
            min_rows: the fewest.
            timeout_s: time limit of the whole call, connecting included.
            write: whether it may have an effect; None is all but SELECT, VALUES and TABLE.

        Raises:
            LoadError: it cannot be sent. No event is fired.
        """
        one = SqlStatement(statement=statement, rows=rows, min_rows=min_rows)
        effect = first_word(statement) not in _READS if write is None else write
        return self._script((one,), values, "", name, timeout_s, write=effect)

    def transaction(
        self,
        statements: Sequence[str | SqlStatement],
        values: Mapping[str, object] | None = None,
        *,
        isolation: str = "",
        name: str = "",
        timeout_s: float | None = None,
    ) -> Asked:
        """Carry out several statements, once, in one transaction; what is not as expected is rolled back.

        Args:
            statements: texts, or `SqlStatement` with what must come back.
            isolation: `read committed`, `repeatable read`, `serializable`; the server's own if empty.
            values: as of `run`.
            name: as of `run`.
            timeout_s: as of `run`.

        Returns:
            What became of it; the document is the last statement's answer.

        Raises:
            LoadError: it cannot be sent. No event is fired.
        """
        made = tuple(SqlStatement(statement=one) if isinstance(one, str) else one for one in statements)
        return self._script(made, values, isolation or "own", name, timeout_s, write=True)

    def _script(
        self,
        statements: tuple[SqlStatement, ...],
        values: Mapping[str, object] | None,
        isolation: str,
        name: str,
        timeout_s: float | None,
        *,
        write: bool,
    ) -> Asked:
        given = values or {}
        texts = tuple((one.statement, one.rows, one.min_rows, tuple(one.values.items())) for one in statements)
        prepared = _prepared(texts, isolation)
        missing = [one for each in statements for one in parameters(each.statement) if given.get(one) is None]
        if missing:
            raise LoadError([Problem(f"%({one})s", "has no value", f"give values={{{one!r}: …}}") for one in missing])
        request = prepared.request({key: str(value) for key, value in given.items()})
        return self._ask(request, name or statements[0].statement[:60], timeout_s, write=write)


@lru_cache(maxsize=1000)
def _prepared(texts: tuple[tuple[str, int | None, int, tuple[tuple[str, str], ...]], ...], isolation: str) -> Prepared:
    """The same statements are prepared once on each connection, whoever asks."""
    made = tuple(
        SqlStatement(statement=text, rows=rows, min_rows=least, values=dict(values))
        for text, rows, least, values in texts
    )
    names = [name for one in made for name in parameters(one.statement)]
    if isolation:
        sql = Sql(on=_SERVER, statements=made, isolation="" if isolation == "own" else isolation)
    else:
        (one,) = made
        sql = Sql(on=_SERVER, statement=one.statement, rows=one.rows, min_rows=one.min_rows, values=one.values)
    return Prepared(Operation(name=f"locust-{next(_number)}", weight=1, sql=sql), names)


class LeanRedis(_Store):
    """Redis, asked by one user.

    Args:
        environment: Locust's; its request event is fired once for every call, with the type `REDIS`.
        address: `redis://user:password@host:6379/0`; it is in no event.
        timeout_s: time limit of a call, if the call has none of its own.
    """

    def __init__(self, environment: Environment, address: str, timeout_s: float) -> None:
        from resilience.load.redis import Client, where_of  # noqa: PLC0415 - needs the extra `redis`

        super().__init__(environment, Client({_SERVER: where_of(address, "resilience-locust")}), "REDIS", timeout_s)

    def command(
        self,
        *words: str | bytes | float,
        name: str = "",
        reply: str | None = None,
        found: bool = False,
        timeout_s: float | None = None,
        write: bool = True,
    ) -> Asked:
        """Send one command, once.

        Args:
            words: of the command.
            name: in Locust's statistics; the first word if empty.
            reply: the text that must come back.
            found: whether something must be there.
            timeout_s: time limit of the whole call, connecting included.
            write: whether it may have an effect: then an answer that is lost is unknown, else failed.
        """
        from resilience.load import commands  # noqa: PLC0415 - needs the extra `redis`

        request = commands.literal(_SERVER, words, reply, found=found)
        return self._ask(request, name or str(words[0]), timeout_s, write=write)


class PostgresUser(User):
    """A Locust user whose `client` is a `LeanSql`.

    Attributes:
        dsn: connection string; `host` if empty.
        timeout_s: time limit of a call, in seconds, if the call has none of its own.
        client: to ask with.
    """

    abstract = True
    dsn: ClassVar[str] = ""
    timeout_s: ClassVar[float] = 10.0

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        target = self.dsn or self.host
        if not target:
            raise LoadError(Problem("dsn", "there is none; postgresql://user@host:5432/database was expected"))
        self.client = LeanSql(environment, target, self.timeout_s)

    def on_stop(self) -> None:
        """The user is stopped: its connection is closed."""
        self.client.close()


class RedisUser(User):
    """A Locust user whose `client` is a `LeanRedis`.

    Attributes:
        address: of the server; `host` if empty.
        timeout_s: time limit of a call, in seconds, if the call has none of its own.
        client: to ask with.
    """

    abstract = True
    address: ClassVar[str] = ""
    timeout_s: ClassVar[float] = 10.0

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        target = self.address or self.host
        if not target:
            raise LoadError(Problem("address", "there is none; redis://host:6379/0 was expected"))
        try:
            self.client = LeanRedis(environment, target, self.timeout_s)
        except ValueError as error:
            raise LoadError(Problem("address", "is none of a Redis; redis://host:6379/0 was expected")) from error

    def on_stop(self) -> None:
        """The user is stopped: its connection is closed."""
        self.client.close()
