"""A control group: the load's own keys split at random, one part by a way of its own on which the fault is. Pure.

The two groups are regions of the load: `control`, which reaches the service directly, and `experiment`, which goes by
the part `service-experiment`, a proxy that adds nothing until a fault is put on it. Which group a key belongs to
follows from the seed and the key alone, so one user is always in the same.
"""

from dataclasses import replace

from resilience.model import CONTROL_GROUP, EXPERIMENT_GROUP, Load, Region
from resilience.spec.findings import Findings
from resilience.spec.text import join


def grouped(load: Load | None) -> Load | None:
    """The load with its two groups as regions, if it has a control group."""
    if load is None or load.control is None or load.regions:
        return load
    share = load.control.share
    groups = (Region(name=CONTROL_GROUP, weight=1 - share), Region(name=EXPERIMENT_GROUP, weight=share, latency_s=0.0))
    return replace(load, regions=groups)


def check_control(load: Load, path: str, findings: Findings, *, own_regions: bool) -> None:
    """Note a control group that cannot be: the groups are regions, and are made of keys.

    Args:
        load: as it could be read.
        path: of the load.
        findings: where it is noted.
        own_regions: whether the file declares regions.
    """
    if load.control is None:
        return
    where = join(path, "control")
    if own_regions:
        findings.add(where, "the groups are regions of the load, and there are others already", "leave out regions")
    if load.driver != "locust":
        findings.add(where, f"what {load.driver} sends is not ours to split", "use driver: locust")
    if load.keys < 2:  # noqa: PLR2004 - two groups
        findings.add(where, "one key cannot be in two groups", "write keys: 1000")
    if load.subscriptions:
        findings.add(where, "subscribers are not split", "leave out subscriptions")
