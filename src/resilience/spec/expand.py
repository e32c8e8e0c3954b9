"""One action of the method → the steps that it stands for: each time of what is repeated, under a name of its own."""

from collections.abc import Iterator, Mapping
from typing import Any

from resilience.model import BeginFault, EndFault, FaultGroup, FaultSpec, Observe, PhaseName, Step
from resilience.spec.durations import parse_duration


def expand(func: str, arguments: Mapping[str, Any]) -> tuple[Step, ...]:
    """The steps of an action whose arguments are right.

    Raises:
        ValueError: there is no such action.
    """
    match func:
        case "hold_fault":
            return _held(arguments)
        case "hold_faults":
            return _grouped(arguments)
        case "begin_fault":
            at_most_s = parse_duration(arguments["at_most"])
            return (BeginFault(_fault(arguments, duration_s=0.0, at_most_s=at_most_s)),)
        case "end_fault":
            return (EndFault(arguments["name"]),)
        case "strike":
            return (_fault(arguments, duration_s=parse_duration(arguments["duration"]), strike=True),)
        case "observe":
            return (Observe(PhaseName(arguments["phase"]), parse_duration(arguments["duration"])),)
        case _:
            raise ValueError(f"{func!r} is no action that is a step")


def times(arguments: Mapping[str, Any]) -> int:
    """How often an action does its fault: as often as `cycles` says, for each part if each is picked."""
    parts = _parts(arguments)
    rounds: int = arguments.get("cycles", 1)
    return rounds * len(parts) if arguments.get("pick") == "each" else rounds


def numbered(name: str, count: int) -> tuple[str, ...]:
    """The names of so many times of one thing: its own if there is one, else `NAME-1` and so on."""
    return (name,) if count == 1 else tuple(f"{name}-{number}" for number in range(1, count + 1))


def _held(arguments: Mapping[str, Any]) -> tuple[Step, ...]:
    parts, count = _parts(arguments), times(arguments)
    each = arguments.get("pick") == "each"
    duration_s = parse_duration(arguments["duration"])
    steps: list[Step] = []
    for index, name in enumerate(numbered(arguments["name"], count)):
        of = arguments["name"] if count > 1 else ""
        chosen = (parts[index % len(parts)],) if each else parts
        steps.append(_fault({**arguments, "part": chosen}, name=name, of=of, duration_s=duration_s))
        steps += _rest(arguments)
    return tuple(steps)


def _grouped(arguments: Mapping[str, Any]) -> tuple[Step, ...]:
    count, written = times(arguments), arguments["name"]
    duration_s = parse_duration(arguments["duration"])
    steps: list[Step] = []
    for index, name in enumerate(numbered(written, count)):
        members = tuple(
            _fault(
                member,
                name=numbered(member["name"], count)[index],
                of=member["name"] if count > 1 else "",
                group=name,
                duration_s=duration_s,
            )
            for member in arguments["faults"]
        )
        steps.append(FaultGroup(name=name, faults=members, duration_s=duration_s, of=written if count > 1 else ""))
        steps += _rest(arguments)
    return tuple(steps)


def _rest(arguments: Mapping[str, Any]) -> Iterator[Step]:
    if "rest" in arguments:
        yield Observe(PhaseName.RECOVERY, parse_duration(arguments["rest"]), arguments["name"])


def _parts(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    part = arguments.get("part", ())
    return (part,) if isinstance(part, str) else tuple(part)


def _fault(arguments: Mapping[str, Any], **more: Any) -> FaultSpec:  # noqa: ANN401 - further attributes
    parts = _parts(arguments)
    only = len(parts) == 1
    found: dict[str, Any] = {
        "name": arguments["name"],
        "kind": arguments["kind"],
        "on": parts[0] if only else "",
        "among": () if only else parts,
        "settings": arguments.get("settings", {}),
    }
    return FaultSpec(**(found | more))
