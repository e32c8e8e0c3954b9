"""Coverage: what a verdict says that it covers, and what not."""

from dataclasses import replace

import pytest

from resilience.judge.verdict import judge
from resilience.model import Answer, EventKind
from tests.judge.builder import Held, Scene, honest


def covered(scene):
    return judge(scene.record()).document["coverage"]


def test_a_pass_says_what_it_is_a_pass_of():
    """Requirement J4: faults with proof, acknowledgements inside each, the crash model, cycles and what they bound."""
    verdict = judge(honest().record())
    found = verdict.document["coverage"]
    assert verdict.answer is Answer.PASS
    assert verdict.because.endswith(found["because"])
    (fault,) = found["faults"]
    assert (fault["proved_active"], fault["proved_gone"]) == (True, True)
    assert fault["proof"] == ["connection refused", "connection accepted"]
    assert fault["acknowledged"] == pytest.approx(8 * 4 * 200 / 40, abs=10)
    assert (found["acknowledged"], found["proved"], found["cycles"]) == (800, 1, 1)
    assert found["proven_share"] == pytest.approx(0.05)
    assert found["resolution_s"] > 0
    text = " ".join(found["not_covered"])
    for words in ("crash of the operating system", "toxiproxy.down on redis", "One level of load", "seen 1 times"):
        assert words in text


def test_cycles_bound_the_share_of_what_is_written_once():
    """Three times one fault: 37 %; a kind that was tried once bounds no more than once."""
    times = tuple(Held(f"down-{n}", of="down", begin_s=19.0 + 9 * n, length_s=4.0) for n in range(3))
    found = covered(Scene(faults=times, end_s=50.0))
    assert (found["cycles"], found["cycles_of_each"]) == (3, 3)
    assert found["proven_share"] == pytest.approx(0.05 ** (1 / 3))
    other = (*times[:2], Held("hung", kind="process.pause", begin_s=37.0, length_s=4.0))
    assert covered(Scene(faults=other, end_s=50.0))["cycles_of_each"] == 1


def test_without_a_ledger_nothing_is_said_of_writes():
    """Null is not 0, and it is said."""
    found = covered(Scene())
    assert (found["acknowledged"], found["crash_model"], found["faults"][0]["acknowledged"]) == (None, None, None)
    assert "No write ledger was declared" in " ".join(found["not_covered"])


def test_a_fault_that_nobody_saw_is_not_covered():
    """Never confirmed, or never clear."""
    for kind, words in ((EventKind.CONFIRMED, "never observed active"), (EventKind.CLEAR, "never observed to be gone")):
        found = covered(honest(faults=(Held(without=(kind,)),)))
        assert found["proved"] == 0
        assert any(words in line for line in found["not_covered"])


def test_a_fault_without_a_write_of_its_own_is_told():
    """Acknowledged before and after only: what was in flight then had nothing to lose."""
    scene = honest()
    at_ns = scene.lines.at_ns
    away = (at_ns >= 19 * 10**9) & (at_ns < 27.2 * 10**9)
    lines = replace(
        scene.lines,
        **{name: getattr(scene.lines, name)[~away] for name in ("writer", "epoch", "seq", "mark", "status", "at_ns")},
    )
    found = covered(scene.but(lines=lines))
    assert found["faults"][0]["acknowledged"] == 0
    assert any("No write was acknowledged during redis-down" in line for line in found["not_covered"])


def test_no_fault_covers_none():
    """A load test alone says so."""
    assert covered(Scene(faults=()))["because"] == "covers no fault: nothing was injected"
