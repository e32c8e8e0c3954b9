"""Shapes of a load by name → stages: ramp, spike in cycles, steps, a wave, and the usual sizes of a load test.

A shape begins with the method, `JUDGING_S` after the baseline, which is judged in that time. Until then the load is at
the level that the file gives as `rate` or `users`, so that there is something to compare with; the shape goes on from
there. Each shape has parts of its own:

* `constant`: stays where it is for `hold`; with `to` it jumps there first
* `ramp`: goes to `to` in `rise`, and stays for `hold`
* `spike`: to `to` in `rise`, stays for `hold`, back in `fall`, stays for `rest`; as often as `cycles` says
* `step`: jumps by `step` and stays for `hold`, again and again, until `to` was held
* `sine`: from the level at first up to `to` and back, `cycles` times in `period` each: the shape of a day. The wave
  is drawn by `PIECES` straight lines a period, whose ends lie on it, so that arrivals are exact like all others

Other names stand for one of these with usual values, in users: see `USUAL`. Whatever the file says takes their place.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from resilience.model import Load, Operation, Profile, Stage

JUDGING_S = 2.5
"""From the end of the baseline until the method begins, where the load has a shape: the baseline is judged then."""
PIECES = 48
"""Straight lines that draw one period of a wave: half an hour each, of a day."""

PARTS: Mapping[str, tuple[str, ...]] = {
    "constant": ("to", "hold"),
    "ramp": ("to", "rise", "hold"),
    "spike": ("to", "rise", "hold", "fall", "rest", "cycles"),
    "step": ("to", "step", "hold"),
    "sine": ("to", "period", "cycles"),
}
"""What can be said of each shape."""


@dataclass(frozen=True, slots=True)
class Usual:
    """A name for a shape, with the values that it has where the file says nothing."""

    shape: str
    to: float | None = None
    rise_s: float = 0.0
    hold_s: float = 0.0
    fall_s: float = 0.0
    rest_s: float = 0.0
    cycles: int = 1
    step: float = 0.0
    period_s: float = 0.0


_MINUTE, _HOUR = 60.0, 3600.0

USUAL: Mapping[str, Usual] = {
    "constant": Usual("constant", hold_s=5 * _MINUTE),
    "ramp": Usual("ramp", rise_s=5 * _MINUTE),
    "spike": Usual("spike", 1000, rise_s=10, hold_s=_MINUTE, fall_s=10, rest_s=_MINUTE, cycles=3),
    "step": Usual("step", 1000, step=100, hold_s=_MINUTE),
    "sine": Usual("sine", 1000, period_s=24 * _HOUR),
    "baseline": Usual("ramp", 100, rise_s=30, hold_s=5 * _MINUTE),
    "normal": Usual("ramp", 500, rise_s=_MINUTE, hold_s=10 * _MINUTE),
    "peak": Usual("ramp", 1000, rise_s=2 * _MINUTE, hold_s=10 * _MINUTE),
    "stress": Usual("ramp", 2000, rise_s=5 * _MINUTE, hold_s=10 * _MINUTE),
    "ramp-up": Usual("ramp", 1000, rise_s=10 * _MINUTE),
    "sustained": Usual("constant", hold_s=30 * _MINUTE),
    "soak": Usual("constant", hold_s=4 * _HOUR),
    "break-point": Usual("ramp", 10_000, rise_s=30 * _MINUTE),
}
"""Every name of a shape."""


def usual(profile: Profile) -> Usual:
    """The shape with what the file says in the place of the usual values."""
    said = {
        name: value
        for name in ("to", "rise_s", "hold_s", "fall_s", "rest_s", "cycles", "step", "period_s")
        if (value := getattr(profile, name)) is not None
    }
    return replace(USUAL[profile.shape], **said)


def stages_of(profile: Profile, level: float) -> tuple[Stage, ...]:
    """The stages of a shape that begins at a level. A stage without length is a jump."""
    shape = usual(profile)
    to = level if shape.to is None else shape.to
    match shape.shape:
        case "constant":
            found = [*([Stage(0.0, to)] if to != level else []), Stage(shape.hold_s, to)]
        case "ramp":
            found = [Stage(shape.rise_s, to), Stage(shape.hold_s, to)]
        case "spike":
            up_and_down = (Stage(shape.rise_s, to), Stage(shape.hold_s, to), Stage(shape.fall_s, level))
            found = [*up_and_down, Stage(shape.rest_s, level)] * shape.cycles
        case "step":
            found = list(_steps(level, to, shape.step, shape.hold_s))
        case "sine":
            found = list(_wave(level, to, shape.period_s)) * shape.cycles
        case other:
            raise ValueError(f"{other!r} is no shape")
    # What takes no time and changes nothing is left out; a jump takes none either, but changes something.
    before = [level, *(stage.rate for stage in found)]
    return tuple(stage for stage, was in zip(found, before, strict=False) if stage.duration_s > 0 or stage.rate != was)


def laid_out(load: Load | None) -> Load | None:
    """A load as it was read, with its stages as everybody else wants them: `rate` only, and those of its shape.

    Of a closed load as many operations are in flight at most as there are users at most.
    """
    if load is None:
        return None
    stages = tuple(
        Stage(stage.duration_s, stage.rate if stage.target is None else stage.target) for stage in load.stages
    )
    if load.profile is not None and not stages:
        before = Stage(method_s(load), load.level)
        stages = (before, *stages_of(load.profile, load.level))
    laid = replace(load, stages=stages, operations=tuple(_with_priority(one, load) for one in load.operations))
    if load.closed:  # each user does one thing at a time
        laid = replace(laid, max_in_flight=max(1, math.floor(max(load.level, *(stage.rate for stage in stages), 0))))
    return laid


def _with_priority(operation: Operation, load: Load) -> Operation:
    """An HTTP operation that says its priority in the load's header, unless it has that header already."""
    name = load.priority_header
    if not name or operation.protocol != "http" or name.lower() in {one.lower() for one in operation.headers}:
        return operation
    return replace(operation, headers={**operation.headers, name: str(operation.priority)})


def method_s(load: Load) -> float:
    """When the method begins at the earliest, and with it the shape of the load, in seconds since the run began."""
    return load.warm_up_s + load.baseline_s + (JUDGING_S if load.profile else 0.0)


def length_s(load: Load) -> float:
    """How long the stages of a load take, from the run's beginning."""
    return math.fsum(stage.duration_s for stage in load.stages)


def _steps(level: float, to: float, step: float, hold_s: float) -> Iterator[Stage]:
    count = math.ceil(round(abs(to - level) / step, 9)) if step > 0 else 0
    for number in range(1, count + 1):
        reached = to if number == count else level + math.copysign(step, to - level) * number
        yield Stage(0.0, reached)
        yield Stage(hold_s, reached)


def _wave(level: float, to: float, period_s: float) -> Iterator[Stage]:
    for number in range(1, PIECES + 1):
        share = (1 - math.cos(2 * math.pi * number / PIECES)) / 2
        yield Stage(period_s / PIECES, round(level + (to - level) * share, 6))
