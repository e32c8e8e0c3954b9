"""A second PostgreSQL that follows the first one by streaming replication, as a hot standby.

Its data folder is a copy of the first one's, taken before that one ever started: a cluster that was shut down is a base
backup as it is. From there on it gets everything over the wire. It logs in as a role of its own that can do nothing but
replicate, with a password in a file that is the server's alone.
"""

import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

import psycopg

from resilience.errors import EnvironmentNotReady
from resilience.host import files
from resilience.model import Launch, Problem
from resilience.stack import parts, postgres
from resilience.stack.loopback import HOST

ROLE = "resilience_replica"
"""The role as which it logs in at the first one."""

PASSFILE = f"{parts.REPLICA}/primary.pgpass"
"""The file in the stack's folder with that role's password, its server's alone."""

KEEP_MB = 64
"""So much of its log the first one keeps at least, for a replica that was away for a while."""

SETTINGS = {
    "hot_standby": "on",
    # Its readers are cancelled rather than that it falls behind for long.
    "max_standby_streaming_delay": "1s",
    # The defaults wait for five seconds before the next try, and for a minute before a dead connection is given up.
    "wal_retrieve_retry_interval": "200ms",
    "wal_receiver_timeout": "5s",
}


@dataclass(frozen=True, slots=True)
class Replica:
    """What follows a server, in the same stack's folder."""

    primary: postgres.Server

    @property
    def home(self) -> Path:
        """The folder that belongs to the server's user."""
        return self.primary.folder / parts.REPLICA

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.home / "data"

    @property
    def passfile(self) -> Path:
        """Where it finds its password for the first one."""
        return self.primary.folder / PASSFILE

    def prepare(self) -> None:
        """Copy the data folder of the first one, which must not have been started yet.

        Raises:
            EnvironmentNotReady: it cannot be copied.
        """
        self.home.mkdir(mode=0o700)
        self._give(self.home)
        postgres.copy(self.primary.data, self.data, self.primary.environment)
        signal = self.data / "standby.signal"
        signal.touch(mode=0o600)
        self._give(signal)

    def keep(self, password: str) -> None:
        """Write down the password of its role, for its server alone."""
        files.write_durably(self.passfile, f"{HOST}:*:*:{ROLE}:{password}\n".encode())
        self._give(self.passfile)

    def launch(self, program: Path, port: int, primary: int, tag: str) -> Launch:
        """How to start it, to follow the server at the port `primary`."""
        named = {
            **postgres.SETTINGS,
            **SETTINGS,
            "primary_conninfo": f"host={HOST} port={primary} user={ROLE} passfile={self.passfile} connect_timeout=2",
        }
        settings = [word for name, value in named.items() for word in ("-c", f"{name}={value}")]
        kept = {key: value for key, value in self.primary.environment.items() if key in {"PATH", "LANG"}}
        return Launch(
            name=parts.REPLICA,
            argv=(str(program), "-D", str(self.data), "-p", str(port), *settings),
            environment=kept,
            folder=str(self.home),
            log=str(self.primary.folder / f"{parts.REPLICA}.log"),
            tag=tag,
            user=self.primary.user,
        )

    def _give(self, path: Path) -> None:
        if self.primary.user:
            account = pwd.getpwnam(self.primary.user)
            shutil.chown(path, account.pw_uid, account.pw_gid)


def kept(disk_mb: int) -> dict[str, str]:
    """Settings of the first one, for a replica that was away; `disk_mb` as in `postgres.Server`."""
    return {"wal_keep_size": f"{min(KEEP_MB, disk_mb // 4) if disk_mb else KEEP_MB}MB"}


def follows(port: int, primary: int, passfile: str) -> str:
    """Why the replica does not follow; empty if it has all that its primary had when this was asked.

    Args:
        port: the replica's.
        primary: the port of the server that it follows.
        passfile: the administrator's.
    """
    try:
        with postgres.connect(primary, None, passfile) as session:
            ahead = session.execute("SELECT pg_current_wal_lsn()::text").fetchone()
        with postgres.connect(port, None, passfile) as session:
            row = session.execute(
                """SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn() >= %s::pg_lsn,
                          EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')""",
                ahead,
            ).fetchone()
    except psycopg.Error as error:
        return " ".join(str(error).split())
    standby, level, streaming = row or (False, False, False)
    if standby and level and streaming:
        return ""
    return f"standby: {standby}, has what its primary has: {level}, gets more: {streaming}"


def admit(port: int, passfile: str, password: str) -> None:
    """Make the role as which the replica logs in at its primary.

    Raises:
        EnvironmentNotReady: the server refuses.
    """
    try:
        with postgres.connect(port, None, passfile) as session:
            postgres.create_role(session, ROLE, password, "LOGIN REPLICATION")
    except psycopg.Error as error:
        raise EnvironmentNotReady(Problem(where=parts.REPLICA, message=" ".join(str(error).split()))) from error
