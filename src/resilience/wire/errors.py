"""The errors that rules answer with, in the words of the servers themselves."""

from collections.abc import Mapping
from dataclasses import dataclass

REDIS: Mapping[str, str] = {
    "READONLY": "READONLY You can't write against a read only replica.",
    "LOADING": "LOADING Redis is loading the dataset in memory",
    "OOM": "OOM command not allowed when used memory > 'maxmemory'.",
    "BUSY": "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "MOVED": "MOVED {slot} {address}",
    "CLUSTERDOWN": "CLUSTERDOWN The cluster is down",
    "TRYAGAIN": "TRYAGAIN Multiple keys request during rehashing of slot",
    "MASTERDOWN": "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "NOREPLICAS": "NOREPLICAS Not enough good replicas to write.",
    "MISCONF": "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. "
    "Commands that may modify the data set are disabled, because this instance is configured to report errors during "
    "writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details "
    "about the RDB error.",
}


@dataclass(frozen=True, slots=True)
class PostgresError:
    """An error of PostgreSQL.

    Attributes:
        when: `statement`: the statement fails and the transaction with it; `fatal`: the connection ends;
            `startup`: the connection is refused.
    """

    message: str
    when: str = "statement"


POSTGRES: Mapping[str, PostgresError] = {
    "40001": PostgresError("could not serialize access due to concurrent update"),
    "40P01": PostgresError("deadlock detected"),
    "25006": PostgresError("cannot execute statement in a read-only transaction"),
    "55P03": PostgresError("could not obtain lock on relation"),
    "57014": PostgresError("canceling statement due to statement timeout"),
    "53100": PostgresError("could not extend file: No space left on device"),
    "57P01": PostgresError("terminating connection due to administrator command", "fatal"),
    "53300": PostgresError("sorry, too many clients already", "startup"),
}
