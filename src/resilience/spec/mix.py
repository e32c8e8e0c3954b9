"""What an arrival is: a weighted choice of operation and a skewed choice of key, fixed by seed and index alone.

Choices are drawn in blocks whose random numbers come from (seed, block number), so the n-th arrival is the same whoever
asks for it, in whatever order, in whatever process.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from resilience.model import Load

BLOCK = 4096
"""Choices drawn at once."""

_STREAM = 2
"""Keeps this stream of random numbers apart from that of the arrivals, which has the same seed."""


class Mix:
    """The operations and keys of a load.

    An operation is chosen with probability weight / sum of weights. Key k (0 … keys-1) is chosen with probability
    proportional to 1 / (k + 1)**zipf: key 0 is the most popular, zipf 0 is uniform.

    Args:
        load: its operations, keys and zipf are used.
        seed: of the plan.
    """

    def __init__(self, load: Load, seed: int) -> None:
        self._seed = seed
        self._operations = _cumulative(np.array([operation.weight for operation in load.operations], dtype=np.float64))
        self._keys = load.keys
        self._skewed: npt.NDArray[np.float64] | None = None
        if load.zipf > 0:
            self._skewed = _cumulative(np.arange(1, load.keys + 1, dtype=np.float64) ** -load.zipf)
        # A few blocks are kept, so that neighbours asked for in turn across a block's border stay cheap.
        self._block = lru_cache(maxsize=4)(self._draw)

    def choose(self, index: int) -> tuple[int, int]:
        """The operation (its index in `load.operations`) and the key of the arrival with this index, from 0."""
        number, offset = divmod(index, BLOCK)
        operations, keys = self._block(number)
        return operations[offset], keys[offset]

    def _draw(self, number: int) -> tuple[list[int], list[int]]:
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self._seed, _STREAM, number])))
        for_operation, for_key = generator.random((2, BLOCK))
        operations = np.searchsorted(self._operations, for_operation, side="right")
        if self._skewed is None:
            keys = (for_key * self._keys).astype(np.int64)
        else:
            keys = np.searchsorted(self._skewed, for_key, side="right")
        return operations.tolist(), keys.tolist()


def _cumulative(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Upper bounds of the values' shares of [0, 1). The last is exactly 1, so every number below 1 finds its value."""
    sums = np.cumsum(weights)
    shares: npt.NDArray[np.float64] = sums / sums[-1]
    return shares
