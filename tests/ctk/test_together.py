"""Strikes, groups, cycles and faults inside others, end to end on real parts. Requirements E1, F1, F7, J3."""

from typing import Any

import pytest

from resilience.judge.verdict import judge
from resilience.record.reader import read_record
from tests.program import Program, own_block, short
from tests.spec.test_steps import END, STAY, act, begin, hold

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(240)]

AMONG = ["redis", "postgres"]


def document() -> dict[str, Any]:
    """The shipped experiment, shortened, with a method of every kind of step."""
    made = short()
    slow = {"kind": "toxiproxy.latency", "settings": {"latency_ms": 25}}
    made["method"] = [
        act("strike", name="flush", kind="redis.flush", part="redis", duration="2s"),
        act("observe", phase="recovery", duration="4s"),
        act(
            "hold_faults",
            name="both",
            faults=[
                {"name": "down", "kind": "toxiproxy.down", "part": "redis"},
                {"name": "db", "part": "postgres", **slow},
            ],
            duration="2s",
        ),
        act("observe", phase="recovery", duration="5s"),
        begin(settings={"latency_ms": 25}),
        STAY,
        hold("hung", kind="process.pause", duration="2s"),
        END,
        act("observe", phase="recovery", duration="5s"),
        hold("drawn", part=AMONG, cycles=2, rest="4s", duration="1s", **{key: slow[key] for key in slow}),
    ]
    own = own_block(made)
    own["load"] |= {"rate": 100, "warm_up": "4s", "baseline": "8s"}  # enough to see, on a busy machine
    own["objectives"] = ["rate<0.05 @ fault", "rate<0.05 @ fault(down)", "rate<0.05 @ fault(drawn)"]
    own["safety"] = {"max_at_once": 2, "data_removal": ["redis"], "max_duration": "5m", "max_fault": "30s"}
    return made


def test_a_run_of_every_kind_of_step(program: Program):
    """One verdict on all of it: each seen to come and go, overlapping ones as one cycle, drawn parts as planned."""
    started = program.run(document())
    done = started.done(200)
    assert done.code == 0, done.out + done.err
    record = read_record(started.record)
    verdict = judge(record).document
    assert [fault["name"] for fault in verdict["faults"]] == [
        "flush",
        "down",
        "db",
        "slow",
        "hung",
        "drawn-1",
        "drawn-2",
    ]
    drawn = {name: part for name, part in record.plan.parts.items() if name.startswith("drawn")}
    assert drawn == {fault["name"]: fault["on"] for fault in verdict["faults"] if fault["of"] == "drawn"}
    assert set(drawn.values()) <= set(AMONG)
    assert [cycle["fault"] for cycle in verdict["recovery"]["cycles"]] == [
        "flush",
        "both",
        "slow + hung",
        "drawn-1",
        "drawn-2",
    ]
    assert [cycle["faults"] for cycle in verdict["recovery"]["cycles"]][1:3] == [["down", "db"], ["slow", "hung"]]
    _check_order(verdict)
    planned = [(phase.name.value, phase.fault) for phase in record.plan.phases]
    assert [(phase["name"], phase["fault"]) for phase in verdict["phases"]] == planned
    assert "a strike" in done.out, "told to people, too"


def _check_order(verdict: dict[str, Any]) -> None:
    """What was held together was in place together; a strike is over when it struck."""
    seen = {fault["name"]: fault for fault in verdict["faults"]}
    assert seen["flush"]["strike"] is True
    assert seen["flush"]["confirmed_s"] == seen["flush"]["clear_s"]
    down, db, slow, hung = (seen[name] for name in ("down", "db", "slow", "hung"))
    assert down["confirmed_s"] < db["requested_s"], "in order"
    assert db["clear_s"] < down["reverted_s"], "in reverse"
    assert slow["confirmed_s"] < hung["requested_s"] < hung["clear_s"] < slow["reverted_s"]
