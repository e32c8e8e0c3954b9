"""Whether tenants and regions fit together with whatever speaks of them. Pure."""

from collections.abc import Sequence

from resilience.model import Load, Objective, Segment, StackSpec
from resilience.spec.durations import format_duration
from resilience.spec.findings import Findings, did_you_mean, show
from resilience.spec.journeys import journey_names
from resilience.spec.mixture import check_mixture, data_names
from resilience.spec.steps import parts_of
from resilience.spec.text import join

EACH = "each"
"""In an objective: every tenant, or every region, on its own."""
_TAKEN = (EACH, "all")


def placeholders(load: Load | None) -> tuple[str, ...]:
    """What templates may hold whatever their role: the run's id, and what the load has of tenants, regions and data.

    Tenant and region are there if the load cannot be read.
    """
    there = {"tenant": load is None or bool(load.tenants), "region": load is None or bool(load.regions)}
    return (*(name for name, known in there.items() if known), "run", *data_names(load), *journey_names(load))


def ways(load: Load | None) -> tuple[str, ...]:
    """The parts by which regions reach the service on ways of their own: `service-NAME`."""
    regions = load.regions if load is not None else ()
    return tuple(f"service-{region.name}" for region in regions if region.latency_s is not None)


def check_ways(load: Load | None, stack: StackSpec | None, path: str, findings: Findings) -> None:
    """Note ways of regions that this stack cannot have, and latencies that mean nothing."""
    if load is None:
        return
    taken = {*parts_of(stack)} if stack is not None else set()
    for index, region in enumerate(load.regions):
        place = f"{join(path, 'regions')}[{index}]"
        if region.latency_s is None:
            if region.jitter_s:
                findings.add(join(place, "jitter"), "there is no latency that it could vary", "add latency: 80ms")
            continue
        if region.jitter_s > region.latency_s:
            message = f"the jitter {format_duration(region.jitter_s)} is more than the latency"
            findings.add(join(place, "jitter"), message, f"write at most {format_duration(region.latency_s)}")
        if stack is not None and stack.use != "embedded":
            message = f"a stack {stack.use!r} has no way to the service for a region alone"
            findings.add(join(place, "latency"), message, "leave out latency, or use: embedded")
        if f"service-{region.name}" in taken:
            message = f"another part of the stack is called 'service-{region.name}'"
            findings.add(join(place, "name"), message, "choose another name")


def check_segments(load: Load, path: str, findings: Findings) -> None:
    """Note names that are taken, or stand twice, and data that fits together with nothing."""
    for kind, segments in (("tenants", load.tenants), ("regions", load.regions)):
        seen: set[str] = set()
        for index, segment in enumerate(segments):
            where = join(f"{join(path, kind)}[{index}]", "name")
            if segment.name in _TAKEN:
                findings.add(where, f"{segment.name!r} has a meaning of its own in objectives", "choose another name")
            if segment.name in seen:
                findings.add(where, f"there is {segment.name!r} among the {kind} already", "choose another name")
            seen.add(segment.name)
    check_mixture(load, path, findings)


def check_about(objective: Objective, path: str, load: Load | None, findings: Findings) -> None:
    """Note an objective about a tenant or a region that the load has not."""
    if load is None:
        return
    for kind, named, segments in (
        ("tenant", objective.tenant, load.tenants),
        ("region", objective.region, load.regions),
    ):
        if named and not (segments if named == EACH else _named(named, segments)):
            message = f"{show(objective.expression)} is about {named!r}, which is no {kind} of this file's load"
            known = [segment.name for segment in segments]
            hint = did_you_mean(named, [*known, EACH]) if known else f"add {kind}s to load"
            findings.add(join(path, kind), message, hint)


def _named(name: str, segments: Sequence[Segment]) -> bool:
    return any(segment.name == name for segment in segments)
