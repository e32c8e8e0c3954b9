"""Whether what is read of resources, and what must hold of them, fits the rest of the file."""

import re
from collections.abc import Iterator, Sequence

from resilience.model import Metrics, Observing, PhaseName, PlannedPhase, ResourceLimit, StackSpec, Taken
from resilience.model.catalogue import METRICS, SHARES
from resilience.spec.findings import Findings, did_you_mean
from resilience.spec.steps import parts_of
from resilience.spec.text import join

MOST = 5.0
"""The longest period in seconds: with fewer readings nothing could be said of a phase."""

_METRIC = re.compile(r'[A-Za-z_:][\w:]*(\{([A-Za-z_]\w*="([^"\\]|\\.)*",?)*\})?', re.ASCII)

Around = tuple[StackSpec | None, Sequence[str] | None, Sequence[PlannedPhase]]
"""Stack, names of faults, phases: as far as they could be read."""


def check_observing(observing: Observing, path: str, around: Around, findings: Findings) -> None:
    """Note everything that does not fit together."""
    stack, faults, planned = around
    parts = parts_of(stack) if stack is not None else ()
    if observing.period_s > MOST:
        findings.add(join(path, "period"), f"{observing.period_s:g} s is too seldom", f"write {MOST:g}s or less")
    for index, metrics in enumerate(observing.metrics):
        where = f"{join(path, 'metrics')}[{index}]"
        _check_metrics(metrics, where, parts, findings)
    for index, profile in enumerate(observing.profile):
        where = f"{join(path, 'profile')}[{index}]"
        if parts and profile.part not in parts:
            findings.add(
                join(where, "part"), f"the stack has no part {profile.part!r}", did_you_mean(profile.part, parts)
            )
        _check_phase(profile.phase, profile.fault, where, faults, planned, findings)
    known = names_of(observing)
    for index, limit in enumerate(observing.limits):
        where = f"{join(path, 'limits')}[{index}]"
        _check_limit(limit, where, known, parts, findings)
        _check_phase(limit.phase, limit.fault, join(where, "expression"), faults, planned, findings)


def names_of(observing: Observing) -> tuple[str, ...]:
    """Every name that a series may have."""
    taken = [one.name for metrics in observing.metrics for one in metrics.take]
    asked = [query.name for server in observing.prometheus for query in server.queries]
    return (*METRICS, *SHARES, *taken, *asked)


def _check_metrics(metrics: Metrics, where: str, parts: Sequence[str], findings: Findings) -> None:
    if bool(metrics.part) == bool(metrics.url):
        findings.add(where, "needs either part or url", "name the part of the stack that shows the metrics")
    if metrics.part and parts and metrics.part not in parts:
        findings.add(join(where, "part"), f"the stack has no part {metrics.part!r}", did_you_mean(metrics.part, parts))
    seen: set[str] = set()
    for index, taken in enumerate(metrics.take):
        place = f"{join(where, 'take')}[{index}]"
        _check_taken(taken, place, findings)
        if taken.name in seen or taken.name in METRICS or taken.name in SHARES:
            findings.add(join(place, "name"), f"there is a series {taken.name!r} already", "choose another name")
        seen.add(taken.name)


def _check_taken(taken: Taken, place: str, findings: Findings) -> None:
    for key, text in (("metric", taken.metric), ("limit_metric", taken.limit_metric)):
        if text and not _METRIC.fullmatch(text):
            hint = 'write a name such as shop_cache_total{result="error"}'
            findings.add(join(place, key), f"{text!r} is no metric", hint)
    if taken.limit is not None and taken.limit_metric:
        findings.add(join(place, "limit_metric"), "there is a limit already", "keep one of them")


def _check_limit(
    limit: ResourceLimit, where: str, known: Sequence[str], parts: Sequence[str], findings: Findings
) -> None:
    if limit.resource not in known:
        findings.add(
            join(where, "resource"),
            f"{limit.resource!r} is read by nothing",
            did_you_mean(limit.resource, known) if limit.resource else "name a series",
        )
    first = limit.of.partition("/")[0]
    local = limit.resource.partition(".")[0] in {"process", "postgres", "redis", "cgroup", "toxiproxy"}
    if local and limit.of and parts and first not in parts:
        findings.add(join(where, "of"), f"the stack has no part {first!r}", did_you_mean(first, parts))


def _check_phase(
    phase: PhaseName,
    fault: str,
    where: str,
    faults: Sequence[str] | None,
    planned: Sequence[PlannedPhase],
    findings: Findings,
) -> None:
    if fault and faults is not None and fault not in faults:
        findings.add(where, f"{fault!r} is no fault of this file", did_you_mean(fault, faults))
    elif planned and not any(_matching(planned, phase, fault)):
        findings.add(where, f"there is no phase {phase.value}, so it could never be told", "add it to the method")


def _matching(planned: Sequence[PlannedPhase], phase: PhaseName, fault: str) -> Iterator[bool]:
    return (one.name is phase and one.about(fault) for one in planned)
