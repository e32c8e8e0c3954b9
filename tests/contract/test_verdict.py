"""`verdict.json` is what other programs rely on: every name and type of the contract, whatever the answer."""

import json

import pytest

from resilience.judge.verdict import judge
from resilience.model import Answer
from tests.contract.shape import VERDICT, differences
from tests.healthy import Healthy
from tests.judge.builder import Scene, Spell, honest

SCENES = {
    "pass": honest(),
    "fail": honest(spells=(Spell(19.1, 42.0, "failed"),)),
    "unknown": honest(truth=None),
    "nothing recovered": honest(spells=(Spell(19.1, 42.0, "degraded"),)),
    "nobody answered": honest(spells=(Spell(0.0, 42.0, "unknown"),)),
}


@pytest.mark.parametrize("name", SCENES)
def test_every_key_and_type(name: str):
    """Nothing is missing because a run went badly; where something did not happen there is null, not another type."""
    verdict = judge(SCENES[name].record())
    document = json.loads(json.dumps(verdict.document, allow_nan=False))
    assert differences(document, VERDICT) == []
    assert document["phases"]
    assert document["parts"]


def test_scenes_have_different_answers():
    """The scenes above are not all the same run."""
    assert {judge(scene.record()).answer for scene in SCENES.values()} == set(Answer)


def test_without_a_ledger_writes_are_null():
    """An experiment that promises nothing about writes has no figures of them; a zero would be a claim."""
    document = judge(Scene().record()).document
    assert document["writes"] is None
    assert differences(document | {"writes": VERDICT["writes"]}, VERDICT) == []


@pytest.mark.parametrize(
    "broken",
    [
        {"answer": "maybe"},
        {"seed": 1.5},
        {"seed": None},
        {"phases": {}},
        {"writes": {}},
        {"objectives": [{"phase": "fault"}]},
        {"because": None},
    ],
)
def test_the_comparison_sees_what_is_broken(broken: dict):
    """This module's own ruler is tested."""
    assert differences(VERDICT, VERDICT) == []
    assert differences(VERDICT | broken, VERDICT) != []


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_real_run_keeps_the_contract(healthy: Healthy):
    """Every key and type in the verdict of a real run; nothing is null where everything happened."""
    verdict = healthy.json("verdict.json")
    assert differences(verdict, VERDICT) == []
    assert all(fault[key] is not None for fault in verdict["faults"] for key in VERDICT["faults"][0])
    assert [phase["name"] for phase in verdict["phases"]] == [
        "warm-up",
        "baseline",
        *["fault", "recovery"] * 3,
        "after",
    ]
