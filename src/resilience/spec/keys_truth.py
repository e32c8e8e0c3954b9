"""The keys of where the truth about writes is read, of copies in a cache, and of how what was written is removed."""

from collections.abc import Mapping

from resilience.model import CacheCopy, FunctionTruth, HttpTruth, RedisTruth, Removal, Truth
from resilience.spec.key import VARIABLE, Key, block
from resilience.spec.shapes import DURATION, FLAG, LENGTH, NAME, PATH, TEXT, Shape, choice, count, listing, texts

STORED = ("stream", "list", "hash", "keys")
"""How entries can be stored in Redis."""

TRUTH_KEYS: Mapping[type, tuple[Key, ...]] = {
    Truth: (
        Key("part", "part", NAME, "The part of the stack that holds it: postgres."),
        Key("dsn_env", "dsn_env", VARIABLE, "Environment variable with a connection string or address, not part."),
        Key("query", "query", TEXT, "SQL for id, body, position of all rows whose id starts with %(prefix)s."),
        Key("redis", "redis", block(RedisTruth), "Entries in Redis, instead of query."),
        Key("http", "http", block(HttpTruth), "Entries that an HTTP endpoint lists, instead of query."),
        Key("function", "function", block(FunctionTruth), "Entries that a Python function yields, instead of query."),
        Key("subscription", "subscription", NAME, "What subscribers of the load are given, instead of any store."),
        Key("clean", "clean", listing(block(Removal)), "How `resilience clean` removes what a run wrote, in order."),
        Key("settle", "settle_s", LENGTH, "Two reads this far apart must agree before the truth is believed."),
        Key("again", "again_s", DURATION, "How long after that it is looked at once more, for late writes; 0s: not."),
        Key("check_index", "check_index", FLAG, "Whether PostgreSQL's indices must give the same rows as the table."),
    ),
    RedisTruth: (
        Key("type", "type", choice(*STORED), "How the entries are stored."),
        Key("key", "key", TEXT, "The key; of keys, their pattern with {id} where the id stands."),
        Key("id", "id", TEXT, "Dotted path of the id: a field of a stream's entry, or into JSON."),
        Key("body", "body", TEXT, "Dotted path of the body; left out, the value is the body itself."),
        Key("position", "position", TEXT, "Dotted path of a number that grows; left out, the place in stream or list."),
        Key("newest_first", "newest_first", FLAG, "Whether a list is filled at its head."),
        Key("volatile", "volatile", FLAG, "The store is known to keep nothing when it ends; a pass says so."),
    ),
    HttpTruth: (
        Key("path", "path", PATH, "Asked with GET; may hold {prefix}, and {cursor} or {offset} for further pages."),
        Key("items", "items", TEXT, "Dotted path of the list in a page; left out, the page is the list."),
        Key("id", "id", TEXT, "Dotted path of the id in an item."),
        Key("body", "body", TEXT, "Dotted path of the body in an item."),
        Key("position", "position", TEXT, "Dotted path of a number that grows; left out, the place in the listing."),
        Key("next", "next", TEXT, "Dotted path of the next {cursor} in a page; the last page has none."),
        Key("facts", "facts", TEXT, "Dotted path of what the first page says of the store, texts by name."),
        Key("headers_env", "headers_env", texts("Header → environment variable."), "Headers, by secret variables."),
    ),
    FunctionTruth: (
        Key("module", "module", TEXT, "Python module; must be allowed, see safety.allow_modules."),
        Key("name", "name", TEXT, "Function of it: (prefix, place, **arguments) → (id, body, position) each."),
        Key("arguments", "arguments", Shape({"type": "object"}), "What the function is given besides."),
        Key("timeout", "timeout_s", LENGTH, "Its process is ended after this long."),
    ),
    CacheCopy: (
        Key("part", "part", NAME, "The part of the stack that is the cache: redis."),
        Key("dsn_env", "dsn_env", VARIABLE, "Environment variable with its address, instead of part."),
        Key("key", "key", TEXT, "Key of an entry's copy, with {id} where the id stands."),
        Key("body", "body", TEXT, "Dotted path of the body in its JSON; left out, the value is the body itself."),
        Key("min_compared", "min_compared", count(1, 10**9), "With fewer copies to compare: unknown."),
    ),
    Removal: (
        Key("part", "part", NAME, "The part of the stack that it is removed from; the truth's own if left out."),
        Key("dsn_env", "dsn_env", VARIABLE, "Environment variable with a connection string or address, not part."),
        Key("query", "query", TEXT, "DELETE of PostgreSQL, of rows whose id starts with %(prefix)s."),
        Key("keys", "keys", TEXT, "Pattern of keys in Redis, with {prefix} where what ids start with stands."),
        Key("entries", "entries", FLAG, "Removes the run's entries of the truth's own stream, list or hash."),
        Key("path", "path", PATH, "Sent DELETE by HTTP for each id that the truth lists, with {id} where it stands."),
        Key("headers_env", "headers_env", texts("Header → environment variable."), "Headers, by secret variables."),
    ),
}
