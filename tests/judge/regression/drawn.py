"""Runs drawn at random: what was measured of each, with noise within runs and from run to run."""

from dataclasses import dataclass

import numpy as np

from resilience.columns import Samples
from resilience.judge.regression.slices import estimates
from resilience.model import Baseline, Estimate, Measured

NS = 1_000_000_000


@dataclass(frozen=True)
class Kind:
    """How runs are drawn: the level of response times is an AR(1) process of seconds."""

    seconds: int = 30
    rate: float = 200.0
    spread: float = 0.3
    drift: float = 0.05
    alike: float = 0.7
    run_to_run: float = 0.01
    failing: float = 0.0


def samples(rng: np.random.Generator, kind: Kind = Kind(), slower: float = 1.0) -> Samples:
    """Samples of one operation of 10 ms."""
    count = int(kind.seconds * kind.rate)
    arrival = np.sort(rng.uniform(0, kind.seconds, count))
    level = np.zeros(kind.seconds + 1)
    for second in range(1, len(level)):
        level[second] = kind.alike * level[second - 1] + rng.normal(0, kind.drift * np.sqrt(1 - kind.alike**2))
    level += rng.normal(0, kind.run_to_run)
    times = 0.010 * slower * np.exp(level[arrival.astype(int)] + rng.normal(0, kind.spread, count))
    begin = np.round(arrival * NS).astype(np.int64)
    zeros = np.zeros(count, np.bool_)
    return Samples(
        operations=("read",),
        details=("",),
        arrival_ns=begin,
        start_ns=begin,
        end_ns=begin + np.round(times * NS).astype(np.int64),
        operation=np.zeros(count, np.int16),
        outcome=(rng.uniform(size=count) < kind.failing).astype(np.int8),
        status=np.full(count, 200, np.int16),
        degraded=zeros,
        detail=np.zeros(count, np.int32),
        shed=zeros,
    )


def run(rng: np.random.Generator, kind: Kind = Kind(), slower: float = 1.0, name: str = "r") -> Measured:
    """One run with one operation, measured."""
    found = estimates(samples(rng, kind, slower), 0.0, float(kind.seconds))
    return Measured(run=name, at="", answer="pass", cells={"baseline": {"read": found}})


def measured(name: str = "r", phase: str = "baseline", **changes: object) -> Measured:
    """One run with given figures: `p50_ms=(10.0, 0.01)`."""
    figures = {key: value for key, value in changes.items() if isinstance(value, tuple)}
    rest = {key: value for key, value in changes.items() if not isinstance(value, tuple)}
    cell = {metric: Estimate(value, error, 30) for metric, (value, error) in figures.items()}
    return Measured(run=name, at="", answer="pass", cells={phase: {"read": cell}} if cell else {}, **rest)


def before(*runs: Measured) -> Baseline:
    """A baseline of these runs."""
    return Baseline(experiment="scene", runs=runs)
