"""A replica that stops replaying: what its readers get meanwhile, and that it catches up."""

import psycopg
import pytest

from resilience.drill.examples import EXAMPLES
from resilience.errors import FaultError
from resilience.faults import registry
from resilience.model import FaultSpec
from tests.faults.parts import eventually, over_json
from tests.faults.world import World

pytestmark = pytest.mark.stack

KIND = "postgres.replay-paused"


def asked(whole: World, part: str, query: str):
    """One value, from a part directly."""
    place = whole.place(part)
    with psycopg.connect(place.dsn, passfile=place.passfile, autocommit=True, connect_timeout=2) as session:
        done = session.execute(query.encode())
        row = done.fetchone() if done.description else None
    return row and row[0]


def rows(whole: World) -> int:
    return asked(whole, "postgres-replica", "SELECT count(*) FROM late")


def test_what_is_written_meanwhile_is_not_shown_and_then_is(whole: World):
    """The replica answers, as of before; once it is given back, by another process as well, it catches up."""
    asked(whole, "postgres", "CREATE TABLE late (id int)")
    try:
        fault = registry.build(EXAMPLES[KIND].spec(30.0), whole.place("postgres-replica"))
        eventually(lambda: asked(whole, "postgres-replica", "SELECT to_regclass('late') IS NOT NULL"))
        undo = fault.prepare()
        fault.inject(undo)
        try:
            asked(whole, "postgres", "INSERT INTO late VALUES (1)")
            assert fault.active(undo)
            assert rows(whole) == 0
            eventually(lambda: fault.active(undo) and " 0 bytes behind" not in fault.proof)
        finally:
            registry.from_undo(over_json(undo)).revert(over_json(undo))
        eventually(lambda: rows(whole) == 1)
        assert not fault.active(undo)
    finally:
        asked(whole, "postgres", "DROP TABLE late")


def test_the_primary_and_a_replica_that_is_paused_are_refused(whole: World):
    """Neither could show the effect as ours; and what somebody else paused is not resumed by us."""
    spec = FaultSpec(name="behind", kind=KIND, on="postgres", duration_s=30.0, settings={})
    with pytest.raises(FaultError, match="is no replica"):
        registry.build(spec, whole.place("postgres"))
    asked(whole, "postgres-replica", "SELECT pg_wal_replay_pause()")
    try:
        eventually(lambda: asked(whole, "postgres-replica", "SELECT pg_get_wal_replay_pause_state()") == "paused")
        with pytest.raises(FaultError, match="paused already"):
            registry.build(EXAMPLES[KIND].spec(30.0), whole.place("postgres-replica")).prepare()
        assert asked(whole, "postgres-replica", "SELECT pg_get_wal_replay_pause_state()") == "paused"
    finally:
        asked(whole, "postgres-replica", "SELECT pg_wal_replay_resume()")


def test_faults_of_the_primary_are_refused_on_the_replica(whole: World):
    """They would change what a replica cannot change."""
    for kind in ("postgres.readonly", "postgres.locked", "postgres.connection-limit"):
        spec = FaultSpec(name="x", kind=kind, on="postgres-replica", duration_s=30.0, settings={})
        assert "standby" in str(registry.fits(spec, whole.place("postgres-replica"))[0])
