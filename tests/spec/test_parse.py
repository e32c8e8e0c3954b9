"""Experiment files are read whole or refused with everything that is wrong. Requirements E1, E2."""

import copy
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.errors import SpecError
from resilience.model import FaultSpec, Observe, PhaseName, Role, is_name
from resilience.spec.parse import carries_extension, name_of, parse
from resilience.spec.text import read_text

SHIPPED = Path(__file__).parents[2] / "experiments" / "redis-failure.yaml"
CONTENT = SHIPPED.read_bytes()
GOOD = read_text(CONTENT, SHIPPED.name).data
OWN = "extensions[0]"
PROBES = "steady-state-hypothesis.probes"
REMOVED = type("Removed", (), {"__repr__": lambda _: "REMOVED"})()


def changed(changes):
    """The shipped experiment with values replaced, added or removed, as JSON bytes."""
    data = copy.deepcopy(GOOD)
    for path, value in changes.items():
        *way, last = path.replace("OWN", OWN).replace("]", "").replace("[", ".").split(".")
        inside = data
        for step in way:
            inside = inside[int(step) if isinstance(inside, list) else step]
        if value is REMOVED:
            del inside[int(last) if isinstance(inside, list) else last]
        elif isinstance(inside, list):
            inside[int(last) : int(last) + 1] = [value]
        else:
            inside[last] = value
    return json.dumps(data).encode()


def problems(content, name="x.json"):
    with pytest.raises(SpecError) as caught:
        parse(content, name, "/somewhere")
    return caught.value.problems


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


