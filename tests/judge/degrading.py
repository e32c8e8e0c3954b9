"""Scenes with what a file says of degradation: breakers, dependencies, operations that may be shed."""

from dataclasses import replace

import numpy as np

from resilience.columns import Readings
from resilience.judge.case import Case, prepare
from resilience.judge.quantiles import NS
from resilience.model import Breaker, Degradation, Dependency, Health, Load
from tests.judge.builder import OPERATIONS, Scene

CACHE = Breaker(
    name="cache",
    fault="redis-down",
    operations=("read-item",),
    opens_within_s=2.0,
    closes_within_s=3.0,
    calls="redis",
    calls_per_second=3.0,
)
REDIS = Dependency(name="redis", part="redis", amplification=2.0)


def readings(*rates, name="redis", end_s=45.0, every_s=0.5, first_s=0.0):
    """A counter read twice a second: `(until, calls per second)`, one after the other."""
    at_s = np.arange(first_s, end_s, every_s)
    edges = np.array([0.0, *(until for until, _ in rates)])
    total = np.concatenate(([0.0], np.cumsum([(b - a) * rate for a, (b, rate) in zip(edges, rates, strict=False)])))
    return Readings(
        name=name,
        at_ns=np.round(at_s * NS).astype(np.int64),
        count=np.interp(at_s, edges, total),
        epoch=np.zeros(len(at_s), np.int32),
    )


def declared(
    scene: Scene,
    *,
    breakers: tuple[Breaker, ...] = (),
    dependencies: tuple[Dependency, ...] = (),
    read: tuple[Readings, ...] = (),
    health: Health | None = None,
    **operations: dict[str, object],
) -> Case:
    """The case of a scene with more in its file; operations by their name with `_` for `-`."""
    chosen = tuple(replace(one, **operations.get(one.name.replace("-", "_"), {})) for one in OPERATIONS)
    record = scene.but(load=Load(rate=scene.rate, operations=chosen)).record()
    asked = Degradation(dependencies=dependencies, breakers=breakers, health=health)
    experiment = replace(record.experiment, degradation=asked)
    return prepare(replace(record, experiment=experiment, readings=read))
