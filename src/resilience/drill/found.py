"""What a target looks like from outside, as far as a fault could have changed it: looked at before and after, compared.

Nothing of the faults is asked. A part is asked what its clients would ask it, its settings are read as an administrator
would, its processes are read from the kernel, and this machine's packet filter, queues and control groups as they are.
"""

import contextlib
import http.client
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from resilience.errors import EnvironmentNotReady, ResilienceError
from resilience.faults import effects
from resilience.faults.clock import offset_s
from resilience.faults.toxiproxy import Toxiproxy
from resilience.host import clocks, commands, processes
from resilience.model import Identity, Json, Place

SLOW_S = 0.25
"""A healthy part of a small machine answers one small question within this, in the best of `TRIES`."""
TRIES = 3
PATIENCE_S = 0.5
SETTINGS_S = 1.5
AT_ONCE_S = 0.1
SHOWN = 200
HOLDS = b"RESILIENCE_TAG=resilience-hold-"
TABLES, GROUPS, HOLDERS = "packet filter tables of ours", "control groups of ours", "holders"
SESSIONS = "(sessions of ours)"
"""Of a holder, or of a runner that looks: the latter go when the runner does."""
OF_RUNS = (TABLES, GROUPS, HOLDERS)
"""What a run brings and takes away again: another run's may go meanwhile, and that is its own affair."""

Found = Mapping[str, Json]
"""What was seen, by what was looked at."""


def look(places: Mapping[str, Place]) -> Found:
    """Everything that can be seen of these parts and of this machine. Changes nothing that lasts.

    Args:
        places: the parts, as their stack knows them now.
    """
    found: dict[str, Json] = {**dict(_machine()), "mounts": _mounts(places)}
    for name, place in sorted(places.items()):
        for what, ask in _questions(place):
            try:
                found[f"{name}: {what}"] = ask(place)
            except (ResilienceError, OSError, redis.RedisError, psycopg.Error) as error:
                found[f"{name}: {what}"] = f"{type(error).__name__}: {error}"
    return found


Places = Callable[[], Mapping[str, Place]]
"""The parts as their stack knows them now: a restart changes them."""


def settled(places: Places) -> Found:
    """How everything looks, once it looks the same twice.

    Raises:
        EnvironmentNotReady: it does not come to rest.
    """
    last = look(places())
    changed: tuple[str, ...] = ()
    for _ in range(40):
        time.sleep(0.05)
        now = look(places())
        changed = differences(last, now)
        if not changed:
            return now
        last = now
    raise EnvironmentNotReady(f"the target does not come to rest: {'; '.join(changed)}")


def silent(places: Mapping[str, Place]) -> tuple[str, ...]:
    """The parts that do not answer at once by the way on which their clients come: soon known, unlike all of `look`."""
    asked = {name: (place, effects.question(place)) for name, place in places.items() if place.protocol and place.port}
    return tuple(
        name
        for name, (place, words) in asked.items()
        if not effects.well(effects.ask((place.host, place.via_port), words, AT_ONCE_S), words)
    )


def differences(before: Found, after: Found) -> tuple[str, ...]:
    """What is not as it was, one sentence each."""
    return tuple(
        f"{name} was {_short(old)}, is {_short(new)}"
        for what in sorted({*before, *after})
        for name, old, new in _narrowed(what, before.get(what), after.get(what))
        if old != new
    )


def _narrowed(what: str, old: Json, new: Json) -> Iterator[tuple[str, Json, Json]]:
    """Two mappings entry by entry; of what runs bring only what came; anything else as it is."""
    if what in OF_RUNS and isinstance(old, tuple) and isinstance(new, tuple):
        yield what, (), tuple(one for one in new if one not in old)
        return
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        yield what, old, new
        return
    for key in sorted({*old, *new}):
        yield f"{what}: {key}", old.get(key), new.get(key)


