"""What was measured of a run, in the few figures that comparing needs."""

from collections.abc import Iterator, Mapping

from resilience.judge.case import Case
from resilience.judge.quantiles import of_operation
from resilience.judge.regression.conditions import conditions
from resilience.judge.regression.slices import estimates
from resilience.judge.regression.strain import LAG
from resilience.model import Answer, Estimate, EventKind, Measured, Phase, PhaseName
from resilience.model.regression import Outage

COMPARED = (PhaseName.BASELINE, PhaseName.FAULT, PhaseName.AFTER)
"""Recoveries are compared by how long they take: what is seen while one lasts depends on when one looks."""

BROKEN = ("lost", "phantom", "duplicated", "corrupted", "stale", "out_of_order")
"""Classes of writes that should be none."""


def measured(case: Case, document: Mapping[str, object], unfit: str = "") -> Measured:
    """Measure a run.

    Args:
        case: the run, prepared.
        document: `verdict.json`, or of it `answer`, `recovery`, `service` and `writes` where they are known.
        unfit: why it should not be compared.
    """
    header = next((event.detail for event in case.record.events if event.kind is EventKind.HEADER), {})
    return Measured(
        run=case.record.plan.run,
        at=str(header.get("wall_clock", "")),
        answer=str(document.get("answer", Answer.UNKNOWN.value)),
        unfit=unfit,
        conditions=conditions(case.record),
        cells=dict(_cells(case)),
        recoveries=_recoveries(document),
        counts=dict(_counts(document)),
    )


def _cells(case: Case) -> Iterator[tuple[str, dict[str, dict[str, Estimate]]]]:
    seen: dict[str, int] = {}
    for phase in case.phases:
        if phase.name not in COMPARED:
            continue
        seen[phase.label] = seen.get(phase.label, 0) + 1
        label = phase.label if seen[phase.label] == 1 else f"{phase.label} #{seen[phase.label]}"
        if found := dict(_operations(case, phase)):
            yield label, found


def _operations(case: Case, phase: Phase) -> Iterator[tuple[str, dict[str, Estimate]]]:
    samples = case.during(phase)
    for index, name in enumerate(case.traffic.samples.operations):
        if found := estimates(of_operation(samples, index), phase.start_s, phase.end_s):
            yield name, found


def _recoveries(document: Mapping[str, object]) -> dict[str, tuple[Outage, ...]]:
    """Outages by what was written."""
    recovery = document.get("recovery")
    cycles = recovery.get("cycles") if isinstance(recovery, Mapping) else None
    found: dict[str, tuple[Outage, ...]] = {}
    for cycle in cycles if isinstance(cycles, list | tuple) else ():
        if not isinstance(cycle, Mapping) or cycle.get("impact") == "unknown":
            continue
        outage, exact, lost = (_number(cycle, key) for key in ("outage_s", "resolution_s", "lost_so_long_s"))
        row = Outage(lost, -1.0) if outage is None and lost is not None else Outage(outage or 0.0, exact or 0.0)
        name = str(cycle.get("like") or cycle.get("fault"))
        found[name] = (*found.get(name, ()), row)
    return found


def _counts(document: Mapping[str, object]) -> Iterator[tuple[str, float]]:
    service, writes = document.get("service"), document.get("writes")
    incidents = service.get("incidents") if isinstance(service, Mapping) else None
    for row in incidents if isinstance(incidents, list | tuple) else ():
        if isinstance(row, Mapping) and (used := _number(row, "budget_used")) is not None:
            yield f"budget.{row.get('fault')}", used
    load = document.get("load")
    if isinstance(load, Mapping) and (late := _number(load, "baseline_lag_p99_s")) is not None:
        yield LAG, late * 1e3
    if isinstance(writes, Mapping):
        for name in (*BROKEN, "acknowledged"):
            if (number := _number(writes, name)) is not None:
                yield f"writes.{name}", number


def _number(row: Mapping[str, object], key: str) -> float | None:
    value = row.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
