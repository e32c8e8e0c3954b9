"""Which key an arrival is about: a skewed choice, from one uniform number and the arrival's index. Pure.

* `uniform`: every key alike.
* `zipf`: key k with probability proportional to 1 / (k + 1)**exponent; key 0 is the most popular.
* `hot`: the first `hot_keys` of the keys get `hot_share` of the arrivals; alike within both groups.
* `latest`: how far from the newest key is Zipf's; key `index // every` is the newest, modulo the keys.
* `sequential`: one after the other, and again from the first.

Source of `hot` and `latest`: Cooper et al., "Benchmarking cloud serving systems with YCSB" (2010), section 4.1. There
new records are inserted by the load itself; here the newest key is a function of the arrival's index, so that the n-th
arrival is the same whoever asks for it.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from resilience.model import Load, Skew

Numbers: TypeAlias = npt.NDArray[np.float64]
Keys: TypeAlias = npt.NDArray[np.int64]
Chooser: TypeAlias = Callable[[Numbers, int], Keys]
"""(uniform numbers in [0, 1) of neighbouring arrivals, the first one's index) → their keys."""


def chooser(load: Load) -> Chooser:
    """What chooses the keys of a load, in [0, load.keys)."""
    keys, skew = load.keys, load.skew
    if skew is None:
        skew = Skew(kind="zipf", exponent=load.zipf) if load.zipf > 0 else Skew(kind="uniform")
    match skew.kind:
        case "zipf":
            return _zipf(keys, skew.exponent)
        case "hot":
            return _hot(keys, skew)
        case "latest":
            back = _zipf(keys, skew.exponent)
            every = skew.every
            return lambda numbers, first: ((first + np.arange(len(numbers))) // every - back(numbers, first)) % keys
        case "sequential":
            return lambda numbers, first: (first + np.arange(len(numbers))) % keys
        case _:
            return lambda numbers, _first: (numbers * keys).astype(np.int64)


def shares(weights: Numbers) -> Numbers:
    """Upper bounds of the values' shares of [0, 1). The last is exactly 1, so every number below 1 finds its value."""
    sums = np.cumsum(weights)
    found: Numbers = sums / sums[-1]
    return found


def _zipf(keys: int, exponent: float) -> Chooser:
    upper = shares(np.arange(1, keys + 1, dtype=np.float64) ** -exponent)
    return lambda numbers, _first: np.searchsorted(upper, numbers, side="right")


def _hot(keys: int, skew: Skew) -> Chooser:
    hot = min(keys, max(1, round(skew.hot_keys * keys)))
    cold = keys - hot
    share = skew.hot_share if cold else 1.0

    def choose(numbers: Numbers, _first: int) -> Keys:
        beyond = numbers >= share
        # Where a number lies within its group: in [0, 1], also for shares that are all but 0 or 1.
        within = np.where(beyond, np.maximum(numbers, share) - share, numbers) / np.where(beyond, 1 - share, share)
        first, count = np.where(beyond, hot, 0), np.where(beyond, cold, hot)
        found: Keys = first + np.minimum((within * count).astype(np.int64), count - 1)
        return found

    return choose
