"""The verdict: composition, the document, and the harness mutants that must never pass."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from resilience.judge.promises import PROMISES
from resilience.judge.verdict import BASELINE_CHECKERS, CHECKERS, because, guarded, judge, judge_baseline, plain
from resilience.model import Answer, CacheCopy, Comparison, Event, EventKind, Objective, Part
from tests.judge.builder import LEDGER, A, Held, Spell, U, honest, ledger_lines, steady_ledger, stored, truth_rows

KIND = EventKind
ROWS = stored(steady_ledger())


def test_an_honest_run_passes_with_its_key_figures():
    """Requirement C: pass, and one sentence with the numbers."""
    verdict = judge(honest(objectives=(Objective("rate<0.01", "rate", Comparison.LT, 0.01),)).record())
    assert verdict.answer is Answer.PASS, verdict.because
    assert "the fault was confirmed and cleared" in verdict.because
    assert "limit 300 s" in verdict.because
    assert "0 of 800 acknowledged writes were lost" in verdict.because
    assert "all 1 objectives were met" in verdict.because


def test_the_document_has_every_key_of_the_contract():
    """JSON without NaN, with each phase, all operations and each."""
    document = judge(honest().record()).document
    text = json.dumps(document, allow_nan=False)
    assert json.loads(text) == document
    assert set(document) >= {
        *("answer", "because", "experiment", "target", "stack", "seed", "run", "digest", "duration_s"),
        *("phases", "faults", "recovery", "writes", "objectives", "parts"),
    }
    assert [phase["name"] for phase in document["phases"]] == ["warm-up", "baseline", "fault", "recovery"]
    operations = document["phases"][1]["operations"]
    assert set(operations) == {"all", "read-item", "read-order", "place-order"}
    assert set(operations["all"]) >= {
        *("count", "ok", "failed", "unknown", "dropped", "rps", "error_rate"),
        *("p50_ms", "p95_ms", "p99_ms", "max_ms"),
    }
    assert operations["all"]["count"] == sum(operations[name]["count"] for name in operations if name != "all")
    assert set(document["recovery"]) >= {"mttr_s", "mttr_low_s", "mttr_high_s", "limit_s", "cycles"}
    assert set(document["recovery"]["cycles"][0]) >= {"degraded_s", "detected_s", "recovered_s", "resolution_s"}
    assert set(document["writes"]) >= {
        *("attempted", "acknowledged", "rejected", "indeterminate", "verified", "lost"),
        *("duplicated", "phantom", "corrupted", "stale", "out_of_order", "recovered"),
    }
    always = [name for name in CHECKERS if name not in {"cache", "control", "isolation", *PROMISES}]
    assert [part["name"] for part in document["parts"]] == always


NO_WRITES = [(w, e, 0, m, 10**9) for w in range(4) for e in range(200) for m in (A, U)]

MUTANTS = {
    "H1 the fault was never active": {"faults": (Held(without=(KIND.CONFIRMED,)),)},
    "H2 something else was hit": {"faults": (Held(trouble="the effect was not seen"),)},
    "H3 the effect ended early": {
        "faults": (Held(without=(KIND.REVERTING,)),),
        "extra": (Event(22.0, KIND.REVERTING, "redis-down"),),
    },
    "H4 the final read is empty": {"truth": truth_rows([])},
    "H4 the final read is missing": {"truth": None},
    "H5 read from a replica": {"truth": truth_rows(ROWS, facts={"in_recovery": "on"})},
    "H6 a ledger file is missing": {"lines": ledger_lines(steady_ledger(), ("w3 is missing",))},
    "H6 a writer's lines are gone": {"lines": ledger_lines([row for row in steady_ledger() if row[0] != 3])},
    "H7 a torn tail": {"lines": ledger_lines(steady_ledger()[:-1], ("w3 ends in half a line",))},
    "H8 a flipped bit": {"problems": ("samples: bad checksum",)},
    "H9 zero traffic": {"rate": 0.01},
    "H11 all writes indeterminate": {"lines": ledger_lines(NO_WRITES), "truth": truth_rows([])},
    "H12 a fault that was not reverted": {"faults": (Held(without=(KIND.CLEAR,)),)},
    "H13 hidden retries": {"truth": truth_rows([*ROWS, ROWS[40]])},
    "H14 the revert failed": {"faults": (Held(trouble="cannot enable the proxy"),)},
    "H15 rows of an earlier run": {"truth": truth_rows([*ROWS, (-1, -1, -1)], foreign=("0badcafe-old",))},
    "H16 two writers with one identity": {"lines": ledger_lines(steady_ledger() + steady_ledger()[:2])},
    "cut short": {"without": (KIND.END, KIND.FOOTER)},
    "interrupted": {"extra": (Event(30.0, KIND.INTERRUPTED, "", {"reason": "SIGINT"}),)},
    "no load account": {"without": (KIND.LOAD,)},
    "no ledger": {"lines": None},
    "a phase of a name that is none": {"extra": (Event(30.0, KIND.PHASE, "coffee"),)},
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_no_mutant_of_the_harness_passes(mutant):
    """The tool's own failures: unknown or fail, never pass, and a document all the same."""
    verdict = judge(honest(**MUTANTS[mutant]).record())
    assert verdict.answer is not Answer.PASS
    assert verdict.because
    json.dumps(verdict.document, allow_nan=False)


