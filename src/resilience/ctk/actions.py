"""Actions for an experiment's method: what is done to the target, and time that passes under load.

What they are told stands in the plan already, checked before anything was touched; it is the plan that is carried out.
"""

# ruff: noqa: RUF013, ARG001 - plain types, as `chaos discover` shows them; arguments that the plan has already

from collections.abc import Callable, Mapping

from resilience.ctk.current import session
from resilience.errors import DebtsOutstanding, FaultError
from resilience.model import Json, PhaseName
from resilience.spec.durations import parse_duration

__all__ = ["begin_fault", "end_fault", "hold_fault", "hold_faults", "observe", "strike"]


def hold_fault(
    name: str,
    kind: str,
    part: str,
    duration: str,
    settings: dict = None,  # type: ignore[type-arg, assignment]
    cycles: int = 1,
    rest: str = None,  # type: ignore[assignment]
    pick: str = "one",
) -> dict:  # type: ignore[type-arg]
    """Inject a fault into a part of the stack, hold it under load, give it back; once or several times.

    The fault counts only once its effect was observed; it is undone at the end of the duration, on any error or signal,
    and by a separate process if this one dies.

    Args:
        name: what the experiment calls this fault; objectives refer to it (`p(95)<500 @ fault(NAME)`).
        kind: the kind of fault, such as `toxiproxy.down` or `process.pause`.
        part: the part of the stack it is done to, such as `redis`; or a list of parts, see `pick`.
        duration: how long it is held, such as `10s`.
        settings: what this kind of fault can be told, such as `{latency_ms: 200}`.
        cycles: how often it is done.
        rest: how long recovery is watched after each time, such as `20s`; needed if it is done more than once.
        pick: of a list of parts, `one` that the plan's seed draws, anew each time; or `each` of them in turn.

    Returns:
        When it was confirmed and when it was clear, in seconds since the run began.
    """
    return _or_interrupt(lambda: session().hold_fault(name))


def hold_faults(name: str, faults: list, duration: str, cycles: int = 1, rest: str = None) -> dict:  # type: ignore[type-arg, assignment]
    """Hold several faults at once: injected in order, given back in reverse; if one cannot be, none is.

    Args:
        name: what the experiment calls all of them together; objectives refer to it, or to one of them.
        faults: what is held, each with `name`, `kind`, `part` and, where the kind has any, `settings`.
        duration: how long they are held together, such as `10s`.
        cycles: how often.
        rest: how long recovery is watched after each time; needed if it is done more than once.

    Returns:
        When all were confirmed and when all were clear, in seconds since the run began.
    """
    return _or_interrupt(lambda: session().hold_fault(name))


def begin_fault(name: str, kind: str, part: str, at_most: str, settings: dict = None) -> dict:  # type: ignore[type-arg, assignment]
    """Put a fault in place that stays through the steps that follow, until `end_fault`.

    Args:
        name: what the experiment calls this fault; objectives refer to it.
        kind: the kind of fault, such as `toxiproxy.latency`.
        part: the part of the stack it is done to; of a list, one that the plan's seed draws.
        at_most: the length of its lease, such as `60s`: after that it is given back by force.
        settings: what this kind of fault can be told.

    Returns:
        When it was confirmed, in seconds since the run began.
    """
    return _or_interrupt(lambda: session().begin_fault(name))


def end_fault(name: str) -> dict:  # type: ignore[type-arg]
    """Give a fault back that was begun.

    Args:
        name: under which it was begun.

    Returns:
        When it was clear, in seconds since the run began.
    """
    return _or_interrupt(lambda: session().end_fault(name))


def strike(name: str, kind: str, part: str, duration: str, settings: dict = None) -> dict:  # type: ignore[type-arg, assignment]
    """Do something to a part of the stack that is not given back, and watch what comes of it under load.

    Args:
        name: what the experiment calls this strike; objectives refer to it (`p(95)<500 @ fault(NAME)`).
        kind: the kind of strike.
        part: the part of the stack it is done to; of a list, one that the plan's seed draws.
        duration: how long its consequences are watched as a fault phase, such as `10s`.
        settings: what this kind of strike can be told.

    Returns:
        When it was done, in seconds since the run began, and what was measured.
    """
    return _or_interrupt(lambda: session().strike(name))


def observe(phase: str, duration: str) -> dict:  # type: ignore[type-arg]
    """Let time pass under load: the phase in which recovery, or the state after it, is seen.

    Args:
        phase: `recovery` or `after`; `fault` while one is in place that was begun.
        duration: how long, such as `30s`.

    Returns:
        When the phase began and ended, in seconds since the run began.
    """
    return _or_interrupt(lambda: session().observe(PhaseName(phase), parse_duration(duration)))


def _or_interrupt(step: Callable[[], Mapping[str, Json]]) -> dict:  # type: ignore[type-arg]
    """Do a step; whatever ends it early, other than a fault's own failure, ends the run.

    chaostoolkit turns what an action raises into a failed activity and begins the next one, even after SIGTERM. The
    session must not: from here on it refuses.
    """
    try:
        return dict(step())
    except (FaultError, DebtsOutstanding):
        raise  # in the record already; the rest of the method still tells something
    except BaseException as error:
        session().interrupt(f"{type(error).__name__}: {error}")
        raise
