"""Whether tenants and regions fit together with whatever speaks of them. Pure."""

from collections.abc import Sequence

from resilience.model import Load, Objective, Segment
from resilience.spec.findings import Findings, did_you_mean, show
from resilience.spec.mixture import check_mixture, data_names
from resilience.spec.text import join

EACH = "each"
"""In an objective: every tenant, or every region, on its own."""
_TAKEN = (EACH, "all")


def placeholders(load: Load | None) -> tuple[str, ...]:
    """What templates may hold whatever their role: the run's id, and what the load has of tenants, regions and data.

    Tenant and region are there if the load cannot be read.
    """
    there = {"tenant": load is None or bool(load.tenants), "region": load is None or bool(load.regions)}
    return (*(name for name, known in there.items() if known), "run", *data_names(load))


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
