"""Keys of a load's profile and of its users' think time, and how their short forms are read."""

from collections.abc import Mapping
from typing import Any

from resilience.model import Profile, Stage, Think
from resilience.spec.durations import PATTERN, parse_duration
from resilience.spec.findings import Findings
from resilience.spec.key import Key, block
from resilience.spec.shapes import DURATION, LENGTH, Shape, choice, count, listing, number
from resilience.spec.stages import USUAL

LEVEL = number(0, 1_000_000)
"""Arrivals per second, or users."""


def _profile(value: Any, path: str, findings: Findings) -> Any:  # noqa: ANN401 - as Shape.read
    return Profile(shape=value) if isinstance(value, str) else block(Profile).read(value, path, findings)


def _think(value: Any, path: str, findings: Findings) -> Any:  # noqa: ANN401 - as Shape.read
    if isinstance(value, str):
        return Think(mean_s=parse_duration(value))
    return block(Think).read(value, path, findings)


def _think_said(value: Any) -> Any:  # noqa: ANN401 - as Shape.write
    return DURATION.write(value.mean_s)


STAGES = listing(block(Stage))
PROFILE = Shape(
    {
        "title": "profile",
        "if": {"type": "string"},
        "then": {"enum": list(USUAL)},
        "else": {"$ref": "#/$defs/Profile"},
        "examples": ["spike"],
    },
    _profile,
    lambda value: str(value.shape),
)
THINK = Shape(
    {
        "title": "think time",
        "if": {"type": "string"},
        "then": {"title": "duration", "pattern": PATTERN, "examples": ["2s"]},
        "else": {"$ref": "#/$defs/Think"},
        "examples": ["2s"],
    },
    _think,
    _think_said,
)

LOAD_KEYS: Mapping[type, tuple[Key, ...]] = {
    Stage: (
        Key("duration", "duration_s", DURATION, "How long the level takes to get there; 0s is a jump."),
        Key("rate", "rate", LEVEL, "Arrivals per second, or users, at the stage's end."),
        Key("target", "target", LEVEL, "The same, as k6 spells it."),
    ),
    Profile: (
        Key("shape", "shape", choice(*USUAL), "A shape, or the name of a usual size of load."),
        Key("to", "to", LEVEL, "The level that it goes to: arrivals per second, or users."),
        Key("rise", "rise_s", DURATION, "How long it takes to get there; 0s is a jump."),
        Key("hold", "hold_s", DURATION, "How long it stays there; of step, on each level."),
        Key("fall", "fall_s", DURATION, "Of a spike: how long it takes to get back."),
        Key("rest", "rest_s", DURATION, "Of a spike: how long it stays down."),
        Key("cycles", "cycles", count(1, 1000), "How often a spike or a wave comes."),
        Key("step", "step", number(0, above=True), "By how much the level grows each time."),
        Key("period", "period_s", LENGTH, "How long one wave takes, from the lowest level up and back."),
    ),
    Think: (
        Key(
            "distribution",
            "distribution",
            choice("constant", "uniform", "exponential", "lognormal"),
            "How think times are drawn.",
        ),
        Key("mean", "mean_s", DURATION, "Their mean; of uniform there are from and to instead."),
        Key("from", "least_s", DURATION, "Of uniform: the shortest."),
        Key("to", "most_s", DURATION, "Of uniform: the longest."),
        Key("sigma", "sigma", number(0, 5), "Of lognormal: the standard deviation of the logarithm."),
    ),
}
