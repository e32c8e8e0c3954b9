"""Events and figures in human words, one line each: what is shown without a terminal."""

from collections.abc import Callable, Mapping

from resilience.live.figures import Figures
from resilience.live.state import words_of
from resilience.model import Event, EventKind, Json, Outcome, Verdict
from resilience.text import count, milliseconds, percent, printable, rate, seconds

_LONGEST = 400


def event_line(event: Event) -> str:
    """An event as one line, control characters escaped; empty for what says nothing to a reader (the footer)."""
    return printable(_SAID[event.kind](event.name or "?", event.detail), _LONGEST)


def load_line(figures: Figures) -> str:
    """The figures of a few seconds of load as one line."""
    failed, unknown, dropped = (
        count(figures.count(outcome)) for outcome in (Outcome.FAILED, Outcome.UNKNOWN, Outcome.DROPPED)
    )
    p50, p95, p99 = (milliseconds(figures.quantile_ms(share)) for share in (0.5, 0.95, 0.99))
    phrases = [
        f"offered {rate(figures.per_second(figures.offered))}/s",
        f"ok {rate(figures.per_second(figures.count(Outcome.OK)))}/s",
        f"errors {percent(figures.error_share)} ({failed} failed, {unknown} unknown, {dropped} dropped)",
        f"degraded {percent(figures.degraded_share)}",
        f"p50 {p50}, p95 {p95}, p99 {p99} (live estimate)",
        f"in flight {count(figures.in_flight)}",
    ]
    if figures.attempted:
        attempted, acknowledged, risked = map(count, (figures.attempted, figures.acknowledged, figures.unsettled))
        phrases.append(f"writes {attempted} attempted, {acknowledged} acknowledged, {risked} at risk")
    return "load: " + "; ".join(phrases)


def verdict_line(verdict: Verdict) -> str:
    """The verdict as one line."""
    return printable(f"verdict {verdict.answer.value}: {verdict.because}", _LONGEST)


def stamp(at_s: float) -> str:
    """The time since the run's start, before a line: `[   8.3 s]`."""
    return f"[{at_s:6.1f} s]"


def silence(silent_s: float) -> str:
    """What is said when the generator has reported nothing for a while."""
    return f"no figures from the load generator for {seconds(silent_s)}"


def _message(detail: Mapping[str, Json]) -> str:
    return words_of(detail.get("message")) or "no message"


def _kind(detail: Mapping[str, Json]) -> str:
    kind, on, how = (words_of(detail.get(key)) for key in ("kind", "on", "mechanism"))
    return (f": {kind}" if kind else "") + (f" on {on}" if on else "") + (f" ({how})" if how else "")


def _noun(detail: Mapping[str, Json]) -> str:
    return "strike" if detail.get("strike") else "fault"


def _because(detail: Mapping[str, Json]) -> str:
    proof = words_of(detail.get("proof"))
    return f": {proof}" if proof else ""


def _step(detail: Mapping[str, Json]) -> str:
    step = words_of(detail.get("step"))
    return f" at {step}" if step else ""


def _account(detail: Mapping[str, Json]) -> str:
    known = ("offered", "ok", "failed", "unknown", "dropped")
    figures = [(name, detail.get(name)) for name in known]
    return ", ".join(f"{name} {value}" for name, value in figures if value is not None) or "no account given"


_SAID: Mapping[EventKind, Callable[[str, Mapping[str, Json]], str]] = {
    EventKind.HEADER: lambda _, detail: (
        f"run {words_of(detail.get('run')) or '?'} begins, seed {words_of(detail.get('seed')) or '?'}"
    ),
    EventKind.PHASE: lambda name, detail: f"phase {name}" + (f" ({detail['fault']})" if detail.get("fault") else ""),
    EventKind.REQUESTED: lambda name, detail: f"{_noun(detail)} {name} requested{_kind(detail)}",
    EventKind.CONFIRMED: lambda name, detail: f"fault {name} confirmed active{_because(detail)}",
    EventKind.REVERTING: lambda name, _: f"fault {name} is being reverted",
    EventKind.CLEAR: lambda name, detail: f"fault {name} is clear{_because(detail)}",
    EventKind.FAULT_PROBLEM: lambda name, detail: f"PROBLEM with fault {name}{_step(detail)}: {_message(detail)}",
    EventKind.STRUCK: lambda name, detail: f"struck: {name}{_kind(detail)}{_because(detail)}",
    EventKind.MARK: lambda name, detail: f"mark: {words_of(detail.get('text')) or name}",
    EventKind.PROBLEM: lambda name, detail: f"PROBLEM {name}: {_message(detail)}",
    EventKind.INTERRUPTED: lambda _, detail: f"INTERRUPTED: {words_of(detail.get('reason')) or 'no reason given'}",
    EventKind.LOAD: lambda _, detail: f"load ended: {_account(detail)}",
    EventKind.END: lambda *_: "the last phase is over",
    EventKind.FOOTER: lambda *_: "",
}