def _short(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _questions(place: Place) -> Iterator[tuple[str, Callable[[Place], Json]]]:
    if place.protocol and place.port:
        yield "answers", _answers
    if place.protocol == "redis":
        yield "settings", _redis
    if place.protocol == "postgres":
        yield "settings", _postgres
    if place.protocol == "http" and place.identity is not None and clocks.file_of(place.identity) is not None:
        yield "clock", _clock
    if place.protocol == "http" and place.passfile:
        yield "faults set", _provider
    if place.control and not place.proxy:
        yield "proxies", _proxies
    if place.identity is not None:
        yield "processes", _processes


def _answers(place: Place) -> Json:
    """Whether it answers quickly by the way on which its clients come."""
    words = effects.question(place)
    seen: list[effects.Look] = []
    for _ in range(TRIES):
        seen.append(effects.ask((place.host, place.via_port), words, PATIENCE_S))
        if effects.well(seen[-1], words) and seen[-1].took_s < SLOW_S:
            return "well"
        time.sleep(0.01)
    return str(seen[-1])


def _redis(place: Place) -> Json:
    """Its settings and its role; and a write must be taken."""
    password = Path(place.passfile).read_text().strip() if place.passfile else None
    with redis.Redis(
        host=place.host,
        port=place.port,
        password=password,
        socket_timeout=SETTINGS_S,
        retry=Retry(NoBackoff(), 0),  # its own would ask ten times
        decode_responses=True,
    ) as client:
        settings: dict[str, Any] = dict(client.config_get("*"))
        role = client.info("replication")
        client.set("resilience-look", "1", px=1000)
        return {**settings, "(role)": role["role"], "(write)": "taken"}


def _clock(place: Place) -> Json:
    """Whether its clock is right: whole minutes, since answers are dated to about a second."""
    return round(offset_s(place.host, place.port) / 60)


def _provider(place: Place) -> Json:
    """Which faults are set in a stand-in for a provider, whoever set them."""
    token = Path(place.passfile).read_text().strip()
    connection = http.client.HTTPConnection(place.host, place.port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        connection.request("GET", "/-/faults", headers={"Authorization": f"Bearer {token}"})
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
    return [fault["name"] for fault in answer["faults"]]


def _postgres(place: Place) -> Json:
    """Its settings, the limits of roles, and that none of our sessions is left."""
    with psycopg.connect(place.dsn, passfile=place.passfile, connect_timeout=2, autocommit=True) as session:
        session.execute("SET statement_timeout = '2s'")
        settings: dict[str, Any] = dict(session.execute("SELECT name, setting FROM pg_settings").fetchall())
        del settings["statement_timeout"]
        roles = session.execute("SELECT rolname, rolconnlimit, rolconfig FROM pg_roles ORDER BY 1").fetchall()
        kept = session.execute("SELECT setdatabase::text, setrole::text, setconfig FROM pg_db_role_setting").fetchall()
        ours = session.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'resilience-%'"
        ).fetchall()
        replay = session.execute(
            "SELECT pg_is_in_recovery(), CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() END"
        ).fetchall()
        databases = session.execute("SELECT datname, datconnlimit, datallowconn FROM pg_database ORDER BY 1").fetchall()
    found: dict[str, Json] = {**settings, "(roles)": repr(roles), "(kept)": repr(kept), "(databases)": repr(databases)}
    return {**found, "(replay)": repr(replay), SESSIONS: repr(ours)}


def _proxies(place: Place) -> Json:
    """Its proxies and their toxics."""
    proxies = Toxiproxy(place.control).proxies()
    return {
        name: f"{'on' if proxy.enabled else 'off'} {proxy.upstream} {sorted(toxic.name for toxic in proxy.toxics)}"
        for name, proxy in proxies.items()
    }


def _processes(place: Place) -> Json:
    """That it runs, is not stopped, and in which control groups it is."""
    root = place.identity
    if root is None or not processes.alive(root):
        return "does not run"
    stopped = [
        identity.pid for identity in (root, *processes.descendants(root)) if processes.state_of(identity) in {"T", "t"}
    ]
    return {"stopped": repr(stopped), "groups": _groups(root)}


def _groups(identity: Identity) -> str:
    return Path(f"/proc/{identity.pid}/cgroup").read_text()


def _machine() -> Iterator[tuple[str, Json]]:
    """What of this machine could be changed: packet filter, queues, control groups of ours, holders."""
    if shutil.which("nft") is not None:
        tables = re.split(r"^(?=table )", _read("nft", "--stateless", "list", "ruleset"), flags=re.MULTILINE)
        yield "packet filter", "".join(table for table in tables if "resilience" not in table.partition("\n")[0])
        yield TABLES, tuple(table.partition("\n")[0] for table in tables if "resilience" in table.partition("\n")[0])
    if shutil.which("tc") is not None:
        yield "queues", re.sub(r"\brefcnt \d+\s*", "", _read("tc", "qdisc", "show"))
    yield GROUPS, tuple(sorted(str(path) for path in Path("/sys/fs/cgroup").glob("**/*resilience*/")))
    yield HOLDERS, tuple(sorted(_holders()))


def _mounts(places: Mapping[str, Place]) -> Json:
    """The file systems mounted inside the stack's folder."""
    folders = {str(Path(place.state).parent) for place in places.values() if place.state}
    lines = Path("/proc/mounts").read_text().splitlines()
    return tuple(line for line in lines if any(folder in line for folder in folders))


def _read(*argv: str) -> str:
    done = commands.run(argv, timeout_s=5.0)
    return done.out if done.code == 0 else "cannot be read"


def _holders() -> Iterator[str]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "environ").read_bytes().split(b"\0")
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if state not in "ZX" and any(word.startswith(HOLDS) for word in words):
                yield entry.name