def test_the_worst_answer_wins_and_fail_speaks_first():
    """A lost write beside an interrupted run: fail, because of the write."""
    scene = honest(truth=truth_rows(ROWS[1:]), extra=(Event(30.0, KIND.INTERRUPTED),))
    verdict = judge(scene.record())
    assert verdict.answer is Answer.FAIL
    assert verdict.because.startswith("writes: 1 acknowledged write is lost")
    assert "interrupted" not in verdict.because


def test_at_most_three_parts_speak():
    """And how many more there are."""
    parts = [Part(str(i), Answer.UNKNOWN, "why") for i in range(5)]
    assert because(parts) == "0: why; 1: why; 2: why; and 2 more"


def test_a_checker_that_breaks_is_unknown():
    """Never pass, and its error is shown."""

    def broken(_case):
        raise ZeroDivisionError("by nought")

    part = guarded("writes", broken, honest().case())
    assert part.answer is Answer.UNKNOWN
    assert part.because == "the checker of writes broke: ZeroDivisionError: by nought"


def test_figures_that_cannot_be_told_are_unknown():
    """Samples whose outcome is none: the verdict still has every part."""
    record = honest().record()
    samples = record.samples
    broken = replace(record, samples=replace(samples, outcome=np.full(len(samples), -1, dtype=np.int8)))
    verdict = judge(broken)
    assert verdict.answer is Answer.UNKNOWN
    assert verdict.parts[-1].name == "phases"


def test_what_is_no_number_is_null():
    """NaN and infinity never appear; what is no JSON is an error."""
    assert plain({"a": (math.nan, math.inf, 1.5, True, None, "x", [1])}) == {
        "a": [None, None, 1.5, True, None, "x", [1]]
    }
    with pytest.raises(TypeError, match="is no JSON"):
        plain(object())


def test_the_baseline_is_judged_part_by_part():
    """Before the method: the parts that the probes ask for, of a run in progress."""
    parts = {part.name: part.answer for part in judge_baseline(honest(until_s=19.0, truth=None).record())}
    assert parts == dict.fromkeys(["validity", "objectives", "degradation", "recovery", "writes"], Answer.PASS)
    poor = honest(until_s=19.0, truth=None, spells=(Spell(4, 19, "degraded", 0.3),))
    answers = {part.name: part.answer for part in judge_baseline(poor.record())}
    assert answers["degradation"] is Answer.FAIL
    broken = honest(until_s=19.0, extra=(Event(10.0, KIND.PHASE, "coffee"),))
    assert {part.name: part.answer for part in judge_baseline(broken.record())} == dict.fromkeys(parts, Answer.UNKNOWN)


def test_only_baseline_objectives_are_judged_before_the_method():
    """Others speak of what has not happened yet."""
    objectives = (
        Objective("rate<0.01", "rate", Comparison.LT, 0.01),
        Objective("rate<0.01 @ after", "rate", Comparison.LT, 0.01, phase=honest().case().phases[-1].name),
    )
    parts = {part.name: part for part in judge_baseline(honest(until_s=19.0, objectives=objectives).record())}
    assert parts["objectives"].because == "all 1 objectives were met"


def test_judging_twice_gives_the_same():
    """Pure: the same record, the same verdict."""
    record = honest().record()
    assert judge(record).document == judge(record).document


