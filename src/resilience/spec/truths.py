"""Whether the sources of truth that a ledger declares, and the cache beside them, can be what they say."""

from collections.abc import Iterator, Sequence

from resilience.model import CacheCopy, FunctionTruth, HttpTruth, Ledger, RedisTruth, Removal, Truth
from resilience.spec.findings import Findings, show
from resilience.spec.method import is_allowed
from resilience.spec.text import join

_PREFIX = "%(prefix)s"
_ID = "{id}"
_PLACES = ("{prefix}", "{cursor}", "{offset}")


def check_ledger(ledger: Ledger, path: str, allow: Sequence[str], findings: Findings) -> None:
    """Note what cannot work.

    Args:
        ledger: as read.
        path: of it in the file.
        allow: patterns of modules that the file may name, besides ours.
        findings: where problems go.
    """
    if ledger.truth.subscription:
        _check_alone(ledger.truth, path, findings)
    else:
        _check_store(ledger, path, allow, findings)
    if ledger.cache is not None:
        _check_address(ledger.cache, join(path, "cache"), findings)
        _check_template(ledger.cache.key, join(join(path, "cache"), "key"), findings)


def _check_store(ledger: Ledger, path: str, allow: Sequence[str], findings: Findings) -> None:
    """The store in which the truth is read."""
    truth, place = ledger.truth, join(path, "truth")
    _check_address(truth, place, findings)
    ways = [name for name in ("query", "redis", "http", "function") if getattr(truth, name)]
    if len(ways) != 1:
        found = f"{' and '.join(ways)} are there" if ways else "none of query, redis, http, function is there"
        if ways or findings.clean(place):  # else it is there, and wrong
            findings.add(place, f"{found}, expected one of them", "write query: SELECT id, body, position FROM …")
        return
    if truth.query:
        _check_query(truth.query, join(place, "query"), findings)
    elif truth.check_index:
        findings.add(join(place, "check_index"), "there is no query whose index could be checked", "remove it")
    if truth.redis is not None:
        _check_redis(truth.redis, join(place, "redis"), findings)
        if ledger.ordered and truth.redis.type in {"hash", "keys"} and not truth.redis.position:
            message = f"the entries of {truth.redis.type} have no order, and the ledger promises one"
            findings.add(join(path, "ordered"), message, "write ordered: false, or name the path of a position")
    if truth.http is not None:
        _check_http(truth.http, join(place, "http"), findings)
    if truth.function is not None:
        _check_function(truth.function, join(place, "function"), allow, findings)
    for index, removal in enumerate(truth.clean):
        _check_removal(removal, truth, join(join(place, "clean"), index), findings)


def _check_removal(removal: Removal, truth: Truth, path: str, findings: Findings) -> None:
    ways = [name for name in ("query", "keys", "entries", "path") if getattr(removal, name)]
    if len(ways) != 1:
        found = f"{' and '.join(ways)} are there" if ways else "none of query, keys, entries, path is there"
        findings.add(
            path, f"{found}, expected one of them", "write query: DELETE FROM … WHERE id LIKE %(prefix)s || '%%'"
        )
        return
    if removal.part and removal.dsn_env:
        findings.add(path, "both part and dsn_env are there, expected one of them at most", "remove one")
    if removal.query:
        begins = removal.query.split(None, 1)[0].upper() if removal.query.split() else ""
        if begins not in {"DELETE", "WITH"} or _PREFIX not in removal.query:
            message = f"{show(removal.query)} is no DELETE that is bound to {_PREFIX}"
            findings.add(join(path, "query"), message, "write DELETE FROM … WHERE id LIKE %(prefix)s || '%%'")
        else:
            _check_query(removal.query, join(path, "query"), findings)
    if removal.keys and (removal.keys.count("{prefix}") != 1 or removal.keys.startswith("*")):
        message = f"{show(removal.keys)} is no pattern of this run's keys: {{prefix}} once, and no * before everything"
        findings.add(join(path, "keys"), message, "write order:{prefix}*")
    if removal.entries and (truth.redis is None or truth.redis.type == "keys"):
        found = "the truth is not in Redis" if truth.redis is None else "the truth's entries are keys of their own"
        findings.add(join(path, "entries"), f"{found}; a stream, list or hash was expected", "name keys, query or path")
    if removal.entries and (removal.part or removal.dsn_env):
        findings.add(path, "entries are removed from where the truth is, which is named there", "remove part, dsn_env")
    if removal.path and removal.path.count(_ID) != 1:
        findings.add(join(path, "path"), f"{show(removal.path)} has no {_ID}, or several", "write /orders/{id}")
    if removal.headers_env and not removal.path:
        findings.add(join(path, "headers_env"), "headers are sent with path alone", "remove it")