WRONG = [
    # the top level and chaostoolkit's part
    ({"rollback": []}, "rollback", "not known", "did you mean 'rollbacks'?"),
    ({"title": REMOVED}, "title", "is missing", "add title"),
    ({"method": REMOVED}, "method", "is missing", "add method"),
    ({"dry": "everything"}, "dry", '"everything" is not one of', "probes"),
    ({"method[0].tolerence": True}, "method[0].tolerence", "not known", "did you mean 'tolerance'?"),
    ({"method[0].type": "acton"}, "method[0].type", '"acton" is not one of', "did you mean 'action'?"),
    ({"method[0].pauses": {"before": "5s"}}, "method[0].pauses.before", '"5s" is not a number', "without unit"),
    ({"method[0].provider": REMOVED}, "method[0].provider", "is missing", "add provider"),
    ({"method[7]": {"ref": "nothing"}}, "method[7].ref", 'no activity "nothing"', ""),
    ({"method[7]": {"ref": "Redis hangs"}}, "method[7].ref", "happens once", "new name"),
    # our steps
    ({"method[0].provider.func": "hold_fautl"}, "method[0].provider.func", "'hold_fautl'", "'hold_fault'"),
    ({"method[0].background": True}, "method[0].background", "one after another", "remove"),
    ({"method[0].dry": True}, "method[0].dry", "cannot be judged", "remove"),
    ({"method[0].type": "probe"}, "method[0].type", "is an action", "action"),
    ({"method[0].provider.arguments": REMOVED}, "method[0].provider.arguments", "is missing", "add"),
    ({"method[0].provider.arguments.on": "x"}, "method[0].provider.arguments.on", "not known", "expected one of"),
    ({"method[0].provider.arguments.duration": 8}, "method[0].provider.arguments.duration", "8 is not", "write 8s"),
    ({"method[0].provider.arguments.duration": "0s"}, "method[0].provider.arguments.duration", '"0s"', "30s"),
    (
        {"method[0].provider.arguments.duration": "${long}"},
        "method[0].provider.arguments.duration",
        '"${long}" is not a duration',
        "30s",
    ),
    (
        {"method[0].provider.arguments.settings": {"rate": ["${x}"]}},
        "method[0].provider.arguments.settings.rate[0]",
        "not known before the run",
        "value itself",
    ),
    ({"method[0].provider.arguments.name": "Redis"}, "method[0].provider.arguments.name", '"Redis" is not a name', ""),
    ({"method[0].provider.arguments.kind": "down"}, "method[0].provider.arguments.kind", '"down"', "toxiproxy.down"),
    ({"method[0].provider.arguments.part": REMOVED}, "method[0].provider.arguments.part", "is missing", "add part"),
    (
        {"method[2].provider.arguments.name": "redis-down", "OWN.objectives": ["rps>1 @ after"]},
        "method[2].provider.arguments.name",
        "a fault 'redis-down' already",
        "another",
    ),
    (
        {"method[1].provider.arguments.phase": "baseline"},
        "method[1].provider.arguments.phase",
        '"baseline" is not one of recovery, after',
        "",
    ),
    ({"method[0].provider.arguments.duration": "31s"}, "method[0].provider.arguments.duration", "max_fault", "shorten"),
    ({"method[1]": REMOVED}, "method[0]", "nobody watches", "phase: recovery"),
    ({"method[1].provider.arguments.duration": "2s"}, "method[0]", "2s are observed", "longer"),
    (
        {"method[0]": REMOVED, "OWN.objectives": [{"expression": "rps>1 @ after"}]},
        "method[0].provider.arguments.phase",
        "no fault before it",
        "after hold_fault",
    ),
    # whose code is named
    (
        {
            "rollbacks": [
                {"type": "action", "name": "x", "provider": {"type": "python", "module": "os", "func": "abort"}}
            ]
        },
        "rollbacks[0].provider.module",
        "'os' is not allowed",
        "allow_modules",
    ),
    (
        {"controls": [{"name": "x", "provider": {"type": "python", "module": "subprocess"}}]},
        "controls[0].provider.module",
        "'subprocess' is not allowed",
        "allow_modules",
    ),
    (
        {"configuration": {"x": {"type": "probe", "name": "x", "provider": {"type": "python", "module": "shutil"}}}},
        "configuration.x.provider.module",
        "'shutil' is not allowed",
        "allow_modules",
    ),
    (
        {"extensions[1]": {"name": "other", "controls": [{"provider": {"type": "python", "module": "probesx"}}]}},
        "extensions[1].controls[0].provider.module",
        "'probesx' is not allowed",
        "allow_modules",
    ),
    ({"OWN.safety.allow_modules": ["*"]}, f"{OWN}.safety.allow_modules[0]", '"*" is not a Python module', "shop"),
    (
        {
            "method[7]": {
                "type": "action",
                "name": "x",
                "provider": {"type": "process", "path": "ls", "arguments": "-l; reboot"},
            }
        },
        "method[7].provider.arguments",
        '"-l; reboot"',
        "shell",
    ),
    (
        {"configuration": {"x": {"type": "probe", "provider": {"type": "process", "path": "ls", "arguments": "-l"}}}},
        "configuration.x.provider.arguments",
        "shell",
        "list",
    ),
    ({"rollbacks": [GOOD["method"][0]]}, "rollbacks[0].provider.module", "belong into the method", "move"),
    # the hypothesis
    ({"steady-state-hypothesis": REMOVED}, "steady-state-hypothesis", "is missing", "add"),
    ({f"{PROBES}[0].provider.module": "probes.x"}, None, None, None),
    ({f"{PROBES}[0].tolerance": False}, f"{PROBES}[0].tolerance", "false would accept", "write true"),
    ({f"{PROBES}[0].tolerance": 1}, f"{PROBES}[0].tolerance", "1 would accept", "write true"),
    ({f"{PROBES}[0].tolerance": REMOVED}, f"{PROBES}[0].tolerance", "is missing", "add"),
    # our block
    ({"OWN.laod": {}}, f"{OWN}.laod", "not known", "did you mean 'load'?"),
    ({"OWN.target": REMOVED}, f"{OWN}.target", "is missing", "add target"),
    ({"extensions[1]": GOOD["extensions"][0]}, "extensions[1]", "already", "keep one"),
    ({"OWN.stack.use": "embeded"}, f"{OWN}.stack.use", '"embeded"', "did you mean 'embedded'?"),
    ({"OWN.stack.service": REMOVED}, f"{OWN}.stack.service", "is missing", "add service"),
    ({"OWN.stack.service.command": "python -m x"}, f"{OWN}.stack.service.command", "is not a list", "write ["),
    ({"OWN.stack.service.command": []}, f"{OWN}.stack.service.command", "0 items", ""),
    ({"OWN.stack.service.ready": "ready"}, f"{OWN}.stack.service.ready", '"ready" is not a path', "/"),
    ({"OWN.load.rate": -5}, f"{OWN}.load.rate", "-5 is out of range", "at least 0"),
    ({"OWN.load.rate": 0}, f"{OWN}.load.rate", "no load at all", "above 0"),
    ({"OWN.load.rate": "250/s"}, f"{OWN}.load.rate", '"250/s" is not a number', "without unit"),
    ({"OWN.load.rate": True}, f"{OWN}.load.rate", "true is not a number", ""),
    ({"OWN.load.warmup": "4s"}, f"{OWN}.load.warmup", "not known", "did you mean 'warm_up'?"),
    ({"OWN.load.warm-up": "4s"}, f"{OWN}.load.warm-up", "not known", "did you mean 'warm_up'?"),
    ({"OWN.load.baseline": 15}, f"{OWN}.load.baseline", "15 is not a duration", "write 15s"),
    ({"OWN.load.baseline": "0s"}, f"{OWN}.load.baseline", '"0s" is not a duration above 0', ""),
    ({"OWN.load.arrivals": "poison"}, f"{OWN}.load.arrivals", '"poison"', "did you mean 'poisson'?"),
    ({"OWN.load.driver": "wrk"}, f"{OWN}.load.driver", '"wrk" is not one of locust, k6, artillery', ""),
    ({"OWN.load.max_in_flight": 0}, f"{OWN}.load.max_in_flight", "0 is out of range", "at least 1"),
    ({"OWN.load.keys": 2.5}, f"{OWN}.load.keys", "2.5 is not a whole number", ""),
    ({"OWN.load.stages": [{"duration": "1m"}]}, f"{OWN}.load.stages[0].rate", "is missing", "add rate"),
    ({"OWN.load.stages": [{"duration": "1m", "rate": -1}]}, f"{OWN}.load.stages[0].rate", "-1", "at least 0"),
    ({"OWN.load.operations[0].weight": 0}, f"{OWN}.load.operations[0].weight", "is never sent", "step of a journey"),
    ({"OWN.load.operations[0].weight": -1}, f"{OWN}.load.operations[0].weight", "-1 is out of range", "at least 0"),
    ({"OWN.load.operations[0].timeout": "0ms"}, f"{OWN}.load.operations[0].timeout", '"0ms"', ""),
    ({"OWN.load.operations[1].name": "read-item"}, f"{OWN}.load.operations[1].name", "already", "another"),
    ({"OWN.load.operations[0].name": "all"}, f"{OWN}.load.operations[0].name", "stands for all", "another"),
    ({"OWN.load.operations[0].role": "reed"}, f"{OWN}.load.operations[0].role", '"reed"', "did you mean 'read'?"),
    ({"OWN.load.operations[0].request.verb": "X"}, f"{OWN}.load.operations[0].request.verb", "not known", "method"),
    ({"OWN.load.operations[0].request.method": "get"}, f"{OWN}.load.operations[0].request.method", '"get"', "GET"),
    ({"OWN.load.operations[0].request.path": "items"}, f"{OWN}.load.operations[0].request.path", '"items"', "/items"),
    (
        {"OWN.load.operations[0].request.path": "/${kye}"},
        f"{OWN}.load.operations[0].request.path",
        "${kye} is not known",
        "did you mean 'key'?",
    ),
    (
        {"OWN.load.operations[0].request.path": "/${key"},
        f"{OWN}.load.operations[0].request.path",
        "not closed",
        "${key}",
    ),
    (
        {"OWN.load.operations[0].request.headers": {"X": "${write_id}"}},
        f"{OWN}.load.operations[0].request.headers.X",
        "${write_id} is not known to a read",
        "may hold ${key}",
    ),
    (
        {"OWN.load.operations[0].expect": {"json": {"id": "${acked_id}"}}},
        f"{OWN}.load.operations[0].expect.json.id",
        "${acked_id} is not known to a read",
        "",
    ),
    (
        {"OWN.load.operations[1].request.path": "/orders"},
        f"{OWN}.load.operations[1].request",
        "does not send ${acked_id}",
        "put it in",
    ),
    (
        {"OWN.load.operations[2].request.json.body": "x"},
        f"{OWN}.load.operations[2].request",
        "does not send ${write_body}",
        "intact",
    ),
    (
        {"OWN.load.operations[0].degraded.json.degraded": True},
        f"{OWN}.load.operations[0].degraded.json.degraded",
        "true is not a text",
        '"true"',
    ),
    ({"OWN.load.operations[0].expect": {"status": [99]}}, f"{OWN}.load.operations[0].expect.status[0]", "99", "100"),
    # objectives
    ({"OWN.objectives[0].expression": "p95<1 @ after"}, f"{OWN}.objectives[0]", "'p95<1 @ after'", "p(95)"),
    ({"OWN.objectives[0]": "rate<0.01"}, f"{OWN}.objectives[0]", "when it must hold", "@ fault"),
    ({"OWN.objectives[0]": 5}, f"{OWN}.objectives[0]", "5 is not an objective", "for example"),
    ({"OWN.objectives[0].operation": "reed-item"}, f"{OWN}.objectives[0].operation", "'reed-item'", "'read-item'"),
    ({"OWN.objectives[0]": "rps>1 @ fault(redis-dwn)"}, f"{OWN}.objectives[0]", "'redis-dwn'", "'redis-down'"),
    ({"OWN.objectives[0]": "rps>1 @ fault over 2s"}, f"{OWN}.objectives[0]", "phase takes 1s", "shorten"),
    (
        {"method[6]": REMOVED, "OWN.objectives": ["rps>1 @ after"]},
        f"{OWN}.objectives[0]",
        "no such phase",
        "add the phase",
    ),
    ({"OWN.objectives": REMOVED}, f"{OWN}.objectives", "a probe asks", "add objectives"),
    # recovery, ledger, safety
    ({"OWN.recovery.limit": "5 minutes"}, f"{OWN}.recovery.limit", '"5 minutes" is not a duration', "5m"),
    ({"OWN.recovery.latency_factor": 0.5}, f"{OWN}.recovery.latency_factor", "0.5", "at least 1"),
    ({"OWN.ledger.duplicates": "never"}, f"{OWN}.ledger.duplicates", '"never"', "exactly-once"),
    ({"OWN.ledger.ordered": "yes"}, f"{OWN}.ledger.ordered", '"yes" is not true or false', ""),
    ({"OWN.ledger.truth.dsn_env": "DSN"}, f"{OWN}.ledger.truth", "both", "part"),
    ({"OWN.ledger.truth.part": REMOVED}, f"{OWN}.ledger.truth", "neither", "part"),
    ({"OWN.ledger.truth.query": "SELECT 1"}, f"{OWN}.ledger.truth.query", "this run's entries", "%(prefix)s"),
    (
        {"OWN.ledger.truth.query": "SELECT id FROM orders WHERE id LIKE %(prefix)s || '%'"},
        f"{OWN}.ledger.truth.query",
        "single %",
        "%%",
    ),
    ({"OWN.ledger.truth.query": REMOVED}, f"{OWN}.ledger.truth", "none of query, redis", "write query"),
    ({"OWN.safety.max_duration": "1m"}, f"{OWN}.safety.max_duration", "1m9s in all", "raise the limit"),
    ({"OWN.safety.abort": ["rate<0.5 @ fault"]}, f"{OWN}.safety.abort[0]", "no window", "over 5s"),
]