def test_a_cache_is_judged_where_one_is_declared_and_never_left_out():
    """Without a declared cache there is no such part; with one that was not read it is unknown, not left out."""
    declared = replace(LEDGER, cache=CacheCopy(part="redis", key="order:{id}"))
    verdict = judge(honest(ledger=declared).record())
    assert [part.name for part in verdict.parts] == [
        name for name in CHECKERS if name not in {"control", "isolation", *PROMISES}
    ]
    assert verdict.answer is Answer.UNKNOWN
    assert verdict.because.startswith("cache: the copies in the cache could not be read")


def test_each_checker_judges_the_part_that_it_is_named_after():
    """What breaks is told under the name that it would have had, at the end of a run and before the method."""
    ended, begun = honest().case(), honest(until_s=19.0, truth=None).case(finished=False)
    always = {"writes", "degradation", "objectives", "recovery", "faults", "validity"}
    assert {CHECKERS[name](ended).name for name in always} == always
    assert {name: checker(begun).name for name, checker in BASELINE_CHECKERS.items()} == {
        name: name for name in ("validity", "objectives", "degradation", "recovery", "writes")
    }


def test_a_record_that_cannot_be_judged_is_unknown_and_has_every_key():
    """Requirement J1: a phase of a name that is none. Whoever reads the document finds each key, with nothing in it."""
    verdict = judge(honest(extra=(Event(30.0, KIND.PHASE, "coffee"),)).record())
    assert [(part.name, part.answer) for part in verdict.parts] == [("validity", Answer.UNKNOWN)]
    assert verdict.because.startswith("validity: the record cannot be judged: ")
    document = verdict.document
    assert document["recovery"] == {
        "mttr_s": None,
        "mttr_low_s": None,
        "mttr_high_s": None,
        "limit_s": None,
        "cycles": [],
    }
    lists = ("faults", "objectives", "shedding", "amplification", "breakers", "attribution", "health", "phases")
    lists += ("rate_limits", "balance")
    assert {name: document[name] for name in lists} == {name: [] for name in lists}
    missing = ("writes", "degradation", "service", "load", "coverage", "duration_s", "scaling")
    assert {name: document[name] for name in missing} == dict.fromkeys(missing)
    assert set(document) == set(judge(honest().record()).document)


def test_what_stands_in_the_document_is_what_was_judged():
    """Whose run it was, how long, and each part with its answer, sentence and evidence; a pass says what it covers."""
    record = honest().record()
    verdict = judge(record)
    document, experiment = verdict.document, record.experiment
    assert document["parts"] == [
        {"name": part.name, "answer": part.answer.value, "because": part.because, "evidence": plain(part.evidence)}
        for part in verdict.parts
    ]
    assert [document[name] for name in ("title", "duration_s", "stack", "seed", "run")] == [
        *(experiment.title, 42.0, "embedded", 1, record.plan.run)
    ]
    assert all(document[name] is not None for name in ("service", "load", "coverage", "degradation", "writes"))
    covered = document["coverage"]["because"]
    assert document["because"] == verdict.because == f"{because(verdict.parts)}; {covered}"
    failed = judge(honest(truth=truth_rows(ROWS[1:])).record())
    assert failed.because == because(failed.parts)


def test_figures_that_cannot_be_told_leave_the_parts_and_the_length():
    """What was judged before stays as it is: nothing of it is lost, and the whole is unknown."""
    record = honest().record()
    samples = record.samples
    verdict = judge(replace(record, samples=replace(samples, outcome=np.full(len(samples), -1, dtype=np.int8))))
    names = [part.name for part in verdict.parts]
    assert names == [*(part.name for part in judge(record).parts), "phases"]
    assert verdict.parts[-1].answer is Answer.UNKNOWN
    assert verdict.document["duration_s"] == 42.0


def test_an_experiment_without_a_ledger_is_judged():
    """It has no cache of the ledger's rows either."""
    verdict = judge(honest(ledger=None, lines=None, truth=None).record())
    assert verdict.answer is Answer.PASS
    assert "cache" not in {part.name for part in verdict.parts}


def test_who_speaks_in_the_sentence():
    """Of a pass all but those that say nothing of the target; of what is not known the run itself first."""
    passed = [Part(name, Answer.PASS, f"{name} is fine") for name in ("writes", "validity", "degradation", "faults")]
    assert because(passed) == "writes is fine; faults is fine"
    unknown = [Part(name, Answer.UNKNOWN, "why") for name in ("writes", "faults", "validity")]
    assert because(unknown) == "validity: why; writes: why; faults: why"
    failed = [replace(part, answer=Answer.FAIL) for part in unknown]
    assert because(failed) == "writes: why; faults: why; validity: why"
