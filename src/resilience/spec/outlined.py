"""A load in words and figures, before it is sent: what `resilience plan` shows of it."""

from collections.abc import Iterator

from resilience.model import Journey, Json, Load, Think
from resilience.spec.durations import format_duration
from resilience.spec.journeys import operations_per_arrival, shares
from resilience.spec.profile import expected_count, level_at, user_seconds
from resilience.spec.stages import length_s, method_s, usual
from resilience.spec.users import most_users

CLOSED = (
    "a closed load: users wait for answers, so a target that is slow is asked less, and latency is what these users "
    "saw, not what arrivals at a rate would see (coordinated omission)"
)
"""What a closed load hides."""


def load_words(load: Load, until_s: float) -> tuple[str, ...]:
    """Sentences about a load that lasts until an instant, in seconds."""
    return tuple(_words(load, until_s))


def load_figures(load: Load, until_s: float) -> dict[str, Json]:
    """The same as figures: levels are arrivals per second, or users of a closed load."""
    return {
        "model": "closed" if load.closed else "open",
        "level": load.level,
        "most": _most(load, until_s),
        "last": level_at(load, until_s),
        "profile": load.profile.shape if load.profile else None,
        "profile_s": length_s(load) if load.stages else None,
        "arrivals": round(expected_count(load, until_s)),
        "users": most_users(load, until_s),
        "user_seconds": user_seconds(load, until_s),
        "operations_at_most": _at_most(load, until_s),
        "operations_per_arrival": operations_per_arrival(load),
    }


def _words(load: Load, until_s: float) -> Iterator[str]:
    unit = "users" if load.closed else "arrivals/s"
    text = f"{load.level:g} {unit} at first"
    if load.stages:
        shape = f"profile {load.profile.shape}" if load.profile else f"{len(load.stages)} stages"
        begins = f" from {format_duration(method_s(load))}" if load.profile else ""
        text += f"; {shape}{begins} until {format_duration(length_s(load))}, at most {_most(load, until_s):g} {unit}"
    if load.stages and length_s(load) < until_s:
        text += f"; {level_at(load, until_s):g} from then on"
    yield text
    if load.stages and length_s(load) > until_s:
        left = format_duration(length_s(load) - until_s)
        yield f"the phases end {left} before the stages do: what is left of them is never sent"
    if load.profile is not None and usual(load.profile).shape == "sine":
        yield "the wave is drawn by straight lines, whose ends lie on it"
    for journey in load.journeys:
        steps = " → ".join(step.operation for step in journey.steps)
        goes = steps or f"{journey.first} → as {_code(journey)} decides"
        yield f"journey {journey.name}, {shares(load)[journey.name]:.0%} of the arrivals: {goes}"
    if load.closed:
        at_most = _at_most(load, until_s)
        many = f", {at_most:,.0f} operations at most" if at_most is not None else ""
        yield f"each thinks {_think(load.think)} between an answer and the next operation{many}"
        yield CLOSED


def _most(load: Load, until_s: float) -> float:
    """The highest level that is reached: straight lines have it at an end."""
    begun, levels = 0.0, [load.level]
    for stage in load.stages:
        ends = begun + stage.duration_s
        if begun < until_s:
            levels.append(stage.rate if ends <= until_s else level_at(load, until_s))
        begun = ends
    return max(levels)


def _at_most(load: Load, until_s: float) -> float | None:
    """How many operations there are if answers take no time; None if nothing bounds them."""
    if not load.closed or load.think.usual_s <= 0:
        return None
    return user_seconds(load, until_s) / load.think.usual_s


def _code(journey: Journey) -> str:
    return "" if journey.function is None else f"{journey.function.module}.{journey.function.name}"


def _think(think: Think) -> str:
    if think.distribution == "uniform":
        return f"{format_duration(think.least_s)} to {format_duration(think.most_s)}"
    shape = "" if think.distribution == "constant" else f" in the mean ({think.distribution})"
    return f"{format_duration(think.mean_s)}{shape}"
