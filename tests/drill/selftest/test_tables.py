"""A self-test as tables and JSON: what was seen, nothing left out, nothing that was not."""

import json
from pathlib import Path

import pytest

from resilience.drill.selftest import keeping, machine
from resilience.drill.selftest.answers import Ended
from resilience.drill.selftest.conduct import conduct, missing
from resilience.drill.selftest.rows import read_matrix
from resilience.drill.selftest.tables import code_for, document, lines, markdown
from resilience.drill.selftest.trials import Choice, Story, experiments_of, lay_out
from tests.drill.selftest.scene import Runner, failed, passed, unknown, write_matrix


@pytest.fixture
def matrix(tmp_path: Path):
    return read_matrix(write_matrix(tmp_path / "m", "B1", "B2", more="needs_fault: true\n"))


def conducted(tmp_path, matrix, choice=None, again=0, **instead):
    """The trials and the index after them; `again` more rounds of what could not tell."""
    choice = choice or Choice()
    trials = lay_out(matrix, choice, {path: Story(length_s=30.0) for path in experiments_of(matrix, choice)})
    kept = keeping.begin(tmp_path / "out", choice, {"cores": "2"})
    runner = Runner(**instead)
    kept = conduct(trials, kept, runner, jobs=1)
    for _ in range(again):
        kept = conduct(missing(trials, kept, again=True), kept, runner, jobs=1)
    return trials, kept


def by_name(matrix, kept):
    return {(line.kind.value, line.name): line for line in lines(matrix, kept)}


def test_a_line_for_each_row_and_each_healthy_experiment(tmp_path: Path, matrix):
    """Tried or not: what was not tried is said to be so."""
    _, kept = conducted(tmp_path, matrix, Choice(names=("B1",), times=2))
    found = by_name(matrix, kept)
    assert {name: line.seen for name, line in found.items()} == {
        ("bug", "B1"): "2 of 2",
        ("bug", "B2"): "not tried",
        ("without its fault", "B1"): "2 of 2",
        ("without its fault", "B2"): "not tried",
        ("harness", "H1"): "not tried",
        ("healthy", "story"): "2 of 2",
    }
    assert found["bug", "B1"].told == {"lost": 2}


def test_all_as_it_must(tmp_path: Path, matrix):
    """The only way to exit 0."""
    trials, kept = conducted(tmp_path, matrix)
    assert code_for(trials, kept) == 0
    told = document(matrix, kept, trials)
    assert (told["answer"], told["exit"], told["wanted"], told["over"]) == ("pass", 0, 6, 6)
    assert json.loads(json.dumps(told)) == told
    assert [line["proven_share"] for line in told["lines"]] == [pytest.approx(0.05)] * 6


@pytest.mark.parametrize(
    ("instead", "code"),
    [
        ({"B1_1": [passed()]}, 1),
        ({"B1_1": [failed("phantom")]}, 1),
        ({"healthy_story_1": [failed("lost")]}, 1),
        ({"B1_without_1": [passed()]}, 1),
        ({"H1_1": [passed()]}, 1),
        ({"B1_1": [unknown()]}, 2),
        ({"B1_1": [unknown()], "B2_1": [passed()]}, 1),
        ({"healthy_story_1": [Ended(code=3, document=None)]}, 3),
        ({"B1_1": [Ended(code=4, document=None)], "B2_1": [passed()]}, 4),
        ({"B1_1": [Ended(code=5, document=None)]}, 5),
        ({"B1_1": [Ended(code=-9, document=None)]}, 2),
    ],
)
def test_one_that_is_not_as_it_must_be_decides(tmp_path: Path, matrix, instead, code):
    """0 all as they must, 1 missed, wrong reason or false alarm, 2 not certain, 3 file, 4 environment, 5 debts."""
    trials, kept = conducted(tmp_path, matrix, **instead)
    assert code_for(trials, kept) == code
    odd = [line for line in lines(matrix, kept) if line.odd]
    assert len(odd) == len(instead)
    assert all(line.right == 0 for line in odd)


def test_what_is_missing_is_not_certain(tmp_path: Path, matrix):
    """A self-test that was cut short proves nothing of what it left out; what it found is found."""
    trials, kept = conducted(tmp_path, matrix, Choice(names=("B1",)))
    more = lay_out(matrix, Choice(), {path: Story(length_s=1.0) for path in experiments_of(matrix, Choice())})
    assert code_for(trials, kept) == 0
    assert code_for(more, kept) == 2


def test_what_was_run_again_is_shown_beside_what_came_first(tmp_path: Path, matrix):
    """Unknown may be made good by being run again, and nothing else may; both are told."""
    trials, kept = conducted(tmp_path, matrix, again=1, B1_1=[unknown("too busy")])
    line = by_name(matrix, kept)["bug", "B1"]
    assert (line.seen, line.again, code_for(trials, kept)) == ("1 of 1", 1, 0)
    assert line.odd == (f"B1-1: not certain: too busy (load {kept.every('B1-1')[0].load:.1f})",)
    assert "B1-1: not certain: too busy" in markdown(matrix, kept)


def test_what_could_not_tell_twice_is_not_certain(tmp_path: Path, matrix):
    """Running it again is no way to a pass by itself."""
    trials, kept = conducted(tmp_path, matrix, again=1, B1_1=[unknown("busy"), unknown("busy still")])
    assert code_for(trials, kept) == 2
    assert by_name(matrix, kept)["bug", "B1"].odd[1].startswith("B1-1, run 2: not certain: busy still (load ")


def test_what_it_missed_when_it_was_run_again_is_missed(tmp_path: Path, matrix):
    """The second run counts as much as the first."""
    trials, kept = conducted(tmp_path, matrix, again=1, B1_1=[unknown(), passed()])
    assert code_for(trials, kept) == 1


def test_the_page(tmp_path: Path, matrix):
    """Machine and date, every row, what was seen of it, and how sure no false alarm is."""
    _, kept = conducted(tmp_path, matrix, Choice(names=("B1", "H1"), healthy=59))
    page = markdown(matrix, kept)
    assert "* cores: 2\n" in page
    assert f"* begun: {kept.begun}" in page
    assert "| B1 | Redis goes away | `story.yaml` | lost | 1 of 1 | lost | 1 of 1 |" in page
    assert "| B2 | Redis goes away | `story.yaml` | lost | not tried | – | not tried |" in page
    assert "| `story.yaml` | 59 of 59 | 5% |" in page
    assert "| H1 | nothing is injected | `story.yaml` | exit 2, “never seen” | 1 of 1 |" in page
    assert "did not come" not in page


def test_a_false_alarm_has_no_bound(tmp_path: Path, matrix):
    """One failure among many is told, and no figure stands beside it that it does not bear."""
    _, kept = conducted(tmp_path, matrix, Choice(only="healthy", times=20), healthy_story_7=[failed("lost")])
    page = markdown(matrix, kept)
    assert "| `story.yaml` | 19 of 20 | – |" in page
    assert "* healthy-story-7: false alarm: bad" in page


def test_where_it_was_run():
    """What a reader needs to judge the figures: cores, kernel, versions of what took part."""
    told = machine.describe(3)
    assert told["cores"] == f"{machine.cores()}, 3 runs at once"
    assert {"kernel", "Python", "resilience", "postgres", "redis-server", "toxiproxy-server"} <= set(told)
    assert all(told.values())
