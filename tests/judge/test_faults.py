"""Faults: confirmed, held, clear; everything else is unknown."""

from dataclasses import replace

import pytest

from resilience.judge.case import prepare
from resilience.judge.faults import check_faults
from resilience.model import Answer, Event, EventKind
from tests.judge.builder import Held, Scene

KIND = EventKind


def part(*held, extra=()):
    return check_faults(Scene(faults=held, extra=extra).case())


def test_faults_that_were_seen_to_come_and_go_pass_with_their_proof():
    """Requirement F1: the contract's keys, and what was observed."""
    found = part(Held(), Held("two", begin_s=36.0, length_s=2.0))
    assert found.answer is Answer.PASS
    assert found.because == "all 2 faults were confirmed and cleared"
    assert "redis-down: connection refused" in found.evidence
    assert found.data["faults"][0] == {
        "kind": "toxiproxy.down",
        "name": "redis-down",
        "on": "redis",
        "requested_s": 19.0,
        "confirmed_s": 19.05,
        "reverted_s": 27.05,
        "clear_s": 27.1,
        "planned_s": 8.0,
        "proof": ["connection refused", "connection accepted"],
        "problems": [],
        "of": "redis-down",
        "group": "",
        "strike": False,
        "mechanism": "",
    }


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (Held(without=(KIND.REQUESTED,)), "never requested"),
        (Held(without=(KIND.REQUESTED, KIND.CONFIRMED, KIND.REVERTING, KIND.CLEAR)), "never requested"),
        (Held(without=(KIND.CONFIRMED,)), "never seen active"),
        (Held(without=(KIND.CLEAR,)), "never seen gone"),
        (Held(trouble="no such proxy"), "had a problem (inject: no such proxy)"),
    ],
)
def test_a_fault_that_was_not_observed_is_unknown(held, told):
    """Harness mutants H1, H2, H12 and H14: without proof there is no pass."""
    found = part(held)
    assert found.answer is Answer.UNKNOWN
    assert told in found.because


def test_a_fault_that_ended_early_is_unknown():
    """Harness mutant H3: in place for less than 90 % of the planned time."""
    early = Event(25.0, KIND.REVERTING, "redis-down")
    found = part(Held(without=(KIND.REVERTING,)), extra=(early,))
    assert found.answer is Answer.UNKNOWN
    assert "in place for 5.95 s of the planned 8 s" in found.because
    enough = Event(26.3, KIND.REVERTING, "redis-down")
    assert part(Held(without=(KIND.REVERTING,)), extra=(enough,)).answer is Answer.PASS
    assert part(Held(without=(KIND.REVERTING,))).answer is Answer.UNKNOWN


def test_events_in_an_impossible_order_are_unknown():
    """Clear before it was confirmed."""
    found = part(Held(without=(KIND.CLEAR,)), extra=(Event(19.01, KIND.CLEAR, "redis-down"),))
    assert "in an order that cannot be" in " ".join(found.evidence)


def test_a_fault_that_nobody_planned_is_unknown():
    """Something else was done to the target."""
    found = part(extra=(Event(20.0, KIND.REQUESTED, "other"), Event(20.0, KIND.CONFIRMED, "other")))
    assert found.answer is Answer.UNKNOWN
    assert found.because == "other is not in the experiment (and 1 more)"


def test_a_strike_must_have_been_seen_to_strike_and_been_watched():
    """Requirement F2: it has nothing to be given back; without its proof, or cut short, it is unknown."""
    strike = Held("flush", "redis.flush", strike=True)
    found = part(strike)
    assert found.answer is Answer.PASS
    assert found.because == "the strike was seen to strike"
    assert found.data["faults"][0]["strike"] is True
    assert found.data["faults"][0]["clear_s"] == found.data["faults"][0]["confirmed_s"] == 19.05
    assert found.evidence == ("flush: 900 keys, then 0",)
    never = part(Held("flush", strike=True, without=(KIND.STRUCK,), trouble="refused"))
    assert never.answer is Answer.UNKNOWN
    assert "flush was never seen to strike" in never.evidence
    short = part(strike, extra=(Event(20.0, KIND.PHASE, "recovery"),))
    assert short.answer is Answer.UNKNOWN
    assert "was watched for 0.95 s of the planned 8 s" in short.because
    assert part(Held(), strike.but(begin_s=36.0, length_s=2.0)).because == (
        "the fault was confirmed and cleared, the strike was seen to strike"
    )


