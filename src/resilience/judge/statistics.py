"""Small statistics: binomial, Wilson's bound, Fisher's exact test, Student's t, Cox's interval of a log-normal mean."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Z_95 = 1.959963984540054
"""Standard normal quantile of 97.5 %: two-sided 95 %."""

Z_ONE_95 = 1.6448536269514722
"""Standard normal quantile of 95 %: one-sided 95 %."""

# Student t, one-sided 95 %, 1 to 30 degrees of freedom.
_STUDENT_95 = (
    *(6.3138, 2.9200, 2.3534, 2.1318, 2.0150, 1.9432, 1.8946, 1.8595, 1.8331, 1.8125),
    *(1.7959, 1.7823, 1.7709, 1.7613, 1.7531, 1.7459, 1.7396, 1.7341, 1.7291, 1.7247),
    *(1.7207, 1.7171, 1.7139, 1.7109, 1.7081, 1.7056, 1.7033, 1.7011, 1.6991, 1.6973),
)

_HILL = (4, 96, 384, 92_160)


def binomial_quantile(p: float, n: int, q: float) -> int:
    """The smallest k with P(X ≤ k) ≥ p, for X the number of successes in n trials of probability q.

    Exact: the probabilities are summed, from their logarithms so that none underflows early.
    """
    if n <= 0 or q <= 0.0:
        return 0
    if q >= 1.0:
        return n
    k = np.arange(n + 1)
    factorials = _log_factorials(n)
    logs = factorials[n] - factorials - factorials[::-1] + k * math.log(q) + (n - k) * math.log1p(-q)
    return min(int(np.searchsorted(np.cumsum(np.exp(logs)), p)), n)


def wilson(successes: int, n: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson's bounds of a proportion; 0 and 1 if there were no trials."""
    if n <= 0:
        return 0.0, 1.0
    share = successes / n
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def wilson_lower(successes: int, n: int, z: float = Z_95) -> float:
    """Wilson's lower bound of a proportion; 0 if there were no trials."""
    return wilson(successes, n, z)[0]


def student_95(freedom: int) -> float:
    """The one-sided 95 % quantile of Student's t; beyond 30 degrees of freedom by Cornish and Fisher's expansion."""
    if freedom <= len(_STUDENT_95):
        return _STUDENT_95[freedom - 1]
    z = Z_ONE_95
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def student(p: float, freedom: int) -> float:
    """The quantile of Student's t, by Hill's expansion in the normal quantile (1970; Abramowitz and Stegun 26.7.5).

    Within 0.2 % from 8 degrees of freedom on for p up to 0.999, and within 2 % up to 0.9999.

    Raises:
        ValueError: there are fewer than 8 degrees of freedom, for which it is not good enough.
    """
    if freedom < 8:  # noqa: PLR2004 - as said
        raise ValueError(f"at least 8 degrees of freedom, found {freedom}")
    z = NormalDist().inv_cdf(p)
    terms = (
        z**3 + z,
        5 * z**5 + 16 * z**3 + 3 * z,
        3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z,
        79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z,
    )
    return z + math.fsum(
        term / (scale * freedom**power) for power, (term, scale) in enumerate(zip(terms, _HILL, strict=True), 1)
    )


def cox_bounds(values: Sequence[float]) -> tuple[float, float]:
    """Lower and upper bound (each one-sided 95 %) of the mean of log-normal values; needs three of them, all above 0.

    With y = ln value, mean m and variance v: exp(m + v/2 ± t · sqrt(v/n + v² / (2(n - 1)))).
    """
    logs = np.log(np.asarray(values, dtype=float))
    n = len(logs)
    mean, variance = float(np.mean(logs)), float(np.var(logs, ddof=1))
    spread = student_95(n - 1) * math.sqrt(variance / n + variance**2 / (2 * (n - 1)))
    centre = mean + variance / 2
    return math.exp(centre - spread), math.exp(min(centre + spread, 700.0))


def proven_share(cycles: int) -> float:
    """If all of n cycles met a limit, at least this share of all cycles does, with 95 % confidence: 0.05^(1/n)."""
    return float(0.05 ** (1 / cycles))


def binomial_tail(k: int, n: int, q: float) -> float:
    """P(X ≥ k), for X the number of successes in n trials of probability q; exact, as in `binomial_quantile`."""
    if k <= 0:
        return 1.0
    if k > n or q <= 0.0:
        return 0.0
    if q >= 1.0:
        return 1.0
    factorials = _log_factorials(n)
    some = np.arange(k, n + 1)
    logs = factorials[n] - factorials[some] - factorials[n - some] + some * math.log(q) + (n - some) * math.log1p(-q)
    return min(1.0, float(np.sum(np.exp(logs))))


def fisher_more(hits: int, n: int, other_hits: int, other_n: int) -> float:
    """Fisher's exact test, one-sided: how likely at least `hits` of `n` are, if both groups are alike.

    Given how many hits there are in all, their number in one group is hypergeometric, whatever their common
    probability. 1 if a group is empty.
    """
    total, both = hits + other_hits, n + other_n
    if n <= 0 or other_n <= 0:
        return 1.0
    factorials = _log_factorials(both)

    def log_ways(of: int, some: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        return np.asarray(factorials[of] - factorials[some] - factorials[of - some])

    some = np.arange(max(hits, total - other_n), min(total, n) + 1)
    logs = log_ways(n, some) + log_ways(other_n, total - some) - log_ways(both, np.asarray(total))
    return min(1.0, float(np.sum(np.exp(logs))))


def _log_factorials(n: int) -> npt.NDArray[np.float64]:
    return np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, n + 1)))))
