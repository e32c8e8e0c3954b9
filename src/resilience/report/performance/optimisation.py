"""The page of an optimisation: what was at its limit, what was mended, and what that brought at the same load."""

from collections.abc import Iterator

from resilience.report.compared import markdown
from resilience.report.document import Row, number, rows, table, words
from resilience.report.markdown import escape
from resilience.report.performance.inputs import Inputs, Taken
from resilience.report.performance.layout import (
    ALWAYS,
    bottleneck,
    code,
    grid,
    heading,
    label,
    loaded,
    missing,
    ok_per_s,
    quantity,
    recommended,
)
from resilience.text import ABSENT, milliseconds, percent, rate

HALVED, DOUBLED = 0.5, 2.0


def lines(inputs: Inputs) -> Iterator[str]:
    """The page."""
    if inputs.before is None or inputs.after is None:
        yield missing("no run before and after an optimisation was given: `--before RUN --after RUN`")
        return
    yield from _side("Before", inputs.before)
    yield "## What was at its limit"
    yield ""
    yield f"{escape(bottleneck(inputs.before)) or 'The verdict does not say'}."
    yield ""
    yield from (f"* {escape(one)}" for one in recommended(inputs.before))
    yield ""
    yield from _side("After", inputs.after)
    yield "## What it brought"
    yield ""
    yield from _brought(inputs.before, inputs.after)
    yield ""
    yield "## The comparison"
    yield ""
    yield markdown(inputs.compared) if inputs.compared else missing("the two were not compared")


def lacking(inputs: Inputs) -> list[str]:
    """Whether there is none."""
    there = inputs.before is not None and inputs.after is not None
    return [] if there else ["optimisation: no run before and after one was given"]


def _side(title: str, run: Taken) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    yield f"{escape(words(run.document, 'title') or run.name)}. Target: {escape(run.variant) or 'as it is'}."
    yield ""
    yield heading(run)
    yield ""


def _brought(before: Taken, after: Taken) -> Iterator[str]:
    was, now = loaded(before), loaded(after)
    if not was or label(was) != label(now):
        yield missing("the two have no loaded phase in common")
        return
    told = [_row(name, was, now) for name in table(was, "operations") if name in table(now, "operations")]
    heads = ("operation", "ok per s", "after", "times", "p95", "after", "times", "not ok", "after")
    yield f"In {escape(label(was))}, the phase with the highest load:"
    yield ""
    yield from grid(heads, told)
    yield ""
    yield from _said(was, now)
    yield ""
    yield from _resources(before, after, label(was))


def _row(name: str, was: Row, now: Row) -> list[str]:
    rates = [ok_per_s(phase, name) for phase in (was, now)]
    tails = [number(_all(phase, name), "p95_ms") for phase in (was, now)]
    errors = [number(_all(phase, name), "error_rate") for phase in (was, now)]
    return [
        escape(name),
        *map(rate, rates),
        _times(*rates),
        *map(milliseconds, tails),
        _times(*tails),
        *map(percent, errors),
    ]


def _all(phase: Row, name: str = "all") -> Row:
    return table(table(phase, "operations"), name)


def ratio(was: float | None, now: float | None) -> float | None:
    """How many times as much it is now; None if that has no meaning."""
    return now / was if was and now is not None else None


def _times(was: float | None, now: float | None) -> str:
    found = ratio(was, now)
    return ABSENT if found is None else f"{found:.3g}"


def _said(was: Row, now: Row) -> Iterator[str]:
    """What became of everything together, and of which operations p95 was halved and throughput doubled."""
    tail, more = _ratios("all", was, now)
    tails = "p95 cannot be compared" if tail is None else f"p95 is {tail:.3g} times what it was"
    rates = "throughput cannot be compared" if more is None else f"throughput {more:.3g} times what it was"
    yield f"Of all operations together {tails}, {rates}."
    found = [
        "all operations together" if name == "all" else code(name)
        for name in table(was, "operations")
        if met(*_ratios(name, was, now))
    ]
    yield f"p95 was halved and throughput doubled, or better, of {', '.join(found) or 'no operation'}."


def _ratios(name: str, was: Row, now: Row) -> tuple[float | None, float | None]:
    """Of p95 and of throughput."""
    tails = [number(_all(phase, name), "p95_ms") for phase in (was, now)]
    return ratio(*tails), ratio(ok_per_s(was, name), ok_per_s(now, name))


def met(tail: float | None, more: float | None) -> bool:
    """Whether p95 is at most half, and throughput at least twice what it was."""
    return tail is not None and more is not None and tail <= HALVED and more >= DOUBLED


def _resources(before: Taken, after: Taken, phase: str) -> Iterator[str]:
    """The usual resources in the loaded phase of both."""
    was, now = (_means(run, phase) for run in (before, after))
    names = sorted(name for name in {*was, *now} if name[0] in ALWAYS)
    if not names:
        yield missing(f"no resource was read in {escape(phase)}")
        return
    yield "What it took, means of that phase:"
    yield ""
    told = [
        [code(name), escape(of), *(quantity(*run.get((name, of), (None, ""))) for run in (was, now))]
        for name, of in names
    ]
    yield from grid(("resource", "of", "before", "after"), told)


def _means(run: Taken, phase: str) -> dict[tuple[str, str], tuple[float | None, str]]:
    """(name, of) → mean in a phase, and its unit."""
    return {
        (words(series, "name"), words(series, "of")): (number(of, "mean"), words(series, "unit"))
        for series in rows(table(run.document, "resources"), "series")
        for of in rows(series, "phases")
        if words(of, "phase") == phase
    }
