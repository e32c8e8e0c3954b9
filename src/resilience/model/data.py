"""Skews, test data, journeys, tokens and subscriptions."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from resilience.model.basics import Json
from resilience.model.operations import Operation
from resilience.model.profiles import Think


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