@pytest.mark.parametrize(("changes", "where", "told", "hint"), WRONG, ids=lambda value: str(value)[:60])
def test_a_wrong_value_is_shown_with_its_path_and_what_to_do(changes, where, told, hint):
    """One mistake in an otherwise good file is one problem, at its own path."""
    content = changed(changes)
    if where is None:
        assert parse(content, "x.json", "/x").title == GOOD["title"]
        return
    (problem,) = problems(content)
    assert problem.where == where
    assert told in problem.message
    assert hint in problem.hint


def test_all_problems_are_told_at_once():
    """Mistakes of every kind, found by schema and by checks alike, come in one error."""
    wrong = [
        entry for entry in WRONG if len(entry[0]) == 1 and entry[1] is not None and REMOVED not in entry[0].values()
    ]
    places = ("OWN.load.rate", "OWN.load.warmup", "OWN.objectives[0].operation", "OWN.ledger.ordered", "rollback")
    places += ("method[0].background", "OWN.safety.allow_modules", "OWN.load.operations[0].weight")
    chosen = {place: next(entry for entry in wrong if place in entry[0]) for place in places}
    changes = {place: entry[0][place] for place, entry in chosen.items()}
    assert {problem.where for problem in problems(changed(changes))} == {entry[1] for entry in chosen.values()}


