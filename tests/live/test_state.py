"""The state that a live view shows."""

import threading
from dataclasses import replace

import pytest

from resilience.live.picture import Picture
from resilience.live.state import State
from resilience.live.strip import PLAIN
from resilience.live.words import event_line
from resilience.model import Event, EventKind, Outcome, PhaseName


def fed(experiment, plan, news, zero=100.0):
    state = State(experiment, plan)
    for item in news:
        if isinstance(item, Event):
            state.on_event(item, zero + item.at_s)
        else:
            state.on_slice(item, zero + item.end_s)
    return state


def test_before_anything_the_whole_plan_is_to_come(experiment, plan):
    """Without any news the time line is the plan, nothing runs, and no figure is claimed."""
    snapshot = State(experiment, plan).snapshot(5.0)
    assert [stretch.begun for stretch in snapshot.stretches] == [False] * len(plan.phases)
    assert snapshot.current is None
    assert snapshot.left_s == pytest.approx(69.0)
    assert snapshot.silent_s is None
    assert [fault.word for fault in snapshot.faults] == ["planned"] * 3


def test_story_is_folded(experiment, plan, story):
    """In the middle of the second fault: the phase, the faults' states, the figures and the time left are right."""
    snapshot = fed(experiment, plan, story(42.0)).snapshot(142.0)
    assert snapshot.stretches[snapshot.current].fault == "redis-hung"
    assert [fault.word for fault in snapshot.faults] == ["clear", "active", "planned"]
    assert snapshot.left_s == pytest.approx(27.0)
    assert snapshot.now.length_s == pytest.approx(2.0)
    assert snapshot.now.degraded_share == pytest.approx(0.8)
    assert snapshot.now.quantile_ms(0.95) == pytest.approx(240, rel=0.011)
    assert snapshot.total.offered == 84 * 125
    assert snapshot.total.count(Outcome.OK) == 84 * 125
    assert (snapshot.total.attempted, snapshot.total.unsettled) == (12 * 83, 1)
    assert set(snapshot.p95s) == set(range(42))


def test_delay_moves_what_is_still_to_come(experiment, plan):
    """A phase that begins late moves the rest of the plan by as much, so the time left stays honest."""
    state = fed(experiment, plan, [Event(0.0, EventKind.PHASE, "warm-up"), Event(9.0, EventKind.PHASE, "baseline")])
    snapshot = state.snapshot(109.0)
    assert snapshot.left_s == pytest.approx(69.0 - 4.0)
    assert snapshot.stretches[0].end_s == pytest.approx(9.0)
    assert snapshot.stretches[-1].end_s == pytest.approx(74.0)
    assert [fault.planned_s for fault in snapshot.faults] == pytest.approx([24.0, 41.0, 58.0])


def test_overdue_phase_grows(experiment, plan):
    """A phase that lasts longer than planned reaches up to now; the time left does not fall below what follows it."""
    snapshot = fed(experiment, plan, [Event(0.0, EventKind.PHASE, "warm-up")]).snapshot(110.0)
    assert snapshot.stretches[0].end_s == pytest.approx(10.0)
    assert snapshot.left_s == pytest.approx(65.0)


def test_silence_of_the_generator_is_measured(experiment, plan, piece):
    """Figures that have become old are known to be old."""
    assert fed(experiment, plan, [piece(0.0)]).snapshot(104.5).silent_s == pytest.approx(4.0)


def test_second_without_an_answer_is_not_a_fast_one(experiment, plan, piece):
    """Load without answers leaves no p95, which is kept apart from having had no load."""
    snapshot = fed(experiment, plan, [piece(0.0), piece(1.0, ms={}, counts={}), piece(2.0, ms={}, offered=0)]).snapshot(
        103
    )
    assert snapshot.p95s[0] == pytest.approx(2.0, rel=0.011)
    assert snapshot.p95s[1] is None
    assert 2 not in snapshot.p95s


def test_problems_are_counted_and_the_last_kept(experiment, plan):
    """Every problem counts, faults' problems too, though only the last few are kept."""
    news = [Event(float(n), EventKind.PROBLEM, "collector", {"message": f"lost {n}"}) for n in range(20)]
    news.append(Event(20.0, EventKind.FAULT_PROBLEM, "redis-down", {"step": "inject", "message": "refused"}))
    snapshot = fed(experiment, plan, news).snapshot(120.0)
    assert snapshot.problem_count == 21
    assert snapshot.problems[-1] == (20.0, "fault redis-down inject: refused")
    assert snapshot.faults[0].trouble == "inject"


@pytest.mark.parametrize(
    "event",
    [
        Event(float("nan"), EventKind.PHASE, "baseline"),
        Event(float("inf"), EventKind.CLEAR, "redis-down"),
        Event(1.0, EventKind.PHASE, "\x1b[2J"),
        Event(1.0, EventKind.CONFIRMED, "nobody-asked-for-it", {"proof": [1, {"a": None}]}),
        Event(1.0, EventKind.CLEAR, ""),
        Event(1.0, EventKind.PROBLEM, "x", {"message": {"not": ["a", "text"]}}),
        Event(-5.0, EventKind.END),
        Event(1.0, EventKind.INTERRUPTED, "", {"reason": None}),
        *(Event(1.0, kind) for kind in EventKind),
    ],
)
def test_hostile_events_are_survived(experiment, plan, event):
    """No event, however wrong, keeps a snapshot from being taken."""
    snapshot = fed(experiment, plan, [Event(0.5, EventKind.PHASE, "warm-up"), event]).snapshot(102.0)
    assert snapshot.left_s >= 0
    assert snapshot.now_s >= 0.5


