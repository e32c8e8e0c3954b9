"""The page of results: each scenario, what it was asked, how it answered, what that took."""

from collections.abc import Iterator

from resilience.report.document import Row, number, rows, table, words
from resilience.report.markdown import escape
from resilience.report.performance.inputs import Inputs, Taken
from resilience.report.performance.layout import (
    ALWAYS,
    HEADS,
    bottleneck,
    code,
    figures,
    grid,
    heading,
    label,
    loaded,
    missing,
    quantity,
)
from resilience.text import ABSENT, percent

SCENARIOS = {
    "normal": "Normal load",
    "peak": "Peak",
    "stress": "Stress",
    "soak": "Soak",
}
"""Experiment → title. A run is of it if its experiment has this name, or begins with it and `-`."""

_NEAR = 6
"""So many of the others are shown, those nearest to their limits."""


def scenario_of(run: Taken) -> str:
    """The scenario that a run is of; empty if of none."""
    return next((name for name in SCENARIOS if run.name == name or run.name.startswith(f"{name}-")), "")


def is_steered(run: Taken) -> bool:
    """Whether it is a search, or of capacity: its phases say nothing, its steps do."""
    return bool(table(run.document, "search") or table(run.document, "capacity"))


def lines(inputs: Inputs) -> Iterator[str]:
    """The page."""
    for name, title in SCENARIOS.items():
        yield from _section(title, [run for run in inputs.runs if scenario_of(run) == name and not is_steered(run)])
    others = [run for run in inputs.runs if not scenario_of(run) and not is_steered(run)]
    for run in others:
        yield from _section(run.name, [run])


def lacking(inputs: Inputs) -> list[str]:
    """Scenarios of which there is no run."""
    there = {scenario_of(run) for run in inputs.runs if not is_steered(run)}
    return [f"results: no run of {name} was given" for name in SCENARIOS if name not in there]


def _section(title: str, runs: list[Taken]) -> Iterator[str]:
    yield f"## {escape(title)}"
    yield ""
    if not runs:
        yield missing("no run of it was given")
        yield ""
    for run in runs:
        yield f"### {escape(words(run.document, 'title') or run.name)}"
        yield ""
        yield heading(run)
        yield ""
        told = figures(run)
        yield from grid(HEADS, told) if told else [missing("the verdict has no phases")]
        yield ""
        yield from _resources(run)
        yield ""
        yield f"What was at its limit: {escape(bottleneck(run)) or 'the verdict does not say'}."
        yield ""
        yield from _soak(run)


def _resources(run: Taken) -> Iterator[str]:
    """Of the loaded phase."""
    phase = label(loaded(run))
    found = [(series, of) for series in _series(run) for of in rows(series, "phases") if words(of, "phase") == phase]
    if not found:
        yield missing(f"no resource was read in {phase or 'any phase'}")
        return
    always = [one for one in found if words(one[0], "name") in ALWAYS]
    others = [one for one in found if words(one[0], "name") not in ALWAYS and number(one[1], "share")]
    near = sorted(
        others, key=lambda one: (-(number(one[1], "share") or 0.0), words(one[0], "name"), words(one[0], "of"))
    )
    yield f"Resources in {escape(phase)}:"
    yield ""
    yield from grid(
        ("resource", "of", "mean", "least", "most", "limit", "most of limit"),
        [_resource(series, of) for series, of in (*always, *near[:_NEAR])],
    )
    yield ""
    yield f"{len(found)} series were read: shown are the usual ones, and the {len(near[:_NEAR])} nearest to a limit."


def _series(run: Taken) -> tuple[Row, ...]:
    return rows(table(run.document, "resources"), "series")


def _resource(series: Row, of: Row) -> list[str]:
    unit, share = words(series, "unit"), number(of, "share")
    return [
        code(words(series, "name")),
        escape(words(series, "of")),
        *(quantity(number(of, key), unit) for key in ("mean", "min", "max")),
        quantity(number(series, "limit"), unit),
        ABSENT if share is None or unit == "ratio" else percent(share),
    ]


def _soak(run: Taken) -> Iterator[str]:
    """What must not grow: what was declared, and what was seen to grow all the same."""
    told = [one for one in rows(run.document, "soak") if words(one, "answer") or words(one, "course") == "grows"]
    if told:
        yield "What must not grow:"
        yield ""
        yield from (
            f"* {escape(words(one, 'answer')) or 'not judged'}: {escape(words(one, 'because'))}" for one in told
        )
        yield ""
