"""What users of a closed load leave out is put back as HdrHistogram does. Requirements L1, L3."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fixtures.histories import load_all
from resilience.columns import Samples
from resilience.judge.case import Case, prepare
from resilience.judge.closed import by_users, left_out, users_problems, usual_ns
from resilience.model import OUTCOMES, EventKind, Journey, JourneyStep, Json, Outcome, Subscription

MS = 1_000_000


def samples(waited_ms: list[int], outcome: Outcome = Outcome.OK) -> Samples:
    count = len(waited_ms)
    arrival = np.arange(count, dtype=np.int64) * 10 * MS
    return Samples(
        operations=("read",),
        details=("",),
        arrival_ns=arrival,
        start_ns=arrival.copy(),
        end_ns=arrival + np.asarray(waited_ms, dtype=np.int64) * MS,
        operation=np.zeros(count, dtype=np.int16),
        outcome=np.full(count, OUTCOMES.index(outcome), dtype=np.int8),
        status=np.zeros(count, dtype=np.int16),
        degraded=np.zeros(count, dtype=np.bool_),
        detail=np.zeros(count, dtype=np.int32),
        shed=np.zeros(count, dtype=np.bool_),
    )


def corrected(value: int, interval: int) -> list[int]:
    """`recordValueWithExpectedInterval` of HdrHistogram, word by word, without the value itself."""
    found, missing = [], value - interval
    while missing >= interval:
        found.append(missing)
        missing -= interval
    return found


@given(st.lists(st.integers(0, 5000), max_size=20), st.integers(1, 900))
def test_the_same_values_as_hdrhistogram(waited: list[int], interval: int):
    """Every one of them, and each ends when the one that it is left out for did."""
    found = left_out(samples(waited), interval * MS)
    values = sorted(int(value) // MS for value in found.end_ns - found.arrival_ns)
    assert values == sorted(value for each in waited for value in corrected(each, interval))
    ends = {index * 10 + value for index, value in enumerate(waited)}
    assert {int(end) // MS for end in found.end_ns} <= ends
    assert (found.start_ns == found.arrival_ns).all()


def test_what_was_dropped_waited_for_nothing():
    """A closed load drops nothing; a record that says so is not made longer by it."""
    assert len(left_out(samples([5000], Outcome.DROPPED), 100 * MS)) == 0


def test_an_error_that_was_waited_for_counts_as_often_as_it_would_have_been_met():
    """With its outcome."""
    found = left_out(samples([1000], Outcome.FAILED), 100 * MS)
    assert len(found) == 9
    assert set(found.outcome.tolist()) == {OUTCOMES.index(Outcome.FAILED)}


def on_journeys(arrived: int, spent_s: float | None) -> Case:
    """Forty users for 42 s on journeys of two steps, as many as the generator told, which took so long together."""
    history = next(one for one in load_all() if one.name == "closed/users-who-are-served-well")
    experiment, events = history.record.experiment, []
    steps = tuple(JourneyStep(operation=operation.name) for operation in experiment.load.operations)
    operations = tuple(replace(operation, weight=0.0) for operation in experiment.load.operations)
    journey = Journey(name="look-around", weight=1.0, steps=steps)
    load = replace(experiment.load, operations=operations, journeys=(journey,))
    told: dict[str, Json] = {"arrived": arrived, "dropped": 0, "completed": arrived, "unfinished": 0}
    told |= {"broken_off": {}, "errors": {}} | ({} if spent_s is None else {"spent_s": spent_s})
    for event in history.record.events:
        more = {"journeys": {"look-around": told}} if event.kind is EventKind.LOAD else {}
        events.append(replace(event, detail={**event.detail, **more}))
    return prepare(replace(history.record, experiment=replace(experiment, load=load), events=tuple(events)))


def test_users_on_journeys_begin_as_many_as_they_have_thoughts():
    """Forty users have 1,680 s; what is not spent on journeys is spent thinking, 0.194 s each (Requirement L4)."""
    spent_s = 1000.0
    due = (40 * 42 - spent_s) / 0.194
    assert list(users_problems(on_journeys(round(due), spent_s))) == []
    (few,) = users_problems(on_journeys(round(0.8 * due), spent_s))
    assert f"{round(0.8 * due):,} journeys and operations were begun where" in few
    (many,) = users_problems(on_journeys(round(1.2 * due), spent_s))
    assert f"more than the {due:,.0f}" in many


def test_users_on_journeys_of_unknown_length_are_a_problem():
    """Without it nobody knows what the users did."""
    (problem,) = users_problems(on_journeys(3000, None))
    assert problem == "the generator did not tell how long the journeys of its users took"


def test_what_subscriptions_were_sent_is_nothing_that_users_did():
    """Deliveries come as they come: they neither shorten what a user usually takes, nor stand for something else."""
    history = next(one for one in load_all() if one.name == "closed/users-who-are-served-well")
    load = history.record.experiment.load
    sent = load.operations[0].name
    subscribed = replace(
        load, operations=load.operations[1:], subscriptions=(Subscription(name=sent, account="feed", path="/feed"),)
    )
    alone = prepare(history.record)
    case = prepare(replace(history.record, experiment=replace(history.record.experiment, load=subscribed)))
    assert usual_ns(alone) == 200_000_000
    whole, done = case.traffic.samples, by_users(case, case.traffic.samples)
    assert sent in whole.operations
    assert 0 < len(done) < len(whole)
    assert case.traffic.index(sent) not in done.operation
    assert usual_ns(case) == round(200_000_000 / 0.3), "seven in ten were deliveries"
