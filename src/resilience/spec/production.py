"""What looks like production, by its name. Pure: the environment is an argument.

A name is cut into words where neither letter nor digit stands, and before a capital after a small letter; digits at the
end of a word do not count: `db.prod-2.example.com` and `shopProd` have the word `prod`, `product` and `reproduce` have
not. A pattern may have `*`, and is compared with every word and with the whole name.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from resilience.model import CacheCopy, Experiment, Json, Operation, Problem, Role, Truth

DATA = "data:"
"""Before a name: consent to test data being written there, which is another than that to faults and to reading."""

SHOWN = 3

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_REDIS = """
GET MGET EXISTS TTL PTTL TYPE STRLEN GETRANGE HGET HMGET HGETALL HLEN HEXISTS LRANGE LLEN LINDEX SMEMBERS SISMEMBER
SCARD ZRANGE ZSCORE ZCARD ZRANK XRANGE XLEN PING SCAN HSCAN SSCAN ZSCAN DBSIZE INFO TIME BITCOUNT
"""
_REDIS_READS = frozenset(_REDIS.split())
# Any of these words, wherever it stands: a function that writes cannot be seen here, and needs a role: write.
_WRITES = re.compile(
    r"\b(insert|update|delete|merge|truncate|create|drop|alter|copy|call|do|grant|nextval|setval|into)\b", re.IGNORECASE
)

PATTERNS = ("prod", "production", "prd", "live")
"""What is looked for besides what the environment adds."""

_KEYS = frozenset({"kubernetes_context", "context", "ns", "namespace"})
"""Keys, anywhere in a file, whose texts name a cluster or a part of one."""

_KEYWORD = re.compile(r"\b(?:host|hostaddr|dbname|service)\s*=\s*'?([^\s']+)")


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that a run would touch.

    Attributes:
        where: how it is known: `target`, `stack.service.environment.API_URL`, `TRUTH_DSN`.
        name: a target's name, a host, a database, a Kubernetes context.
    """

    where: str
    name: str


def looks_like(name: str, patterns: Iterable[str]) -> str:
    """The first pattern that a name matches; empty if there is none."""
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1-\2", name).lower()
    words = [word.rstrip("0123456789") or word for word in re.split(r"[^a-z0-9]+", apart) if word]
    for pattern in patterns:
        wanted = pattern.strip().lower()
        if wanted and any(fnmatchcase(text, wanted) for text in (*words, name.lower())):
            return pattern.strip()
    return ""


def names_in(address: str) -> tuple[str, ...]:
    """Hosts and databases in a URL or a connection string; never a user or a password."""
    if "://" in address:
        try:
            parts = urlsplit(address)
            hosts = parts.netloc.rpartition("@")[2].split(",")
        except ValueError:
            return ()
        database = parts.path.strip("/") if parts.scheme.partition("+")[0] in {"postgres", "postgresql"} else ""
        asked = _KEYWORD.findall(parts.query.replace("&", " "))
        return tuple(name for name in (*(_host(each) for each in hosts), database, *asked) if name)
    return tuple(host for found in _KEYWORD.findall(address) for host in found.split(",") if host)


def things(experiment: Experiment, environment: Mapping[str, str]) -> tuple[Thing, ...]:
    """Everything that the run of an experiment would touch, as far as file and environment name it."""
    found = [Thing("target", experiment.target)]
    told = {f"programs.{program.name}": program.environment for program in experiment.stack.programs}
    if experiment.stack.service is not None:
        told["service"] = experiment.stack.service.environment
    for name, variables in told.items():
        for variable, value in variables.items():
            found += [Thing(f"stack.{name}.environment.{variable}", each) for each in names_in(value)]
    stores: list[Truth | CacheCopy] = [one.truth for one in experiment.truths.values()]
    stores += [one.cache for one in experiment.truths.values() if one.cache is not None]
    for variable in dict.fromkeys(store.dsn_env for store in stores if store.dsn_env):
        named = names_in(environment.get(variable, ""))
        found += [Thing(variable, each) for each in named]
        found += [Thing(name, environment[name]) for name in ("PGHOST", "PGDATABASE") if environment.get(name)]
    found += _in_file(experiment.chaos, "", environment)
    return tuple(dict.fromkeys(found))


def writers(experiment: Experiment) -> tuple[str, ...]:
    """The operations, and scripts, that may write test data into the target: all but those that certainly do not.

    Whether a request writes cannot be known from outside; what HTTP calls safe (RFC 9110, 9.2.1), and what reads in SQL
    and Redis, is taken not to.
    """
    load = experiment.load
    found = tuple(operation.name for operation in load.operations if not _reads(operation))
    return (*found, load.script) if load.script else found


def refused(
    found: Sequence[Thing], patterns: Iterable[str], consent: Iterable[str], writing: Sequence[str] = ()
) -> tuple[Problem, ...]:
    """What looks like production and was not consented to by its very name.

    Args:
        found: what would be touched.
        patterns: what production is called.
        consent: names, and names after `data:` for test data.
        writing: what would write test data; with any, that needs a consent of its own.
    """
    named = {name.strip().lower() for name in consent}
    kept = tuple(patterns)
    problems = []
    for thing in found:
        pattern = looks_like(thing.name, kept)
        if pattern and thing.name.lower() not in named:
            message = f"{thing.name!r} looks like production (it matches {pattern!r}), and nobody consented to it"
            problems.append(Problem(thing.where, message, f"if it is meant, give --consent {thing.name}"))
        if pattern and writing and f"{DATA}{thing.name.lower()}" not in named:
            who = f"{', '.join(writing[:SHOWN])}{', …' if len(writing) > SHOWN else ''}"
            message = f"{thing.name!r} would get test data from {who}, and nobody consented to that"
            hint = f"if it is meant, give --consent {DATA}{thing.name}; `resilience clean` removes it afterwards"
            problems.append(Problem(thing.where, message, hint))
    return tuple(problems)


def _reads(operation: Operation) -> bool:
    """Whether an operation certainly writes nothing."""
    if operation.role is Role.WRITE or operation.websocket is not None:
        return False
    if operation.redis is not None:
        return bool(operation.redis.command) and operation.redis.command[0].upper() in _REDIS_READS
    if (sql := operation.sql) is not None:
        texts = [sql.statement, *(one.statement for one in sql.statements)]
        return all(not _WRITES.search(text) for text in texts if text)
    return operation.method in _SAFE_METHODS


def _host(netloc: str) -> str:
    """Without its port; an IPv6 address without its brackets."""
    return netloc[1:].partition("]")[0] if netloc.startswith("[") else netloc.partition(":")[0]


def _in_file(value: Json, path: str, environment: Mapping[str, str]) -> Iterator[Thing]:
    """Addresses and clusters that activities, configuration and secrets of the file name."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            place = f"{path}.{key}" if path else key
            if isinstance(each, Mapping) and each.get("type") == "env":
                text: Json = environment.get(str(each.get("key")), each.get("default"))
            else:
                text = each
            if key.lower() in _KEYS and isinstance(text, str) and text:
                yield Thing(place, text)
            elif key == "url" and isinstance(text, str):
                yield from (Thing(place, name) for name in names_in(text))
            elif key != "extensions":  # ours is read above, others' are not carried out
                yield from _in_file(each, place, environment)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, each in enumerate(value):
            yield from _in_file(each, f"{path}[{index}]", environment)