def test_a_strike_that_the_experiment_holds_is_unknown():
    """Something else was done than was planned, either way."""
    for planned, done in ((False, True), (True, False)):
        scene = Scene(faults=(Held(strike=done),))
        record = scene.record()
        spec = replace(record.experiment.faults[0], strike=planned)
        case = replace(scene.case(), record=replace(record, experiment=replace(record.experiment, steps=(spec,))))
        found = check_faults(case)
        assert found.answer is Answer.UNKNOWN
        assert "the record has it otherwise" in found.because


def test_no_fault_at_all_passes_and_says_so():
    """A plain load test."""
    assert part().because == "the experiment has no fault"
    assert part(Held()).because == "the fault was confirmed and cleared"


def test_a_fault_that_was_asked_for_twice_is_unknown():
    """What is repeated has a name for each time; under one name only the first time would be looked at."""
    found = part(Held(), extra=(Event(30.0, KIND.REQUESTED, "redis-down"),))
    assert found.answer is Answer.UNKNOWN
    assert "redis-down was requested 2 times" in found.because


def test_what_is_not_in_the_events_is_told_from_the_experiment_and_the_other_way_round():
    """The account of a fault has its kind, its part and its name whichever of the two has it."""
    both = part(Held()).data["faults"][0]
    assert (both["kind"], both["on"], both["of"], both["planned_s"]) == ("toxiproxy.down", "redis", "redis-down", 8.0)
    record = Scene().record()
    unasked = prepare(replace(record, events=()), finished=True)
    planned = check_faults(unasked).data["faults"][0]
    assert (planned["kind"], planned["on"], planned["of"]) == ("toxiproxy.down", "redis", "redis-down")
    assert (planned["requested_s"], planned["confirmed_s"], planned["strike"]) == (None, None, False)
    unplanned = prepare(replace(record, experiment=Scene(faults=()).experiment()))
    seen = check_faults(unplanned).data["faults"][0]
    assert (seen["kind"], seen["on"], seen["of"], seen["planned_s"]) == ("toxiproxy.down", "redis", "redis-down", None)
    group = replace(record, experiment=Scene(faults=(Held(group="storm", of="outage", strike=True),)).experiment())
    told = check_faults(prepare(replace(group, events=()))).data["faults"][0]
    assert (told["group"], told["of"], told["strike"]) == ("storm", "outage", True)


def test_every_trouble_is_in_the_evidence_and_the_first_in_the_reason():
    """One alone is the reason; of several it says how many more there are, and what was seen of the others stays."""
    alone = part(Held(trouble="cannot enable the proxy"))
    assert alone.because == "redis-down had a problem (inject: cannot enable the proxy)"
    assert alone.evidence == (alone.because, "redis-down: connection refused", "redis-down: connection accepted")
    two = part(Held(trouble="cannot enable the proxy", without=(KIND.CLEAR,)))
    assert two.because == f"{alone.because} (and 1 more)"
    assert two.evidence[:2] == (alone.because, "redis-down was never seen gone: the target may still be disturbed")


def test_held_for_nine_tenths_is_enough_and_not_a_moment_less():
    """From 19.05 s, 8 s planned: 7.2 s must have gone by before it was asked to go."""

    def ended(at_s):
        return part(Held(without=(KIND.REVERTING,)), extra=(Event(at_s, KIND.REVERTING, "redis-down"),)).answer

    assert ended(19.05 + 7.2001) is Answer.PASS
    assert ended(19.05 + 7.1999) is Answer.UNKNOWN


@pytest.mark.parametrize("kind", [KIND.REQUESTED, KIND.CONFIRMED, KIND.REVERTING, KIND.CLEAR])
def test_no_instant_may_be_out_of_order(kind):
    """Each of the four, put where it cannot be."""
    wrong_s = 40.0 if kind in {KIND.REQUESTED, KIND.CONFIRMED} else 19.01
    detail = {"kind": "toxiproxy.down", "on": "redis"} if kind is KIND.REQUESTED else {}
    record = Scene(faults=(Held(without=(kind,)),), extra=(Event(wrong_s, kind, "redis-down", detail),)).record()
    found = check_faults(prepare(record))
    assert any("in an order that cannot be" in str(text) for text in found.evidence), found.evidence


def test_without_a_fault_there_is_nothing_to_see():
    """An experiment that only loads its target passes this part, and says why."""
    found = part()
    assert (found.answer, found.because, found.data["faults"]) == (Answer.PASS, "the experiment has no fault", [])
