"""Tokens and feeders that are not there are said before a run; tokens appear in nothing. Requirement L4."""

import json

import yaml

from resilience.ctk.given import load_lacks, load_secrets
from resilience.spec.parse import parse
from tests.program import Program, own_block, short

CANARY = "canary-0123456789-token"


def document(**load):
    """A short run whose reads carry a token of the environment and a column of a file."""
    found = short("redis-down")
    own = own_block(found)
    own["load"] |= {"tokens": [{"name": "shop", "env": "SHOP_TOKEN"}], **load}
    own["load"]["operations"][0]["request"]["headers"] = {"X-Token": "${token.shop}"}
    return found


FEEDER = {"file": "places.csv", "columns": ["city"]}


def test_what_is_missing_is_said_before_anything(program: Program):
    """Exit 4, with the variable and the path; no record."""
    done = program.resilience("run", program.write(document(feeder=FEEDER)))
    assert done.code == 4
    assert "the environment variable SHOP_TOKEN is not set" in done.err
    assert "places.csv" in done.err
    assert not program.runs.exists()


def test_each_tenant_has_a_variable_of_its_own(monkeypatch):
    """NAME_TENANT, in capitals; what is there is a secret."""
    tenants = [{"name": "blue"}, {"name": "deep-green"}]
    load = document(tokens=[{"name": "shop", "env": "SHOP_TOKEN", "per": "tenant"}], tenants=tenants)
    experiment = parse(yaml.safe_dump(load).encode(), "x.yaml", "/x")
    monkeypatch.setenv("SHOP_TOKEN_BLUE", CANARY)
    (problem,) = load_lacks(experiment)
    assert "SHOP_TOKEN_DEEP_GREEN" in problem.message
    assert load_secrets(experiment) == (CANARY,)


def test_no_token_is_in_any_file_of_a_run(program: Program):
    """Requirement L4: of the environment, or given by a login, shown back by checks that fail on purpose."""
    found = document(warm_up="1s", baseline="3s")
    own = own_block(found)
    found["method"] = [step for step in found["method"] if step["provider"]["arguments"].get("phase") == "after"]
    found["method"][0]["provider"]["arguments"]["duration"] = "2s"
    own["load"]["rate"] = 40
    own["load"]["tokens"].append({"name": "own", "operation": "log-in", "take": "json:token"})
    login = {
        "name": "log-in",
        "weight": 1,
        "request": {"method": "POST", "path": "/login", "json": {"user": "u${key}"}},
        "expect": {"json": {"token": "something else"}},
    }
    good = {**login, "name": "log-in-well", "weight": 0, "expect": {"status": [200]}}
    own["load"]["tokens"][1]["operation"] = "log-in-well"
    me = {
        "name": "me",
        "weight": 1,
        "request": {"method": "GET", "path": "/me", "headers": {"Authorization": "Bearer ${token.own}"}},
        "expect": {"json": {"user": "${token.shop}"}},
    }
    own["load"]["operations"] += [login, good, me]
    own["objectives"] = ["rate<0.5 @ after"]
    started = program.run(found, SHOP_TOKEN=CANARY)
    started.done(120)
    details = b"".join(path.read_bytes() for path in started.record.rglob("*") if path.is_file())
    assert b"unexpected answer" in details
    assert CANARY.encode() not in details
    assert b"WyJ1" not in details  # what every token of the shop for a user begins with, in base64
    assert json.loads((started.record / "verdict.json").read_text())["answer"] != "pass"
