"""An experiment file → a short variant of it, to try a long story in a minute. Pure, and on plain data.

Lengths that say how long something is *asked or watched* are multiplied: stages, the parts of a profile, the steps of
the method, rests, pauses, delays before an abort. Levels are multiplied by a second factor: rates, users, targets,
steps, subscribers. What says how something *behaves*, or how it is judged, stays: think times, time limits,
objectives, recovery, leases. So a short variant asks the same of the target for a shorter time.

Nothing becomes shorter than it can be judged in: the warm-up not below 1 s, the baseline not below 3 s and the longest
time limit, a phase not below the longest window of an objective, what is watched after a fault not below the time for
which recovery must hold; unless they were that short before.

A soak asks what hours show: where its phase becomes too short for that it is left out, and the title says so.

The title says that it is a short variant, so that no report of one can be taken for a report of the story itself.
"""

import math
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any

from resilience.model import Operation, Profile, Recovery
from resilience.model.soak import SHORTEST_S, Soak
from resilience.spec.actions import is_step
from resilience.spec.chaos import NAME
from resilience.spec.durations import format_duration, parse_duration
from resilience.spec.stages import PARTS, usual
from resilience.spec.thresholds import parse_objective

LEAST_S: Mapping[str, float] = {"warm_up": 1.0, "baseline": 3.0}
"""Phases become no shorter than this, if they were longer; and the baseline by the longest time limit, since operations
of its end may still be under way when it is judged."""

_OBSERVE = "observe"
_TIMEOUT_S = Operation(name="any", weight=1.0).timeout_s


def shortened(data: Mapping[str, Any], times: float, load: float = 1.0) -> dict[str, Any]:
    """A variant of an experiment file that was found right.

    Args:
        data: the file, as plain data; it is not changed.
        times: factor of lengths, above 0.
        load: factor of levels, above 0.
    """
    found: dict[str, Any] = _copy(data)
    how = f"{times:g} of its length" + ("" if load == 1 else f", {load:g} of its load")
    found["title"] = f"{found['title']} (short variant: {how})"
    own = next(each for each in found["extensions"] if each.get("name") == NAME)
    windows = [_window_s(each) for each in own.get("objectives", ())]
    hold = own.get("recovery", {}).get("hold")
    hold_s = parse_duration(hold) if hold else Recovery().hold_s
    faults = any(is_step(each) and each["provider"]["func"] != _OBSERVE for each in found.get("method", ()))
    _load(own["load"], times, load)
    for activity in found.get("method", ()):
        _activity(activity, times, max(windows, default=0.0), hold_s if faults else 0.0)
    if "soak" in own and _too_short(own, found.get("method", ())):
        del own["soak"]
        found["title"] = f"{found['title'][:-1]}, without its soak)"
    return found


def _too_short(own: Mapping[str, Any], method: Sequence[Any]) -> bool:
    """Whether nothing of a soak could be told any more."""
    phase = own["soak"].get("phase", Soak(flat=()).phase.value)
    lengths = [
        each["provider"]["arguments"]["duration"]
        for each in method
        if is_step(each) and each["provider"]["func"] == _OBSERVE and each["provider"]["arguments"]["phase"] == phase
    ]
    lengths += [own["load"][phase]] if phase in own["load"] and phase in LEAST_S else []
    needed_s = SHORTEST_S + parse_duration(own["soak"].get("warm_up", "0s"))
    return any(parse_duration(length) < needed_s for length in lengths)


def _copy(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, Mapping):
        return {key: _copy(each) for key, each in value.items()}
    return [_copy(each) for each in value] if isinstance(value, list | tuple) else value


def _window_s(objective: Any) -> float:  # noqa: ANN401 - a text or a mapping
    """How long a phase must be at least for an objective; 0 if any length will do."""
    return parse_objective(objective if isinstance(objective, str) else objective["expression"]).window_s or 0.0


def _load(block: MutableMapping[str, Any], times: float, load: float) -> None:
    operations = block.get("operations", ())
    limits_s = [parse_duration(each["timeout"]) if "timeout" in each else _TIMEOUT_S for each in operations]
    limit_s = max(limits_s, default=_TIMEOUT_S)
    for key, least_s in LEAST_S.items():
        if key in block:
            _change(block, key, _at_least(times, least_s + limit_s * (key == "baseline")))
    for key in ("rate", "users"):
        if key in block:
            block[key] = _level(block[key], load)
    for stage in block.get("stages", ()):
        _change(stage, "duration", lambda length_s: length_s * times)
        for key in ("rate", "target"):
            if key in stage:
                stage[key] = _level(stage[key], load)
    for subscription in block.get("subscriptions", ()):
        subscription["connections"] = max(1, round(subscription.get("connections", 1) * load))
    if "profile" in block:
        block["profile"] = _profile(block["profile"], times, load)


def _profile(given: Any, times: float, load: float) -> dict[str, Any]:  # noqa: ANN401 - a name or a mapping
    """A profile with every part said, since what is left out would be as usual."""
    said = {"shape": given} if isinstance(given, str) else dict(given)
    shape = usual(Profile(shape=said["shape"]))
    lengths = {"rise": shape.rise_s, "hold": shape.hold_s, "fall": shape.fall_s, "rest": shape.rest_s}
    lengths["period"] = shape.period_s
    for key, usual_s in lengths.items():
        if key in PARTS[shape.shape]:
            length_s = parse_duration(said[key]) if key in said else usual_s
            said[key] = format_duration(math.floor(length_s * times * 1000) / 1000)  # never longer than its phases
    for key, level in (("to", shape.to), ("step", shape.step)):
        asked: Any = said.get(key, level)
        if key in PARTS[shape.shape] and asked is not None:
            said[key] = _level(asked, load)
    return said


def _activity(activity: MutableMapping[str, Any], times: float, longest_s: float, hold_s: float) -> None:
    """A step of ours, and the pauses around any activity."""
    for key in ("before", "after"):
        pauses = activity.get("pauses")
        if isinstance(pauses, MutableMapping) and isinstance(pauses.get(key), int | float):
            pauses[key] = pauses[key] * times
    arguments = activity.get("provider", {}).get("arguments")
    if not is_step(activity) or not isinstance(arguments, MutableMapping):
        return
    watched = activity["provider"]["func"] == _OBSERVE
    for key, least_s in (("duration", hold_s if watched else 0.0), ("rest", hold_s)):
        if isinstance(arguments.get(key), str):
            _change(arguments, key, _at_least(times, max(longest_s, least_s)))


def _at_least(times: float, least_s: float) -> Callable[[float], float]:
    return lambda length_s: max(length_s * times, min(length_s, least_s))


def _change(block: MutableMapping[str, Any], key: str, change: Callable[[float], float]) -> None:
    """Change a length; one that is not 0 does not become 0."""
    length_s = parse_duration(block[key])
    block[key] = format_duration(max(change(length_s), 0.001)) if length_s > 0 else block[key]


def _level(level: float, load: float) -> float | int:
    """A level times a factor; whole users stay whole, and somebody stays."""
    changed = level * load
    return (max(1, round(changed)) if level else 0) if isinstance(level, int) else changed
