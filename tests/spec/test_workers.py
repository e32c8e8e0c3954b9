"""How many processes carry a load: what a file may say, and what follows from a rate. Requirement L5."""

import copy

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from resilience.errors import SpecError
from resilience.model import Load, Operation, Stage, Think, Workers
from resilience.spec.parse import parse
from resilience.spec.workers import ROOM, peak_per_s, workers_needed
from tests.program import SHIPPED

READ = (Operation(name="read", weight=1.0, method="GET", path="/"),)


def parsed(workers: object, **load: object) -> Load:
    document = copy.deepcopy(yaml.safe_load(SHIPPED.read_text()))
    document["extensions"][0]["load"] |= {"workers": workers, **load}
    return parse(yaml.safe_dump(document).encode(), "short.yaml", "/").load


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("auto", Workers()),
        (3, Workers(local=3)),
        ({"local": "auto", "remote": 2, "listen": "10.0.0.1:5557"}, Workers(remote=2, listen="10.0.0.1:5557")),
        (
            {"local": 0, "remote": 1, "wait": "90s", "listen": "[fd00::1]:5557"},
            Workers(local=0, remote=1, wait_s=90.0, listen="[fd00::1]:5557"),
        ),
    ],
)
def test_workers_are_read_as_written(written, read):
    """A number, auto, or who joins from where."""
    assert parsed(written).workers == read


def test_without_a_word_it_is_auto():
    """One process, or more where one core is not enough."""
    assert parsed("auto").workers == Load(operations=READ).workers == Workers()


@pytest.mark.parametrize(
    ("written", "load", "told"),
    [
        (0, {}, "expected at least 1"),
        (65, {}, "expected at most 64"),
        ("many", {}, "is not a number of workers, or auto"),
        (1.5, {}, "is not a number of workers, or auto"),
        ({"local": 0}, {}, "nobody carries the load"),
        ({"remote": 1}, {}, "a port that nobody can know beforehand"),
        ({"remote": 1, "listen": "here"}, {}, "is not an address with a port"),
        ({"remote": 1, "listen": "10.0.0.1:5557", "token": "x"}, {}, "'token' is not known here"),
        (8, {"max_in_flight": 7}, "8 workers share 7 operations at once"),
        ({"local": "auto", "remote": 7, "listen": "h:1"}, {"max_in_flight": 7}, "8 workers share 7"),
    ],
)
def test_what_is_wrong_is_told(written, load, told):
    """With what was found, and what was expected."""
    with pytest.raises(SpecError) as caught:
        parsed(written, **load)
    assert any(told in str(problem) and "workers" in problem.where for problem in caught.value.problems), str(
        caught.value
    )


def test_documents_are_shared_among_workers():
    """Each document is written by one worker, so there must be one for each."""
    document = copy.deepcopy(yaml.safe_load((SHIPPED.parent / "many-effects.yaml").read_text()))
    own = document["extensions"][0]
    for account in own["accounts"]:
        if account["effect"] == "document":
            account["objects"] = 3
    own["load"]["workers"] = 4
    with pytest.raises(SpecError, match="4 workers share the 3 documents"):
        parse(yaml.safe_dump(document).encode(), "short.yaml", "/")


def test_the_peak_is_that_of_the_stages_that_are_reached():
    """Also of users: as many operations as they ask for if answers take no time."""
    stages = (Stage(10.0, 500.0), Stage(10.0, 100.0), Stage(10.0, 900.0))
    load = Load(rate=50.0, operations=READ, stages=stages)
    assert [peak_per_s(load, until_s) for until_s in (5.0, 15.0, 25.0)] == [500.0, 500.0, 900.0]
    users = Load(users=600, operations=READ, think=Think(mean_s=2.0))
    assert peak_per_s(users, 10.0) == 300.0
    assert peak_per_s(Load(users=600, operations=READ, think=Think(mean_s=0.0)), 10.0) is None


@given(st.floats(0, 1e6), st.floats(1, 1e5), st.integers(1, 128), st.integers(1, 1000))
def test_there_are_as_many_as_needed_and_as_there_is_room_for(peak, per_worker, cores, in_flight):
    """Never none, never more than cores or operations at once; if that is no bound, each has room to spare."""
    count = workers_needed(peak, per_worker, cores, Load(operations=READ, max_in_flight=in_flight))
    assert 1 <= count <= min(cores, in_flight)
    if count < min(cores, in_flight):
        assert peak / count <= per_worker * ROOM * 1.000001
        assert count == 1 or peak / (count - 1) > per_worker * ROOM * 0.999999


def test_what_a_target_decides_needs_one():
    """Users without think time do as much as the target lets them."""
    assert workers_needed(None, 1.0, 64, Load(operations=READ)) == 1
