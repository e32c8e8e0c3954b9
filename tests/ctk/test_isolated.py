"""A whole run that asks PostgreSQL and Redis directly, with one statement that forgets whose rows it asks for."""

import json
from typing import Any

import yaml

from tests.program import ROOT, Program


def variant() -> dict[str, Any]:
    """The shipped experiment, shortened, with an operation that asks for everybody's rows now and then."""
    document = yaml.safe_load((ROOT / "experiments" / "load" / "tenants-isolated.yaml").read_text())
    own = document["extensions"][0]
    here = {"PYTHONPATH": str(ROOT)}  # the variant is outside the checkout
    own["stack"]["service"]["environment"] = here
    own["stack"]["programs"][0]["environment"] = here
    own["load"] |= {"rate": 150, "warm_up": "1s", "baseline": "3s"}
    own["load"]["operations"].append(
        {
            "name": "forgets-whose",
            "weight": 3,
            "sql": {
                "statement": "SELECT id, tenant FROM resilience_rows WHERE id >= %(key)s ORDER BY id LIMIT 3",
                "rows": 3,
                "tenant": "tenant",
            },
        }
    )
    own["objectives"] = [{"expression": "rate<0.5 @ after"}]
    own["ledger"]["min_acknowledged"] = 20
    document["method"][0]["provider"]["arguments"]["duration"] = "3s"
    return document


def test_one_statement_that_forgets_whose_rows_fails_the_run(program: Program):
    """Requirement L7: objectives hold, every write is kept, and the run fails for the foreign rows, which it names."""
    started = program.run(variant())
    code = started.done(90).code
    verdict = json.loads((started.record / "verdict.json").read_bytes())
    parts = {part["name"]: part for part in verdict["parts"]}
    assert (code, verdict["answer"], parts["isolation"]["answer"]) == (1, "fail", "fail"), verdict["because"]
    assert parts["isolation"]["evidence"][0].startswith("forgets-whose at ")
    assert "wrong tenant: a row of '" in parts["isolation"]["evidence"][0]
    found = verdict["isolation"]
    assert (found["tenants"], found["operations"]) == (3, ["list-rows", "read-cache", "forgets-whose"])
    assert 0 < found["foreign"] < 0.2 * found["answers"]
    assert parts["writes"]["answer"] == "pass", parts["writes"]
    assert verdict["writes"]["acknowledged"] >= 20
