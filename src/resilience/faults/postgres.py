"""The kinds of faults of PostgreSQL."""

from resilience.faults.kinds import Kind, Setting, kind_of
from resilience.faults.postgres_config import ConnectionLimit, ReadOnly
from resilience.faults.postgres_disk import DiskFull, unfit
from resilience.faults.postgres_held import HeavyQueries, KillConnections, PoolExhaustion, Terminate
from resilience.faults.postgres_locks import Deadlocks, Locked, SlowQueries, in_time, pulses
from resilience.faults.postgres_replica import ReplayPaused, lacking_replica
from resilience.faults.postgres_server import ALL, OWNER, lacking
from resilience.model import Place, Problem

_NEEDS = {"dsn": "a connection string of a superuser"}


def _preflight(_settings: object, place: Place) -> tuple[Problem, ...]:
    return lacking(place)


_ROLE = Setting(default=OWNER, meaning="The role that the service logs in as: a name, or the database's owner.")
_TABLES = Setting(
    default=ALL, meaning="Tables, separated by commas, with their schema if need be; `*` is all the role's."
)


def _blocks(default: str, *choices: str) -> Setting:
    return Setting(default=default, choices=choices, meaning="What has to wait.")


_LEAVE = Setting(default=2, maximum=1000, meaning="So many connections can be had all the same.")
_EVICT = Setting(default=True, meaning="Connections that the service has open already are ended as far as needed.")

KINDS: tuple[Kind, ...] = (
    kind_of(
        PoolExhaustion,
        "the connections held at {on} are closed",
        _NEEDS,
        {"leave": _LEAVE, "evict": _EVICT, "role": _ROLE},
        preflight=_preflight,
    ),
    kind_of(
        ConnectionLimit,
        "the connection limit of the service's role at {on} is put back as it was",
        _NEEDS,
        {"leave": _LEAVE, "evict": _EVICT, "role": _ROLE},
        preflight=_preflight,
    ),
    kind_of(
        SlowQueries,
        "the session that locks tables of {on} again and again is ended",
        _NEEDS,
        {
            "lock_ms": Setting(default=300, minimum=10, maximum=2000, meaning="The tables are locked for this long."),
            "interval_ms": Setting(default=500, minimum=20, maximum=2500, meaning="They are locked this often."),
            "blocks": _blocks("everything", "everything", "writes"),
            "tables": _TABLES,
            "role": _ROLE,
        },
        together=pulses,
        preflight=_preflight,
    ),
    kind_of(
        HeavyQueries,
        "the sessions that keep {on} busy are ended",
        _NEEDS,
        {
            "workers": Setting(default=2, minimum=1, maximum=16, meaning="So many sessions at a time."),
            "spill_mb": Setting(default=16, minimum=1, maximum=64, meaning="What each sorts; about as much on disk."),
        },
        preflight=_preflight,
    ),
    kind_of(
        Locked,
        "the session that has tables of {on} locked is ended",
        _NEEDS,
        {
            "blocks": _blocks("everything", "everything", "writes", "rows"),
            "rows": Setting(default=1000, minimum=1, maximum=100_000, meaning="Of each table, if rows are locked."),
            "tables": _TABLES,
            "role": _ROLE,
        },
        preflight=_preflight,
    ),
    kind_of(
        Deadlocks,
        "the two sessions that make deadlocks at {on} are ended",
        _NEEDS,
        {
            "rate_per_s": Setting(default=2.0, minimum=0.5, maximum=20, meaning="Deadlocks per second."),
            "wait_ms": Setting(default=150, minimum=10, maximum=2000, meaning="Until the server looks for each."),
            "blocks": _blocks("writes", "everything", "writes"),
            "tables": _TABLES,
            "role": _ROLE,
        },
        together=in_time,
        preflight=_preflight,
    ),
    kind_of(
        ReadOnly,
        "default_transaction_read_only of {on} is put back as it was",
        _NEEDS,
        {"role": _ROLE},
        preflight=_preflight,
    ),
    kind_of(
        DiskFull,
        "the room that was taken on the disk of {on} is given back, and a server that went down is started again",
        _NEEDS,
        {"leave_mb": Setting(default=0, maximum=1000, meaning="So much room is left."), "role": _ROLE},
        preflight=lambda settings, place: lacking(place) or unfit(settings, place),
    ),
    kind_of(
        ReplayPaused,
        "the replay of {on} goes on, and it catches up",
        _NEEDS,
        preflight=lambda _settings, place: lacking_replica(place),
    ),
    kind_of(
        Terminate,
        "the session that ends the service's sessions at {on} is ended",
        _NEEDS,
        {
            "interval_ms": Setting(default=500, minimum=50, maximum=4000, meaning="So often all of them are ended."),
            "role": _ROLE,
        },
        preflight=_preflight,
    ),
    Kind(
        name=KillConnections.kind,
        build=KillConnections,
        revive=None,
        undo="the sessions that were ended at {on} do not come back; the service connects anew",
        needs=_NEEDS,
        settings={"role": _ROLE},
        preflight=_preflight,
    ),
)
"""The kinds of this mechanism."""
