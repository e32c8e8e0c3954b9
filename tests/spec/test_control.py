"""A control group in the file, and the block that compares runs: read as written, refused where they do not fit."""

import pytest

from resilience.errors import SpecError
from resilience.model import Control, Region, Regression
from resilience.spec.mix import Mix
from resilience.spec.parse import parse
from tests.spec.changing import changed


def parsed(changes):
    """The shipped experiment with changes."""
    return parse(changed(changes), "x.json", "/somewhere")


GROUP = {"OWN.load.control": {"share": 0.25, "slower_than": "500ms", "margin": 0.1}}


def test_it_splits_the_load_into_two_regions():
    """One reaches the service directly, the other by a part of its own, on which faults can be."""
    load = parsed(GROUP).load
    assert load.control == Control(share=0.25, slow_s=0.5, margin=0.1)
    assert load.regions == (
        Region(name="control", weight=0.75),
        Region(name="experiment", weight=0.25, latency_s=0.0),
    )
    on_way = parsed({**GROUP, "method[0].provider.arguments.part": "service-experiment"})
    assert on_way.faults[0].on == "service-experiment"


def test_a_key_is_always_in_the_same_group():
    """Whatever else is drawn for it; shares are as declared; another seed splits otherwise."""
    load = parsed(GROUP).load
    groups: dict[int, set[int]] = {}
    mix = Mix(load, 7)
    for index in range(8000):
        groups.setdefault(mix.choose(index)[1], set()).add(mix.segment(index)[1])
    assert all(len(found) == 1 for found in groups.values())
    share = sum(found == {1} for found in groups.values()) / len(groups)
    assert share == pytest.approx(0.25, abs=0.06)
    other = Mix(load, 8)
    again = {other.choose(index)[1]: other.segment(index)[1] for index in range(8000)}
    both = groups.keys() & again.keys()
    assert any(groups[key] != {again[key]} for key in both)


@pytest.mark.parametrize(
    ("changes", "where", "said"),
    [
        ({**GROUP, "OWN.load.regions": [{"name": "eu"}]}, "load.control", "leave out regions"),
        ({**GROUP, "OWN.load.keys": 1}, "load.control", "one key"),
        ({"OWN.load.control": {"share": 1}}, "load.control.share", "0.99"),
        ({"OWN.regression": {"margin": 0}}, "regression.margin", "0"),
        ({"OWN.regression": {"require": ["luck"]}}, "regression.require", "luck"),
    ],
)
def test_what_does_not_fit_is_refused(changes, where, said):
    """With its place and what to do."""
    with pytest.raises(SpecError) as refused:
        parsed(changes)
    assert any(where in problem.where and said in str(problem) for problem in refused.value.problems)


def test_the_block_that_compares_runs():
    """As written; without it nothing is compared."""
    block = {
        "baseline": "b.json",
        "margin": 0.1,
        "floor": "2ms",
        "share_floor": 0.01,
        "require": ["latency", "recovery"],
    }
    found = parsed({"OWN.regression": block}).regression
    assert found == Regression(
        baseline="b.json", margin=0.1, floor_s=0.002, share_floor=0.01, require=("latency", "recovery")
    )
    assert parsed({}).regression is None
