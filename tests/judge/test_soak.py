"""What must not grow, judged from records: the file's own list decides, everything else is advice."""

from dataclasses import replace

import numpy as np

from resilience.columns import Record
from resilience.judge.soak import check_soak, lasting, response_times, shown, soak_advice
from resilience.judge.verdict import judge
from resilience.model import Answer, Event, EventKind, PhaseName
from resilience.model.resources import Gap, Resources, Series, Unit
from resilience.model.soak import Flat, Growth, Soak, Times
from tests.judge.builder import Case, Scene, prepare

END = 1300.0
AFTER = Event(20.0, EventKind.PHASE, "after")
AT = np.arange(0.0, END)
RNG = np.random.default_rng(1)


def memory(mb_per_minute: float, of: str = "service", limit: float | None = None) -> Series:
    """Resident memory, read once a second, with the noise of a real process."""
    value = 80e6 + mb_per_minute * 1e6 * AT / 60 + RNG.normal(0, 2e5, len(AT))
    return Series("process.memory", of, Unit.BYTES, AT, value, limit, "system")


def record(soak: Soak | None, *series: Series, gaps: tuple[Gap, ...] = (), slow: float = 0.0) -> Record:
    """A quiet run of 20 minutes whose response times grow by `slow` of themselves each hour."""
    scene = Scene(faults=(), end_s=END, rate=40.0, extra=(AFTER,))
    made = scene.record()
    grown = 1 + slow * made.samples.arrival_ns / 3.6e12
    length = (made.samples.end_ns - made.samples.arrival_ns) * grown
    samples = replace(made.samples, end_ns=made.samples.arrival_ns + length.astype(np.int64))
    experiment = replace(made.experiment, soak=soak)
    return replace(made, experiment=experiment, samples=samples, resources=Resources(series, gaps))


def case(soak: Soak | None, *series: Series, **more: object) -> Case:
    return prepare(record(soak, *series, **more))


FLAT_MEMORY = Soak(flat=(Flat(resource="process.memory"),))


def test_a_leak_of_a_megabyte_a_minute_fails_with_its_rate_and_the_time_that_is_left():
    """Requirement M4: in the sentence and in the row, with both bounds and the limit."""
    part = check_soak(case(FLAT_MEMORY, memory(1.0, limit=512e6), memory(0.0, "worker")))
    assert part.answer is Answer.FAIL
    assert part.because.startswith("process.memory of service: grows: ")
    assert "MB an hour" in part.because
    assert "its limit of 512 MB is reached in" in part.because
    row = part.data["soak"][0]
    assert row["what"] == "process.memory of service"
    assert abs(row["per_hour"] / 60e6 - 1) < 0.05
    assert row["low"] < 60e6 < row["high"]
    assert row["soonest_s"] < row["exhausted_s"] < row["latest_s"]
    assert (row["tolerated"], row["declared"], row["answer"]) == (20e6, True, "fail")
    assert part.data["soak"][1]["answer"] == "pass"


def test_what_is_flat_passes_and_decides_the_verdict_only_where_it_is_declared():
    """The part is there if the file asks, and the same figures are advice if it does not."""
    assert check_soak(case(FLAT_MEMORY, memory(0.0))).answer is Answer.PASS
    leaking = record(None, memory(1.0))
    verdict = judge(leaking)
    assert "soak" not in [part.name for part in verdict.parts]
    rows = {row["what"]: row for row in verdict.document["soak"]}
    assert rows["process.memory of service"]["course"] == "grows"
    assert rows["process.memory of service"]["answer"] is None
    declared = judge(replace(leaking, experiment=replace(leaking.experiment, soak=FLAT_MEMORY)))
    assert declared.answer is Answer.FAIL
    assert "process.memory of service: grows" in declared.because


def test_what_was_not_read_is_unknown_and_says_why():
    """Neither a missing series nor one with a gap is flat."""
    nothing = check_soak(case(FLAT_MEMORY))
    assert nothing.answer is Answer.UNKNOWN
    assert "nothing was read under that name" in nothing.because
    whole = memory(0.0)
    some = (AT < 500) | (AT > 900)
    holed = replace(whole, at_s=AT[some], value=whole.value[some])
    part = check_soak(case(FLAT_MEMORY, holed, gaps=(Gap("system", "service", 500, 900, "the process was gone"),)))
    assert part.answer is Answer.UNKNOWN
    assert "the process was gone" in part.because


def test_a_phase_that_is_not_there_or_too_short_is_unknown():
    """Requirement M4: five minutes at least, and of the declared phase."""
    assert check_soak(case(replace(FLAT_MEMORY, phase=PhaseName.RECOVERY), memory(0.0))).answer is Answer.UNKNOWN
    short = check_soak(case(replace(FLAT_MEMORY, phase=PhaseName.BASELINE), memory(0.0)))
    assert short.answer is Answer.UNKNOWN
    assert "too short" in short.because


def test_only_the_part_that_is_named_is_judged_and_by_its_own_tolerance():
    """`of` leaves out the others; `growth` replaces what is usual for the unit."""
    own = Soak(flat=(Flat(resource="process.memory", of="worker"),))
    assert check_soak(case(own, memory(1.0), memory(0.0, "worker"))).answer is Answer.PASS
    much = Soak(flat=(Flat(resource="process.memory", growth=Growth(per_hour=100e6)),))
    assert check_soak(case(much, memory(1.0))).answer is Answer.PASS
    little = Soak(flat=(Flat(resource="process.memory", growth=Growth(per_hour=0.01, relative=True)),))
    assert check_soak(case(little, memory(0.1))).answer is Answer.FAIL


def test_response_times_that_creep_up_are_told():
    """Requirement M4: degradation over time: p95 doubles in an hour; a steady one passes at 30 % an hour."""
    growth = Growth(per_hour=0.3, relative=True)
    soak = Soak(flat=(Flat(metric=Times(aggregate="p", quantile=95.0), operation="read-item", growth=growth),))
    slower = check_soak(case(soak, slow=3.0))
    assert slower.answer is Answer.FAIL, slower.because
    assert slower.because.startswith("p(95) of read-item: grows")
    assert check_soak(case(soak)).answer is Answer.PASS


def test_bins_with_too_few_operations_are_not_known():
    """A quantile of a handful is none; what was never offered has no figure at all."""
    quiet = case(None)
    (phase,) = quiet.named(PhaseName.AFTER)
    at_s, value = response_times(quiet, phase, Times(aggregate="med"), "place-order")
    assert len(at_s) == len(value) > 100
    assert np.isfinite(value).mean() > 0.9
    _, never = response_times(quiet, phase, Times(aggregate="avg"), "nobody")
    assert not np.isfinite(never).any()


def test_a_run_without_a_long_quiet_phase_has_no_advice():
    """Phases with faults, and recovery from them, are no soak."""
    assert soak_advice(Scene().case()) == []


def test_figures_are_shown_as_people_read_them():
    """What is left of sums of floats is nothing; long times are hours and days."""
    assert [shown(1e-13, "count"), shown(37.36, "count"), shown(58.3e6, "bytes")] == ["0", "37.36", "58.3 MB"]
    assert [shown(0.0125, "seconds"), shown(0.032, "ratio")] == ["12.5 ms", "3.2 points"]
    assert [lasting(59.0), lasting(24_480.0), lasting(400_000.0)] == ["59 s", "6.8 h", "4.63 days"]
