"""Actions for an experiment's method: hold a fault for a while, or only let time pass under load."""

from collections.abc import Callable, Mapping

from resilience.ctk.current import session
from resilience.errors import DebtsOutstanding, FaultError
from resilience.model import Json, PhaseName
from resilience.spec.durations import parse_duration

__all__ = ["hold_fault", "observe"]


def hold_fault(name: str, kind: str, part: str, duration: str, settings: dict = None) -> dict:  # type: ignore[type-arg, assignment] # noqa: RUF013 - plain types: `chaos discover` shows them as they are
    """Inject a fault into a part of the stack, hold it under load, give it back.

    The fault counts only once its effect was observed; it is undone at the end of the duration, on any error or signal,
    and by a separate process if this one dies.

    Args:
        name: what the experiment calls this fault; objectives refer to it (`p(95)<500 @ fault(NAME)`).
        kind: the kind of fault, such as `toxiproxy.down` or `process.pause`.
        part: the part of the stack it is done to, such as `redis`.
        duration: how long it is held, such as `10s`.
        settings: what this kind of fault can be told, such as `{latency_ms: 200}`.

    Returns:
        When it was confirmed and when it was clear, in seconds since the run began.
    """
    del kind, part, settings  # the plan has them, checked before anything was touched
    return _or_interrupt(lambda: session().hold_fault(name, parse_duration(duration)))


def observe(phase: str, duration: str) -> dict:  # type: ignore[type-arg]
    """Let time pass under load: the phase in which recovery, or the state after it, is seen.

    Args:
        phase: `recovery` or `after`.
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
