"""The Universal Scalability Law, fitted to throughput over concurrency, with intervals.

    X(N) = gamma·N / (1 + sigma·(N − 1) + kappa·N·(N − 1))

gamma is the throughput of one, sigma the share of work that cannot be done at once (contention), kappa what it costs
that each must agree with each other (coherency). Throughput is highest at N* = sqrt((1 − sigma) / kappa), if kappa > 0
(Gunther, Guerrilla Capacity Planning, 2007, chapter 4). N/X is linear in 1/gamma, sigma/gamma and kappa/gamma, none of
which can be negative: so the fit is a non-negative least squares problem, weighted to count relative errors. Its
intervals are percentiles of a bootstrap over the slices of time of each level.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from resilience.columns import Float64
from resilience.errors import EnvironmentNotReady
from resilience.model import Json, Problem

LEVELS = 6
"""Fewer levels do not tell three parameters (Schwartz, Practical Scalability Analysis, 2015)."""
RESAMPLED = 400
_NONE = 1e-12
"""Coherency that is a rounding error."""
FITS = 0.15
"""A law that misses a level by more than this share does not describe it."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A parameter with its 95 % interval."""

    value: float
    low: float
    high: float

    def json(self) -> dict[str, Json]:
        """As in `verdict.json`."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Law:
    """The law as fitted.

    Attributes:
        gamma: requests per second of one; sigma, kappa: see the module.
        misses: the largest relative difference between a level and the law.
        measured: the largest concurrency that was measured.
    """

    gamma: Estimate
    sigma: Estimate
    kappa: Estimate
    misses: float
    measured: float

    @property
    def fits(self) -> bool:
        """Whether the law describes what was measured."""
        return self.misses <= FITS

    @property
    def peak(self) -> float | None:
        """The concurrency of the highest throughput; None beyond what was measured, or where the law does not fit."""
        peak = peak_of(self.sigma.value, self.kappa.value)
        return peak if self.fits and peak <= self.measured else None

    def at(self, level: float) -> float:
        """Throughput at a concurrency, by the law."""
        return throughput(level, self.gamma.value, self.sigma.value, self.kappa.value)

    def json(self) -> dict[str, Json]:
        """As in `verdict.json`."""
        return {
            "gamma_per_s": self.gamma.json(),
            "sigma": self.sigma.json(),
            "kappa": self.kappa.json(),
            "misses_share": self.misses,
            "fits": self.fits,
            "peak": self.peak,
            "peak_per_s": None if self.peak is None else self.at(self.peak),
            "measured_to": self.measured,
        }


def throughput(level: float, gamma: float, sigma: float, kappa: float) -> float:
    """X(N)."""
    return gamma * level / (1 + sigma * (level - 1) + kappa * level * (level - 1))


def peak_of(sigma: float, kappa: float) -> float:
    """N*; infinity without coherency, 1 where contention alone leaves nothing to gain."""
    if sigma >= 1:
        return 1.0
    return math.inf if kappa <= _NONE else max(math.sqrt((1 - sigma) / kappa), 1.0)


def fit(levels: Sequence[float], slices: Sequence[Float64], seed: int) -> Law:
    """Fit the law.

    Args:
        levels: concurrency, ascending, at least six.
        slices: for each, its throughput in slices of time, per second.
        seed: of the bootstrap.

    Raises:
        ValueError: there are too few levels, or one without throughput.
        EnvironmentNotReady: scipy is not installed.
    """
    if len(levels) < LEVELS:
        raise ValueError(f"{len(levels)} levels do not tell three parameters, at least {LEVELS} are needed")
    n = np.asarray(levels, dtype=np.float64)
    means = np.asarray([float(np.mean(one)) for one in slices])
    if not np.all(means > 0):
        raise ValueError("at one level nothing was answered")
    best = _solve(n, means)
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(RESAMPLED):
        again = np.asarray([float(np.mean(rng.choice(one, len(one)))) for one in slices])
        if np.all(again > 0):
            drawn.append(_solve(n, again))
    bounds = np.quantile(np.asarray(drawn), [0.025, 0.975], axis=0)
    gamma, sigma, kappa = (
        Estimate(float(best[i]), float(min(bounds[0, i], best[i])), float(max(bounds[1, i], best[i]))) for i in range(3)
    )
    law = np.asarray([throughput(float(level), *map(float, best)) for level in n])
    return Law(gamma, sigma, kappa, float(np.max(np.abs(law / means - 1))), float(n.max()))


def _solve(n: Float64, x: Float64) -> Float64:
    """gamma, sigma, kappa."""
    try:
        from scipy.optimize import nnls  # noqa: PLC0415 - large, and needed here alone
    except ImportError as error:
        raise EnvironmentNotReady(
            Problem("scipy", "is needed to fit a law of scalability", "pip install 'resilience[analysis]'")
        ) from error
    weights = x / n
    columns = np.stack([np.ones_like(n), n - 1, n * (n - 1)], axis=1) * weights[:, None]
    solved, _ = nnls(columns, np.ones_like(n))
    inverse = max(float(solved[0]), 1e-12)
    return np.asarray([1 / inverse, solved[1] / inverse, solved[2] / inverse])
