"""One experiment several times, judged together."""

import io
import json

import pytest
from rich.console import Console

from resilience.drill.repeat import conduct, print_repeats
from resilience.model import Answer


@pytest.fixture
def runs(tmp_path):
    """A program that leaves a run folder for each seed, with the answer that it is told; None leaves nothing."""
    folder = tmp_path / "runs"

    def program(answers, codes=None):
        def run(seed):
            answer = answers[seed]
            if answer is not None:
                own = folder / f"2026-{seed}"
                own.mkdir(parents=True)
                (own / "plan.json").write_text(json.dumps({"seed": seed}))
                (own / "verdict.json").write_text(
                    json.dumps({"answer": answer, "because": "so", "recovery": {"mttr_s": 2}})
                )
            return (codes or {}).get(seed, {"pass": 0, "fail": 1, "unknown": 2, None: 2}[answer])

        return conduct(run, folder, list(range(len(answers))))

    return program


def test_all_that_passed_passes(runs):
    """Exit 0, and how sure one can be."""
    code, made = runs(["pass"] * 3)
    assert (code, made.answer, made.stability) == (0, Answer.PASS, "passing")
    assert made.low == pytest.approx(0.2924, abs=1e-4)


def test_flaky_is_told_from_failing(runs):
    """One failure among passes is exit 1, as it is with none; the words differ."""
    assert runs(["pass", "fail", "pass"])[1].stability == "flaky"


def test_all_that_failed_is_failing(runs):
    """Nothing passed."""
    code, made = runs(["fail", "fail"])
    assert (code, made.stability) == (1, "failing")


def test_a_run_that_left_nothing_is_no_pass(runs):
    """It is unknown, whatever its program ended with."""
    code, made = runs(["pass", None], codes={1: 0})
    assert (code, made.answer) == (2, Answer.UNKNOWN)


@pytest.mark.parametrize("code", [3, 4, 5])
def test_it_does_not_go_on_where_that_makes_no_sense(runs, code):
    """A wrong file, no environment, debts outstanding: the first is the last."""
    assert runs(["pass", None, "pass"], codes={1: code}) == (code, None)


def test_what_is_printed(runs):
    """The answer, the interval, a line for each run."""
    console = Console(width=160, record=True, file=io.StringIO())
    print_repeats(runs(["pass", "fail"])[1], console)
    text = console.export_text()
    for word in ("FAIL", "flaky", "1 of 2 passed", "2026-1", "recovery: mean 2 s"):
        assert word in text
