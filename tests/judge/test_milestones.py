"""What lies between losing service and having it back, against planted truth; nothing is told that was not seen."""

from dataclasses import replace

import numpy as np
import pytest

from resilience.judge.recovery import check_recovery
from resilience.model import Load, Operation, Recovery, Service, StackSpec
from tests.judge.builder import OPERATIONS, Held, Scene, Spell

SOON = 0.05


def cycle(*spells, **changes):
    (found,) = check_recovery(Scene(spells=spells, **changes).case()).data["recovery"]["cycles"]
    return found


def test_a_fallback_after_two_seconds_is_mitigation():
    """Requirement J3: failures until the breaker opens, degraded answers until half a second after the fault."""
    found = cycle(Spell(19.1, 21.1, "failed"), Spell(21.1, 27.6, "degraded"))
    for name in ("first_success_s", "full_throughput_s", "mitigated_s", "detected_s"):
        assert found[name] == pytest.approx(21.1, abs=SOON), name
    assert found["time_to_mitigate_s"] == pytest.approx(2.0, abs=SOON)
    assert found["time_to_first_success_s"] == pytest.approx(2.0, abs=SOON)
    assert found["time_to_detect_s"] == pytest.approx(2.05, abs=SOON)
    assert found["recovered_s"] == pytest.approx(27.6, abs=SOON)
    assert found["detected_by"] == "a degraded answer"


def test_answers_that_are_late_are_throughput_and_no_mitigation():
    """Requirement J3: nothing for two seconds, everything late for three more, degraded for three more, then well."""
    found = cycle(Spell(19.1, 21.1, "failed"), Spell(21.1, 24.1, "slow"), Spell(24.1, 27.1, "degraded"))
    assert found["full_throughput_s"] == pytest.approx(21.1, abs=SOON)
    assert found["first_success_s"] == pytest.approx(21.7, abs=SOON)  # it was due at 21.1 and took 0.6 s
    assert found["mitigated_s"] == pytest.approx(24.1, abs=SOON)
    assert found["recovered_s"] == pytest.approx(27.1, abs=SOON)


def test_degraded_from_the_first_moment_was_mitigated_at_once():
    """Graceful degradation: no goodput was lost, only full service."""
    found = cycle(Spell(19.1, 27.6, "degraded"))
    assert found["time_to_mitigate_s"] == found["time_to_first_success_s"] == found["time_to_full_throughput_s"] == 0.0


def test_without_a_fallback_mitigation_is_recovery():
    """A hard outage: everything is back at the same instant."""
    found = cycle(Spell(19.1, 27.6, "failed"))
    assert found["mitigated_s"] == found["full_throughput_s"] == found["recovered_s"]
    assert found["first_success_s"] == pytest.approx(27.6, abs=SOON)


def test_what_never_came_back_has_no_instants():
    """Failing to the end: null, and how long it was lost at least; degraded to the end: mitigated and not recovered."""
    found = cycle(Spell(19.1, 99.0, "failed"))
    names = ("first_success_s", "full_throughput_s", "mitigated_s", "recovered_s", "time_to_mitigate_s")
    assert [found[name] for name in names] == [None] * 5
    assert found["lost_so_long_s"] == pytest.approx(42.0 - 19.1, abs=0.3)
    degraded = cycle(Spell(19.1, 23.1, "failed"), Spell(23.1, 99.0, "degraded"))
    assert degraded["mitigated_s"] == pytest.approx(23.1, abs=SOON)
    assert degraded["recovered_s"] is None


def test_a_chance_failure_before_is_no_first_failure():
    """First success comes after what was lost, also where one operation in a hundred fails by chance all the time."""
    found = cycle(Spell(0.0, 42.0, "failed", 0.01), Spell(19.1, 27.6, "failed"))
    assert found["first_success_s"] == pytest.approx(27.6, abs=SOON)


def test_loss_is_counted_in_seconds_and_in_operations():
    """Requirement J3: 8.5 s without service, or with half of it; and none beyond the limit after the injection."""
    whole, half = cycle(Spell(19.1, 27.6, "failed")), cycle(Spell(19.1, 27.6, "failed", 0.5))
    assert whole["lost_service_s"] == pytest.approx(8.5, abs=0.1)
    assert whole["lost_operations"] == pytest.approx(8.5 * 250, rel=0.03)
    assert whole["robustness"] == 0.0
    assert half["lost_service_s"] == pytest.approx(4.25, abs=0.3)
    assert half["robustness"] == pytest.approx(0.35, abs=0.15)
    cut = cycle(Spell(19.1, 27.6, "failed"), recovery=Recovery(hold_s=4.0, limit_s=5.0))
    assert cut["lost_service_s"] == pytest.approx(4.9, abs=0.3)


def test_a_longer_quiet_time_afterwards_does_not_change_the_loss():
    """The area is that of the outage, however long is watched, with chance failures all the time."""
    noise = Spell(0.0, 200.0, "failed", 0.005)
    found = [cycle(noise, Spell(19.1, 27.6, "failed"), end_s=end_s, rate=100.0) for end_s in (40.0, 160.0)]
    assert found[0]["lost_service_s"] == pytest.approx(8.5, abs=0.3)
    assert found[1]["lost_service_s"] == pytest.approx(8.5, abs=0.6)


def test_what_the_baseline_says_too_is_no_detection():
    """A stray degraded answer now and then is not the target noticing; many more of them are."""
    stray = Spell(0.0, 42.0, "degraded", 0.004)
    assert cycle(stray)["detected_s"] is None
    assert cycle(stray, Spell(19.1, 27.6, "failed"))["detected_s"] is None
    assert cycle(stray, Spell(21.1, 27.6, "degraded", 0.9))["detected_s"] is not None


def test_refusals_and_readiness_are_signals():
    """503 at once; a readiness that is among the operations, and says no, is the target's own word, too."""
    assert cycle(Spell(19.1, 27.6, "shed"))["detected_by"] == "429 or 503"
    ready = Operation(name="place-order", weight=10, method="GET", path="/ready")

    class Unready(Scene):
        def samples(self):
            samples = super().samples()
            hit = (samples.arrival_ns >= 20e9) & (samples.arrival_ns < 27e9) & (samples.operation == 2)
            return replace(
                samples,
                outcome=np.where(hit, 1, samples.outcome).astype(np.int8),
                status=np.where(hit, 500, samples.status).astype(np.int16),
            )

    stack = StackSpec(service=Service(command=("shop",), ready="/ready"))
    scene = Unready(stack=stack, load=Load(rate=250.0, operations=(*OPERATIONS[:2], ready)))
    (found,) = check_recovery(scene.case()).data["recovery"]["cycles"]
    assert found["detected_by"] == "its readiness"
    assert found["detected_s"] == pytest.approx(20.0, abs=0.3)


def test_instants_keep_their_order():
    """Lost ≤ throughput ≤ mitigated ≤ recovered, for outages of every make; lengths are what lies between."""
    for seed, what in enumerate(("failed", "degraded", "slow", "unknown", "dropped", "shed")):
        spells = (Spell(19.3, 22.0, "failed", 0.6), Spell(21.0, 27.0, what, 0.7, ramp=True))
        found = cycle(*spells, seed=seed, rate=200.0, faults=(Held(length_s=6.0),))
        names = ("degraded_s", "full_throughput_s", "mitigated_s", "recovered_s")
        instants = [found[name] for name in names]
        assert instants == sorted(instants), (what, instants)
        assert found["time_to_mitigate_s"] == pytest.approx(found["mitigated_s"] - found["degraded_s"])
