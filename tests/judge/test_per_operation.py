"""Each kind of operation by itself: what is rare in the mix may stay broken while nearly all is well."""

from dataclasses import replace

import numpy as np
import pytest

from resilience.judge.quantiles import FAILED
from resilience.judge.recovery import check_recovery
from resilience.model import Answer, Load
from tests.judge.builder import NAMES, OPERATIONS, Held, Scene, Spell


def rare(*broken, critical=True, rate=500.0, **changes):
    """A run in which `place-order` is 2.5 % of the mix, and is `failed` or `slow` (0.6 s) from and to some instants."""
    weights = (77.5, 20.0, 2.5)
    operations = [replace(one, weight=weight) for one, weight in zip(OPERATIONS, weights, strict=True)]
    operations[2] = replace(operations[2], critical=critical)

    class Rare(Scene):
        def samples(self):
            samples = super().samples()
            orders = np.flatnonzero(samples.operation == 2)
            operation = samples.operation.copy()
            operation[orders[np.arange(len(orders)) % 4 != 0]] = 0
            outcome, end_ns = samples.outcome.copy(), samples.end_ns.copy()
            for what, begin_s, end_s in broken:
                hit = (operation == 2) & (samples.arrival_ns >= begin_s * 1e9) & (samples.arrival_ns < end_s * 1e9)
                outcome[hit & (what == "failed")] = FAILED
                end_ns[hit & (what == "slow")] += 600_000_000
            return replace(samples, operation=operation, outcome=outcome, end_ns=end_ns)

    return check_recovery(Rare(rate=rate, load=Load(rate=rate, operations=tuple(operations)), **changes).case())


def test_each_operation_has_its_own_times():
    """Requirement J3: reads are back after two seconds, orders after eight; what was not hit had no impact."""
    spells = (Spell(19.1, 21.1, "failed", operation="read-item"), Spell(19.1, 27.1, "failed", operation="place-order"))
    found = check_recovery(Scene(spells=spells).case()).data["recovery"]
    by = found["operations"]
    assert list(by) == list(NAMES)
    assert by["read-item"]["mttr_s"] == pytest.approx(2.0, abs=0.1)
    assert by["place-order"]["mttr_s"] == pytest.approx(8.0, abs=0.3)
    assert by["read-order"]["cycles"][0]["impact"] == "none"
    assert [one["answer"] for one in by.values()] == ["pass"] * 3
    assert found["mttr_s"] == pytest.approx(8.0, abs=0.5)


def test_three_cycles_of_an_operation_have_an_interval():
    """Requirement J3: a mean with its bounds, of each operation."""
    faults = tuple(Held(f"f{n}", of="f", begin_s=19.0 + 14 * n, length_s=3.0) for n in range(3))
    spells = tuple(Spell(19.1 + 14 * n, 22.0 + 14 * n, "failed", operation="read-order") for n in range(3))
    found = check_recovery(Scene(faults=faults, spells=spells, end_s=62.0).case()).data["recovery"]["operations"]
    one = found["read-order"]
    assert one["interval"].startswith("bounds of the mean of 3 cycles")
    assert one["mttr_low_s"] <= one["mttr_s"] <= one["mttr_high_s"]
    assert one["mttr_s"] == pytest.approx(2.9, abs=0.2)
    assert len(one["cycles"]) == 3


def test_a_critical_operation_that_stays_broken_fails_the_part():
    """Requirement J3: one in forty operations fails for ever; all together are in their band, and it is no pass."""
    found = rare(("failed", 19.1, 99.0))
    operation = found.data["recovery"]["operations"]["place-order"]
    assert operation["answer"] == "fail"
    assert found.answer is Answer.FAIL


def test_a_critical_operation_that_stays_slow_fails_the_part():
    """Late for ever is not recovered, and the verdict says which operation it was; of one that is not critical, too."""
    slow = ("slow", 19.1, 99.0)
    found = rare(slow)
    assert found.answer is Answer.FAIL
    assert "place-order by itself did not recover" in found.because
    relaxed = rare(slow, critical=False)
    assert relaxed.answer is Answer.PASS
    assert relaxed.data["recovery"]["operations"]["place-order"]["answer"] == "fail"
    assert any(str(line).startswith("place-order: fail") for line in relaxed.evidence)


def test_an_operation_that_is_too_rare_is_unknown_by_itself():
    """Too few in the baseline, or a second, to be told apart from chance: never a silent pass."""
    few = rare(rate=200.0)
    assert few.answer is Answer.PASS
    (_, _, orders) = few.data["recovery"]["operations"].values()
    assert (orders["answer"], orders["mttr_s"], orders["cycles"]) == ("unknown", None, [])
    assert "at least 150 are needed" in orders["because"]
    assert any("place-order: unknown" in str(line) for line in few.evidence)


def test_an_operation_that_is_never_offered_is_unknown():
    """Declared and never drawn."""

    class Never(Scene):
        def samples(self):
            samples = super().samples()
            return samples.where(samples.operation != 2)

    found = check_recovery(Never(load=Load(rate=225.0, operations=OPERATIONS)).case())
    assert found.data["recovery"]["operations"]["place-order"]["answer"] == "unknown"


def test_a_slow_rate_is_unknown_though_the_baseline_is_long():
    """Fewer than ten a second leave bins empty by chance."""

    class Long(Scene):
        def events(self, samples):
            events = super().events(samples)
            return tuple(replace(event, at_s=0.5) if event.name == "baseline" else event for event in events)

    found = check_recovery(Long(rate=80.0, end_s=60.0, faults=(Held(begin_s=34.0),)).case())
    orders = found.data["recovery"]["operations"]["place-order"]
    assert orders["answer"] == "unknown"
    assert "operations a second are too few" in orders["because"]


@pytest.mark.parametrize("seed", range(6))
def test_no_operation_of_a_target_that_is_well_again_is_said_not_to_be(seed):
    """Requirement J3: no false fail of an operation, with failures by chance and all kinds hit at random."""
    spells = (Spell(0.0, 99.0, "failed", 0.004), Spell(19.1, 26.0 + seed / 3, "failed", 0.5))
    found = check_recovery(Scene(seed=seed, spells=spells, rate=150.0).case())
    answers = {one["answer"] for one in found.data["recovery"]["operations"].values()}
    assert found.answer is Answer.PASS, found.because
    assert "fail" not in answers


def test_what_its_last_operations_do_not_show_is_unknown():
    """Out of its band too often to hold, by the rule; but of its last operations nearly all were well."""
    now_and_then = [("slow", 27.5 + 3.0 * n, 28.1 + 3.0 * n) for n in range(5)]
    found = rare(("failed", 19.1, 27.5), *now_and_then, ("slow", 41.0, 41.5), critical=True)
    orders = found.data["recovery"]["operations"]["place-order"]
    assert found.answer is Answer.PASS, found.because
    assert orders["answer"] == "unknown", orders["because"]
