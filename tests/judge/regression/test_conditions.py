"""What must be alike for a comparison, and what of it differs."""

from dataclasses import replace

from resilience.judge.regression.conditions import conditions, differences, digest
from resilience.model import EventKind, Load
from tests.judge.builder import OPERATIONS, Held, honest


def of(scene):
    """The conditions of a scene's record."""
    return conditions(scene.record())


def test_the_same_scene_differs_in_nothing():
    """Seeds differ between runs of the same thing, and are no condition."""
    assert differences(of(honest()), of(honest(seed=5))) == []


def test_what_matters_is_refused():
    """Load, operations, faults, method: each makes a comparison mean something else."""
    was = of(honest())
    heavier = of(honest(load=Load(rate=300.0, operations=OPERATIONS)))
    assert {one.what for one in differences(was, heavier) if one.refused} == {"load.rate"}
    slower = (replace(OPERATIONS[0], timeout_s=9.0), *OPERATIONS[1:])
    changed = of(honest(load=Load(rate=250.0, operations=slower)))
    assert [one.what for one in differences(was, changed)] == ["operation.read-item"]
    longer = of(honest(faults=(Held(length_s=6.0),)))
    assert {one.what for one in differences(was, longer)} == {"fault.redis-down", "method"}


def test_machines_and_versions():
    """Another machine is refused, another version is told; what one record does not know differs as well."""
    record = honest().record()
    head = replace(record.events[0], detail={"machine": {"cores": 2}, "versions": {"python": "3.11"}})
    known = conditions(replace(record, events=(head, *record.events[1:])))
    assert record.events[0].kind is EventKind.HEADER
    assert known["machine.cores"] == 2
    other = known | {"machine.cores": 4, "versions.python": "3.12"}
    assert [(one.what, one.refused) for one in differences(known, other)] == [
        ("machine.cores", True),
        ("versions.python", False),
    ]
    old = conditions(record)
    found = {one.what: one for one in differences(old, known)}
    assert found["machine.cores"].before == "not known"


def test_a_digest_is_of_the_value():
    """The same value in another order has the same digest."""
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})
