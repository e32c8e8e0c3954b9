"""The values that cross seams: frozen, plain, without behaviour beyond arithmetic.

Instants are seconds since the run began (`*_s`, float) unless a name says nanoseconds (`*_ns`, int). The run begins at
`LoadOrder.zero_ns` of the host's monotonic clock, which all processes on one machine share. Durations are seconds.

It is longer than a module should be because it is one page of vocabulary: nothing in it does anything.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | tuple[Json, ...] | Mapping[str, Json] | None"
"""What can stand in a JSON document."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        where: a path into the file (`extensions[0].load.rate`), a program or an address; may be empty.
        message: what was found, with its value, and what was expected.
        hint: what to do about it; may be empty.
        line, column: place in the file, counted from 1; 0 where it is not known.
    """

    where: str
    message: str
    hint: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """One line: where, what, and what to do."""
        place = f"line {self.line}" + (f", column {self.column}" if self.column else "") if self.line else ""
        where = f"{self.where} ({place})" if self.where and place else self.where or place
        text = f"{where}: {self.message}" if where else self.message
        return f"{text} ({self.hint})" if self.hint else text


# --------------------------------------------------------------------------------------------------------- verdicts


class Answer(Enum):
    """Pass, unknown or fail, from best to worst. Combining takes the worst; nothing at all is unknown."""

    PASS = "pass"  # noqa: S105 - not a password
    UNKNOWN = "unknown"
    FAIL = "fail"

    @property
    def severity(self) -> int:
        """0 for pass, 1 for unknown, 2 for fail."""
        return list(Answer).index(self)

    @property
    def exit_code(self) -> int:
        """0 pass, 1 fail, 2 unknown."""
        return {Answer.PASS: 0, Answer.FAIL: 1, Answer.UNKNOWN: 2}[self]

    @staticmethod
    def worst(answers: Iterable["Answer"]) -> "Answer":
        """The worst of the answers; unknown if there is none."""
        return max(answers, key=lambda answer: answer.severity, default=Answer.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Part:
    """The verdict of one checker.

    Attributes:
        name: `objectives`, `recovery`, `writes`, …
        because: one sentence with the numbers.
        evidence: further sentences or values, most telling first, JSON only.
        data: what the checker adds to `verdict.json` at top level (`{"recovery": {…}}`).
    """

    name: str
    answer: Answer
    because: str
    evidence: tuple[Json, ...] = ()
    data: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Answer, because, evidence and parts; `document` is the whole of `verdict.json`."""

    answer: Answer
    because: str
    parts: tuple[Part, ...]
    document: Mapping[str, Json]


# ---------------------------------------------------------------------------------------------------------- samples


class Outcome(StrEnum):
    """What became of an operation, as its client saw it."""

    OK = "ok"
    FAILED = "failed"  # certainly did not happen
    UNKNOWN = "unknown"  # may have happened: a write that timed out
    DROPPED = "dropped"  # was due, but nothing was free to send it


OUTCOMES: tuple[Outcome, ...] = tuple(Outcome)
"""The order in which outcomes are numbered in `columns.Samples`."""


WRONG_TENANT = "wrong tenant"
"""The kind of the detail of an answer that holds what belongs to another tenant (see `judge.isolation`)."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What the load generator saw in a short stretch of time, for live views and abort conditions only.

    Attributes:
        counts: operation → outcome → how many *ended* in the slice.
        histogram: bucket → how many operations that ended (not dropped); bucket b holds response times in
            `[HISTOGRAM_BASE**b, HISTOGRAM_BASE**(b+1))` microseconds, counted from the intended start.
        in_flight: operations begun and not ended at the end of the slice.
        offered: arrivals that became due in the slice.
        degraded: how many of the ok answers said that they were degraded.
        lag_p99_s: 99th percentile of (actual start − intended start); 0 if nothing started.
        attempted, acknowledged: writes so far in the whole run; the difference not otherwise settled is at risk.
        unsettled: writes that are in flight or indeterminate so far.
        backlog: jobs that were accepted and have not been seen to end.
        cpu_share: share of a core that the generator's own process used in the slice; of several, the busiest one's.
        notes: what the generator has to tell of itself, each a problem of the run: a worker was lost.
    """

    start_s: float
    end_s: float
    counts: Mapping[str, Mapping[Outcome, int]]
    histogram: Mapping[int, int]
    offered: int
    in_flight: int
    degraded: int = 0
    lag_p99_s: float = 0.0
    attempted: int = 0
    acknowledged: int = 0
    unsettled: int = 0
    backlog: int = 0
    cpu_share: float = 0.0
    notes: tuple[str, ...] = ()


HISTOGRAM_BASE = 1.02
"""Ratio of neighbouring bucket bounds of `Slice.histogram`: quantiles read from it are within 2 %."""


# ------------------------------------------------------------------------------------------------- phases and events


