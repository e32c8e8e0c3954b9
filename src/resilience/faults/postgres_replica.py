"""Faults of a replica of PostgreSQL: it goes on receiving what its primary writes, and does not show it."""

import time
from collections.abc import Iterator

from resilience.errors import FaultError
from resilience.faults.postgres_held import POLL_S, PostgresFault
from resilience.faults.postgres_server import OLDEST, Server, Session, lacks, one
from resilience.model import Place, Problem, Undo

STOPS_S = 2.0
"""Until the server has stopped replaying once it was asked to: it ends the record that it is at."""

NOT_PAUSED, PAUSED = "not paused", "paused"

_STATE = "SELECT CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() END"
_BEHIND = """
    SELECT pg_last_wal_replay_lsn()::text, pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
"""


class ReplayPaused(PostgresFault):
    """A hot standby stops replaying: it answers as of the moment at which it stopped, and falls behind for all to see.

    How it is undone: `pg_wal_replay_resume()`; it then catches up. A replica that was started again, or promoted, does
    so by itself. What it needs: a superuser of the replica itself. When it fails: it is no replica, or is paused
    already.
    """

    kind = "postgres.replay-paused"

    def prepare(self) -> Undo:
        """It must be a replica that replays."""
        server = self._server()
        with server.session() as session:
            state = _state(session)
        if state != NOT_PAUSED:
            message = "is no replica (pg_is_in_recovery)" if state is None else f"its replay is {state} already"
            raise FaultError(Problem("postgres", message, "choose a replica that replays"))
        return Undo(kind=self.kind, data=server.data())

    def inject(self, undo: Undo, /) -> None:
        """Ask it to stop, and return once it has."""
        with Server.named(undo.data).session() as session:
            session.execute("SELECT pg_wal_replay_pause()")
            deadline = time.monotonic() + STOPS_S
            while (state := _state(session)) != PAUSED:
                if time.monotonic() > deadline:
                    raise FaultError(Problem("postgres", f"its replay did not stop within {STOPS_S:g} s: {state}"))
                time.sleep(POLL_S)

    def revert(self, undo: Undo, /) -> None:
        """Let it go on, if it is a replica still."""
        server = Server.named(undo.data)
        if server.gone:
            return
        with server.session() as session:
            if _state(session) not in {None, NOT_PAUSED}:
                session.execute("SELECT pg_wal_replay_resume()")

    def active(self, undo: Undo, /) -> bool:
        """Whether it stands still; how far it is behind goes into `proof`."""
        server = Server.named(undo.data)
        if server.gone:
            self.proof = "the stack is gone"
            return False
        with server.session() as session:
            state = _state(session)
            place, behind = session.execute(_BEHIND).fetchone() or (None, None)
        if state is None:
            self.proof = "it is no replica any more"
            return False
        self.proof = f"its replay is {state} at {place}, {int(behind or 0):,} bytes behind what it has received"
        return bool(state == PAUSED)


def _state(session: Session) -> str | None:
    """`not paused`, `pause requested` or `paused`; None of a server that is no replica."""
    state = one(session, _STATE)
    return None if state is None else str(state)


def lacking_replica(place: Place) -> tuple[Problem, ...]:
    """What the replica, or our access to it, lacks. Looks only, never raises."""
    return lacks(place, _no_replica)


def _no_replica(place: Place, session: Session) -> Iterator[Problem]:
    if session.info.server_version >= OLDEST and _state(session) is None:
        hint = "name a replica; the embedded stack has one with `stack: {postgres_replica: true}`"
        yield Problem(place.name, "is no replica (pg_is_in_recovery is false)", hint)
