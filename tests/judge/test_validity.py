"""Validity: whatever is wrong with the run itself makes it unknown, and never fails the target."""

from dataclasses import replace

import numpy as np
import pytest

from resilience.judge.case import prepare
from resilience.judge.validity import check_validity
from resilience.model import Answer, Event, EventKind, Load
from tests.judge.builder import OPERATIONS, Held, Scene, Spell

KIND = EventKind


def part(*, finished=True, **changes):
    return check_validity(Scene(**changes).case(finished=finished))


def test_a_sound_run_is_valid():
    """Every operation accounted for; with details per operation too."""
    found = part()
    assert found.answer is Answer.PASS
    assert "10,500 operations all accounted for" in found.because


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"problems": ("samples/p1.parquet is torn",)}, "p1.parquet is torn"),
        ({"without": (KIND.END,)}, "the end of the last phase is missing"),
        ({"without": (KIND.FOOTER,)}, "its footer is missing"),
        ({"without": (KIND.LOAD,)}, "0 accounts of the load generator"),
        ({"extra": (Event(30, KIND.PROBLEM, "reaper", {"message": "was gone"}),)}, "reaper: was gone"),
        ({"extra": (Event(30, KIND.PROBLEM),)}, "the run: a problem without words"),
        ({"extra": (Event(30, KIND.INTERRUPTED, "", {"reason": "SIGTERM"}),)}, "interrupted: SIGTERM"),
        ({"account": {"offered": 10_501}}, "does not close"),
        ({"account": {"ok": 10_499, "failed": 1}}, "has 10,499 ok, the record has 10,500"),
        ({"account": {"dropped": None}}, "is incomplete"),
        ({"account": {"per_operation": {"read-item": {"offered": 1}}}}, "account of read-item is incomplete"),
        ({"account": {"per_operation": {"read-item": 3}}}, "account of read-item is incomplete"),
        ({"spells": (Spell(0, 99, "failed", operation="place-order"),)}, "place-order was never ok"),
        ({"load": Load(rate=270, operations=OPERATIONS)}, "where the load's profile has 4,050"),
        ({"without": (KIND.PHASE,)}, "there was no baseline"),
        ({"faults": (Held("other"),), "extra": ()}, ""),
    ],
)
def test_what_is_wrong_with_a_run_makes_it_unknown(changes, told):
    """One sentence for each problem; all of them in the evidence."""
    found = part(**changes)
    if not told:
        assert found.answer is Answer.PASS
        return
    assert found.answer is Answer.UNKNOWN
    assert told in " | ".join(found.evidence)


def test_a_planned_phase_that_did_not_take_place_is_unknown():
    """A run that ended early: the fault of the plan never came."""

    class Early(Scene):
        def events(self, samples):
            return tuple(event for event in super().events(samples) if event.name not in {"fault", "recovery"})

    found = check_validity(Early().case())
    assert "the planned phase fault(redis-down) did not take place" in found.evidence


def test_zero_traffic_is_unknown(silent_baseline):
    """Harness mutant H9: no traffic has no errors, and proves nothing; nor has a silent baseline."""
    none = Scene(rate=0.01)
    found = check_validity(none.case())
    assert "there was no traffic at all" in found.evidence
    found = check_validity(silent_baseline.case())
    assert "baseline had 0 operations where the load's profile has 3,750" in " | ".join(found.evidence)


class Late(Scene):
    """Everything starts 150 ms after it was due."""

    shift_ns = 150_000_000

    def samples(self):
        """Shifted."""
        samples = super().samples()
        start = samples.start_ns + self.shift_ns
        return type(samples)(
            samples.operations,
            samples.details,
            samples.arrival_ns,
            start,
            np.maximum(start, samples.end_ns) + abs(self.shift_ns),
            samples.operation,
            samples.outcome,
            samples.status,
            samples.degraded,
            samples.detail,
            samples.shed,
        )


class Backwards(Late):
    """Everything starts before it was due."""

    shift_ns = -1


def test_a_slow_generator_is_not_the_target():
    """Requirement L2: start lag in the baseline beyond the limit."""
    found = check_validity(Late().case())
    assert found.answer is Answer.UNKNOWN
    assert "the generator, not the target" in found.because


def test_a_clock_that_went_back_is_unknown():
    """Harness mutant H10."""
    assert "a clock went back" in check_validity(Backwards().case()).because


def test_a_run_in_progress_needs_no_footer_and_no_account():
    """Before the method."""
    assert part(finished=False, until_s=19.0).answer is Answer.PASS
    assert part(finished=False, until_s=19.0, problems=("damaged",)).answer is Answer.UNKNOWN


def test_planned_phases_took_place_in_the_order_of_the_plan():
    """Each as often as planned: a cycle that is missing is not hidden by another of the same fault."""
    scene = Scene(faults=(Held("one"), Held("two", begin_s=36.0, length_s=1.0)))
    record = scene.record()
    assert check_validity(prepare(record)).answer is Answer.PASS
    planned = (*record.plan.phases, *record.plan.phases[-2:])
    twice = replace(record, plan=replace(record.plan, phases=planned))
    found = check_validity(prepare(twice))
    assert found.answer is Answer.UNKNOWN
    assert found.evidence == (
        "the planned phase fault(two) did not take place",
        "the planned phase recovery did not take place",
    )
    turned = replace(record, plan=replace(record.plan, phases=tuple(reversed(record.plan.phases))))
    assert check_validity(prepare(turned)).answer is Answer.UNKNOWN
