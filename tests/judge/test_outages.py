"""How one cycle ends: relapses, stumbles, what remains, and what nobody watched to its end."""

import pytest

from resilience.judge.recovery import check_recovery
from resilience.model import Answer, Recovery
from tests.judge.builder import Held, Scene, Spell

DOWN = Spell(19.1, 27.6, "failed")


def part(*spells, **changes):
    return check_recovery(Scene(spells=spells, **changes).case())


def cycle(*spells, **changes):
    return part(*spells, **changes).data["recovery"]["cycles"][0]


def test_a_short_relapse_of_failures_moves_recovery():
    """Requirement J3: half a second of failures after recovery is service lost again; of slowness it is a stumble."""
    lost = cycle(DOWN, Spell(34.0, 34.6, "failed"))
    assert (lost["answer"], lost["relapses"]) == ("pass", 1)
    assert lost["recovered_s"] == pytest.approx(34.6, abs=0.1)
    slow = cycle(DOWN, Spell(34.0, 34.6, "slow"))
    assert (slow["answer"], slow["relapses"]) == ("pass", 0)


def test_a_stall_of_the_machine_that_loses_a_few_operations_is_no_failure_to_recover():
    """Requirement J3: six of a thousand operations at once, long after recovery or without any impact before it."""
    for spells in ((DOWN, Spell(34.0, 34.03, "degraded")), (Spell(34.0, 34.03, "degraded"),)):
        found = part(*spells)
        assert found.answer is Answer.PASS, found.because


@pytest.mark.parametrize("share", [0.01, 0.02])
def test_a_few_errors_for_ever_are_no_recovery(share):
    """Planted bug B25: one in a hundred, after recovery, at the counts of the shipped experiments: never pass."""
    told = []
    for seed in range(6):
        found = part(DOWN, Spell(27.6, 99.0, "failed", share), seed=seed, end_s=37.0)
        assert found.answer is not Answer.PASS, (seed, found.because)
        told.append("were not well when it should have been over" in found.because)
    assert sum(told) >= 4  # of two in a hundred, bins sometimes do not hold: then it is too short to tell


def test_a_lucky_stretch_among_errors_for_ever_is_no_recovery():
    """Three of a hundred: bins hold for a few seconds at last, by chance; what was found in them counts, too."""
    for seed in range(4):
        found = part(
            Spell(19.0, 22.4, "failed"), Spell(22.4, 99.0, "failed", 0.031), faults=(Held(length_s=3.4),), seed=seed
        )
        assert found.answer is not Answer.PASS, (seed, found.because)


def test_stragglers_that_die_away_are_no_residue():
    """Four of a hundred for two seconds after recovery, and then none."""
    found = part(DOWN, Spell(27.6, 30.0, "failed", 0.03))
    assert found.answer is Answer.PASS, found.because


def test_what_would_have_been_found_is_said():
    """A pass says how small a residue it would have seen."""
    found = part(DOWN)
    assert any("that remain for ever would be found afterwards" in str(line) for line in found.evidence)
    (only,) = found.data["recovery"]["cycles"]
    assert "operations, 95 %" in only["notes"][0]


def test_service_lost_again_at_the_very_end_is_unknown():
    """Too short for a relapse, and nobody saw what came of it: after an outage, and without one before."""
    for spells in ((DOWN,), ()):
        found = part(*spells, Spell(41.4, 99.0, "failed"))
        assert found.answer is Answer.UNKNOWN, found.because
        assert "lost again at the end of what was observed" in found.because
    assert part(DOWN, Spell(41.6, 99.0, "slow")).answer is Answer.PASS