class PhaseName(StrEnum):
    """The five kinds of phase."""

    WARM_UP = "warm-up"
    BASELINE = "baseline"
    FAULT = "fault"
    RECOVERY = "recovery"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of the run.

    Attributes:
        fault: the fault, or the group of faults, of a fault phase, or what is recovered from; else empty.
        called: what else the file calls that fault: its name as written, the members of the group.
    """

    name: PhaseName
    start_s: float
    end_s: float
    fault: str = ""
    called: tuple[str, ...] = ()

    def about(self, fault: str) -> bool:
        """Whether a name stands for the fault of this phase; no name stands for every fault."""
        return fault in {"", self.fault, *self.called}

    @property
    def label(self) -> str:
        """`baseline`, `fault(redis-down)`."""
        return f"{self.name.value}({self.fault})" if self.fault else self.name.value


class EventKind(StrEnum):
    """What can stand in `events.jsonl`. `name` and `detail` of the event depend on it (see `record.events`)."""

    HEADER = "header"  # detail: format, run, experiment, seed, wall clock, versions, zero_ns
    PHASE = "phase"  # name: phase name; detail: {"fault": …, "called": […]}; it ends where the next begins, or at END
    REQUESTED = "fault-requested"  # name: fault name; detail: kind, on, settings, of, group, mechanism, strike
    CONFIRMED = "fault-confirmed"  # the effect was observed; detail: {"proof": …}
    REVERTING = "fault-reverting"  # the undo was asked for
    CLEAR = "fault-clear"  # the effect was observed to be gone; detail: {"proof": …}
    FAULT_PROBLEM = "fault-problem"  # detail: {"kind": …, "step": prepare|inject|active|revert|clear, "message": …}
    STRUCK = "struck"  # a strike was done; detail: {"proof": …}
    MARK = "mark"  # a note by a person or a program; detail: {"text": …}
    PROBLEM = "problem"  # anything that keeps the verdict from passing; name: source; detail: {"message": …}
    INTERRUPTED = "interrupted"  # signal, abort; detail: {"reason": …}
    LOAD = "load"  # the generator's own account at its end; detail: offered, ok, failed, unknown, dropped, …
    END = "end"  # the last phase is over
    FOOTER = "footer"  # detail: {"events": n}; a record without a footer was cut short


@dataclass(frozen=True, slots=True)
class Event:
    """One line of `events.jsonl`."""

    at_s: float
    kind: EventKind
    name: str = ""
    detail: Mapping[str, Json] = field(default_factory=dict)


# ------------------------------------------------------------------------------------------- experiment, as written


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


@dataclass(frozen=True, slots=True)
class Stage:
    """Part of a profile: the level goes linearly from the one before to `rate`.

    Attributes:
        rate: at the stage's end: arrivals per second, or users of a closed load.
        target: the same as k6 spells it; None once the file is read.
    """

    duration_s: float
    rate: float = 0.0
    target: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A shape that the load has after the baseline (see `spec.stages`); what is left out is as usual for the shape.

    Attributes:
        shape: its name, or the name of a usual size such as `peak`.
        to: the level that it goes to: arrivals per second, or users of a closed load.
        rise_s, hold_s, fall_s, rest_s: lengths of its parts.
        step: by how much the level grows each time.
        period_s: of a wave.
    """

    shape: str
    to: float | None = None
    rise_s: float | None = None
    hold_s: float | None = None
    fall_s: float | None = None
    rest_s: float | None = None
    cycles: int | None = None
    step: float | None = None
    period_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Think:
    """How long a user of a closed load thinks between an answer and the next operation.

    Attributes:
        distribution: `constant`, `exponential`, `lognormal` with this mean; or `uniform`.
        least_s, most_s: of `uniform`, instead of a mean.
        sigma: of `lognormal`, the standard deviation of the logarithm.
    """

    distribution: str = "constant"
    mean_s: float = 1.0
    least_s: float = 0.0
    most_s: float = 0.0
    sigma: float = 0.5

    @property
    def usual_s(self) -> float:
        """The mean, of whichever distribution."""
        return (self.least_s + self.most_s) / 2 if self.distribution == "uniform" else self.mean_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A tenant or a region, and its share of the arrivals: weight / sum of weights."""

    name: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Region(Segment):
    """Where operations are sent from.

    Attributes:
        latency_s: its operations reach the service by a way of their own, the part `service-NAME`, on which every
            answer is later by so much; None is that it has no such way.
        jitter_s: give or take.
    """

    latency_s: float | None = None
    jitter_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """Which of the keys an arrival is about, if it is neither uniform nor `Load.zipf` (see `spec.skew`).

    Attributes:
        kind: `uniform`, `zipf`, `hot` (some keys get most arrivals), `latest` (newest keys are the most popular, and
            the newest moves on) or `sequential`.
        exponent: of `zipf` and `latest`.
        hot_keys: of `hot`: share of the keys that are hot, the first ones; at least one is.
        hot_share: share of the arrivals that they get.
        every: of `latest`: the next key becomes the newest after so many arrivals.
    """

    kind: str
    exponent: float = 0.99
    hot_keys: float = 0.2
    hot_share: float = 0.8
    every: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DataField:
    """A field of generated test data, `${data.NAME}` in operations; see `spec.data`.

    Attributes:
        kind: one of `spec.data.KINDS`.
        by: which record an arrival has: that of its `key`, or one of its own, by its number (`arrival`).
        least, most: of a number; of a text, in characters.
        places: decimal places of a decimal.
        of: of a choice: text → weight.
        earliest, latest: of a timestamp, in ISO 8601; without a zone it is UTC.
    """

    name: str
    kind: str
    by: str = "key"
    least: float | None = None
    most: float | None = None
    places: int = 2
    of: Mapping[str, float] = field(default_factory=dict)
    earliest: str = ""
    latest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeder:
    """A file whose columns are `${data.COLUMN}` in operations; see `load.feeder`.

    Attributes:
        file: relative to the experiment's folder; CSV with a header, or JSON lines, as its ending says.
        columns: that operations may use; each row must have them.
        by: which row an arrival has, modulo the rows: that of its `key`, or the next one (`arrival`).
    """

    file: str
    columns: tuple[str, ...]
    by: str = "key"


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyStep:
    """One operation of a journey.

    Attributes:
        operation: its name.
        capture: name → where an ok answer has its value, `${captured.NAME}` in later steps: `json:dotted.path`, or
            `header:Name`. Without it the journey cannot go on.
        think: before this step, instead of the journey's; never before the first.
        after_failure: `stop` breaks the journey off where this step is not ok; `go-on` does not.
    """

    operation: str
    capture: Mapping[str, str] = field(default_factory=dict)
    think: Think | None = None
    after_failure: str = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyFunction:
    """A journey written in Python: `(client, **arguments)`; see `load.visitor`.

    Attributes:
        module: `shop.journeys`; must be on the list of allowed modules.
        first: the operation that it begins with, which is what is dropped where there is no slot for it.
        gives: names that it gives to operations as `${captured.NAME}`.
        arguments: what it is given besides the client.
    """

    module: str
    name: str
    first: str
    gives: tuple[str, ...] = ()
    arguments: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """Several operations one after another by the same user: same key, tenant, region, record and connection.

    Every step is an operation with a sample of its own. Steps that are never begun are not offered; the journey's own
    account says how many were broken off where.

    Attributes:
        weight: share of the arrivals, beside the weights of single operations.
        think: between two steps.
        steps: in order; or
        function: what decides on them.
    """

    name: str
    weight: float
    think: Think | None = None
    steps: tuple[JourneyStep, ...] = ()
    function: JourneyFunction | None = None

    @property
    def first(self) -> str:
        """The operation that it begins with."""
        return self.steps[0].operation if self.function is None else self.function.first

    @property
    def captures(self) -> tuple[str, ...]:
        """The names that it may give to its operations."""
        if self.function is not None:
            return self.function.gives
        return tuple(dict.fromkeys(name for step in self.steps for name in step.capture))


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token, `${token.NAME}` in operations; it appears in nothing that is written.

    Attributes:
        per: who has one of their own: `run` (all together), `tenant` or `key`.
        operation: that is carried out to get it, before the first operation that needs it and after a 401; and
        take: where its answer has it, as in `JourneyStep.capture`. Or
        env: the environment variable that holds it; per tenant `NAME_TENANT`, in capitals.
    """

    name: str
    per: str = "run"
    operation: str = ""
    take: str = ""
    env: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """Where in a JSON message, by dotted paths, a subscriber finds what it needs.

    Attributes:
        id, body: of the entry of the ledger that the message is.
        offset: of a message, and of what confirms a subscription: a number that grows.
        epoch, recovered: of what confirms: which history the offsets are of; `true` if nothing is missing since the
            offset that was asked for.
    """

    id: str = "data.id"
    body: str = "data.body"
    offset: str = "offset"
    epoch: str = "epoch"
    recovered: str = "recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Long-lived WebSocket connections, each of which is to be given every message of an account, once and in order.

    A message that was delivered is a sample of the operation `name`: it arrives when the publisher sends it and ends
    when the subscriber has it. A connection that is lost is a failed sample of it. An attempt to connect, with the
    subscription confirmed, is a sample of `name`-connect.

    Attributes:
        account: of the ledger, a stream, whose truth is what is delivered here.
        path, headers: of the handshake.
        connections: how many.
        connect_rate: how many are opened per second, from the run's zero; 0 opens all at once.
        subscribe: the first message, JSON; None sends none.
        resume: instead of it on coming back, may hold `${offset}` and `${epoch}`; None begins anew each time.
        confirmed: dotted path → text, by which the message is known that confirms; empty for none.
        message: where things are in a message.
        history: what a lost history means: `kept` is that every message must come; `announced` is that messages may be
            missed if the confirmation says that they are not there any more.
        timeout_s: for connecting and being confirmed; a message that takes longer than this is a failed sample.
        retry_s, retry_limit_s: how long after a connection was lost, or refused, the next is tried; doubled each time,
            up to the limit, and drawn between half and all of it.
        ping_s: a connection that is silent for so long is pinged, and given up after as long again; 0 never.
        settle_s: how long is waited at most in the end for what has not been delivered yet.
        critical: as of an operation.
    """

    name: str
    account: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    connections: int = 1
    connect_rate: float = 0.0
    subscribe: Json = None
    resume: Json = None
    confirmed: Mapping[str, str] = field(default_factory=dict)
    message: Delivered = Delivered()
    history: str = "kept"
    timeout_s: float = 5.0
    retry_s: float = 0.2
    retry_limit_s: float = 2.0
    ping_s: float = 5.0
    settle_s: float = 5.0
    critical: bool = True

    @property
    def operations(self) -> tuple[Operation, Operation]:
        """Whose samples they are: of messages, and of connecting."""
        common = {"weight": 0.0, "path": self.path, "timeout_s": self.timeout_s, "subscription": self.name}
        return (
            Operation(name=self.name, critical=self.critical, **common),  # type: ignore[arg-type]  # as above
            Operation(name=f"{self.name}-connect", critical=False, connects=True, **common),  # type: ignore[arg-type]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """How many processes carry a load.

    Attributes:
        local: on this machine; None is as many as the planned rate needs.
        remote: on other hosts, each started there with `resilience worker`.
        wait_s: how long they are waited for.
        listen: `host:port` at which they join; loopback unless said otherwise.
    """

    local: int | None = None
    remote: int = 0
    wait_s: float = 30.0
    listen: str = "127.0.0.1:0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much load when, and of what.

    The load is open, with arrivals that wait for nothing, or closed: so many users, each of whom waits for an answer,
    thinks, and only then does the next thing. `rate` and `users` exclude each other.

    Attributes:
        rate: arrivals per second at which the run begins; constant unless there are stages.
        users: of a closed load, at which the run begins; None of an open one.
        think: of the users of a closed load.
        stages: the profile, counted from the run's beginning; after the last stage its level holds.
        profile: what the stages were made from, if the file has a shape instead of stages.
        arrivals: `constant` (evenly spaced) or `poisson`.
        max_in_flight: operations at once; an arrival beyond it is dropped and counted.
        keys: how many different values `${key}` takes (0 … keys−1); `zipf` skews it (0 is uniform).
        warm_up_s, baseline_s: lengths of the first two phases.
        driver: the program that sends the load: `locust`, or `k6` or `artillery`, which run a script of their own.
        script: of k6 or Artillery, relative to the experiment's folder. It decides what is sent and when; `operations`
            and whatever else is about that are then empty.
        environment: a name that the script reads → the environment variable that holds the value.
        base_url_as: the name under which the script finds the target's address.
        tenants, regions: on whose behalf and from where operations are sent: `${tenant}`, `${region}`; may be none.
        skew: which of the keys, if neither uniform nor `zipf`.
        data, feeder: generated test data, and a file with more: `${data.NAME}`.
        priority_header: header in which each HTTP request says its operation's priority; empty for none.
        journeys: several operations one after another, beside single ones.
        tokens: bearer tokens: `${token.NAME}`.
        subscriptions: long-lived connections beside the mix; each has two of the operations, of weight 0.
    """

    operations: tuple[Operation, ...] = ()
    rate: float = 0.0
    users: int | None = None
    think: Think = Think()
    stages: tuple[Stage, ...] = ()
    profile: Profile | None = None
    arrivals: str = "constant"
    max_in_flight: int = 256
    keys: int = 1000
    zipf: float = 0.0
    warm_up_s: float = 3.0
    baseline_s: float = 15.0
    driver: str = "locust"
    tenants: tuple[Segment, ...] = ()
    regions: tuple[Region, ...] = ()
    skew: Skew | None = None
    data: tuple[DataField, ...] = ()
    feeder: Feeder | None = None
    priority_header: str = ""
    journeys: tuple[Journey, ...] = ()
    tokens: tuple[Token, ...] = ()
    workers: Workers = Workers()
    script: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    base_url_as: str = "BASE_URL"
    subscriptions: tuple[Subscription, ...] = ()

    @property
    def closed(self) -> bool:
        """Whether users wait for their answers, so that what is offered depends on the target."""
        return self.users is not None

    @property
    def level(self) -> float:
        """At which the run begins: arrivals per second, or users of a closed load."""
        return self.rate if self.users is None else float(self.users)


