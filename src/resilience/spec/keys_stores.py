"""The keys of operations that ask a store directly: PostgreSQL by `sql`, Redis by `redis`."""

from collections.abc import Mapping

from resilience.model import RedisCommand, Sql, SqlStatement
from resilience.spec.key import VARIABLE, Key, block
from resilience.spec.shapes import FLAG, NAME, TEXT, Shape, choice, count, listing, texts

_ANY_TEXT = Shape({"type": "string", "title": "text", "examples": ["OK"]})
_ON = Key("on", "on", NAME, "The part of the stack, reached as the service reaches it.")
_ROWS = 1_000_000

_STATEMENT = (
    Key("statement", "statement", TEXT, "SQL; %(key)s is a parameter, bound and never a part of the text."),
    Key("rows", "rows", count(0, _ROWS), "How many rows must come back, or be changed; without it any number."),
    Key("min_rows", "min_rows", count(0, _ROWS), "The fewest rows."),
    Key("values", "values", texts("Column → text."), "Column → text that it must hold in every row; may hold ${key}."),
    Key("tenant", "tenant", TEXT, "The column that must hold the tenant who asks, in every row."),
)

STORE_KEYS: Mapping[type, tuple[Key, ...]] = {
    Sql: (
        _ON,
        Key("dsn_env", "dsn_env", VARIABLE, "Environment variable with a connection string, instead of on."),
        *_STATEMENT,
        Key("statements", "statements", listing(block(SqlStatement), 1), "Of a transaction, in order."),
        Key(
            "isolation",
            "isolation",
            choice("read committed", "repeatable read", "serializable"),
            "Of the transaction; without it, the server's own.",
        ),
    ),
    SqlStatement: _STATEMENT,
    RedisCommand: (
        _ON,
        Key("dsn_env", "dsn_env", VARIABLE, "Environment variable with an address: redis://host:6379/0."),
        Key("command", "command", listing(_ANY_TEXT, 1), "Its words; each may hold ${key} and stays one word."),
        Key("reply", "reply", _ANY_TEXT, "The text that must come back; may hold ${key}."),
        Key("found", "found", FLAG, "Whether something must be there: nil is not ok."),
        Key(
            "values", "values", texts("Dotted path → text."), "Dotted path in the reply's JSON → text; may hold ${key}."
        ),
        Key("tenant", "tenant", TEXT, "Dotted path in the reply's JSON where the tenant who asks must stand."),
        Key("body", "body", TEXT, "Of a read-back: dotted path of the body in the reply's JSON, if it is not alone."),
    ),
}
"""Keys of blocks of their own."""

OPERATION_KEYS = (
    Key("sql", "sql", block(Sql), "Instead of request: what PostgreSQL is asked, directly."),
    Key("redis", "redis", block(RedisCommand), "Instead of request: what Redis is asked, directly."),
)
"""Part of the keys of `model.Operation`."""
