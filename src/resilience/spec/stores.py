"""Whether operations that ask a store directly are what they can be. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from resilience.model import (
    Expect,
    Json,
    Load,
    Marker,
    Operation,
    Place,
    RedisCommand,
    Role,
    Segment,
    Sql,
    SqlStatement,
)
from resilience.spec.findings import Findings
from resilience.spec.statements import parameters, problems
from resilience.spec.text import join

_ONLY_HTTP: tuple[tuple[str, object], ...] = (
    ("headers", {}),
    ("json", None),
    ("expect", Expect()),
    ("degraded", Marker()),
    ("rejected_status", ()),
    ("shed", None),
)
"""Fields of an operation that mean something of HTTP alone, and what they are if nothing was said."""


def check_sent(path: str, operation: Operation, findings: Findings) -> None:
    """Note an operation that sends nothing, or several things, or says of one what only another can be asked.

    Args:
        path: of the operation.
        operation: as it was read.
        findings: where problems go.
    """
    ways = [way for way in ("sql", "redis") if getattr(operation, way) is not None]
    if operation.protocol == "http" and not operation.path and findings.clean(join(path, "request")):
        findings.add(join(path, "request"), "is missing: nothing says what is sent", "add request: {path: /…}")
    if not ways:
        return
    if operation.path or len(ways) > 1:
        given = [*(["request"] if operation.path else []), *ways]
        findings.add(path, f"has {' and '.join(given)}; an operation is sent in one way", "keep one of them")
    for name, nothing in _ONLY_HTTP:
        if getattr(operation, name) != nothing and not operation.path:
            hint = "remove it; what must come back stands beside the statement or command"
            findings.add(join(path, name), f"means nothing for {ways[0]}: it is about answers of HTTP", hint)


def check_stores(
    path: str, operation: Operation, tenants: Sequence[Segment] | None, allowed: Sequence[str], findings: Findings
) -> set[str]:
    """Note what is wrong with what a store is asked.

    Args:
        path: of the operation.
        operation: as it was read.
        tenants: of the load; None if it could not be read.
        allowed: names that have a value in such an operation.
        findings: where problems go.

    Returns:
        The names whose values are sent as parameters of statements.
    """
    sent: set[str] = set()
    if operation.sql is not None:
        where = join(path, "sql")
        for key, message, hint in _sql_problems(operation.sql, operation.role):
            findings.add(join(where, key), message, hint)
        for at, one in _statements(operation.sql, where):
            for message, hint in problems(one.statement):
                findings.add(join(at, "statement"), message, hint)
            names = parameters(one.statement)
            for name in names:
                if name not in allowed:
                    hint = f"a {operation.role} may hold {', '.join(f'%({known})s' for known in allowed)}"
                    hint = f"add {name}s to load" if name in {"tenant", "region"} else hint
                    findings.add(join(at, "statement"), f"%({name})s is not known to a {operation.role}", hint)
            sent |= set(names)
            _check_tenant(at, one.tenant, tenants, findings)
    if operation.redis is not None:
        _check_tenant(join(path, "redis"), operation.redis.tenant, tenants, findings)
        for key, message, hint in _redis_problems(operation.redis, operation.role):
            findings.add(join(join(path, "redis"), key), message, hint)
    return sent


def _statements(sql: Sql, where: str) -> Iterator[tuple[str, SqlStatement]]:
    if sql.statement:
        yield where, SqlStatement(statement=sql.statement, values=sql.values, tenant=sql.tenant)
    for index, one in enumerate(sql.statements):
        yield f"{join(where, 'statements')}[{index}]", one


def _sql_problems(sql: Sql, role: Role) -> Iterator[tuple[str, str, str]]:
    if sql.statement and sql.statements:
        yield "statements", "there is a statement besides", "put it first among the statements"
    if not sql.statement and not sql.statements:
        yield "statement", "is missing: nothing is asked", "add statement: SELECT …"
    if sql.isolation and not sql.statements:
        yield (
            "isolation",
            "is of a transaction, and a statement by itself is none",
            "write statements: [{statement: …}]",
        )
    loose = {"rows": sql.rows is not None, "min_rows": sql.min_rows, "values": sql.values, "tenant": sql.tenant}
    for key in [key for key, given in loose.items() if given and sql.statements]:
        yield key, "belongs to one of the statements", "move it there"
    if role is Role.WRITE and not sql.statements and sql.rows == 0:
        yield "rows", "a write that changes 0 rows is none", "write rows: 1"


def _redis_problems(command: RedisCommand, role: Role) -> Iterator[tuple[str, str, str]]:
    word = command.command[0].upper() if command.command else ""
    if not word or "$" in word:
        yield "command", f"{word!r} is no command; its first word must be one", "write [GET, 'item:${key}']"
    if word in {"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "MONITOR", "MULTI", "EXEC", "WATCH", "SYNC", "PSYNC", "HELLO"}:
        yield "command", f"{word} is answered by something else than one reply", "choose another command"
    if command.body and role is not Role.READ_BACK:
        yield "body", "is of a read-back", "remove it, or write role: read-back"


def _check_tenant(path: str, tenant: str, tenants: Sequence[Segment] | None, findings: Findings) -> None:
    if tenant and tenants is not None and not tenants:
        message = "says where the tenant who asks must stand, but the load has no tenants"
        findings.add(join(path, "tenant"), message, "add tenants to load")


def asked(load: Load, places: Mapping[str, Place]) -> dict[str, Place]:
    """The parts of a stack, of those that there are, that the operations of a load ask directly."""
    stores = [store for one in load.operations for store in (one.sql, one.redis) if store is not None]
    names = {store.on for store in stores if not store.dsn_env}
    names |= {one.stream.on for one in load.operations if one.stream is not None}
    return {name: place for name, place in places.items() if name in names}


def stored(operation: Operation, path: str) -> Iterator[tuple[Json, str]]:
    """What must come back from a store, as texts that may hold names, and where it stands."""
    if operation.sql is not None:
        where = join(path, "sql")
        yield {"values": operation.sql.values}, where
        for index, one in enumerate(operation.sql.statements):
            yield {"values": one.values}, f"{join(where, 'statements')}[{index}]"
    if operation.redis is not None:
        yield {"values": operation.redis.values, "reply": operation.redis.reply}, join(path, "redis")
