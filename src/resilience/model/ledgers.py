"""The write ledger, its accounts, and where the truth is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from resilience.model.basics import Json


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
    """How test data of a run is removed from one place, by one of four ways.

    Attributes:
        part: of the stack; or
        dsn_env: the name of the environment variable with a connection string, or address. With neither, the truth's.
        query: of PostgreSQL; deletes the rows whose id starts with `%(prefix)s`, and none if none does.
        keys: of Redis: pattern of keys with `{prefix}` where what ids start with stands.
        entries: the run's entries of the truth's own stream, list or hash in Redis.
        path: asked with DELETE for each id that the truth lists, `{id}` standing for it.
        headers_env: header → environment variable with its value, for `path`.
    """

    part: str = ""
    dsn_env: str = ""
    query: str = ""
    keys: str = ""
    entries: bool = False
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
        rows: how many rows a write stores, all or none; of inserts.
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
    rows: int = 1
    min_acknowledged: int = 100
    min_exposed: int = 5
    exposure_s: float = 2.0
