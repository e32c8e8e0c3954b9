"""Where the truth about writes is read, and the cache beside it: from what a file declares to what reads it."""

import os
from collections.abc import Callable, Mapping
from itertools import islice
from urllib.parse import unquote, urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from resilience.columns import Truth
from resilience.entry import prefix_of
from resilience.errors import RecordError
from resilience.model import CacheCopy, Experiment, Place, Problem, RedisTruth
from resilience.model import Truth as Declared
from resilience.observe.rows import Columns
from resilience.observe.truth import BATCH, ByRows, SettledReader, Source, read_settled
from resilience.observe.truth_function import FunctionReader
from resilience.observe.truth_http import HttpReader
from resilience.observe.truth_postgres import PostgresTruth
from resilience.observe.truth_redis import RedisAddress, RedisReader


def read_truth(experiment: Experiment, places: Mapping[str, Place], run: str, now_ns: Callable[[], int]) -> Truth:
    """Read what the primary store holds of a run: directly, not through the service, a proxy or a cache.

    Raises:
        RecordError: it cannot be read, or does not come to rest.
    """
    declared = _declared(experiment)
    source = source_of(declared, places, experiment.folder)
    return read_settled(source, run, declared.settle_s, now_ns, again_s=declared.again_s)


def know_store(experiment: Experiment, places: Mapping[str, Place]) -> dict[str, str]:
    """What the primary store says of itself before anything is written.

    Raises:
        RecordError: it cannot be reached, or is no primary: its truth could not be read in the end, either.
    """
    return source_of(_declared(experiment), places, experiment.folder).facts()


def count_entries(experiment: Experiment, places: Mapping[str, Place], run: str) -> int:
    """How many entries of a run the primary store holds now.

    Raises:
        RecordError: it cannot be read.
    """
    source = source_of(_declared(experiment), places, experiment.folder)
    return (source if isinstance(source, Source) else ByRows(source)).look(run).rows


def read_cache(experiment: Experiment, places: Mapping[str, Place], run: str, now_ns: Callable[[], int]) -> Truth:
    """Read the copies of entries that a cache holds, in no order; to be asked once the truth was read.

    Raises:
        RecordError: it cannot be read, or the experiment declares none.
    """
    copies = experiment.ledger.cache if experiment.ledger is not None else None
    if copies is None:
        raise RecordError("the experiment declares no cache")
    source = RedisTruth(type="keys", key=copies.key, body=copies.body, volatile=True)
    reader = RedisReader(_redis(copies, places, "ledger.cache"), source)
    found, read_ns = Columns(run), now_ns()
    rows = reader.read(prefix_of(run))
    while batch := list(islice(rows, BATCH)):
        found.add_all(batch)
    return found.truth(reader.facts(), read_ns)


def source_of(declared: Declared, places: Mapping[str, Place], folder: str) -> Source | SettledReader:
    """What reads a declared truth.

    Args:
        declared: in the file.
        places: the parts of the running stack.
        folder: that the file is in.

    Raises:
        RecordError: the stack has no such part, or an environment variable is missing.
    """
    where = "ledger.truth"
    if declared.redis is not None:
        return RedisReader(_redis(declared, places, where), declared.redis)
    if declared.http is not None:
        base = _place(declared.part, places, where).url if declared.part else _variable(declared.dsn_env, where)
        if not base:
            raise RecordError(Problem(where, f"the part {declared.part!r} has no HTTP address", "name another part"))
        headers = {name: _variable(variable, where) for name, variable in declared.http.headers_env.items()}
        return HttpReader(base, declared.http, headers)
    if declared.function is not None:
        place = _place(declared.part, places, where) if declared.part else None
        return FunctionReader(declared.function, place, folder)
    if declared.part:
        place = _place(declared.part, places, where)
        return PostgresTruth(place.dsn, place.passfile, declared.query, check_index=declared.check_index)
    dsn = _variable(declared.dsn_env, where)
    return PostgresTruth(dsn, "", declared.query, check_index=declared.check_index)


def secrets_of(experiment: Experiment) -> tuple[str, ...]:
    """What must appear in no artefact: addresses that the environment gives, the passwords in them, and headers."""
    names: dict[str, None] = {}
    for ledger in experiment.truths.values():
        names |= dict.fromkeys(
            [ledger.truth.dsn_env, *(ledger.truth.http.headers_env.values() if ledger.truth.http else ())]
        )
        names |= {ledger.cache.dsn_env: None} if ledger.cache is not None else {}
    return tuple(secret for name in names if name for secret in _secrets_in(os.environ.get(name, "")))


def _secrets_in(address: str) -> tuple[str, ...]:
    if not address:
        return ()
    found = []
    try:
        found.append(conninfo_to_dict(address).get("password"))
    except ProgrammingError:  # it is another kind of address, or will be refused where it is used
        try:
            password = urlsplit(address).password
        except ValueError:
            password = None
        found += [password, unquote(password or "")]
    return (address, *(str(password) for password in found if password))


def _declared(experiment: Experiment) -> Declared:
    if experiment.ledger is None:
        raise RecordError("the experiment declares no write ledger")
    return experiment.ledger.truth


def _redis(declared: Declared | CacheCopy, places: Mapping[str, Place], where: str) -> RedisAddress:
    if declared.part:
        return RedisAddress.of(_place(declared.part, places, where))
    return RedisAddress(url=_variable(declared.dsn_env, where))


def _place(part: str, places: Mapping[str, Place], where: str) -> Place:
    if part not in places:
        message = f"the stack has no part {part!r}; it has {', '.join(sorted(places))}"
        raise RecordError(Problem(f"{where}.part", message, "name one of them"))
    return places[part]


def _variable(name: str, where: str) -> str:
    found = os.environ.get(name)
    if not found:
        message = f"the environment variable {name} is not set; {where} takes it from there"
        raise RecordError(Problem(where, message, "set it before the run"))
    return found