def test_unknown_phase_is_a_problem_not_a_phase(experiment, plan):
    """A phase with a name that does not exist is said, not shown."""
    snapshot = fed(experiment, plan, [Event(1.0, EventKind.PHASE, "limbo")]).snapshot(101.0)
    assert snapshot.problem_count == 1
    assert all(stretch.name in set(PhaseName) for stretch in snapshot.stretches)


def test_end_leaves_no_time(experiment, plan, story):
    """After the end nothing is left, nothing runs, and the clock stands still."""
    snapshot = fed(experiment, plan, story()).snapshot(500.0)
    assert snapshot.ended
    assert (snapshot.left_s, snapshot.current, snapshot.now_s) == (0.0, None, 69.0)
    assert all(stretch.begun for stretch in snapshot.stretches)


def test_reading_and_writing_at_once(experiment, plan, story):
    """Snapshots taken while news comes in are whole: their counts only grow."""
    state = State(experiment, plan)
    seen = []
    done = threading.Event()

    def read():
        while not done.is_set():
            seen.append(state.snapshot(100.0).total.offered)

    reader = threading.Thread(target=read)
    reader.start()
    for item in story():
        if isinstance(item, Event):
            state.on_event(item, 100.0)
        else:
            state.on_slice(item, 100.0)
    done.set()
    reader.join()
    assert seen == sorted(seen)
    assert state.snapshot(100.0).total.offered == 138 * 125


def test_a_strike_is_struck_and_not_active(experiment, plan):
    """It has nothing to be given back: one word says that it was done, and it stays so."""
    struck = [
        Event(19.0, EventKind.REQUESTED, "redis-down", {"kind": "redis.flush", "on": "redis", "strike": True}),
        Event(19.1, EventKind.STRUCK, "redis-down", {"proof": "900 keys, then 0"}),
    ]
    first = fed(experiment, plan, struck).snapshot(130.0).faults[0]
    assert (first.word, first.confirmed_s, first.kind) == ("struck", 19.1, "redis.flush")
    assert event_line(struck[0]) == "strike redis-down requested: redis.flush on redis"
    assert event_line(struck[1]) == "struck: redis-down: 900 keys, then 0"


def test_a_phase_that_is_not_planned_does_not_shift_the_plan(experiment, plan):
    """What takes no time by plan is no phase of it: the rest is still to come, and as long as it was."""
    begun = [
        Event(0.0, EventKind.PHASE, "warm-up"),
        Event(4.0, EventKind.PHASE, "baseline"),
        Event(19.0, EventKind.PHASE, "fault", {"fault": "something-else"}),
        Event(19.5, EventKind.PHASE, "fault", {"fault": "redis-down"}),
    ]
    snapshot = fed(experiment, plan, begun).snapshot(119.5)
    assert next(stretch.fault for stretch in snapshot.stretches if not stretch.begun) == "redis-down"
    assert snapshot.left_s == pytest.approx(69.0 - 19.0)


def test_a_member_of_a_group_is_expected_with_its_group(experiment, plan):
    """Its phase has the group's name, and says who is in it."""
    phases = tuple(
        replace(phase, fault="storm", called=("redis-hung",)) if phase.fault == "redis-hung" else phase
        for phase in plan.phases
    )
    snapshot = State(experiment, replace(plan, phases=phases)).snapshot(0.0)
    assert [fault.planned_s for fault in snapshot.faults] == [19.0, 36.0, 53.0]


def test_what_leaves_its_baseline_is_unusual_while_it_lasts(experiment, plan, piece):
    """Requirement M4: flagged live, some seconds after it began; gone with the end of the run."""
    news = [Event(0.0, EventKind.PHASE, "baseline")]
    news += [piece(float(second), 1.0, ms={10.0: 100}) for second in range(20)]
    news.append(Event(20.0, EventKind.PHASE, "fault", {"fault": "redis-down"}))
    assert fed(experiment, plan, news).snapshot(120.5).unusual == ()
    news += [piece(float(second), 1.0, ms={500.0: 100}) for second in range(20, 28)]
    (found,) = fed(experiment, plan, news).snapshot(128.5).unusual
    assert (found.figure, found.more) == ("p95", True)
    assert 20 <= found.since_s <= 22
    lines = Picture(experiment, plan).paint(fed(experiment, plan, news).snapshot(128.5), 80, 40, PLAIN)
    text = "".join(run for line in lines for run, _ in line)
    assert "Unusual" in text
    assert fed(experiment, plan, [*news, Event(28.0, EventKind.END)]).snapshot(128.5).unusual == ()
