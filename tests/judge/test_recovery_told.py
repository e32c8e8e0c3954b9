"""What is told of recovery: the numbers of all cycles by name, and one sentence about their mean, longest and limit."""

from dataclasses import replace

import pytest

from resilience.judge.case import prepare
from resilience.judge.cycles import Cycle, find_interval
from resilience.judge.recovery import _data, _decide, _proven, check_recovery
from resilience.model import Answer, Recovery
from tests.judge.builder import Held, Scene, Spell

LIMIT = Recovery(limit_s=10.0)
KEYS = {
    *("mttr_s", "mttr_low_s", "mttr_high_s", "mttr_at_least_s", "interval", "limit_s", "gate", "proven_share"),
    *("coarse_resolution_s", "trends", "cycles", "operations"),
}


def cycle(outage_s=2.0, **changes):
    """One that was felt and recovered from."""
    plain = Cycle("f", "x on y", Answer.PASS, "it was", impact="outage", outage_s=outage_s, clear_to_recovered_s=0.5)
    return replace(plain, **{"faults": ("f",)} | changes)


def decided(*cycles, recovery=LIMIT):
    case = Scene(faults=(Held("f"),), recovery=recovery).case()
    return _decide(case, cycles, find_interval(cycles, 0.2))


def test_a_run_without_a_fault_has_nothing_to_recover_from():
    """And every key, with nothing in it but the limit."""
    part = check_recovery(Scene(faults=(), recovery=LIMIT).case())
    assert (part.name, part.answer, part.because) == (
        *("recovery", Answer.PASS),
        "there was no fault to recover from",
    )
    told = part.data["recovery"]
    assert set(told) == KEYS
    assert {name: value for name, value in told.items() if value} == {
        "interval": "no cycle with visible impact",
        "limit_s": 10.0,
        "gate": LIMIT.gate,
    }


def test_a_declared_fault_that_never_was_is_no_run_without_faults():
    """Nor is one that was and is not declared: neither can pass."""
    never = Scene(faults=(Held("f"),), recovery=LIMIT)
    record = never.record()
    silent = tuple(event for event in record.events if event.name != "f" and event.detail.get("fault") != "f")
    assert check_recovery(prepare(replace(record, events=silent))).answer is Answer.UNKNOWN
    undeclared = replace(record, experiment=replace(record.experiment, steps=()))
    assert len(check_recovery(prepare(undeclared)).data["recovery"]["cycles"]) == 1


def test_the_numbers_are_those_of_all_cycles():
    """Mean and bounds, with their meaning, the trend of cycles that are alike, and what is proven."""
    cycles = [cycle(1.0), cycle(2.0), cycle(4.0)]
    case = Scene(recovery=LIMIT).case()
    interval = find_interval(cycles, 0.2)
    told = _data(case, cycles, interval)["recovery"]
    assert set(told) == KEYS
    assert (told["mttr_s"], told["mttr_low_s"], told["mttr_high_s"]) == (
        interval.mean_s,
        interval.low_s,
        interval.high_s,
    )
    assert told["interval"] == interval.meaning
    assert told["cycles"] == [one.json() for one in cycles]
    assert [trend["times_s"] for trend in told["trends"]] == [[1.0, 2.0, 4.0]]
    assert told["proven_share"] == pytest.approx(0.05 ** (1 / 3))
    stuck = [cycle(3.0), cycle(None, lost_so_long_s=5.0, answer=Answer.FAIL)]
    assert _data(case, stuck, find_interval(stuck, 0.2))["recovery"]["mttr_at_least_s"] == 4.0


@pytest.mark.parametrize(
    ("cycles", "proven"),
    [
        ([], False),
        ([cycle()], True),
        ([cycle(9.999)], True),
        ([cycle(10.0)], False),
        ([cycle(), cycle(11.0)], False),
        ([cycle(11.0), cycle()], False),
        ([cycle(None, impact="none")], True),
        ([cycle(answer=Answer.UNKNOWN)], False),
        ([cycle(), cycle(answer=Answer.FAIL)], False),
    ],
)
def test_a_share_is_proven_only_if_every_cycle_passed_within_the_limit(cycles, proven):
    """One that was not felt took no time."""
    assert (_proven(cycles, 10.0) is not None) is proven


def test_what_is_proven_grows_with_the_cycles():
    """One says little, many say more."""
    assert _proven([cycle()], 10.0) == pytest.approx(0.05)
    assert _proven([cycle()] * 59, 10.0) == pytest.approx(0.95, abs=0.001)


def test_mean_longest_and_time_after_the_fault_are_said():
    """Of the cycles that were felt; one that was not is in none of them."""
    answer, said = decided(cycle(2.0), cycle(3.0, clear_to_recovered_s=1.5), cycle(None, impact="none"))
    assert answer is Answer.PASS
    assert said == (
        "full service was back 2.50 s after it was lost on average and 3.00 s at most, "
        "1.00 s after the fault was clear (2 cycles, limit 10 s)"
    )
    assert "(1 cycle, limit" in decided(cycle(0.25, clear_to_recovered_s=None))[1]
    assert "0.00 s after the fault was clear" in decided(cycle(0.25, clear_to_recovered_s=None))[1]


@pytest.mark.parametrize(
    ("cycles", "answer"),
    [
        ((cycle(9.9),), Answer.PASS),
        ((cycle(10.0),), Answer.FAIL),
        ((cycle(5.0), cycle(14.9)), Answer.PASS),
        ((cycle(5.0), cycle(15.0)), Answer.FAIL),
        ((cycle(1.0), cycle(2.0), cycle(9.0)), Answer.UNKNOWN),  # its mean is within the limit, its bound is not
        ((cycle(1.0), cycle(answer=Answer.UNKNOWN)), Answer.UNKNOWN),
        ((cycle(answer=Answer.UNKNOWN), cycle(answer=Answer.FAIL)), Answer.FAIL),
        ((cycle(None, impact="none"),), Answer.PASS),
        ((cycle(faults=("other",)),), Answer.UNKNOWN),
        ((), Answer.UNKNOWN),
    ],
)
def test_the_mean_must_be_below_the_limit_and_every_fault_seen(cycles, answer):
    """Requirement J3: the limit itself is too long."""
    assert decided(*cycles)[0] is answer


def test_what_is_seen_of_a_whole_run_is_evidence():
    """Each cycle, what the interval means, each operation, and how normal service was told."""
    spells = (Spell(19.1, 27.6, "failed"),)
    part = check_recovery(Scene(spells=spells, recovery=Recovery(hold_s=4.0, limit_s=300.0)).case())
    told = part.data["recovery"]
    assert told["cycles"][0]["because"] in part.evidence
    assert told["interval"] in part.evidence
    assert any("prove, with 95 % confidence, only P" in line for line in part.evidence)
    assert {line.partition(": ")[0] for line in part.evidence} >= set(told["operations"])
    assert len(told["operations"]) > 1
    assert part.evidence[-1].startswith("full service is ok, not degraded and within ")
    assert told["coarse_resolution_s"] > 0
