"""What is said of a load's level must fit together; everything wrong is told at once. Requirements L1, L2, E2."""

import json

import pytest

from resilience.errors import SpecError
from resilience.model import Think
from resilience.spec.parse import parse
from resilience.spec.stages import method_s
from tests.spec.changing import OWN, changed


def closed(**more):
    """The example, with users instead of a rate."""
    load = dict(json.loads(changed({}))["extensions"][0]["load"])
    for key in ("rate", "arrivals", "max_in_flight"):
        load.pop(key, None)
    return changed({"OWN.load": load | {"users": 40} | more})


def told(content: bytes) -> dict[str, str]:
    """Where → what, of every problem."""
    with pytest.raises(SpecError) as caught:
        parse(content, "x.json", "/")
    return {problem.where: f"{problem.message} ({problem.hint})" for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("think", "read"),
    [
        ("2s", Think(mean_s=2.0)),
        ({"distribution": "exponential", "mean": "3s"}, Think(distribution="exponential", mean_s=3.0)),
        ({"distribution": "uniform", "from": "1s", "to": "2s"}, Think(distribution="uniform", least_s=1.0, most_s=2.0)),
        (
            {"distribution": "lognormal", "mean": "2s", "sigma": 0.9},
            Think(distribution="lognormal", mean_s=2.0, sigma=0.9),
        ),
    ],
)
def test_think_times_are_read(think, read):
    """A length is a constant think time; a block says how they are drawn (Requirement L4)."""
    load = parse(closed(think=think), "x.json", "/").load
    assert (load.users, load.rate, load.closed, load.think) == (40, 0.0, True, read)


def test_without_a_word_users_think_a_second():
    """And as many operations are in flight at most as there are users at most."""
    load = parse(
        closed(stages=[{"duration": "10s", "target": 70}, {"duration": "5s", "target": 20}]), "x.json", "/"
    ).load
    assert load.think == Think(mean_s=1.0)
    assert load.max_in_flight == 70


@pytest.mark.parametrize(
    ("load", "where", "words"),
    [
        ({"rate": 5}, "users", "one has both"),
        ({"arrivals": "poisson"}, "arrivals", "users decide when"),
        ({"max_in_flight": 9}, "max_in_flight", "one thing at a time"),
        ({"users": 0}, "users", "0 is no load at all (write a number of users above 0)"),
        ({"users": 1.5}, "users", "not a whole number"),
        ({"think": "2"}, "think", "write 2s"),
        ({"think": {"distribution": "uniform", "mean": "2s"}}, "think.mean", "have no mean (write from and to)"),
        ({"think": {"distribution": "uniform", "from": "2s", "to": "1s"}}, "think.to", "shorter than from"),
        ({"think": {"distribution": "exponential", "from": "2s"}}, "think.from", "have no from (write mean)"),
        ({"think": {"sigma": 1.0}}, "think.sigma", "constant think times have no sigma"),
        ({"think": {"distribution": "normal"}}, "think.distribution", "did you mean"),
        ({"stages": [{"duration": "1m"}]}, "stages[0].rate", "is missing (add rate"),
        ({"stages": [{"duration": "1m", "rate": 3, "target": 3}]}, "stages[0].target", "the same as rate"),
        ({"profile": "pike"}, "profile", "did you mean 'spike'?"),
        (
            {"profile": {"shape": "ramp", "to": 9, "cycles": 2}},
            "profile.cycles",
            "no cycles (it has to, rise, hold)",
        ),
        (
            {"profile": {"shape": "ramp", "rise": "5s"}},
            "profile.to",
            "is missing (add to: the level that ramp",
        ),
        ({"profile": {"shape": "sine", "to": 40}}, "profile.to", "40 is where it begins"),
        ({"profile": "soak", "stages": [{"duration": "1m", "target": 3}]}, "profile", "this one has both"),
    ],
)
def test_what_does_not_fit_is_told(load, where, words):
    """The value, what was expected and what to do."""
    found = told(closed(**load))
    assert words in found[f"{OWN}.load.{where}"], found


def test_a_load_needs_a_level_and_only_users_think():
    """A rate or users; a think time of arrivals means nothing."""
    load = dict(json.loads(changed({}))["extensions"][0]["load"])
    del load["rate"]
    assert "add rate: arrivals per second, or users" in told(changed({"OWN.load": load}))[f"{OWN}.load.rate"]
    assert "only users think" in told(changed({"OWN.load": load | {"rate": 5, "think": "1s"}}))[f"{OWN}.load.think"]


def test_a_profile_must_be_over_when_the_last_phase_is():
    """The message says for how long more must be observed; with that it is right."""
    found = told(changed({"OWN.load.profile": {"shape": "ramp", "to": 500, "rise": "1h"}}))
    assert "takes 1h" in found[f"{OWN}.load.profile"]
    assert "more, or shorten the profile" in found[f"{OWN}.load.profile"]
    short = parse(changed({"OWN.load.profile": {"shape": "ramp", "to": 500, "rise": "5s"}}), "x.json", "/").load
    assert short.stages[0].rate == short.rate == 250.0
    assert (short.stages[0].duration_s, short.stages[1].rate) == (method_s(short), 500)
