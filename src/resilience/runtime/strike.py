"""A strike: done once under load and not given back. In the record it is *requested*, then *struck* with its proof."""

from collections.abc import Iterator
from contextlib import contextmanager

from resilience.errors import FaultError, ResilienceError
from resilience.model import EventKind, FaultSpec, Problem
from resilience.ports import Clock, EventSink, Strike


def do_strike(strike: Strike, spec: FaultSpec, *, sink: EventSink, clock: Clock) -> str:
    """Prepare, write down that it is about to be done, do it, write down what was measured.

    Returns:
        The strike's own proof.

    Raises:
        Interrupted: the clock was cancelled; nothing was touched.
        FaultError: it cannot be done, or had no effect; the record says so.
    """
    clock.sleep_until(clock.now_s())  # raises if the run has been told to stop
    with _step("prepare", spec, sink):
        strike.prepare()
    sink.emit(EventKind.REQUESTED, spec.name, **spec.detail)
    with _step("strike", spec, sink):
        proof = strike.strike()
        if not (proof or "").strip():  # nobody can say that anything happened
            raise FaultError(Problem(spec.name, "it measured nothing: what it did, if anything, is not known"))
    sink.emit(EventKind.STRUCK, spec.name, kind=spec.kind, on=spec.on, proof=proof)
    return proof


@contextmanager
def _step(step: str, spec: FaultSpec, sink: EventSink) -> Iterator[None]:
    """Turn an error of a step into an event and a FaultError; interruptions go through."""
    try:
        yield
    except (ResilienceError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        if isinstance(error, ResilienceError) and not isinstance(error, FaultError):
            raise
        said = str(error) if isinstance(error, FaultError) else f"{type(error).__name__}: {error}"
        sink.emit(EventKind.FAULT_PROBLEM, spec.name, kind=spec.kind, step=step, message=said)
        if isinstance(error, FaultError):
            raise
        raise FaultError(Problem(spec.name, f"{step} failed: {said}")) from error
