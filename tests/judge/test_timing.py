"""What is measured instead of response time, and what is not known of it. Requirement L8."""

from dataclasses import replace

import numpy as np
import pytest

from resilience.judge.objectives import judge_objective
from resilience.judge.quantiles import DROPPED, FAILED, OK, UNKNOWN
from resilience.judge.timing import measured
from resilience.model import Answer, Job, Load, StreamedAnswer
from resilience.spec.thresholds import parse_objective
from tests.judge.builder import OPERATIONS, Scene

MS = 1_000_000


def samples(scene: Scene, count: int, **columns):
    """The first samples of a scene, all ok and 10 ms long, with other columns."""
    some = scene.record().samples
    some = some.where(np.arange(len(some)) < count)
    base = {
        "start_ns": some.arrival_ns,
        "end_ns": some.arrival_ns + 10 * MS,
        "outcome": np.full(count, OK, np.int8),
        **dict.fromkeys(("first_ns", "queue_ns", "processing_ns"), np.full(count, -1, np.int64)),
        "tokens": np.full(count, -1, np.int32),
    }
    return replace(some, **{name: np.asarray(value, base[name].dtype) for name, value in (base | columns).items()})


def value(expression: str, some) -> float | None:
    return measured(parse_objective(f"{expression} @ baseline"), some)


def test_the_first_token_counts_from_the_intended_start():
    """What ended without one counts with the time until it ended; what was never sent does not count."""
    some = samples(Scene(), 4)
    first = some.arrival_ns + np.array([1, 2, 3, 0]) * MS
    first[3] = -1
    assert value("ttft:max<5", replace(some, first_ns=first)) == 10.0
    assert value("ttft:med<5", replace(some, first_ns=first)) == 2.0
    assert value("ttft:avg<5", replace(some, first_ns=first)) == pytest.approx(4.0)
    dropped = np.array([OK, OK, OK, DROPPED], np.int8)
    assert value("ttft:max<5", replace(some, first_ns=first, outcome=dropped)) == 3.0


@pytest.mark.parametrize("what", ["queue", "processing"])
def test_a_job_of_which_it_is_not_known_counts_against_the_objective(what: str):
    """Left out, the jobs that waited longest would be the ones that nobody counts."""
    column = {f"{what}_ns": np.array([1, 2, 3, -1]) * MS}
    column[f"{what}_ns"][3] = -1
    some = samples(Scene(), 4, **column, outcome=[OK, OK, OK, UNKNOWN])
    assert value(f"{what}:p(75)<5", some) == 3.0
    assert value(f"{what}:p(76)<5", some) is None
    assert value(f"{what}:avg<5", some) is None
    assert value(f"{what}:p(25)>5", some) is None
    assert value(f"{what}:p(50)>5", some) == 1.0
    refused = samples(Scene(), 4, **column, outcome=[OK, OK, OK, FAILED])
    assert value(f"{what}:max<5", refused) == 3.0


def test_tokens_per_second_are_of_what_came_after_the_first():
    """21 tokens of which the last 20 took 5 ms are 4,000 per second; a single token is no rate."""
    some = samples(Scene(), 3, tokens=[21, 1, -1])
    some = replace(some, first_ns=np.where(some.tokens > 0, some.arrival_ns + 5 * MS, -1))
    assert value("tokens:min>5", some) == pytest.approx(4000.0)
    assert value("tokens:min>5", samples(Scene(), 3)) is None


@pytest.mark.parametrize("what", ["ttft", "queue", "processing", "tokens"])
def test_a_record_without_them_is_unknown(what: str):
    """Records of before have no such columns: nothing passes for want of them."""
    scene = Scene()
    some = scene.record().samples
    assert some.first_ns is None
    assert value(f"{what}:p(95)<5", some) is None
    (judged,) = judge_objective(scene.case(), parse_objective(f"{what}:p(95)<99999 @ baseline"))
    assert judged.answer is Answer.UNKNOWN


def test_only_operations_that_have_it_count():
    """A read among model calls has no first token, and would make them look quick."""
    stream = replace(OPERATIONS[0], stream=StreamedAnswer())
    job = replace(OPERATIONS[2], job=Job())
    scene = Scene(load=Load(rate=250.0, operations=(stream, OPERATIONS[1], job), warm_up_s=4.0, baseline_s=15.0))
    case = scene.case()
    some = case.traffic.samples
    reads = some.operation == list(some.operations).index("read-item")
    columns = {
        "first_ns": np.where(reads, some.arrival_ns + 7 * MS, -1),
        "queue_ns": np.full(len(some), -1),
        "processing_ns": np.full(len(some), -1),
        "tokens": np.full(len(some), -1, np.int32),
    }
    case = replace(case, traffic=replace_samples(case.traffic, columns))
    (judged,) = judge_objective(case, parse_objective("ttft:p(95)<8 @ baseline"))
    assert (judged.answer, judged.value) == (Answer.PASS, 7.0)
    (judged,) = judge_objective(case, parse_objective("queue:p(95)<8 @ baseline"))
    assert judged.answer is Answer.UNKNOWN
    assert "of too many its queue is not known" in judged.because


def replace_samples(traffic, columns):
    """The same traffic with further columns."""
    return type(traffic)(replace(traffic.samples, **columns))
