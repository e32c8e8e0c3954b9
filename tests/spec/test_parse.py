"""Experiment files are read whole or refused with everything that is wrong. Requirements E1, E2."""

import hashlib
import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.errors import SpecError
from resilience.model import FaultSpec, Observe, PhaseName, Role, is_name
from resilience.spec.parse import carries_extension, name_of, parse
from tests.spec.changing import CONTENT, GOOD, OWN, PROBES, REMOVED, changed, problems


def test_the_shipped_experiment_is_read():
    """What the file says is what the experiment says."""
    experiment = parse(CONTENT, "experiments/redis-failure.yaml", "/somewhere")
    assert experiment.name == "redis-failure"
    assert experiment.digest == hashlib.sha256(CONTENT).hexdigest()
    assert (experiment.target, experiment.folder, experiment.stack.use) == ("shop", "/somewhere", "embedded")
    assert experiment.stack.service.command == ("python", "-m", "fixtures.target")
    assert (experiment.load.rate, experiment.load.warm_up_s, experiment.load.baseline_s) == (250.0, 4.0, 15.0)
    assert [operation.weight for operation in experiment.load.operations] == [70, 20, 10]
    write = experiment.load.operations[2]
    assert (write.role, write.method, write.path, write.timeout_s) == (Role.WRITE, "POST", "/orders", 2.0)
    assert write.headers == {"Idempotency-Key": "${write_id}"}
    assert (write.expect.status, write.rejected_status) == ((200, 201), (400, 422))
    assert [fault.name for fault in experiment.faults] == ["redis-down", "redis-hung", "service-killed"]
    assert experiment.steps[:2] == (
        FaultSpec(name="redis-down", kind="toxiproxy.down", on="redis", duration_s=8.0),
        Observe(PhaseName.RECOVERY, 9.0),
    )
    assert {objective.operation for objective in experiment.objectives} == {"all", "place-order"}
    assert experiment.ledger.truth.part == "postgres"
    assert (experiment.recovery.limit_s, experiment.recovery.hold_s) == (300.0, 4.0)
    assert experiment.chaos == GOOD


def test_json_and_yaml_are_the_same_experiment():
    """Only the digest tells the two files apart."""
    first, second = parse(CONTENT, "a.yaml", "/x"), parse(json.dumps(GOOD).encode(), "a.json", "/x")
    assert first.digest != second.digest
    assert {**vars_of(first), "digest": ""} == {**vars_of(second), "digest": ""}


def vars_of(experiment):
    return {name: getattr(experiment, name) for name in experiment.__dataclass_fields__}


def test_a_write_needs_a_ledger_and_a_ledger_a_write():
    """Neither an unaccounted write nor an account of nothing passes."""
    without = problems(changed({"OWN.ledger": REMOVED}))
    assert [problem.where for problem in without] == [f"{OWN}.ledger"]
    nothing = problems(changed({"OWN.load.operations[2]": REMOVED}))
    assert {problem.where for problem in nothing} == {
        f"{OWN}.ledger",
        f"{OWN}.load.operations[1].role",
        f"{OWN}.objectives[8].operation",
        f"{OWN}.objectives[9].operation",
    }


def test_a_file_whose_verdict_nobody_asks_for_is_refused():
    """Without one of our probes chaostoolkit would call anything a success."""
    probe = {"type": "probe", "name": "x", "tolerance": True}
    other = {**probe, "provider": {"type": "python", "module": "probes.shop", "func": "steady"}}
    (problem,) = problems(changed({PROBES: [other]}))
    assert (problem.where, problem.message) == (PROBES, "nobody asks for the verdict")


def test_more_modules_can_be_allowed():
    """A module that the file allows may be named, with everything below a package if it says so."""
    provider = {"type": "python", "module": "shop.chaos.more", "func": "x"}
    activity = {"type": "action", "name": "x", "provider": provider, "pauses": {"after": 2}}
    allowed = {"OWN.safety.allow_modules": ["shop.*"], "method[7]": activity}
    assert parse(changed(allowed), "x.json", "/x").safety.allow_modules == ("shop.*",)
    (problem,) = problems(changed({**allowed, "OWN.safety.allow_modules": ["shop"]}))
    assert problem.where == "method[7].provider.module"


def test_files_without_our_extension_are_told_apart():
    """They are recognised before parsing, and parsing says what is missing."""
    assert carries_extension(GOOD)
    for other in ({}, None, [], {"extensions": None}, {"extensions": "resilience"}, {"extensions": [{"name": "x"}]}):
        assert not carries_extension(other)
    (problem,) = problems(b'{"title": "x", "extensions": []}')
    assert "carries no extension 'resilience'" in problem.message
    assert "is not an experiment" in problems(b"[]")[0].message


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("redis-failure.yaml", "redis-failure"),
        ("/a/b.c/Redis failure (2).json", "redis-failure-2"),
        ("…….yaml", "experiment"),
        ("x" * 80 + ".yaml", "x" * 63),
    ],
)
def test_an_experiment_is_named_after_its_file(file, name):
    """Whatever the file is called, the name is one."""
    assert name_of(file) == name
    assert is_name(name_of(file))


PATHS = sorted(
    {
        "title", "method", "steady-state-hypothesis", "extensions", "OWN.load", "OWN.load.operations", "OWN.stack",
        "OWN.load.operations[0]", "OWN.load.operations[0].request", "OWN.load.operations[0].request.json",
        "OWN.load.operations[0].name", "OWN.load.stages", "OWN.objectives", "OWN.objectives[0]", "OWN.ledger",
        "OWN.ledger.truth", "OWN.recovery", "OWN.safety", "OWN.safety.abort", "method[0]", "method[0].provider",
        "method[0].provider.arguments", "method[0].provider.func", "method[0].provider.module", "method[0].ref",
        "method[0].pauses", f"{PROBES}", f"{PROBES}[0]", f"{PROBES}[0].provider", "rollbacks", "controls",
        "OWN.name", "OWN.load.rate", "OWN.stack.service", "OWN.stack.service.environment", "configuration",
    }
)  # fmt: skip
VALUES = st.sampled_from(
    [None, True, 0, -1, 2.5, "", "x", "${", [], [None], [[]], {}, {"x": None}, {"name": []}, {"provider": []}, REMOVED]
)


@given(st.dictionaries(st.sampled_from(PATHS), VALUES, min_size=1, max_size=1))
@settings(max_examples=150, deadline=None)
def test_no_value_in_any_place_breaks_the_reader(changes):
    """A value of the wrong kind anywhere gives an experiment or problems, never another exception."""
    (path,) = changes
    if path == "OWN.name" or (changes[path] is REMOVED and path not in {"title", "method", "OWN.load"}):
        return
    try:
        experiment = parse(changed(changes), "x.json", "/x")
    except SpecError:
        return
    assert experiment.title


def test_reading_needs_nothing_heavy():
    """`validate` answers at once: neither load engine, sequencer, Arrow nor NumPy is imported."""
    code = "import sys, resilience.spec.parse; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pyarrow", "locust", "gevent", "chaoslib", "numpy"} & set(done.stdout.split())