def _check_alone(truth: Truth, path: str, findings: Findings) -> None:
    """What subscribers are given is read nowhere else, and is that of an account."""
    place = join(path, "truth")
    others = [name for name in ("query", "redis", "http", "function", "part", "dsn_env") if getattr(truth, name)]
    if others:
        findings.add(place, f"{' and '.join(others)} are there beside subscription", "keep one of them")
    if path.endswith("ledger"):
        hint = "add accounts: [{name: …, effect: stream, truth: {subscription: …}}]"
        findings.add(join(place, "subscription"), "what subscribers are given is the truth of an account", hint)


def _check_address(named: Truth | CacheCopy, path: str, findings: Findings) -> None:
    if isinstance(named, Truth) and named.function is not None and not (named.part and named.dsn_env):
        return  # it may find its store by itself
    if bool(named.part) == bool(named.dsn_env):
        found = "both part and dsn_env are there" if named.part else "neither part nor dsn_env is there"
        part = "redis" if isinstance(named, CacheCopy) or named.redis else "service" if named.http else "postgres"
        findings.add(path, f"{found}, expected one of them", f"write part: {part}")


def _check_query(query: str, path: str, findings: Findings) -> None:
    if _PREFIX not in query:
        message = f"{show(query)} does not ask for this run's entries alone"
        findings.add(path, message, f"add WHERE id LIKE {_PREFIX} || '%%'")
    elif "%" in query.replace(_PREFIX, "").replace("%%", ""):
        message = f"{show(query)} has a single %, which begins a placeholder"
        findings.add(path, message, "write %% for a percent sign")


def _check_redis(source: RedisTruth, path: str, findings: Findings) -> None:
    if source.type == "keys":
        _check_template(source.key, join(path, "key"), findings)
    if source.type == "stream" and not source.id:
        findings.add(join(path, "id"), "is missing: a stream's entry has its id in a field", "write id: id")
    if source.type == "stream" and not source.body:
        findings.add(join(path, "body"), "is missing: a stream's entry has its body in a field", "write body: body")
    if source.type == "list" and bool(source.id) != bool(source.body):
        message = "an element is JSON with an id and a body, or the body itself; only one of both is named"
        findings.add(path, message, "name both, or neither")
    if source.type in {"hash", "keys"} and source.id:
        findings.add(join(path, "id"), f"the id in {source.type} is known without a path", "remove it")
    if source.newest_first and source.type != "list":
        findings.add(join(path, "newest_first"), f"is about lists, and this is {source.type}", "remove it")


def _check_template(key: str, path: str, findings: Findings) -> None:
    if key.count(_ID) != 1:
        findings.add(path, f"{show(key)} has {_ID} {key.count(_ID)} times, expected once", "write order:{id}")


def _check_http(source: HttpTruth, path: str, findings: Findings) -> None:
    unknown = list(_unknown(source.path))
    if unknown:
        known = ", ".join(_PLACES)
        findings.add(join(path, "path"), f"{show(source.path)} has {unknown[0]}, which is not known", f"known: {known}")
    if ("{cursor}" in source.path) != bool(source.next):
        message = "a {cursor} in the path and next, which says where to find it, need each other"
        findings.add(path, message, "name both, or neither")
    if "{cursor}" in source.path and "{offset}" in source.path:
        findings.add(join(path, "path"), "has both {cursor} and {offset}, expected one of them", "remove one")


def _unknown(text: str) -> Iterator[str]:
    for begun in text.split("{")[1:]:
        name = "{" + begun.partition("}")[0] + ("}" if "}" in begun else "")
        if name not in _PLACES:
            yield name


def _check_function(source: FunctionTruth, path: str, allow: Sequence[str], findings: Findings) -> None:
    if not source.name.isidentifier():
        findings.add(join(path, "name"), f"{show(source.name)} is no name of a function", "write its name alone")
    if not is_allowed(source.module, allow):
        hint = "add it to safety.allow_modules"
        findings.add(join(path, "module"), f"the module {source.module!r} is not allowed", hint)
    if {"prefix", "place"} & set(source.arguments):
        findings.add(join(path, "arguments"), "prefix and place are given by us", "use other names")
