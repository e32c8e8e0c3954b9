"""The experiments with WebSocket subscribers, shortened, end to end: row L6 on real parts."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from resilience.record.reader import read_record
from tests.program import ROOT, Program, own_block

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(240)]

LENGTHS = {"hold_fault": {"duration": "1s", "cycles": 1}, "recovery": {"duration": "5s"}, "after": {"duration": "3s"}}


def shortened(name: str, connections: int) -> dict[str, Any]:
    """A shipped experiment for a few seconds, with fewer subscribers; judged on a machine that may be busy."""
    document: dict[str, Any] = yaml.safe_load(Path(ROOT, "experiments/load", name).read_text())
    for step in document["method"]:
        provider = step["provider"]
        changed = LENGTHS[provider["func"] if provider["func"] != "observe" else provider["arguments"]["phase"]]
        if changed.get("cycles"):
            provider["arguments"].pop("rest", None)
            provider["arguments"].pop("cycles", None)
        provider["arguments"]["duration"] = changed["duration"]
    own = own_block(document)
    own["stack"]["service"]["environment"] = {"PYTHONPATH": str(ROOT)}  # the experiment is outside the checkout
    own["load"] |= {"warm_up": "2s", "baseline": "5s"}
    own["load"]["subscriptions"][0] |= {"connections": connections, "connect_rate": connections}
    for one in own["objectives"]:
        one["expression"] = one["expression"].replace("<100 ", "<2000 ").replace("<250 ", "<2000 ")
    if "recovery" in own:
        own["recovery"] |= {"hold": "2s", "latency_floor": "2s"}
    own["accounts"][0] |= {"min_acknowledged": 20, "min_exposed": 1}
    return document


def test_everybody_comes_back_and_misses_nothing(program: Program):
    """The service is killed; every subscriber resumes; all that was acknowledged came once and in order."""
    started = program.run(shortened("websocket-reconnect.yaml", 40))
    done = started.done(120)
    assert done.code == 0, done.out + done.err
    record = read_record(started.record)
    (feed,) = record_of(started)["accounts"]
    assert feed["answer"] == "pass"
    assert (feed["subscribers"], feed["connections"], feed["resumed"]) == (40, 80, 40)
    assert feed["verified"] == feed["expected"] > 40 * 20
    samples = record.samples
    lost = [text for text in samples.details if text.startswith("connection lost: ")]
    number = list(samples.operations).index("deliver")
    failed = (samples.operation == number) & (samples.outcome != 0)
    assert lost
    assert int(failed.sum()) >= 40, "a connection that drops is a sample"


def test_a_target_that_forgets_what_was_missed_fails(program: Program):
    """Planted bug B17: resumed, it says, and nothing is missing, it says; the receipts say otherwise."""
    started = program.run(shortened("websocket-reconnect.yaml", 40), TARGET_BUGS="B17")
    done = started.done(120)
    assert done.code == 1, done.out + done.err
    (feed,) = record_of(started)["accounts"]
    assert feed["answer"] == "fail"
    assert feed["lost"] > 0
    assert feed["history_lost"] == feed["duplicated"] == feed["out_of_order"] == 0
    assert "missing" in feed["because"]


def test_a_storm_that_is_delivered_out_of_order_fails(program: Program):
    """Planted bug B18, under the storm: everything comes, not in its order."""
    started = program.run(shortened("websocket-storm.yaml", 50), TARGET_BUGS="B18")
    done = started.done(120)
    assert done.code == 1, done.out + done.err
    (feed,) = record_of(started)["accounts"]
    assert feed["out_of_order"] > 0
    assert feed["lost"] == 0
    per_operation = record_of(started)["phases"][-1]["operations"]
    assert per_operation["visit"]["ok"] > 0
    assert per_operation["echo"]["ok"] > 0


def record_of(started: Any) -> dict[str, Any]:
    """The verdict of a run."""
    document: dict[str, Any] = yaml.safe_load((started.record / "verdict.json").read_text())
    return document
