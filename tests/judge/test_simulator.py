"""The judge against runs whose truth is known: no false pass, no false fail, times as exact as they are said to be.

`RESILIENCE_DRAWS` says how many runs each test draws; sixty in the default suite, thousands by hand.
"""

import itertools
import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from resilience.judge.recovery import check_recovery
from resilience.judge.verdict import CHECKERS, because, judge
from resilience.judge.writes import check_writes
from resilience.model import Answer, Event, EventKind, Part
from tests.judge.builder import Scene, Spell, honest
from tests.judge.simulator import BEGIN_S, BROKEN, FATES, World, draw_writes

DRAWS = int(os.environ.get("RESILIENCE_DRAWS", "60"))

drawn = settings(
    max_examples=DRAWS,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""The same runs every time, and more of them by the environment."""

fewer = settings(drawn, max_examples=max(20, DRAWS // 3))

seeds = st.integers(0, 2**31)
worlds = st.builds(
    World,
    seed=seeds,
    rate=st.sampled_from([100.0, 200.0, 400.0]),
    poisson=st.booleans(),
    delay_s=st.floats(0.0, 2.0),
    length_s=st.floats(0.2, 12.0),
    share=st.floats(0.3, 1.0),
    slope=st.sampled_from(["", "", "falling", "rising"]),
    what=st.sampled_from(["failed", "degraded", "slow", "unknown", "dropped", "shed"]),
    after_s=st.floats(-1.0, 3.0),
    noise=st.sampled_from([0.0, 0.001, 0.005]),
)
SOON = World(
    1, 200.0, poisson=True, delay_s=1.53125, length_s=1.53125, share=0.5, slope="rising", after_s=2.0, noise=0.001
)
"""What it does to clients begins when the fault is clear already, and is brief."""
endless = worlds.map(lambda world: replace(world, length_s=None, slope=""))


def cycle(world):
    found = check_recovery(world.scene().case())
    (only,) = found.data["recovery"]["cycles"]
    return found, only


@drawn
@given(worlds)
def test_no_false_fail(world):
    """Requirement J3: whoever lost service and had it back for good within the limit passes, whatever the shape."""
    verdict = judge(world.scene().record())
    assert verdict.answer is Answer.PASS, verdict.because
    broken = [name for name, one in verdict.document["recovery"]["operations"].items() if one["answer"] == "fail"]
    assert not broken, verdict.document["recovery"]["operations"][broken[0]]["because"]


@fewer
@given(worlds, st.floats(0.05, 0.5))
def test_no_false_fail_on_a_machine_that_stalls(world, stalls):
    """Requirement J3: a machine that is held up now and then, before the fault as after it, is no reason to fail."""
    found = check_recovery(replace(world, noise=0.0, stalls=stalls, watched_s=16.0).scene().case())
    assert found.answer is not Answer.FAIL, found.because


steps = worlds.filter(lambda world: not world.slope and world.length_s > 3.0)


@fewer
@given(steps.map(lambda world: replace(world, what="failed", share=1.0)), st.floats(0.5, 2.0))
@example(World(3, 100.0, delay_s=1.0), 0.5)
def test_milestones_are_where_they_were_played(world, fallback_s):
    """Requirement J3: first success, throughput and mitigation when the fallback begins, recovery at the very end."""
    _, only = cycle(replace(world, fallback_s=fallback_s))
    near, nearly = only["resolution_s"] + 0.05, only["milestones_resolution_s"] + 0.05
    for name in ("first_success_s", "full_throughput_s", "mitigated_s"):
        assert only[name] == pytest.approx(world.lost_s + fallback_s, abs=max(near, nearly)), name
    assert only["recovered_s"] == pytest.approx(world.back_s, abs=near)
    assert only["lost_service_s"] == pytest.approx(world.length_s, abs=0.1 + 2 * near)


@fewer
@given(worlds, st.floats(0.02, 0.05))
@example(
    World(9224055, 250.0, poisson=False, delay_s=2.0, length_s=11.625, share=0.5, slope="falling", after_s=0.0),
    0.0234375,
)
@example(World(67108863, 250.0, delay_s=0.021484375, length_s=7.912109375, after_s=0.0), 0.021484375)
def test_no_false_pass_of_a_few_errors_for_ever(world, share):
    """Planted bug B25: two in a hundred or more from the fault on; of one, some runs show too few to tell."""
    scene = replace(world, rate=250.0, noise=0.0).scene()
    spells = (*scene.spells, Spell(world.back_s, 999.0, "failed", share))
    found = check_recovery(scene.but(spells=spells).case())
    assert found.answer is not Answer.PASS, found.because


@drawn
@given(endless, st.sampled_from(["fault", "relapse"]))
def test_no_false_pass_of_what_never_came_back(world, when):
    """Requirement J3: bad to the end, at once or after it had seemed well: never pass."""
    scene = world.scene()
    if when == "relapse":
        (*noise, outage) = scene.spells
        again = replace(outage, begin_s=outage.end_s - 6.0)
        scene = scene.but(spells=(*noise, replace(outage, end_s=BEGIN_S + 6.0), again))
    found = check_recovery(scene.case())
    assert found.answer is not Answer.PASS, found.because
    assert found.data["recovery"]["mttr_s"] is None


@drawn
@given(worlds.filter(lambda world: world.length_s > 1.0), st.floats(0.1, 0.9))
@example(SOON, 0.5)
def test_no_false_pass_beyond_the_limit(world, part):
    """Requirement J3: a limit that the true outage exceeds by more than its resolution is never said to be met."""
    _, only = cycle(world)
    limit_s = world.length_s * part
    if only["outage_s"] is None or limit_s + only["resolution_s"] >= world.length_s:
        return
    scene = world.scene()
    found = check_recovery(scene.but(recovery=replace(scene.recovery, limit_s=limit_s)).case())
    assert found.answer is Answer.FAIL, found.because


@pytest.mark.parametrize("slope", ["", "falling", "rising"])
@pytest.mark.parametrize("share", [1.0, 0.3])
def test_measured_times_are_within_their_stated_resolution(slope, share):
    """Requirement J3: of outages of 0.2 to 12 s 97 % at least, and none is farther off than four times that."""
    ratios = []
    for seed in range(max(60, DRAWS // 3)):
        length_s = float(np.exp(np.random.default_rng(seed).uniform(np.log(0.2), np.log(12.0))))
        world = World(seed, length_s=length_s, share=share, slope=slope)
        _, only = cycle(world)
        if only["outage_s"] is None:
            assert length_s <= 2 * only["resolution_s"], only["because"]
            continue
        ratios.append(abs(only["outage_s"] - length_s) / only["resolution_s"])
    assert np.mean(np.asarray(ratios) <= 1.0) >= 0.97
    assert max(ratios) <= 4.0


@drawn
@given(seeds, st.dictionaries(st.sampled_from(sorted(FATES)), st.floats(0.0, 0.2)), st.integers(0, 3))
def test_every_write_is_in_its_class_and_in_no_other(seed, shares, phantoms):
    """Requirement J4: figures equal to what was played, for any mixture; fail exactly if a promise was broken."""
    writes = draw_writes(seed, shares | {"kept": 1.0}, phantoms=phantoms)
    found = check_writes(writes.scene(Scene()).case())
    assert {name: found.data["writes"][name] for name in writes.known} == writes.known
    broken = phantoms or any(writes.known[name] for name in ("lost", "duplicated", "corrupted", "stale"))
    broken = broken or writes.known["out_of_order"] or writes.known["rejected_present"]
    assert (found.answer is Answer.FAIL) is bool(broken), found.because


@drawn
@given(seeds, st.sampled_from(sorted(BROKEN)))
def test_one_broken_promise_among_many_writes_is_found(seed, fate):
    """Requirement J4: never pass while anything at all is amiss."""
    writes = draw_writes(seed, {"kept": 1.0, fate: 0.004})
    found = check_writes(writes.scene(Scene()).case())
    whole = draw_writes(seed, {"kept": 1.0}).known["verified"] == writes.known["verified"]
    assert (found.answer is Answer.PASS) is whole, found.because


@drawn
@given(seeds)
def test_order_on_disk_does_not_matter(seed):
    """Samples, rows of the store and files of writers come in any order: the verdict is the same to the last figure."""
    scene = draw_writes(seed, FATES).scene(World(seed).scene())
    record = scene.record()
    rng = np.random.default_rng(seed)
    lines, truth, samples = record.ledger, record.truth, record.samples
    by_writer = np.argsort(lines.writer, kind="stable")
    rows, mixed = rng.permutation(len(truth)), rng.permutation(len(samples))
    columns = ("writer", "epoch", "seq", "intact", "position")
    shuffled = replace(
        record,
        samples=samples.where(mixed),
        ledger=replace(
            lines,
            **{name: getattr(lines, name)[by_writer] for name in ("writer", "epoch", "seq", "mark", "status", "at_ns")},
        ),
        truth=replace(truth, **{name: getattr(truth, name)[rows] for name in columns}),
    )
    assert judge(shuffled).document == judge(record).document


@drawn
@given(worlds, st.floats(0.0, 1.0))
def test_a_record_that_was_cut_short_never_passes(world, part):
    """Wherever the run died: events and samples end there, and the answer is not pass."""
    whole = world.scene().record()
    cut_s = part * whole.events[-1].at_s
    samples = whole.samples
    short = replace(
        whole,
        events=tuple(event for event in whole.events if event.at_s < cut_s),
        samples=samples.where(samples.end_ns < cut_s * 10**9),
    )
    assert judge(short).answer is not Answer.PASS


NEEDED = (EventKind.REQUESTED, EventKind.CONFIRMED, EventKind.CLEAR, EventKind.LOAD, EventKind.END, EventKind.FOOTER)


@drawn
@given(worlds, st.sampled_from(NEEDED))
def test_without_any_one_proof_nothing_passes(world, kind):
    """Each of these events is needed: a run without it is never a pass."""
    assert judge(world.scene().but(without=(kind,)).record()).answer is not Answer.PASS


DEFECTS = {
    "a problem": {"extra": (Event(30.0, EventKind.PROBLEM, "truth", {"message": "lost"}),)},
    "an interruption": {"extra": (Event(30.0, EventKind.INTERRUPTED, "", {"reason": "SIGINT"}),)},
    "a damaged file": {"problems": ("samples: bad checksum",)},
    "an account that does not close": {"account": {"offered": 1}},
    "no account": {"without": (EventKind.LOAD,)},
}


@drawn
@given(seeds, st.sampled_from(sorted(DEFECTS)), st.booleans(), st.booleans())
def test_a_defect_of_the_run_never_improves_the_answer(seed, defect, lost, away):
    """Unknown stays unknown and fail stays fail; pass becomes unknown."""
    scene = honest(seed=seed)
    if lost:
        writes = draw_writes(seed, {"kept": 1.0, "lost": 0.1})
        scene = writes.scene(scene)
    if away:
        scene = scene.but(spells=(Spell(19.1, 99.0, "failed"),))
    before, after = judge(scene.record()), judge(scene.but(**DEFECTS[defect]).record())
    assert after.answer.severity >= max(before.answer.severity, Answer.UNKNOWN.severity)


answers = st.lists(st.sampled_from(list(Answer)), max_size=6)


@given(answers, answers, answers)
def test_the_algebra_of_answers(one, two, three):
    """Combining is associative and idempotent, order does not matter, pass changes nothing, fail absorbs all."""
    worst = Answer.worst
    assert worst([worst([*one, *two]), *three]) is worst([*one, worst([*two, *three])]) or not (one and two and three)
    assert worst([*one, *two]) is worst([*two, *one])
    assert worst([*one, *one]) is worst(one)
    assert worst([*one, Answer.PASS]) is (worst(one) if one else Answer.PASS)
    assert worst([*one, Answer.FAIL]) is Answer.FAIL
    assert worst([]) is Answer.UNKNOWN


@given(answers)
def test_unknown_never_becomes_pass_by_combining(some):
    """Whatever is added to an unknown, the whole is no pass; a pass needs every part to pass."""
    assert Answer.worst([Answer.UNKNOWN, *some]) is not Answer.PASS
    assert (Answer.worst(some) is Answer.PASS) is (bool(some) and set(some) == {Answer.PASS})


@pytest.mark.parametrize("combination", list(itertools.product(Answer, repeat=3)))
def test_parts_combine_to_the_worst_and_only_the_worst_speak(combination):
    """A verdict of parts in any order has the same answer, and its reason names the parts that decided it."""
    for order in itertools.permutations(zip(CHECKERS, combination, strict=False)):
        parts = [Part(name, answer, f"{name} is {answer.value}") for name, answer in order]
        worst = Answer.worst(combination)
        said = because(parts)
        for part in parts:
            if worst is not Answer.PASS:
                assert (part.because in said) is (part.answer is worst)
