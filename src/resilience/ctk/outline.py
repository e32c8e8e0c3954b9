"""What a plan would do to the target, step by step, and how that is undone: what `resilience plan` shows."""

from collections.abc import Mapping
from typing import cast

from rich.console import Console
from rich.table import Table

from resilience.abilities import foreseen
from resilience.codec import encode
from resilience.ctk.drivers import SCRIPTS, script_figures, script_words
from resilience.ctk.workers import staff_of
from resilience.faults import registry
from resilience.model import Experiment, FaultSpec, Json, Plan, PlannedPhase
from resilience.spec.durations import format_duration
from resilience.spec.outlined import load_figures, load_words
from resilience.spec.phases import Placement, most_at_once, placements
from resilience.text import printable


def as_document(experiment: Experiment, plan: Plan) -> dict[str, Json]:
    """All of it as JSON: the plan, and of each fault what, when, on which part, with which settings and which undo.

    Args:
        experiment: with every part drawn by the plan's seed.
        plan: of this experiment.
    """
    placed = _placed(experiment)
    most = most_at_once(placed)
    touched: list[Json] = [*_touched(experiment)]
    staff = staff_of(experiment)
    return {
        **cast("Mapping[str, Json]", encode(plan)),
        "load": script_figures(experiment)
        if experiment.load.driver in SCRIPTS
        else load_figures(experiment.load, plan.duration_s),
        "workers": None if staff is None else {**staff.document, "warning": staff.warning},
        "faults": [_fault(each, plan, experiment.stack.use) for each in placed],
        "touched": touched,
        "most_at_once": {
            "parts": len({each.fault.on for each in most}),
            "faults": [each.fault.name for each in most],
        },
    }


def print_outline(experiment: Experiment, plan: Plan, console: Console | None = None) -> None:
    """Print it for people; arguments as for `as_document`."""
    console = console or Console()
    console.print(printable(experiment.title), style="bold", markup=False)
    console.print(
        f"target {experiment.target} on stack {experiment.stack.use}, seed {plan.seed}, "
        f"{format_duration(plan.duration_s)}"
        + ("" if experiment.load.closed or experiment.load.script else f", {plan.arrivals} arrivals"),
        markup=False,
    )
    for words in script_words(experiment) or load_words(experiment.load, plan.duration_s):
        console.print(f"load: {words}", markup=False)
    staff = staff_of(experiment)
    if staff is not None:
        console.print(staff.sentence, markup=False)
        if staff.warning:
            console.print(f"warning: {staff.warning}", style="yellow", markup=False)
    table = Table("from", "to", "phase", "what is done", "how it is undone")
    placed = _placed(experiment)
    for phase in plan.phases:
        within = [each for each in placed if phase.start_s <= each.start_s < phase.end_s]
        rows = [(_what(each, experiment.stack.use), _undone(each.fault, plan)) for each in within] or [("", "")]
        for index, (what, undone) in enumerate(rows):
            when = (_at(phase.start_s), _at(phase.end_s), _label(phase)) if index == 0 else ("", "", "")
            table.add_row(*when, what, undone)
    console.print(table)
    most = most_at_once(placed)
    count = len({each.fault.on for each in most})
    if count > 1:
        names = ", ".join(each.fault.name for each in most)
        console.print(f"most parts at once: {count} ({names})", markup=False)
    touched = ", ".join(_touched(experiment)) or "nothing"
    console.print(f"parts that are touched: {touched}; nothing was touched now", markup=False)


def _placed(experiment: Experiment) -> tuple[Placement, ...]:
    return placements(experiment.load, experiment.steps, experiment.chaos)


def _touched(experiment: Experiment) -> list[str]:
    return sorted({fault.on for fault in experiment.faults})


def _fault(placement: Placement, plan: Plan, stack: str) -> dict[str, Json]:
    fault, kind = placement.fault, registry.find(placement.fault.kind)
    return {
        "name": fault.name,
        "of": fault.written,
        "group": fault.group,
        "kind": fault.kind,
        "part": fault.on,
        "drawn_from": list(fault.among),
        "settings": cast("Json", kind.complete(fault.settings)),
        "start_s": placement.start_s,
        "end_s": placement.end_s,
        "at_most_s": fault.at_most_s,
        "strike": fault.strike,
        "removes_data": kind.removes_data,
        "mechanism": foreseen(fault, stack),
        "undo": plan.undo.get(fault.name, ""),
    }


def _what(placement: Placement, stack: str) -> str:
    """One fault in a cell: what, on which part, with which settings, by which means, for how long if not its phase."""
    fault = placement.fault
    settings = registry.find(fault.kind).complete(fault.settings)
    told = ", ".join(f"{name} {value}" for name, value in settings.items())
    drawn = f" (drawn from {', '.join(fault.among)})" if fault.among else ""
    name = f"{fault.name}: " if fault.group or fault.at_most_s is not None else ""
    until = ""
    if fault.at_most_s is not None:
        until = f"; until {_at(placement.end_s)}, at most {format_duration(fault.at_most_s)}"
    means = foreseen(fault, stack)
    how = f"; how: {means}" if means else ""
    return printable(f"{name}{fault.kind} on {fault.on}{drawn}{f'; {told}' if told else ''}{until}{how}")


def _undone(fault: FaultSpec, plan: Plan) -> str:
    undo = printable(plan.undo.get(fault.name, ""))
    return f"not undone: {undo}" if fault.strike and not undo.startswith("not ") else undo


def _at(instant_s: float) -> str:
    return f"{instant_s:g} s"


def _label(phase: PlannedPhase) -> str:
    return f"{phase.name.value}({phase.fault})" if phase.fault else phase.name.value
