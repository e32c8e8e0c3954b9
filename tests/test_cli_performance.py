"""The command `resilience performance`: pages from runs; what is missing is told, and of what is no run nothing."""

import json

import pytest
from click.testing import CliRunner

from resilience.cli import main
from resilience.model import Baseline, Measured
from resilience.record.baseline import save_baseline

PAGES = ["README.md", "baselines.md", "capacity.md", "optimisation.md", "results.md"]


@pytest.fixture
def run(tmp_path):
    """The folder of a run."""
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    document = {
        "experiment": "normal",
        "title": "Normal",
        "run": "aaaa1111",
        "answer": "pass",
        "because": "well",
        "phases": [],
    }
    header = {"wall_clock": "2026-01-02T03:04:05.000+00:00", "versions": {}, "machine": {"cores": 2, "memory_gib": 8}}
    (folder / "verdict.json").write_text(json.dumps(document))
    (folder / "experiment.json").write_text("{}")
    (folder / "events.jsonl").write_text(json.dumps({"kind": "header", "detail": header}) + "\n")
    return folder


def performance(*words):
    """What comes of it."""
    return CliRunner().invoke(main, ["performance", *map(str, words)])


def test_pages_are_written_and_what_is_missing_is_told(run, tmp_path):
    """The same again gives the same bytes; a baseline that lies beside the pages is named as it lies there."""
    out = tmp_path / "pages"
    baseline = Baseline(experiment="normal", runs=(Measured(run="aaaa1111", at="", answer="pass"),))
    (out / "baselines").mkdir(parents=True)
    save_baseline(out / "baselines" / "normal.json", baseline)
    words = (run, "--out", out, "--baseline", out / "baselines" / "normal.json")
    first = performance(*words)
    assert first.exit_code == 0, first.output
    pages = {path.name: path.read_bytes() for path in out.glob("*.md")}
    assert sorted(pages) == PAGES
    assert b"`baselines/normal.json`" in pages["baselines.md"]
    assert "missing: results: no run of peak was given" in first.stderr
    assert "no run of normal" not in first.stderr
    assert performance(*words).exit_code == 0
    assert {path.name: path.read_bytes() for path in out.glob("*.md")} == pages


def test_as_json_it_says_what_was_written_and_what_is_missing(run, tmp_path):
    """And nothing else."""
    told = json.loads(performance(run, "--out", tmp_path / "pages", "--json").stdout)
    assert sorted(told) == ["files", "missing"]
    assert [name.rpartition("/")[2] for name in sorted(told["files"])] == PAGES
    assert "baselines: none was given" in told["missing"]


@pytest.mark.parametrize("words", [(), ("--before", "one"), ("--after", "one"), ("nothing-here",)])
def test_what_cannot_be_written_of_is_refused_and_nothing_is_written(words, tmp_path):
    """No run, half of a pair, or no run's folder."""
    out = tmp_path / "pages"
    done = performance(*words, "--out", out)
    assert done.exit_code in {2, 3}
    assert not out.exists()
