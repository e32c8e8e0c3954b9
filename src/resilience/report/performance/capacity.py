"""The page of capacity: the most that it bears, what limits it, how it scales, what is needed, what that costs."""

from collections.abc import Iterator

from resilience.judge.search.capacity import SURE
from resilience.judge.search.step import SLICES
from resilience.judge.statistics import student
from resilience.report.document import Row, items, number, rows, table, words
from resilience.report.markdown import escape
from resilience.report.performance.inputs import Inputs, Taken
from resilience.report.performance.layout import bottleneck, code, grid, heading, missing, recommended, settings
from resilience.text import ABSENT, count, milliseconds, percent, rate, seconds

HEADROOM = 0.5
"""So much more is kept free, as a share of what is planned with."""

_FEW = 3
_LINEAR = {"true": "linear", "false": "not linear"}


def lines(inputs: Inputs) -> Iterator[str]:
    """The page."""
    searches, measured = _searches(inputs), _measured(inputs)
    yield "## The most that it bears"
    yield ""
    for over, what in (("rate", "requests per second"), ("users", "users at once")):
        found = [run for run in searches if words(_search(run), "over") == over]
        if not found:
            yield missing(f"no search for the most {what} was given")
            yield ""
        for run in found:
            yield from _searched(run, what)
    for run in searches:
        if words(_search(run), "over") not in {"rate", "users"}:
            yield from _searched(run, words(_search(run), "over"))
    yield "## How throughput grows"
    yield ""
    if not measured:
        yield missing("no capacity run was given")
        yield ""
    for run in measured:
        yield from _scaling(run)
    yield "## What limits it, and how to scale"
    yield ""
    yield from _limits(inputs)
    yield ""
    yield "## Plan and cost"
    yield ""
    yield from _plans(measured)


def lacking(inputs: Inputs) -> list[str]:
    """What of searches and capacity runs is not there."""
    there = {words(_search(run), "over") for run in _searches(inputs)}
    told = {"rate": "the most requests per second", "users": "the most users"}
    found = [f"capacity: no search for {what} was given" for over, what in told.items() if over not in there]
    return found if _measured(inputs) else [*found, "capacity: no capacity run was given"]


def _searches(inputs: Inputs) -> list[Taken]:
    return [run for run in inputs.runs if _search(run)]


def _measured(inputs: Inputs) -> list[Taken]:
    return [run for run in inputs.runs if run.capacity or table(run.document, "capacity")]


def _search(run: Taken) -> Row:
    return table(run.document, "search")


def _searched(run: Taken, what: str) -> Iterator[str]:
    search = _search(run)
    unit = words(search, "unit")
    yield f"### {escape(words(run.document, 'title') or run.name)}"
    yield ""
    yield heading(run)
    yield ""
    objectives = ", ".join(code(str(one)) for one in items(search, "objectives"))
    yield f"The most {escape(what)} at which {objectives or 'the objectives'} hold, each step judged from its samples:"
    yield ""
    heads = ("condition", "holds at", "breaks at", "with 50 % headroom plan for", "what broke", "comes back", "took")
    told = [
        [
            escape(words(one, "condition")),
            _level(number(one, "holds"), unit),
            _level(number(one, "breaks"), unit),
            _planned(one, words(search, "over"), unit),
            escape(words(one, "objective")) or ABSENT,
            _back(one, unit),
            f"{len(rows(one, 'steps'))} steps, {seconds(number(one, 'cost_s'))}",
        ]
        for one in rows(search, "conditions")
    ]
    yield from grid(heads, told)
    yield ""


def _level(value: float | None, unit: str) -> str:
    return ABSENT if value is None else f"{value:g} {escape(unit)}".strip()


def _planned(one: Row, over: str, unit: str) -> str:
    """What may be asked of it if half as much again is to be kept free; of a load whose level was confirmed only."""
    holds = number(one, "holds")
    if holds is None or over not in {"rate", "users"} or one.get("confirmed") is not True:
        return ABSENT
    return _level(float(f"{holds / (1 + HEADROOM):.3g}"), unit)


def _back(one: Row, unit: str) -> str:
    if one.get("metastable") is True:
        return "**no**: metastable"
    if one.get("came_back") is True:
        return f"yes, at {_level(number(one, 'back_at'), unit)}"
    return "not known"


def _documents(run: Taken) -> tuple[Row, ...]:
    """The verdicts of a capacity run, one for each number of copies."""
    return rows(run.capacity, "runs") or (run.document,)


