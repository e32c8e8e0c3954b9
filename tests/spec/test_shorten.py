"""A short variant of an experiment asks the same of a target, for a shorter time. Requirement L1."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from resilience.cli import main
from resilience.ctk.run import load_file
from resilience.model import Load
from resilience.spec.parse import parse
from resilience.spec.phases import phases
from resilience.spec.profile import level_at
from resilience.spec.shorten import shortened
from resilience.spec.stages import length_s, method_s

ROOT = Path(__file__).parents[2]
STORIES = sorted((ROOT / "experiments" / "load").glob("*.yaml"))
SPIKE = ROOT / "experiments" / "load" / "spike.yaml"
FAULTS = ROOT / "experiments" / "redis-hung.yaml"


def variant(path: Path, times: float, load: float = 1.0):
    """The variant, read as any file is."""
    return parse(json.dumps(shortened(load_file(path).chaos, times, load)).encode(), "x.json", "/")


def test_subscribers_are_a_level():
    """A tenth of the load has a tenth of the subscribers, who come as quickly one after another."""
    storm = ROOT / "experiments" / "load" / "websocket-storm.yaml"
    story, short = load_file(storm).load.subscriptions[0], variant(storm, 0.02, 0.1).load.subscriptions[0]
    assert (story.connections, short.connections, short.connect_rate) == (1000, 100, story.connect_rate)


def levels(load: Load, begin_s: float, end_s: float) -> list[float]:
    """A hundred levels between two instants."""
    return [level_at(load, begin_s + (end_s - begin_s) * share / 100) for share in range(100)]


def test_the_shape_is_the_same():
    """A tenth of the time and half the users: the same course, and the profile ends when the phases do."""
    story, short = load_file(SPIKE), variant(SPIKE, 0.1, 0.5)
    ends = [length_s(one.load) for one in (story, short)]
    begins = [method_s(one.load) for one in (story, short)]
    assert (begins, ends) == ([42.5, 8.5], [462.5, 50.5]), "a baseline of 3 s and the longest time limit"
    whole, half = (levels(one.load, begin, end) for one, begin, end in zip((story, short), begins, ends, strict=True))
    assert half == pytest.approx([level / 2 for level in whole])
    assert phases(short.load, short.steps, short.chaos)[-1].end_s == pytest.approx(50.5)
    assert short.load.think == story.load.think
    assert short.objectives == story.objectives
    assert short.load.operations == story.load.operations


def test_it_says_that_it_is_a_variant():
    """No report of it can be taken for one of the story; its digest is its own."""
    story, short = load_file(SPIKE), variant(SPIKE, 0.1, 0.5)
    assert short.title == f"{story.title} (short variant: 0.1 of its length, 0.5 of its load)"
    assert short.digest != story.digest


def test_faults_and_rests_are_shorter_and_leases_and_limits_are_not():
    """Of an experiment with a fault in three cycles."""
    story, short = load_file(FAULTS), variant(FAULTS, 0.5)
    lengths = [[step.duration_s for step in one.steps] for one in (story, short)]
    assert lengths[0] == [5.0, 8.0, 5.0, 8.0, 5.0, 8.0, 6.0]
    assert lengths[1] == [2.5, 4.0, 2.5, 4.0, 2.5, 4.0, 4.0], "what is watched lasts as long as recovery must hold"
    assert short.recovery == story.recovery
    assert short.safety == story.safety


def test_nothing_becomes_too_short_to_be_judged():
    """A baseline of 3 s and the longest time limit, a phase as long as its objective's window; at least one user."""
    short = variant(ROOT / "experiments" / "load" / "break-point.yaml", 0.001)
    assert short.load.baseline_s == 5.0
    assert short.steps[0].duration_s == 5.0, "there is an objective over 5s"
    assert isinstance(short.load.level, float)
    few = variant(SPIKE.with_name("peak.yaml"), 0.1, 0.0001)
    assert few.load.users == 1


@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.stem)
@pytest.mark.parametrize("times", [0.013, 0.5])
def test_a_variant_of_every_story_is_right(story: Path, times: float):
    """Whatever the factor, the phases are at least as long as the profile."""
    short = variant(story, times, 0.1)
    assert length_s(short.load) <= phases(short.load, short.steps, short.chaos)[-1].end_s + 1e-6


def test_the_command_writes_a_file_that_runs(tmp_path: Path):
    """It is read back as any experiment; a wrong factor or ending is told, and nothing is written."""
    target = tmp_path / "short.json"
    words = ["shorten", str(SPIKE), "--times", "0.05", "--load", "0.1", "--out", str(target)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert load_file(target).load.users == 10
    wrong = CliRunner().invoke(main, ["shorten", str(SPIKE), "--times", "0", "--out", str(tmp_path / "x.yaml")])
    assert wrong.exit_code == 3
    assert "--times: 0 is no factor" in wrong.output
    assert "does not end in .json" in wrong.output
    assert not (tmp_path / "x.yaml").exists()


def test_a_soak_that_becomes_too_short_to_be_told_is_left_out_and_one_that_does_not_stays():
    """Requirement L1, M4: four hours become fourteen seconds or half an hour; the title says what is missing."""
    story = load_file(ROOT / "experiments" / "load" / "soak.yaml")
    assert story.soak is not None
    short, half = (variant(ROOT / "experiments" / "load" / "soak.yaml", times) for times in (0.001, 0.125))
    assert short.soak is None
    assert short.title.endswith("(short variant: 0.001 of its length, without its soak)")
    assert half.soak == story.soak
    assert half.title.endswith("(short variant: 0.125 of its length)")
