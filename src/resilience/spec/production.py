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

from resilience.model import CacheCopy, Experiment, Json, Problem, Truth

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


def refused(found: Sequence[Thing], patterns: Iterable[str], consent: Iterable[str]) -> tuple[Problem, ...]:
    """What looks like production and was not consented to by its very name."""
    named = {name.strip().lower() for name in consent}
    kept = tuple(patterns)
    return tuple(
        Problem(
            thing.where,
            f"{thing.name!r} looks like production (it matches {pattern!r}), and nobody consented to it",
            f"if it is meant, give --consent {thing.name}",
        )
        for thing in found
        if (pattern := looks_like(thing.name, kept)) and thing.name.lower() not in named
    )


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
