"""Phases and fault windows, read from the events."""

from collections.abc import Sequence
from dataclasses import dataclass

from resilience.model import Event, EventKind, Phase, PhaseName


@dataclass(frozen=True, slots=True)
class FaultWindow:
    """What the events say of one fault; an instant is None if it did not come.

    Attributes:
        name: as in the experiment.
        kind, on, of, group, mechanism: from the request; empty if there was none, or it did not say.
        strike: done once and not given back; it is confirmed and clear when it struck.
        over_s: until when its effect is what was asked for: `clear_s`, but of a strike the end of its fault phase.
        until_s: the next fault's request, or the end of the last phase: how long this fault's cycle was observed.
        proofs: what was seen, for confirmed and clear.
        troubles: `step: message` of each problem with it.
        requests: how often it was asked for; what is repeated has a name for each time.
    """

    name: str
    kind: str = ""
    on: str = ""
    requested_s: float | None = None
    confirmed_s: float | None = None
    reverting_s: float | None = None
    clear_s: float | None = None
    until_s: float = 0.0
    proofs: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()
    of: str = ""
    group: str = ""
    mechanism: str = ""
    strike: bool = False
    over_s: float | None = None
    requests: int = 1


def end_s(events: Sequence[Event], fallback_s: float = 0.0) -> float:
    """When the last phase was over: the END event, or the later of the last event and `fallback_s`."""
    for event in events:
        if event.kind is EventKind.END:
            return event.at_s
    return max([fallback_s, *(event.at_s for event in events)])


def phases(events: Sequence[Event], until_s: float) -> tuple[Phase, ...]:
    """The phases in order. Each ends where the next begins, the last one at `until_s`.

    A recovery phase belongs to the fault phase before it. A phase that begins at or after `until_s` is left out.

    Raises:
        ValueError: a phase has a name that is none of the five.
    """
    begun = [event for event in events if event.kind is EventKind.PHASE and event.at_s < until_s]
    found: list[Phase] = []
    fault = ""
    called: tuple[str, ...] = ()
    ends = [*(event.at_s for event in begun[1:]), until_s]
    for event, ended_s in zip(begun, ends, strict=False):
        name = PhaseName(event.name)
        if name is PhaseName.FAULT:
            fault, called = str(event.detail.get("fault", "")), _called(event)
        if name in {PhaseName.FAULT, PhaseName.RECOVERY}:
            found.append(Phase(name, event.at_s, ended_s, fault, called))
        else:
            found.append(Phase(name, event.at_s, ended_s))
    return tuple(found)


def _called(event: Event) -> tuple[str, ...]:
    """What else the file calls the fault of a phase; records of before there was more than one name do not say."""
    names = event.detail.get("called")
    return tuple(str(name) for name in names) if isinstance(names, list | tuple) else ()


def _first(events: Sequence[Event], kind: EventKind) -> Event | None:
    return next((event for event in events if event.kind is kind), None)


def _text(event: Event | None, key: str) -> str:
    return "" if event is None else str(event.detail.get(key, ""))


_OF_A_FAULT = (
    EventKind.REQUESTED,
    EventKind.CONFIRMED,
    EventKind.REVERTING,
    EventKind.CLEAR,
    EventKind.STRUCK,
    EventKind.FAULT_PROBLEM,
)


def fault_windows(events: Sequence[Event], until_s: float) -> tuple[FaultWindow, ...]:
    """One window for each fault that any event names, in the order in which they were first named."""
    names = list(dict.fromkeys(event.name for event in events if event.kind in _OF_A_FAULT))
    requests = sorted(event.at_s for event in events if event.kind is EventKind.REQUESTED)
    return tuple(_window(name, events, requests, until_s) for name in names)


def _window(name: str, events: Sequence[Event], requests: Sequence[float], until_s: float) -> FaultWindow:
    own = [event for event in events if event.name == name]
    requested, confirmed, reverting, clear, struck = (_first(own, kind) for kind in _OF_A_FAULT[:5])
    strike = struck is not None or (requested is not None and requested.detail.get("strike") is True)
    over_s = _at(clear)
    if strike:
        over_s = None if struck is None else _phase_end(events, struck.at_s, until_s)
        confirmed, clear = confirmed or struck, clear or struck
    begun = 0.0 if requested is None else requested.at_s
    return FaultWindow(
        name=name,
        kind=_text(requested, "kind"),
        on=_text(requested, "on"),
        requested_s=_at(requested),
        confirmed_s=_at(confirmed),
        reverting_s=_at(reverting),
        clear_s=_at(clear),
        until_s=next((at_s for at_s in requests if at_s > begun), until_s),
        proofs=tuple(dict.fromkeys(proof for proof in (_text(confirmed, "proof"), _text(clear, "proof")) if proof)),
        troubles=tuple(
            f"{_text(event, 'step') or 'fault'}: {_text(event, 'message')}"
            for event in own
            if event.kind is EventKind.FAULT_PROBLEM
        ),
        of=_text(requested, "of"),
        group=_text(requested, "group"),
        mechanism=_text(requested, "mechanism"),
        strike=strike,
        over_s=over_s,
        requests=sum(event.kind is EventKind.REQUESTED for event in own),
    )


def _phase_end(events: Sequence[Event], at_s: float, until_s: float) -> float:
    """When the phase ended that an instant lies in."""
    return min((event.at_s for event in events if event.kind is EventKind.PHASE and event.at_s > at_s), default=until_s)


def _at(event: Event | None) -> float | None:
    return None if event is None else event.at_s