def test_problems_say_the_line():
    """In YAML each problem has the line of its key, and they come in the order of the file."""
    content = CONTENT.replace(b"rate: 250 ", b"rate: -250 ").replace(b"hold: 4s", b"hold: 4")
    first, second = problems(content, "x.yaml")
    assert (first.where, second.where) == (f"{OWN}.load.rate", f"{OWN}.recovery.hold")
    lines = content.decode().splitlines()
    assert "rate: -250" in lines[first.line - 1]
    assert "hold: 4," in lines[second.line - 1]
    assert str(first).startswith(f"{OWN}.load.rate (line {first.line}, column {first.column}): -250 is out of range")


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


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("avg<500 @ fault(redis-down) over 5s", "avg is not known exactly while the run goes on"),
        ("avg>500 for 5s", "avg is not known exactly"),
        ("rate<0.5 over 5s", "does not say when it must hold"),
        ("rate>1 for 5s", "never holds"),
        ("rate>0.5 for 5s over 6s", "second of its kind"),
        ("count>5 @ fault(redis-down) over 5s", "count is not known exactly"),
        ("rate<0.5 @ fault(redis-down)", "has no window"),
    ],
)
def test_abort_on_what_cannot_be_judged_live(expression, said):
    """Requirement L2: an abort condition that could never stop the run, or not exactly, is refused."""
    found = problems(changed({"OWN.safety.abort": [{"expression": expression}]}))
    assert [said in str(problem) for problem in found] == [True]
    assert found[0].where.startswith("extensions[0].safety.abort[0]")
    assert found[0].hint


