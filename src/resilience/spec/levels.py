"""Whether what is said of a load's level fits together: rate or users, stages or a profile, and how long it takes."""

from collections.abc import Mapping, Sequence
from typing import Any

from resilience.model import Load, PlannedPhase
from resilience.spec.durations import format_duration
from resilience.spec.findings import Findings
from resilience.spec.stages import PARTS, USUAL, length_s, usual
from resilience.spec.text import join

_ROUNDING_S = 1e-6
_FIELDS = {"rise": "rise_s", "hold": "hold_s", "fall": "fall_s", "rest": "rest_s", "period": "period_s"}


def check_levels(load: Load, given: Mapping[str, Any], path: str, findings: Findings) -> None:
    """Note what is missing, excludes something else, or is no load at all.

    Args:
        load: as read.
        given: its block as it stands in the file.
        path: where it stands.
        findings: takes what is wrong.
    """
    if "rate" not in given and "users" not in given:
        hint = "add rate: arrivals per second, or users: how many wait for their answers"
        findings.add(join(path, "rate"), "is missing", hint)
    elif "rate" in given and "users" in given:
        message = "a load is open, with a rate, or closed, with users; this one has both"
        findings.add(join(path, "users"), message, "remove one of them")
    elif max([load.level, *(stage.rate for stage in load.stages)]) <= 0:
        word = "users" if load.closed else "rate"
        findings.add(join(path, word), f"{load.level:g} is no load at all", f"write {_ABOVE[word]} above 0")
    if "think" in given and not load.closed:
        findings.add(join(path, "think"), "only users think, and this load has a rate", "write users instead of rate")
    if load.closed and "arrivals" in given:
        findings.add(join(path, "arrivals"), "users decide when they do something", "remove it, or write a rate")
    if load.closed and "max_in_flight" in given:
        message = "each user does one thing at a time, so as many as there are users are in flight at most"
        findings.add(join(path, "max_in_flight"), message, "remove it")
    _check_stages(given.get("stages"), join(path, "stages"), findings)
    if load.closed:
        _check_think(load, given.get("think"), join(path, "think"), findings)
    if load.profile is not None:
        _check_shape(load, given, path, findings)


_ABOVE = {"users": "a number of users", "rate": "a rate"}


def _check_stages(stages: Any, path: str, findings: Findings) -> None:  # noqa: ANN401 - whatever the file has
    for index, stage in enumerate(stages if isinstance(stages, Sequence) and not isinstance(stages, str) else ()):
        if not isinstance(stage, Mapping):
            continue
        if "rate" not in stage and "target" not in stage:
            findings.add(join(f"{path}[{index}]", "rate"), "is missing", "add rate: …, or target: … as k6 spells it")
        elif "rate" in stage and "target" in stage:
            findings.add(join(f"{path}[{index}]", "target"), "means the same as rate", "keep one of them")


def _check_think(load: Load, given: Any, path: str, findings: Findings) -> None:  # noqa: ANN401 - whatever the file has
    think = load.think
    given = given if isinstance(given, Mapping) else {}
    uniform = think.distribution == "uniform"
    for key, belongs in (("mean", not uniform), ("from", uniform), ("to", uniform)):
        if key in given and not belongs:
            has = "from and to" if uniform else "mean"
            findings.add(join(path, key), f"{think.distribution} think times have no {key}", f"write {has}")
    if "sigma" in given and think.distribution != "lognormal":
        findings.add(join(path, "sigma"), f"{think.distribution} think times have no sigma", "remove it")
    if uniform and think.most_s < think.least_s:
        message = f"{format_duration(think.most_s)} is shorter than from, {format_duration(think.least_s)}"
        findings.add(join(path, "to"), message, "write the longer one as to")


def _check_shape(load: Load, given: Mapping[str, Any], path: str, findings: Findings) -> None:
    """Note what the shape has no use for, and what it cannot be drawn with."""
    profile = load.profile
    if profile is None:
        return
    if load.stages and given.get("stages"):
        findings.add(join(path, "profile"), "a load has stages or a profile; this one has both", "remove one of them")
    where, shape = join(path, "profile"), usual(profile)
    known = PARTS[shape.shape]
    for key in ("to", "rise", "hold", "fall", "rest", "cycles", "step", "period"):
        if getattr(profile, _FIELDS.get(key, key)) is not None and key not in known:
            findings.add(join(where, key), f"{profile.shape} has no {key}", f"it has {', '.join(known)}")
    if shape.to is None and shape.shape != "constant":
        findings.add(join(where, "to"), "is missing", f"add to: the level that {profile.shape} goes to")
    elif shape.shape not in {"constant", "ramp"} and shape.to == load.level:
        word = "users" if load.closed else "rate"
        findings.add(join(where, "to"), f"{shape.to:g} is where it begins", f"write another level, or another {word}")
    assert set(USUAL) >= {profile.shape}  # noqa: S101 - the schema lets no other name through


def check_profile(load: Load, planned: Sequence[PlannedPhase], path: str, findings: Findings) -> None:
    """Note a profile whose end nobody would see: it must be over when the last phase is."""
    if load.profile is None or not planned:
        return
    needed_s, there_s = length_s(load), planned[-1].end_s
    if needed_s > there_s + _ROUNDING_S:
        missing = format_duration(needed_s - there_s)
        message = (
            f"with warm-up and baseline it takes {format_duration(needed_s)}, and the phases end after "
            f"{format_duration(there_s)}"
        )
        findings.add(join(path, "profile"), message, f"observe for {missing} more, or shorten the profile")
