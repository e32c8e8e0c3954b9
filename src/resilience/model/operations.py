"""What one operation of the load is, in every protocol."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from resilience.model.basics import Json

WRONG_TENANT = "wrong tenant"
"""The kind of the detail of an answer that holds what belongs to another tenant (see `judge.isolation`)."""
DIFFERS = "acknowledged entry differs"
"""The kind of the detail of a read-back that returned something else than was written."""
OTHER_ENTRY = "; it is "
"""What follows in it where that has the id of another entry, before this id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What makes an HTTP answer a good one.

    Attributes:
        status: the accepted status codes.
        json: dotted path in the JSON body → the text it must equal, after substitution (`{"id": "${write_id}"}`).
    """

    status: tuple[int, ...] = (200,)
    json: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """How an answer says something of itself: by a header, a JSON path that equals a text, or its status.

    Any one of them suffices.

    Attributes:
        header: a header that is present; with
        value: only if it holds this text.
        status: codes that say it; one that counts as ok must be in `Expect.status` as well.
    """

    header: str = ""
    json: Mapping[str, str] = field(default_factory=dict)
    value: str = ""
    status: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shed:
    """That an operation may be put off while there is too much to do: 429 or 503, saying when to come back.

    Attributes:
        at_most: share of its operations that may be shed in each fault phase.
    """

    at_most: float = 1.0


class Role(StrEnum):
    """What an operation means to the write ledger."""

    READ = "read"  # has no effect
    WRITE = "write"  # sends a new ledger entry: uses ${write_id}, ${write_body}; ok is an acknowledgement
    READ_BACK = "read-back"  # reads an acknowledged entry: uses ${acked_id}; absent or different is evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlStatement:
    """One statement of a transaction, and what must come back; if that does not, the transaction is rolled back.

    Attributes:
        statement: with `%(key)s` for values, which are bound and never a part of the text; `%%` is one `%`.
        rows, min_rows: how many must come back, or be changed; None is any number.
        values: column → text that it must hold in every row, a template: `{id: "${key}"}`.
        tenant: the column that must hold the arrival's tenant in every row; empty looks at none.
    """

    statement: str
    rows: int | None = None
    min_rows: int = 0
    values: Mapping[str, str] = field(default_factory=dict)
    tenant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sql:
    """What is asked of PostgreSQL directly: one statement by itself, or several in a transaction.

    A read-back gives the entry as columns `id` and `body`.

    Attributes:
        on: the part of the stack, reached as the service reaches it; or
        dsn_env: the name of the environment variable with a connection string.
        statement, rows, min_rows, values, tenant: as of `SqlStatement`, if there is one statement.
        statements: of a transaction.
        isolation: of it: `read committed`, `repeatable read` or `serializable`; empty is the server's own.
    """

    on: str = "postgres"
    dsn_env: str = ""
    statement: str = ""
    rows: int | None = None
    min_rows: int = 0
    values: Mapping[str, str] = field(default_factory=dict)
    tenant: str = ""
    statements: tuple[SqlStatement, ...] = ()
    isolation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisCommand:
    """What is asked of Redis directly: one command.

    Attributes:
        on: the part of the stack, reached as the service reaches it; or
        dsn_env: the name of the environment variable with an address: `rediss://user:password@host:6379/0`.
        command: its words, templates: `[GET, "item:${key}"]`. Each stays one word, whatever its values hold.
        reply: the text that must come back, a template; None is anything but an error.
        found: whether a reply that says that there is nothing there (nil) counts as not ok.
        values: dotted path in the reply's JSON → text that it must equal, a template.
        tenant: dotted path in the reply's JSON where the arrival's tenant must stand; empty looks at none.
        body: of a read-back: dotted path of the body in the reply's JSON; empty for a reply that is the body itself.
    """

    on: str = "redis"
    dsn_env: str = ""
    command: tuple[str, ...]
    reply: str | None = None
    found: bool = False
    values: Mapping[str, str] = field(default_factory=dict)
    tenant: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What an operation does by WebSocket: it sends one message, and the next one that comes is its answer.

    The connection is kept for the next such operation on the same slot.

    Attributes:
        path: what is opened, path and query, a template: another one is another connection.
        headers: sent with the handshake; their values are templates.
        send: the message, JSON, a template. None sends nothing: the operation opens a connection and closes it.
    """

    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    send: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work that is asked for by the operation's request and goes on after its answer, followed to its end.

    What accepts it is an answer as `Operation.expect` wants it; the operation's time limit is for all of it.

    Attributes:
        poll: path that tells how the job is, asked again and again; may hold `${job_id}`. With neither this nor
            `events` it is asked where the accepting answer's `Location` says.
        events: path of server-sent events that tell the same, instead of asking.
        id: dotted path of `${job_id}` in the accepting answer.
        interval_s, backoff, max_interval_s: the first question comes after the interval, each later one after an
            interval longer by the factor, up to the longest.
        poll_timeout_s: of one question; one that fails is counted, and asked again as any other.
        state: dotted path of the state in what is told.
        queued, done, failed: states in which it waits, is done, and will never be done; in any other it is worked on.
        submitted_at, started_at, ended_at: dotted paths of the service's own instants (ISO 8601, or seconds or
            milliseconds since 1970), from which queue time and processing time follow. Without them both are measured
            between the answers in which the state was first seen to have changed.
    """

    poll: str = ""
    events: str = ""
    id: str = "id"
    interval_s: float = 0.5
    backoff: float = 1.0
    max_interval_s: float = 5.0
    poll_timeout_s: float = 2.0
    state: str = "state"
    queued: tuple[str, ...] = ("queued", "pending")
    done: tuple[str, ...] = ("done", "succeeded")
    failed: tuple[str, ...] = ("failed", "cancelled")
    submitted_at: str = ""
    started_at: str = ""
    ended_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedAnswer:
    """An answer that comes as server-sent events, as a model's completion does. Without its end it is broken.

    Attributes:
        token: dotted path of a piece of text in an event; an event with a text there that is not empty is a token.
        end: data of the event after which nothing more comes; empty if the end of the answer is the end.
        error: dotted path of an error in an event, which makes the operation fail.
        on: the part of the stack that is asked, reached as the service reaches it; empty is the service itself.
    """

    token: str = "choices.0.delta.content"  # noqa: S105 - a place in an answer
    end: str = "[DONE]"
    error: str = "error"
    on: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One kind of request and its share of the mix.

    `path`, header values and the strings inside `json` may hold `${key}` (drawn from the mix's keys), `${write_id}`,
    `${write_body}`, `${acked_id}`.

    Attributes:
        weight: share of the mix, relative to the other weights; 0 is only in journeys, or gets tokens.
        timeout_s: the client gives up after this long, counted from sending.
        rejected_status: answers that certainly had no effect, by the target's contract (a write's *rejected*).
        critical: whether the operation must hold under fault (otherwise it may fall back or be shed).
        shed: how it may be shed; None is that it may not, so that a shed operation is one that was not ok.
        priority: one of higher priority is never shed while one of lower priority is served.
        account: of a write or a read-back, the account of the ledger that it belongs to; empty is `ledger` itself.
        deletes: of a write to an account of documents, whether it removes the object rather than writing it.
        method, path: of an HTTP request; an operation of another protocol has none.
        sql, redis: what is asked of a store directly.
        job: how the work is followed that the request asks for.
        stream: how the answer comes, if not in one piece.
        websocket: what is done by WebSocket.
        subscription: of an operation that is none of the mix: the subscription whose connections (`connects`) or whose
            delivered messages are its samples.
    """

    name: str
    weight: float
    method: str = "GET"
    path: str = ""
    role: Role = Role.READ
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Json = None
    expect: Expect = Expect()
    degraded: Marker = Marker()
    rejected_status: tuple[int, ...] = ()
    timeout_s: float = 2.0
    critical: bool = True
    shed: Shed | None = None
    priority: int = 0
    account: str = ""
    deletes: bool = False
    sql: Sql | None = None
    redis: RedisCommand | None = None
    websocket: Exchange | None = None
    subscription: str = ""
    connects: bool = False
    job: Job | None = None
    stream: StreamedAnswer | None = None

    @property
    def protocol(self) -> str:
        """By which it is sent, a name in `load.kinds`: it follows from what there is to be sent."""
        sent = {
            "postgres": self.sql,
            "redis": self.redis,
            "websocket": self.websocket,
            "subscription": self.subscription or None,
            "job": self.job,
            "stream": self.stream,
        }
        return next((name for name, what in sent.items() if what is not None), "http")

    @property
    def timed(self) -> bool:
        """Whether its samples say more of time than start and end."""
        return self.job is not None or self.stream is not None