def test_the_mean_of_a_cycle_without_end_is_at_least_what_was_seen():
    """Requirement J3: right-censored: no mean, what it is at least, and never a mean of the others."""
    faults = (Held("a", length_s=2.0), Held("b", begin_s=34.0, length_s=2.0))
    found = part(Spell(19.1, 21.1, "failed"), Spell(34.1, 99.0, "failed"), faults=faults, end_s=50.0)
    data = found.data["recovery"]
    assert found.answer is Answer.FAIL
    assert data["mttr_s"] is None
    assert data["mttr_at_least_s"] == pytest.approx((2.0 + 15.9) / 2, abs=0.3)
    assert "at least" in data["interval"]
    assert data["proven_share"] is None


def longer(*lengths, gate="each", limit_s=300.0):
    faults = tuple(Held(f"f{n}", of="f", begin_s=19.0 + 20 * n, length_s=2.0) for n in range(len(lengths)))
    spells = tuple(Spell(19.1 + 20 * n, 19.1 + 20 * n + length, "failed") for n, length in enumerate(lengths))
    recovery = Recovery(hold_s=4.0, limit_s=limit_s, gate=gate)
    return part(*spells, faults=faults, end_s=19.0 + 20 * len(lengths), recovery=recovery, rate=150.0)


def test_a_recovery_that_takes_longer_each_time_is_told():
    """Planted bug B21: a leak that each fault makes worse; the verdict says so, and when the limit will be passed."""
    found = longer(3.0, 5.0, 7.0, limit_s=15.0)
    (trend,) = found.data["recovery"]["trends"]
    assert trend["longer_each_time"] is True
    assert trend["per_cycle_s"] == pytest.approx(2.0, abs=0.1)
    assert found.answer is Answer.PASS
    assert "took longer each time after f" in found.because
    assert any("the limit of 15 s is passed" in str(line) for line in found.evidence)
    steady = longer(3.0, 3.01, 3.0)
    assert steady.data["recovery"]["trends"][0]["longer_each_time"] is False
    assert "longer each time" not in steady.because
    assert longer(3.0, 5.0).data["recovery"]["trends"] == []


def test_the_gate_says_what_must_be_within_the_limit():
    """Each cycle; a bound of the mean as well, for which two cycles are too few; or the mean alone."""
    assert longer(3.0, 4.0, gate="each", limit_s=10.0).answer is Answer.PASS
    few = longer(3.0, 4.0, gate="bound", limit_s=10.0)
    assert few.answer is Answer.UNKNOWN
    assert "needs 3 cycles of each fault: f" in few.because
    assert longer(3.0, 4.0, 3.5, gate="bound", limit_s=10.0).answer is Answer.PASS
    assert longer(3.0, 4.0, 9.0, gate="bound", limit_s=8.0).answer is Answer.FAIL
    uneven = longer(2.0, 8.0, gate="mean", limit_s=6.0)
    assert uneven.answer is Answer.PASS, uneven.because
    assert longer(2.0, 8.0, gate="each", limit_s=6.0).answer is Answer.FAIL
    too_long = longer(7.0, 8.0, gate="mean", limit_s=6.0)
    assert too_long.answer is Answer.FAIL
    assert {one["answer"] for one in too_long.data["recovery"]["operations"].values()} == {"fail"}
    wide = longer(2.0, 3.0, 11.0, gate="mean", limit_s=7.0)
    assert wide.answer is Answer.UNKNOWN
    assert "upper bound of the mean" in wide.because


def test_the_share_that_is_proven_counts_cycles_within_the_limit():
    """Requirement J3: 0.05^(1/n) of n cycles; nothing is proven by a mean that hides a long one."""
    assert longer(3.0, 4.0).data["recovery"]["proven_share"] == pytest.approx(0.05**0.5)
    assert longer(2.0, 8.0, gate="mean", limit_s=6.0).data["recovery"]["proven_share"] is None


def test_how_exact_bins_alone_would_be_is_said():
    """Requirement J3: width of a bin, time between two operations, and the baseline's p99."""
    found = part(DOWN, rate=220.0).data["recovery"]
    assert found["coarse_resolution_s"] == pytest.approx(0.25 + 1 / 220 + 0.01, abs=0.006)