class Comparison(StrEnum):
    """Comparisons of k6's threshold grammar."""

    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    EQ = "=="
    NE = "!="


COMPARED_S = 20.0
"""What is compared with the baseline must be as long as this, and so must the baseline."""


@dataclass(frozen=True, slots=True)
class Objective:
    """A threshold on a metric in a phase: `p(95)<500 @ fault(redis-down)`.

    Attributes:
        expression: as written.
        aggregate: `p`, `avg`, `min`, `max`, `med` (milliseconds of response time of everything that was sent, failures
            and timeouts included; unknown if nothing was ok), `rate` (error rate: everything that was offered and not
            ok), `count` (offered), `rps` (ok per second), `degraded` (share of ok answers that were degraded), `shed`
            (share of what was offered that was put off in order), `availability` (share of what was offered that was
            ok), `apdex`, `burn`, `budget` (see `judge.budget`).
        limit: the threshold; with `relation`, the margin as a share of 1.
        quantile: for `p`, in percent: 95.0.
        operation: one operation, or `all`.
        phase: where it is judged; `fault` empty means every phase of that name, each on its own.
        window_s: `over 10s`: must hold in every sliding window of that length; None is the whole phase.
        argument: for `apdex`, T in milliseconds; for `burn` and `budget`, the promised availability in percent.
        relation: how it must compare with the baseline: `no worse than` or `within` a margin; empty for a threshold.
        tenant, region: one of them; `each` is every one on its own; empty is all together.
        measure: what is measured instead of response time: `ttft`, `queue`, `processing` (milliseconds) or `tokens`
            (per second); empty is response time.
        abort: whether the run is reverted and stopped as soon as it is seen live that it does not hold.
        delay_abort_s: not before so much of the phase.
    """

    expression: str
    aggregate: str
    comparison: Comparison
    limit: float
    quantile: float | None = None
    operation: str = "all"
    phase: PhaseName = PhaseName.BASELINE
    fault: str = ""
    window_s: float | None = None
    argument: float | None = None
    relation: str = ""
    tenant: str = ""
    region: str = ""
    abort: bool = False
    delay_abort_s: float = 0.0
    measure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """Something that the target calls, and how it is read how often it was called: a counter that only grows.

    Attributes:
        name: unique in the file.
        part: of the stack. Redis and PostgreSQL are asked themselves; any other part is asked by HTTP, at
        path: for `metric`.
        metric: names of counters of Prometheus that are added up, each with labels or without:
            `shop_cache_total{result="error"}`.
        counts: what is counted: of Redis `commands` or `connections`; of PostgreSQL `transactions`; else `metric`.
            Empty is the first of these.
        operations: whose calls they are; empty is all.
        amplification: the most that calls per operation may grow under a fault, as a factor of the baseline's.
        calls_per_operation: the most calls that there may be per operation under a fault.
    """

    name: str
    part: str
    path: str = "/metrics"
    metric: tuple[str, ...] = ()
    counts: str = ""
    operations: tuple[str, ...] = ()
    amplification: float | None = None
    calls_per_operation: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """A circuit breaker as clients can know it: it opens, what is asked meanwhile falls back at once, it closes.

    Attributes:
        name: unique in the file.
        fault: during which it must open, as the file calls it.
        operations: that fall back while it is open.
        opens_within_s: counted from the first operation that the fault did something to.
        closes_within_s: counted from when the fault was seen gone.
        quick_s: a fallback that takes longer did not come from an open breaker.
        fallbacks: share of answers that must be quick fallbacks while it is open; the rest may try.
        calls: the dependency whose counter shows who still calls while it is open; empty looks at none.
        calls_per_second: the most that may be called meanwhile.
    """

    name: str
    fault: str
    operations: tuple[str, ...]
    opens_within_s: float
    closes_within_s: float
    quick_s: float = 0.1
    fallbacks: float = 0.95
    calls: str = ""
    calls_per_second: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """What degradation must look like, besides what operations say of themselves.

    Attributes:
        dependencies: whose calls are counted while the run lasts.
        breakers: that must be seen to work.
    """

    dependencies: tuple[Dependency, ...] = ()
    breakers: tuple[Breaker, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLevel:
    """What is promised of the service over a month, by which a run's failures are measured; see `judge.budget`.

    Attributes:
        availability: promised, in percent.
        satisfied_s: Apdex's T: an answer within it satisfies.
        alert_scale: burn-rate alerts are replayed with their windows divided by this; 0 does not replay them.
    """

    availability: float = 99.9
    satisfied_s: float = 0.5
    alert_scale: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What counts as recovered, and how soon it must be.

    Attributes:
        limit_s: the most that recovery may take (mean, upper bound of the mean, and each cycle).
        hold_s: how long the recovered band must hold.
        latency_factor: a bin is good only if its p95 ≤ baseline p95 × this, or ≤ `latency_floor_s`.
        latency_floor_s: below this, latency is never bad.
        gate: what must be within the limit: `each` cycle, and the mean's upper bound if there are cycles enough for
            one; `bound`, the same, and there must be enough; or `mean` alone.
    """

    limit_s: float = 300.0
    hold_s: float = 5.0
    latency_factor: float = 2.0
    latency_floor_s: float = 0.05
    gate: str = "each"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisTruth:
    """Entries of the ledger in Redis.

    A path is dotted: its first step is a field of a stream's entry, and further steps look into JSON; of any other
    value all steps look into its JSON.

    Attributes:
        type: `stream`, `list`, `hash` (an id is a field) or `keys` (an id is part of the key).
        key: of the stream, list or hash; of keys, their pattern, with `{id}` where the id stands.
        id: path of the id in a stream's entry or a list's element; empty for an element that is the body itself, which
            begins with its id. The ids of hashes and keys need none.
        body: path of the body; empty for a value that is the body itself.
        position: path of a whole number that grows in the order of storing; empty for the place in a stream or list.
        newest_first: whether a list is filled at its head.
        volatile: the store is known to keep nothing when it ends, and a pass says so.
    """

    type: str
    key: str
    id: str = ""
    body: str = ""
    position: str = ""
    newest_first: bool = False
    volatile: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTruth:
    """Entries of the ledger as an HTTP endpoint lists them, in JSON, a page at a time.

    Attributes:
        path: asked with GET. `{prefix}` stands for what the ids start with, `{cursor}` for what `next` had in the page
            before (nothing at first), `{offset}` for the number of items before; with neither there is one page.
        items: dotted path of the list in a page; empty for a page that is the list.
        id, body: dotted paths in an item.
        position: of a whole number that grows in the order of storing; empty for the place in the listing.
        next: dotted path of the cursor in a page; the last page has none, null or an empty text.
        facts: dotted path of what the first page says of the store, texts by name; empty for nothing.
        headers_env: header → environment variable with its value.
    """

    path: str
    items: str = ""
    id: str = "id"
    body: str = "body"
    position: str = ""
    next: str = ""
    facts: str = ""
    headers_env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionTruth:
    """Entries of the ledger as a Python function of the user's yields them, in a process of its own.

    Attributes:
        module: `shop.truth`; must be on the list of allowed modules.
        name: of the function: `(prefix, place, **arguments)` → (id, body, position) again and again. `place` has the
            addresses of the part, or is None.
        arguments: what it is given besides.
        timeout_s: the process is ended after this long.
    """

    module: str
    name: str
    arguments: Mapping[str, Json] = field(default_factory=dict)
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """How test data of a run is removed from one place, by one of three ways.

    Attributes:
        part: of the stack; or
        dsn_env: the name of the environment variable with a connection string, or address. With neither, the truth's.
        query: of PostgreSQL; deletes the rows whose id starts with `%(prefix)s`, and none if none does.
        keys: of Redis: pattern of keys with `{prefix}` where what ids start with stands.
        path: asked with DELETE for each id that the truth lists, `{id}` standing for it.
        headers_env: header → environment variable with its value, for `path`.
    """

    part: str = ""
    dsn_env: str = ""
    query: str = ""
    keys: str = ""
    path: str = ""
    headers_env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Where the truth about writes is read: on the primary store itself, by one of four ways.

    Attributes:
        part: the part of the stack that holds it (`postgres`); or
        dsn_env: the name of the environment variable with a connection string, or address.
        query: of PostgreSQL; yields columns `id`, `body`, `position` for all entries whose id starts with `%(prefix)s`;
            `position` is a number that grows in the order in which entries were stored.
        redis, http, function: another way.
        subscription: of an account of a stream: the name of a subscription of the load, whose subscribers must be given
            every message. Then nothing is read from a store.
        clean: how what a run wrote is removed, in order; empty if that is not said.
        settle_s: two reads this far apart must agree before the truth is believed.
        again_s: it is looked at once more after this long, for what comes late; 0 does not look.
        check_index: whether PostgreSQL's indices must give the same rows as the table.
    """

    query: str = ""
    redis: RedisTruth | None = None
    http: HttpTruth | None = None
    function: FunctionTruth | None = None
    subscription: str = ""
    part: str = ""
    dsn_env: str = ""
    clean: tuple[Removal, ...] = ()
    settle_s: float = 1.0
    again_s: float = 0.0
    check_index: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheCopy:
    """Copies of entries in a cache: after settling, each that is there must equal the store.

    Attributes:
        part: the part of the stack that is the cache (`redis`); or
        dsn_env: the name of the environment variable with its address.
        key: of an entry's copy, with `{id}` where the id stands.
        body: dotted path of the body in its JSON; empty for a value that is the body itself.
        min_compared: fewer copies that could be compared: unknown.
    """

    key: str
    part: str = ""
    dsn_env: str = ""
    body: str = ""
    min_compared: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What is promised about writes.

    Attributes:
        duplicates: `exactly-once` (any second effect fails) or `at-least-once` (counted).
        ordered: whether one writer's entries must be stored in the order in which they were acknowledged.
        read_your_writes: whether a read begun after the acknowledgement must see the entry.
        min_acknowledged: fewer acknowledged writes than this in the whole run: unknown.
        min_exposed: acknowledged writes that each fault must have had the chance to lose: those acknowledged from
            `exposure_s` before it was requested until it was clear; fewer is unknown.
        cache: copies of entries that must agree with the store; None compares none.
    """

    truth: Truth
    duplicates: str = "exactly-once"
    ordered: bool = True
    read_your_writes: bool = True
    min_acknowledged: int = 100
    min_exposed: int = 5
    exposure_s: float = 2.0
    cache: CacheCopy | None = None


class Effect(StrEnum):
    """What a write of an account does, and what a row of that account's truth is (see `judge.effects`)."""

    INSERT = "insert"  # stores something of its own; a row is a write: its id, its body, where it was stored
    QUEUE = "queue"  # a message to be worked off; a row is an effect it had: its id, its body, in which order
    STREAM = "stream"  # a message to be delivered; a row is a receipt: its id, its body, in which order
    APPEND = "append"  # adds to a list; a row is an element: its id, its body, list × 1 000 000 + place in the list
    DOCUMENT = "document"  # replaces or removes an object; a row is an object: the id and body it has, its number
    COUNTER = "counter"  # adds to an object; a row is an object: its name, anything, its value
    TRANSFER = (
        "transfer"  # takes from one object, gives to another; a row is an object: its name, anything, its balance
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account of the write ledger beside `ledger` itself: writes of one effect, with a truth of their own.

    Attributes:
        duplicates: as of `Ledger`; `at-most-once` counts what is lost instead of what is doubled.
        ordered: as of `Ledger`; of documents: whether versions decide among writes that were under way together.
        objects: how many objects (lists, documents, counters) its writes are spread over, by `${key}`.
        amount: the most that a write adds or transfers; each is from 1 to this.
        initial: what each object of a transfer has at first.
        read_your_writes, min_acknowledged, min_exposed, exposure_s: as of `Ledger`.
    """

    name: str
    effect: Effect
    truth: Truth
    duplicates: str = "exactly-once"
    ordered: bool = True
    read_your_writes: bool = True
    objects: int = 100
    amount: int = 9
    initial: int = 1000
    min_acknowledged: int = 100
    min_exposed: int = 5
    exposure_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AbortWhen:
    """When a run is reverted and stopped: as soon as the value of the last full window meets the comparison.

    Attributes:
        expression: as written: `rate>0.5 for 10s`, or as an objective that must hold, `rate<0.5 @ fault over 10s`.
        comparison: what ends the run; of an objective it is the contrary of what was written.
        phase: where it is judged; None is everywhere. `fault` empty means every phase of that name.
    """

    expression: str
    aggregate: str
    comparison: Comparison
    limit: float
    window_s: float
    quantile: float | None = None
    operation: str = "all"
    phase: PhaseName | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Safety:
    """Limits that hold whatever the file asks for.

    Attributes:
        max_duration_s: the whole run is aborted and reverted after this long.
        max_fault_s: no fault may be planned for longer, and no lease lasts longer.
        max_at_once: how many parts of the stack faults may be in place on at the same time.
        abort: when the run is reverted and stopped, judged live.
        heartbeat_s: the target must have answered its ready path within the last so many seconds, whatever the answer,
            except while a fault is in place on the service itself; 0 does not look.
        min_free_disk_bytes: with less space left where the record and the debts are written, the run stops.
        grace_s: how long after the planned end a fault's lease ends by itself.
        allow_modules: further Python modules that the file may name (`shop.chaos`, `shop.*`); see `spec.method`.
        data_removal: parts whose data a strike may remove for good.
    """

    max_duration_s: float = 3600.0
    max_fault_s: float = 600.0
    max_at_once: int = 1
    abort: tuple[AbortWhen, ...] = ()
    heartbeat_s: float = 0.0
    min_free_disk_bytes: int = 100_000_000
    grace_s: float = 5.0
    allow_modules: tuple[str, ...] = ()
    data_removal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How a stack runs the target: a command with the stack's addresses in its environment.

    The environment has `PORT`, `DATABASE_URL` (no password: it is in `PGPASSFILE`), `REDIS_URL` and whatever
    `environment` adds. `python` as the first word is this interpreter. Paths are relative to the experiment's folder's
    nearest ancestor with a `pyproject.toml`, or to the experiment's folder.

    Attributes:
        ready: HTTP path that answers 200 once it can serve.
        copies: how many run; with more than one they are the parts `service-1`, `service-2`, … behind a load balancer.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: str = "/ready"
    start_timeout_s: float = 20.0
    copies: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A further program of the target, a part of the stack under its own name: a worker, a provider, a second service.

    It has the service's environment. With `ready` it listens on `PORT`, and every other program finds its address, by
    way of a proxy, in `<NAME>_URL` (`PROVIDER_URL`).

    Attributes:
        name: of the part.
        ready: HTTP path that answers 200 once it can serve; empty if it does not listen.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: str = ""
    start_timeout_s: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSpec:
    """Which stack runs the target: `embedded`, `compose`, `kubernetes` or `external`.

    Attributes:
        service: the target itself.
        programs: what belongs to it besides.
        postgres_disk_mb: size of a small file system for PostgreSQL's data folder; 0 is the machine's disk.
    """

    use: str = "embedded"
    service: Service | None = None
    programs: tuple[Program, ...] = ()
    postgres_disk_mb: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSpec:
    """A fault or strike of the method: what is done to which part of the stack, and for how long.

    What the file repeats stands here once for each time, under a name of its own (`redis-down-2`).

    Attributes:
        name: unique in the experiment; objectives refer to it.
        kind: `toxiproxy.down`, `process.pause`, …
        on: a part of the stack: `redis`, `postgres`, `service`; empty until it is drawn from `among`.
        duration_s: how long it is in place; of a strike, how long its consequences are watched.
        settings: of that kind of fault.
        of: the name as written, if it is one of several times; else empty.
        group: the group that it is held in; else empty.
        among: the parts from which the plan's seed draws one; empty if the file names one.
        strike: done once and not given back.
        at_most_s: the length of its lease, of a fault that is begun and ended by steps of their own.
        mechanism: by which means it is done here, once the running stack is known; empty where there is only one.
    """

    name: str
    kind: str
    on: str
    duration_s: float
    settings: Mapping[str, Json] = field(default_factory=dict)
    of: str = ""
    group: str = ""
    among: tuple[str, ...] = ()
    strike: bool = False
    at_most_s: float | None = None
    mechanism: str = ""

    @property
    def detail(self) -> Mapping[str, Json]:
        """What the record says of it when it is requested."""
        always: dict[str, Json] = {"kind": self.kind, "on": self.on, "settings": dict(self.settings)}
        known: dict[str, Json] = {"of": self.of, "group": self.group, "mechanism": self.mechanism}
        known["strike"] = self.strike
        return always | {name: value for name, value in known.items() if value}

    @property
    def written(self) -> str:
        """The name as it stands in the file."""
        return self.of or self.name

    @property
    def parts(self) -> tuple[str, ...]:
        """The part it is done to, or those that it may be done to."""
        return (self.on,) if self.on else self.among

    @property
    def called(self) -> tuple[str, ...]:
        """What else the file calls it."""
        return (self.of,) if self.of else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultGroup:
    """Several faults at once: injected in order, reverted in reverse, in one phase under the group's name.

    Attributes:
        name: unique in the experiment.
        of: the name as written, if it is one of several times; else empty.
    """

    name: str
    faults: tuple[FaultSpec, ...]
    duration_s: float
    of: str = ""

    @property
    def written(self) -> str:
        """The name as it stands in the file."""
        return self.of or self.name

    @property
    def called(self) -> tuple[str, ...]:
        """What else the file calls it, or its members."""
        names = [self.of, *(name for fault in self.faults for name in (fault.name, fault.of))]
        return tuple(dict.fromkeys(name for name in names if name))


@dataclass(frozen=True, slots=True)
class BeginFault:
    """A step that puts a fault in place, which stays there until `EndFault`."""

    begun: FaultSpec


@dataclass(frozen=True, slots=True)
class EndFault:
    """A step that gives a fault back that was begun; the name is as written."""

    ended: str


@dataclass(frozen=True, slots=True)
class Observe:
    """A step that only lets time pass under load: phase `recovery` or `after`, or `fault` while one is in place.

    Attributes:
        of: the fault, or group, after each of whose times it is a rest; empty if it is a step of its own.
    """

    phase: PhaseName
    duration_s: float
    of: str = ""


Step = FaultSpec | FaultGroup | BeginFault | EndFault | Observe


def faults_of(step: Step) -> tuple[FaultSpec, ...]:
    """The faults and strikes that a step does."""
    match step:
        case FaultSpec():
            return (step,)
        case FaultGroup():
            return step.faults
        case BeginFault():
            return (step.begun,)
        case _:
            return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """An experiment file, parsed and checked.

    Attributes:
        digest: SHA-256 of the file's bytes, hexadecimal.
        folder: absolute path of the folder that relative names in the file start from.
        steps: what the method does, in order.
        accounts: of the write ledger, beside `ledger` itself.
        degradation: what it must look like.
        service_level: what is promised over a month.
        chaos: the whole file as chaostoolkit wants it, JSON only.
    """

    title: str
    name: str
    digest: str
    folder: str
    target: str
    stack: StackSpec
    load: Load
    objectives: tuple[Objective, ...]
    ledger: Ledger | None
    recovery: Recovery
    safety: Safety
    steps: tuple[Step, ...]
    chaos: Mapping[str, Json]
    accounts: tuple[Account, ...] = ()
    degradation: Degradation = Degradation()
    service_level: ServiceLevel = ServiceLevel()

    @property
    def truths(self) -> Mapping[str, Ledger]:
        """Whatever has a truth to be read: `ledger` itself without a name, each account as a ledger by its name."""
        found = {} if self.ledger is None else {"": self.ledger}
        read = [account for account in self.accounts if not account.truth.subscription]
        return found | {account.name: Ledger(truth=account.truth) for account in read}

    @property
    def faults(self) -> tuple[FaultSpec, ...]:
        """The faults and strikes of all steps, each time by itself, in the order in which they are done."""
        return tuple(fault for step in self.steps for fault in faults_of(step))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPhase:
    """A phase as planned, before anything ran: instants are exact if every fault takes no time to come and go."""

    name: PhaseName
    start_s: float
    end_s: float
    fault: str = ""
    called: tuple[str, ...] = ()

    def about(self, fault: str) -> bool:
        """Whether a name stands for the fault of this phase; no name stands for every fault."""
        return fault in {"", self.fault, *self.called}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be done, without having touched anything.

    Attributes:
        run: eight hexadecimal characters, in every id that the run writes into the target.
        arrivals: planned number of arrivals in the planned length; 0 of a closed load, which has none.
        undo: fault name → one sentence that says how it is taken back.
        parts: fault name → the part it is done to, drawn where the file names several.
    """

    run: str
    seed: int
    phases: tuple[PlannedPhase, ...]
    duration_s: float
    arrivals: int
    undo: Mapping[str, str]
    parts: Mapping[str, str] = field(default_factory=dict)


# -------------------------------------------------------------------------------------------------- the target's side


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A process that cannot be mistaken for another with the same number.

    Attributes:
        pid: process number.
        start_ticks: start time since boot in clock ticks (field 22 of `/proc/PID/stat`).
        boot: the kernel's boot id, without which ticks mean nothing.
    """

    pid: int
    start_ticks: int
    boot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Everything needed to start a program again, from any process. Holds no secret: those are in files it names."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str
    log: str
    tag: str
    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A part of the stack as faults and collectors see it.

    Attributes:
        name: `postgres`, `redis`, `toxiproxy`, `service`.
        host, port: where it listens itself.
        via_port: where the service reaches it, if through a proxy; else the same as `port`.
        proxy: name of the toxiproxy proxy in front of it; empty if there is none.
        control: base address of the toxiproxy API; empty if there is none.
        identity: its process, where the stack knows it (re-read at each use: a restart changes it).
        launch: how to start it again; None if the stack cannot.
        state: path of the stack's state file, in which a restart writes the new identity.
        url: HTTP base address, for the service.
        ready: HTTP path that answers 200 once it can serve.
        dsn: connection string without password, for PostgreSQL.
        passfile: path of the file with the password: of PostgreSQL in the format of `PGPASSFILE`, of Redis the
            password alone.
        user: the role as which the service connects to PostgreSQL, whose password is in the same file.
        protocol: what is spoken there: `redis`, `postgres`, `http`; empty if that is not known.
        wire: base address of the control API of our protocol proxy in the way to it, if one is there.
        wire_proxy: name of the proxy in it.
        container: name or id of the container that it is, for a Docker engine.
        context: of the Kubernetes configuration; with it,
        namespace, workload: where it runs there, and as what: `deployment/cart`.
    """

    name: str
    host: str
    port: int
    via_port: int
    proxy: str = ""
    control: str = ""
    identity: Identity | None = None
    launch: Launch | None = None
    state: str = ""
    url: str = ""
    dsn: str = ""
    passfile: str = ""
    user: str = ""
    ready: str = ""
    protocol: str = ""
    wire: str = ""
    wire_proxy: str = ""
    container: str = ""
    context: str = ""
    namespace: str = ""
    workload: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """What must be put back, as JSON: enough to revert from another process, after a restart of everything."""

    kind: str
    data: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering:
    """Which workers a master waits for before it says that it is ready (see `load.workers.master`).

    Attributes:
        local: how many it starts itself. remote: how many join from elsewhere.
        listen: `host:port`; port 0 is any that is free.
        wait_s: how long it waits for all of them.
        token: what a worker must know to join.
        silence_s: a worker that nothing was heard of for so long is lost. One of another host that has not heard of
            its master for half as long ends.
    """

    local: int
    remote: int
    listen: str
    wait_s: float
    token: str = field(repr=False)
    silence_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Share:
    """What one of several workers carries: the arrivals whose index leaves `index` when divided by `of`."""

    index: int = 0
    of: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOrder:
    """What the load process is told, as JSON on its standard input (see `load.process`).

    Attributes:
        zero_ns: the run's zero on the host's monotonic clock; arrivals are counted from it.
        base_url: where the target is.
        folder: the run folder; samples and ledger are written there.
        max_s: the generator stops by itself after this long, whatever happens.
        accounts: of the write ledger, in the order in which their writers are numbered.
        home: the experiment's folder, in which the feeder's file and the modules of journeys are looked for.
        places: the parts of the stack that operations ask directly, by name; no secret is in them, only where it is.
        share: which of several workers this is for.
        ways: region → the address at which its operations reach the target; the others use `base_url`.
        boot: the boot by whose clock instants are counted, if that is not this machine's (see `load.workers`).
    """

    run: str
    seed: int
    zero_ns: int
    base_url: str
    folder: str
    load: Load
    max_s: float
    accounts: tuple[Account, ...] = ()
    home: str = ""
    places: Mapping[str, Place] = field(default_factory=dict)
    share: Share = Share()
    boot: str = ""
    ways: Mapping[str, str] = field(default_factory=dict)


_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def is_name(text: str) -> bool:
    """Whether a text can name a fault, an operation or a run: lower case, digits, hyphens, at most 63."""
    return _NAME.fullmatch(text) is not None
