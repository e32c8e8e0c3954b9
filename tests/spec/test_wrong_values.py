"""What is wrong in an experiment file is told with its path, its line and what to do. Requirement E2."""

import pytest

from resilience.spec.parse import parse
from tests.spec.changing import CONTENT, GOOD, OWN, PROBES, REMOVED, changed, problems

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


@pytest.mark.parametrize("value", ["probes", "actions", "activities", "pause", True, False, ""])
def test_a_dry_experiment_is_refused(value):
    """A top-level `dry` lets chaostoolkit leave out probes or faults: there would be nothing to judge."""
    (found,) = [problem for problem in problems(changed({"dry": value})) if problem.where == "dry"]
    assert found.message