def _scaling(run: Taken) -> Iterator[str]:
    yield f"### {escape(words(run.document, 'title') or run.name)}"
    yield ""
    if run.capacity:
        yield f"**{escape(words(run.capacity, 'answer'))}**: {escape(words(run.capacity, 'because'))}."
        yield ""
        runs = ", ".join(code(words(one, "run")) for one in _documents(run))
        given = f" The service was started with {settings(run)}." if run.settings else ""
        yield f"Runs {runs}; the last began {run.at} UTC.{given}"
    else:
        yield heading(run)
    yield ""
    heads = ("copies", "users", "ok per s", "p95", "in flight by Little's law", "held")
    told = [
        [
            count(number(table(one, "capacity"), "copies")),
            count(number(level, "users")),
            rate(number(level, "rps")),
            milliseconds(number(level, "p95_ms")),
            rate(number(level, "in_flight")),
            escape(words(level, "seen")),
        ]
        for one in _documents(run)
        for level in rows(table(one, "capacity"), "levels")
    ]
    yield from grid(heads, told)
    yield ""
    for one in _documents(run):
        capacity = table(one, "capacity")
        copies = number(capacity, "copies")
        yield f"* {_copies(copies)} {'bears' if copies == 1 else 'bear'} {_best(table(capacity, 'best'))}"
        yield f"    * {_law(table(capacity, 'law'))}"
    for one in rows(run.capacity, "scaling"):
        linear = _LINEAR.get(words(one, "linear"), "not known whether linear")
        share, low, high = (percent(number(one, key)) for key in ("value", "low", "high"))
        yield f"* to {_copies(number(one, 'copies'))}: {linear}, each keeps {share} ({low} to {high})"
    yield ""


def _copies(number_of: float | None) -> str:
    return "1 copy" if number_of == 1 else f"{count(number_of)} copies"


def _best(best: Row) -> str:
    """The highest throughput at which the objectives held, with its interval, and what that leaves to plan for."""
    rps, error, users = (number(best, key) for key in ("rps", "error", "users"))
    if rps is None or error is None:
        return "no number of users that was tried within the objectives"
    half = error * student(SURE, SLICES - 1)
    return (
        f"{rate(rps)}/s ({rate(max(0.0, rps - half))} to {rate(rps + half)}) at {count(users)} users, "
        f"p95 {milliseconds(number(best, 'p95_ms'))}; with 50 % headroom plan for {rate(rps / (1 + HEADROOM))}/s"
    )


def _law(law: Row) -> str:
    """The Universal Scalability Law, with its peak if that was measured."""
    if not law:
        return "no scalability law could be fitted"
    told = [f"{name} {_within(table(law, name))}" for name in ("sigma", "kappa")]
    if law.get("fits") is not True:
        return f"the scalability law misses a level by {percent(number(law, 'misses_share'))}, and is not believed"
    peak = number(law, "peak")
    if peak is None:
        most = count(number(law, "measured_to"))
        return f"{', '.join(told)}; a peak lies beyond the {most} users that were measured, if there is one"
    return f"{', '.join(told)}; the peak is at {count(peak)} users, {rate(number(law, 'peak_per_s'))}/s"


def _within(told: Row) -> str:
    value, low, high = (number(told, key) for key in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return ABSENT
    return f"{value:.3g} ({low:.3g} to {high:.3g})"


def _limits(inputs: Inputs) -> Iterator[str]:
    """What verdicts name, and what they recommend for it."""
    named = [
        (run, one)
        for run in inputs.runs
        for one in ([*_taken(run)] if run.capacity else [run])
        if words(table(one.document, "bottlenecks"), "answer") == "found"
    ]
    if not named:
        yield missing("no run that was given was driven to a limit that could be named")
        silent = [run for run in inputs.runs if bottleneck(run)]
        if silent:
            yield ""
        yield from (f"* {escape(run.name)} ({code(run.run)}): {escape(bottleneck(run))}." for run in silent)
        return
    for _, one in named:
        yield f"* {escape(one.name)} ({code(one.run)}): {escape(bottleneck(one))}."
        yield from (f"    * {escape(each)}" for each in recommended(one)[:_FEW])


def _taken(run: Taken) -> Iterator[Taken]:
    for document in _documents(run):
        yield Taken(document, run.header)


def _plans(measured: list[Taken]) -> Iterator[str]:
    planned = [(run, table(run.capacity, "plan")) for run in measured if table(run.capacity, "plan")]
    if not planned:
        yield missing("no capacity run with a demand was given")
        return
    heads = ("demand", "with headroom", "copies", "they bear", "used", "per hour", "a million requests at the demand")
    told = []
    for _, plan in planned:
        currency = escape(words(plan, "currency"))
        told.append(
            [
                f"{rate(number(plan, 'demand_per_s'))}/s",
                f"{rate(number(plan, 'needed_per_s'))}/s ({percent(number(plan, 'headroom'))})",
                count(number(plan, "copies")),
                f"{rate(number(plan, 'capacity_per_s'))}/s",
                percent(number(plan, "utilisation")),
                *(_price(number(plan, key), currency) for key in ("cost_hour", "cost_per_million_at_demand")),
            ]
        )
    yield from grid(heads, told)
    yield ""
    for run, plan in planned:
        if number(plan, "copies") is None:
            most, beyond = number(plan, "measured_to_copies"), number(plan, "extrapolated_copies")
            yield (
                f"* {escape(run.name)}: no number of copies that was measured, up to {count(most)}, bears it. "
                f"{count(beyond)} would, if it went on to scale so, which was not measured."
            )
    yield "Prices are those that the file of the experiment declares."


def _price(value: float | None, currency: str) -> str:
    return ABSENT if value is None else f"{value:.3g} {currency}"
