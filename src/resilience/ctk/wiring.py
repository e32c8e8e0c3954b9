"""Who does what in a run: the one place where ports meet their implementations."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from resilience.columns import Truth
from resilience.errors import RecordError
from resilience.faults import registry
from resilience.host.network import connections_to
from resilience.judge.verdict import judge, judge_baseline
from resilience.load.drivers.locust import LocustDriver
from resilience.model import Experiment, Place, Undo
from resilience.observe.truth import read_settled
from resilience.observe.truth_postgres import PostgresTruth
from resilience.ports import Display
from resilience.runtime.collaborators import Collaborators
from resilience.stack.factory import open_stack


def collaborators(experiment: Experiment, run: str, displays: tuple[Display, ...]) -> Collaborators:
    """Everything that a session of this experiment needs.

    Raises:
        EnvironmentNotReady: the stack is not available here, or a kept one is in use or differs.
    """
    stack = open_stack(
        experiment.stack,
        tag=f"stack-{run}",
        bugs=os.environ.get("TARGET_BUGS", ""),
        experiment_folder=Path(experiment.folder),
        wired=wired(experiment),
    )
    data = stack.debt_data()
    return Collaborators(
        stack=stack,
        stack_undo=None if data is None else Undo(kind=f"stack.{stack.name}", data=data),
        driver=LocustDriver,
        build_fault=registry.build,
        fits=registry.fits,
        mechanism=registry.mechanism,
        users=connections_through_proxy,
        read_truth=read_truth,
        judge=judge,
        judge_baseline=judge_baseline,
        displays=displays,
        secrets=_connection_secrets(experiment),
    )


def wired(experiment: Experiment, *, any_seed: bool = False) -> tuple[str, ...]:
    """The parts that need the protocol proxy before them: as they were drawn, or whichever a seed may draw."""
    specs = [spec for spec in experiment.faults if spec.kind.startswith("protocol.")]
    return tuple(dict.fromkeys(part for spec in specs for part in (spec.on, *(spec.among if any_seed else ()))))


def connections_through_proxy(place: Place) -> int | None:
    """Connections to the proxy in front of a part; None without a proxy, or if it is not on this machine.

    The proxy's own count of bytes would not do: toxiproxy adds a connection's bytes when it ends.
    """
    if not place.proxy or place.host not in {"127.0.0.1", "::1", "localhost"}:
        return None
    return connections_to(place.via_port)


def _connection_secrets(experiment: Experiment) -> tuple[str, ...]:
    """The connection strings of the truths, where they are given by the environment, and the passwords in them."""
    names = dict.fromkeys(ledger.truth.dsn_env for ledger in experiment.truths.values())
    return tuple(secret for name in names if name for secret in _secrets_in(os.environ.get(name, "")))


def _secrets_in(dsn: str) -> tuple[str, ...]:
    if not dsn:
        return ()
    try:
        password = conninfo_to_dict(dsn).get("password")
    except ProgrammingError:  # it will be refused where it is used
        password = None
    return (dsn, str(password)) if password else (dsn,)


def read_truth(experiment: Experiment, places: Mapping[str, Place], run: str, now_ns: Callable[[], int]) -> Truth:
    """Read what the primary store holds of a run: directly, not through the service, a proxy or a cache.

    Raises:
        RecordError: it cannot be read, or does not come to rest.
    """
    if experiment.ledger is None:
        raise RecordError("the experiment declares no write ledger")
    where = experiment.ledger.truth
    if where.part:
        place = places[where.part]
        reader = PostgresTruth(place.dsn, place.passfile, where.query)
    else:
        dsn = os.environ.get(where.dsn_env)
        if not dsn:
            msg = (
                f"the environment variable {where.dsn_env} is not set; it must hold the connection string of the truth"
            )
            raise RecordError(msg)
        reader = PostgresTruth(dsn, "", where.query)
    return read_settled(reader, run, where.settle_s, now_ns)
