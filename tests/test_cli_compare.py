"""`resilience compare`, `baseline`, `history`, and `--baseline`, as users call them. Requirements M4, E7, R3."""

import json
import shutil
from dataclasses import replace

import pytest
from click.testing import CliRunner

from resilience.cli import main
from resilience.ctk.baselines import baseline_for
from resilience.errors import SpecError
from resilience.judge.verdict import judge
from resilience.model import Regression
from resilience.record.baseline import load_baseline, save_baseline
from resilience.record.documents import save_verdict
from resilience.record.folder import BASELINE
from resilience.record.reader import read_record
from tests.judge.builder import honest
from tests.judge.test_evidence import save


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Records on disk: two healthy runs, one that is twice as slow, one under another load."""
    base = tmp_path_factory.mktemp("runs")
    scenes = {
        "one": honest(rate=400.0, seed=11),
        "two": honest(rate=400.0, seed=12),
        "slow": honest(rate=400.0, seed=13, latency_s=0.010),
        "other": honest(rate=500.0, seed=14),
    }
    for name, scene in scenes.items():
        record = scene.record()
        record = replace(record, plan=replace(record.plan, run=name.ljust(8, "0")))
        save(base / name, record)
        save_verdict(base / name, judge(read_record(base / name)))
    return base


def called(*words):
    """Exit code and output of a command."""
    done = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    return done.exit_code, done.output


def test_compare_says_what_is_worse(runs):
    """As text, as JSON, as Markdown; the exit code says only that it could be done."""
    code, text = called("compare", runs / "one", runs / "slow")
    assert code == 0
    assert text.lstrip().startswith("WORSE")
    code, told = called("compare", runs / "one", runs / "slow", "--json")
    document = json.loads(told)
    assert document["answer"] == "worse"
    assert {row["operation"] for row in document["rows"] if row["answer"] == "worse"} >= {"read-item"}
    code, told = called("compare", runs / "one", runs / "two", "--json")
    assert json.loads(told)["answer"] not in {"worse", "better"}


def test_compare_refuses_another_load(runs, tmp_path):
    """And says what differs; `--anyway` compares and still says so."""
    page = tmp_path / "page.md"
    _, told = called("compare", runs / "one", runs / "other", "--json")
    assert json.loads(told)["answer"] == "not comparable"
    _, told = called("compare", runs / "one", runs / "other", "--anyway", "--json", "--markdown", page)
    assert json.loads(told)["answer"] != "not comparable"
    assert "load.rate" in page.read_text()


def test_a_baseline_is_written_and_compared_with(runs, tmp_path):
    """Requirement E7: a run that is slower by more than the margin fails by it, though its own objectives are met."""
    file = tmp_path / "scene.json"
    code, _ = called("baseline", runs / "one", "--out", file)
    assert code == 0
    called("baseline", runs / "two", "--out", file, "--add")
    assert len(load_baseline(file).runs) == 2
    code, told = called("check", runs / "slow", "--baseline", file, "--json")
    document = json.loads(told)
    assert (code, document["answer"]) == (1, "fail")
    assert document["regression"]["answer"] == "worse"
    assert called("check", runs / "slow")[0] == 0
    code, told = called("compare", file, runs / "two", "--json")
    assert json.loads(told)["answer"] != "worse"


def test_a_baseline_of_unlike_runs_is_refused(runs, tmp_path):
    """Two loads in one baseline say nothing about either."""
    file = tmp_path / "scene.json"
    code, told = called("baseline", runs / "one", runs / "other", "--out", file)
    assert code == 3
    assert "load.rate" in told
    assert not file.exists()


def test_a_record_keeps_its_baseline(runs, tmp_path):
    """What a run was compared with is in its record, and judged again with it; if it was changed, that is seen."""
    folder = tmp_path / "run"
    shutil.copytree(runs / "slow", folder)
    called("baseline", runs / "one", runs / "two", "--out", folder / BASELINE)
    assert called("check", folder)[0] == 1
    (folder / BASELINE).write_text("{}")
    code, told = called("check", folder, "--json")
    assert code == 2
    assert "baseline" in json.loads(told)["because"]


def test_a_baseline_of_another_experiment_is_refused_before_the_run(runs, tmp_path):
    """So is one that is not there; a file that names none has none."""
    experiment = honest().experiment()
    assert baseline_for(experiment, None) is None
    file = tmp_path / "scene.json"
    called("baseline", runs / "one", "--out", file)
    assert baseline_for(experiment, file) == load_baseline(file)
    save_baseline(file, replace(load_baseline(file), experiment="another"))
    with pytest.raises(SpecError, match="another"):
        baseline_for(experiment, file)
    named = replace(experiment, folder=str(tmp_path), regression=Regression(baseline="none.json"))
    with pytest.raises(SpecError, match=r"none\.json"):
        baseline_for(named, None)


def test_history(runs):
    """Requirement R3: every experiment of a folder; exit 1 only for a regression."""
    code, told = called("history", runs, "--json")
    (found,) = json.loads(told)
    assert code == 0
    assert found["experiment"] == "scene"
    assert len(found["runs"]) == 4
    assert "scene" in called("history", runs)[1]