def test_abort_of_one_operation_on_what_is_known_of_all():
    """Requirement F7: quantiles and degraded answers are known live of all operations together, and only so."""
    for expression in ("p(95)>500 for 5s", "degraded>0.5 for 5s"):
        listed = [{"expression": expression, "operation": "read-item"}]
        assert "all operations together" in str(problems(changed({"OWN.safety.abort": listed}))[0])


def test_abort_as_one_text():
    """`abort: rate>0.5 for 10s` is a list of one: a condition that must not be, anywhere. Requirement F7."""
    parsed = parse(changed({"OWN.safety.abort": "rate>0.5 for 10s"}), "x.json", "/somewhere")
    (condition,) = parsed.safety.abort
    assert (condition.phase, condition.comparison, condition.limit, condition.window_s) == (None, ">", 0.5, 10.0)


@pytest.mark.parametrize(
    "expression",
    ["rate<0.5 @ fault(redis-down) over 5s", "rps>10 @ baseline over 2s", "p(95)>900 for 5s", "degraded>0.9 for 5s"],
)
def test_abort_on_what_can_be_judged_live(expression):
    """The error rate and the throughput over a window are exact while the run goes on, quantiles within 2 %."""
    parsed = parse(changed({"OWN.safety.abort": [{"expression": expression}]}), "x.json", "/somewhere")
    assert [one.expression for one in parsed.safety.abort] == [expression]


@pytest.mark.parametrize("value", ["probes", "actions", "activities", "pause", True, False, ""])
def test_a_dry_experiment_is_refused(value):
    """A top-level `dry` lets chaostoolkit leave out probes or faults: there would be nothing to judge."""
    (found,) = [problem for problem in problems(changed({"dry": value})) if problem.where == "dry"]
    assert found.message
