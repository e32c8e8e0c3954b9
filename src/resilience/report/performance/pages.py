"""The pages together, and what all of them have in common. The same inputs give the same bytes."""

from collections.abc import Iterable, Sequence

from resilience.report.document import Row, number, table, words
from resilience.report.markdown import escape
from resilience.report.performance import baselines, capacity, optimisation, results
from resilience.report.performance.inputs import Inputs, Taken
from resilience.report.performance.layout import code, grid, missing
from resilience.text import ABSENT, count

NOTE = "<!-- Written by `resilience performance` from records of runs. Do not edit: run it again. -->"

PAGES = {
    "results.md": ("Results", "normal load, peak, stress and soak, each with its resources", results),
    "baselines.md": ("Baselines", "what later runs are compared with", baselines),
    "capacity.md": ("Capacity", "how much it bears, what limits it, how to scale, what it costs", capacity),
    "optimisation.md": ("Optimisation", "before and after", optimisation),
}
"""File → title, what it is about, and the module that writes it."""


def written(inputs: Inputs) -> dict[str, str]:
    """File name → page."""
    made = {name: _page(title, module.lines(inputs)) for name, (title, _, module) in PAGES.items()}
    return {"README.md": _page("Performance", _index(inputs)), **made}


def lacking(inputs: Inputs) -> list[str]:
    """What no input was given for, in words."""
    return [one for _, _, module in PAGES.values() for one in module.lacking(inputs)]


def _page(title: str, lines: Iterable[str]) -> str:
    return "\n".join([f"# {title}", "", NOTE, "", *lines]).rstrip("\n") + "\n"


def _index(inputs: Inputs) -> list[str]:
    made = [
        "What the runs below have shown. Every figure is taken from what they recorded; lengths and loads are those of",
        "the runs themselves, and a short variant is called one.",
        "",
        *(f"* [{title}]({name}): {about}." for name, (title, about, _) in PAGES.items()),
        "",
        "## Runs",
        "",
    ]
    told = [
        [
            code(one.run),
            one.at or ABSENT,
            escape(words(one.document, "title") or one.name),
            escape(one.variant) or "as it is",
            escape(words(one.document, "answer")),
        ]
        for one in inputs.all
    ]
    made += grid(("run", "began (UTC)", "what", "target", "answer"), told) if told else [missing("no run was given")]
    made += ["", "## Machine and versions", "", *_machines(inputs.all)]
    if absent := lacking(inputs):
        made += ["", "## Missing", "", *(f"* {one}" for one in absent)]
    return made


def _machines(runs: Sequence[Taken]) -> list[str]:
    """Each set of machine and versions once, with the runs it is of."""
    found: dict[str, list[str]] = {}
    for one in runs:
        found.setdefault(f"{_machine(table(one.header, 'machine'))}; {_versions(one.header)}", []).append(one.run)
    if not found:
        return [missing("no run was given")]
    return [f"* {told} (runs {', '.join(map(code, whose))})" for told, whose in found.items()]


def _machine(machine: Row) -> str:
    """How large it is; nothing that names it."""
    cores, memory = number(machine, "cores"), number(machine, "memory_gib")
    return (
        f"{count(cores)} cores, {count(memory)} GiB of memory, {escape(words(machine, 'system')) or 'system not known'}"
    )


def _versions(header: Row) -> str:
    """Of the programs, without where they were found."""
    told = table(header, "versions")
    named = [(name, words(told, name).partition(",")[0]) for name in told if name not in {"target", "wire"}]
    return ", ".join(f"{escape(name)} {escape(version)}" for name, version in named) or "versions not known"
