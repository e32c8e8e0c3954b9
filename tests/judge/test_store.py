"""What a store said of itself, and what follows. The histories in `store.yaml` have the verdicts. Requirement J4."""

from dataclasses import replace

import pytest

from resilience.judge.store import broken, told, unfit, unpromised
from resilience.model import RedisTruth
from resilience.model import Truth as Declared
from tests.judge.builder import Held, honest, truth_rows

REDIS = Declared(part="redis", redis=RedisTruth(type="stream", key="orders", id="id", body="body"))
GOOD = {"store": "redis", "role": "master", "run_id": "a", "aof_enabled": "1", "aof_last_write_status": "ok"}


def truth(facts, **changes):
    return replace(truth_rows([(0, 0, 0)], facts=dict(facts)), **changes)


@pytest.mark.parametrize(
    ("facts", "promised"),
    [
        (GOOD, True),
        (GOOD | {"aof_enabled": "0"}, False),
        (GOOD | {"aof_last_write_status": "err"}, False),
        (GOOD | {"aof_enabled": "0", "aof_last_write_status": "err", "volatile": "declared"}, True),
        (GOOD | {"maxmemory_policy": "allkeys-lfu"}, False),
        (GOOD | {"maxmemory_policy": "volatile-lru"}, True),
        (GOOD | {"maxmemory_policy": "noeviction"}, True),
        ({"fsync": "ON", "synchronous_commit": "remote_apply"}, True),
        ({"fsync": " Off"}, False),
        ({"synchronous_commit": "off"}, False),
        ({"store": "http"}, True),
        ({"store": "http", "fsync": "false"}, False),
    ],
)
def test_what_is_not_promised_is_not_proved(facts, promised):
    """A store that says that it may forget keeps a clean result from passing, by whatever way it says so."""
    case = honest().case()
    assert (unpromised(case, REDIS, truth(facts)) == []) is promised
    assert unfit(truth(facts)) == []


@pytest.mark.parametrize(
    ("on", "part", "known"), [("redis", "redis", True), ("service", "redis", False), ("redis", "", False)]
)
def test_only_a_fault_on_the_store_explains_that_it_was_started_again(on, part, known):
    """A store that nobody struck and that is another process now has had an accident of its own."""
    case = honest(faults=(Held(on=on),)).case()
    again = truth(GOOD | {"run_id": "b"}, before=GOOD)
    assert (unpromised(case, replace(REDIS, part=part), again) == []) is known
    assert unpromised(case, replace(REDIS, part=part), truth(GOOD, before=GOOD)) == []


def test_a_replica_or_another_database_is_no_truth():
    """Each is said; the same database, whatever its timeline, is one."""
    assert unfit(truth({"in_recovery": "true"})) != []
    assert unfit(truth({"role": "slave"})) != []
    assert unfit(truth({"system_identifier": "2"}, before={"system_identifier": "1"})) != []
    assert unfit(truth({}, before={"system_identifier": "1"})) != [], "it no longer says which it is"
    same = truth({"system_identifier": "1", "timeline": "2"}, before={"system_identifier": "1", "timeline": "1"})
    assert unfit(same) == []
    assert any("timeline of the store was 1" in line for line in told(same))


def test_evidence_says_what_a_crash_may_take():
    """How the file is flushed, what nobody knows, and what a later look found."""
    assert any("about the last second" in line for line in told(truth(GOOD | {"appendfsync": "everysec"})))
    assert not any("may lose" in line for line in told(truth(GOOD | {"appendfsync": "always"})))
    assert any(
        "is not known: it was read by way of an HTTP endpoint" in line for line in told(truth({"store": "http"}))
    )
    assert not any("is not known" in line for line in told(truth({"store": "http", "fsync": "on"})))
    assert any("keep nothing" in line for line in told(truth(GOOD | {"volatile": "declared"})))
    assert any("7 entries were removed" in line for line in told(truth(GOOD | {"removed_entries": "7"})))
    assert not any("were removed" in line for line in told(truth(GOOD | {"removed_entries": "0"})))
    late = truth(GOOD, again_ns=5, late=40, late_named=tuple(map(str, range(32))))
    assert any("31 and 8 more; settle is too short" in line for line in told(late))
    assert any("nothing came late" in line for line in told(truth(GOOD, again_ns=10**16)))


def test_an_index_that_does_not_agree_is_a_loss():
    """With the figures; one that agrees, or was not looked at, is none."""
    (line,) = broken(truth({"index": "pk", "index_agrees": "false", "index_rows": "7", "table_rows": "8"}))
    assert "index pk does not agree with its table: by way of it there are 7 rows of 8" in line
    assert broken(truth({"index": "pk", "index_agrees": "true"})) == broken(truth({})) == []
