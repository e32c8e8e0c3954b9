"""Sections about growth and about how load was let in and spread: judged figures as judged, and no others."""

import io
from dataclasses import replace

import numpy as np
from rich.console import Console

from resilience.judge.verdict import judge
from resilience.model import Json, Verdict
from resilience.report.material import Material
from resilience.report.sections import promised, soak
from resilience.report.summary import print_summary
from tests.judge import test_balance, test_limits, test_scaling
from tests.judge.builder import Scene
from tests.judge.test_soak import FLAT_MEMORY, memory, record

EVIL = "<script>alert(1)</script>"


def material(made, **more: Json) -> Material:
    verdict = judge(made)
    return Material(made, Verdict(verdict.answer, verdict.because, verdict.parts, {**verdict.document, **more}))


def test_what_grows_comes_first_with_its_rate_and_the_time_that_is_left():
    """Requirement M4, R1: and the sentence stands in the brief."""
    made = soak.section(material(record(FLAT_MEMORY, memory(0.0, "worker"), memory(1.0, limit=512e6))))
    assert made is not None
    text = str(made.body)
    assert text.index("process.memory of service") < text.index("process.memory of worker")
    assert "MB" in text
    assert " h</td>" in text, "time to exhaustion in hours"
    assert made.brief[0].startswith("process.memory of service: grows")
    assert "advice" not in text


def test_advice_says_that_it_is_advice():
    """Nothing was declared: no pill, and the course instead."""
    made = soak.section(material(record(None, memory(0.0))))
    assert made is not None
    assert "advice" in str(made.body)
    assert "pill" not in str(made.body)
    assert made.brief == ()


def test_a_short_run_has_neither_section():
    """Nothing was looked at, and nothing was promised."""
    of = material(Scene().record())
    assert soak.section(of) is None
    assert promised.section(of) is None


def test_shares_limits_and_triggers_are_in_their_tables():
    """Requirement J6, J7: one row for each copy, account and trigger; what did not pass is in the brief."""
    uneven = promised.section(material(test_balance.case([2, 1, 1]).record))
    assert uneven is not None
    assert all(name in str(uneven.body) for name in test_balance.NAMES)
    assert "not even" in uneven.brief[0]
    row = {
        "name": EVIL,
        "whose": "red",
        "phase": "after",
        "answer": "pass",
        "most_per_s": 40.0,
        "asked": 3530,
        "admitted": 1606,
        "due_least": 1600.0,
        "due_most": 1640.0,
    }
    limits = promised.section(material(Scene().record(), rate_limits=[row]))
    assert limits is not None
    assert EVIL not in str(limits.body)
    assert "1,606" in str(limits.body)
    assert limits.brief == ()
    found = test_scaling.scaled((0, 1), (120, 3), (390, 1))
    scaling = {"triggers": [{"at_s": one.at_s, "before": one.before} for one in found.triggers], "cost": found.cost}
    shown = promised.section(material(Scene().record(), scaling=scaling))
    assert shown is not None
    assert str(shown.body).count("<tr>") == 3


def test_an_account_that_was_judged_reaches_the_report():
    """From a drawn record to the page, without any figure made up on the way."""
    made = Scene(faults=(), end_s=64.0).record()
    at_s = np.arange(4, 64, 1 / 120)
    some = test_limits.samples(at_s, test_limits.fixed_window(at_s))
    experiment = replace(made.experiment, rate_limits=(test_limits.LIMIT,))
    of = material(replace(made, samples=some, experiment=experiment))
    (row,) = of.document["rate_limits"]
    shown = promised.section(of)
    assert shown is not None
    assert f'value="{row["admitted"]}"' in str(shown.body)


def test_undeclared_growth_is_advice_at_the_end_of_the_summary():
    """Requirement M4: once, in words with the rate; what was declared is among the reasons already."""

    def printed(made) -> str:
        console = Console(record=True, width=200, file=io.StringIO())
        print_summary(judge(made), "runs/x", console)
        return console.export_text()

    leaking = record(None, memory(1.0))
    assert printed(leaking).count("advice: process.memory of service: grows: ") == 1
    assert "advice:" not in printed(replace(leaking, experiment=replace(leaking.experiment, soak=FLAT_MEMORY)))
    assert "advice:" not in printed(record(None, memory(0.0)))
