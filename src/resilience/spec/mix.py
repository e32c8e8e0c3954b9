"""What an arrival is: a weighted choice of operation or journey, a skewed one of key, fixed by seed and index alone.

So are the tenant on whose behalf it comes and the region it comes from, if the load has any; their random numbers are
streams of their own, so a load with tenants has the same operations and keys as one without.

Choices are drawn in blocks whose random numbers come from (seed, block number), so the n-th arrival is the same whoever
asks for it, in whatever order, in whatever process.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from resilience.model import Load, Segment
from resilience.spec.journeys import first_operations
from resilience.spec.skew import chooser, shares

BLOCK = 4096
"""Choices drawn at once."""

_STREAM = 2
"""Keeps this stream of random numbers apart from that of the arrivals, which has the same seed."""

_TENANTS, _REGIONS = 3, 4
"""Streams of their own."""


class Mix:
    """The operations and keys of a load, its tenants and regions.

    An operation, or a journey, is chosen with probability weight / sum of all weights; keys as `spec.skew` says.

    Args:
        load: its operations, journeys, keys, zipf and skew are used.
        seed: of the plan.
    """

    def __init__(self, load: Load, seed: int) -> None:
        self._seed = seed
        weights = [*(one.weight for one in load.operations), *(one.weight for one in load.journeys)]
        self._shares = shares(np.array(weights, dtype=np.float64))
        self._journeys = len(load.operations)
        self._begins = np.array([*range(len(load.operations)), *first_operations(load)], dtype=np.int64)
        self._keys = chooser(load)
        # A few blocks are kept, so that neighbours asked for in turn across a block's border stay cheap.
        self._block = lru_cache(maxsize=4)(self._draw)
        self._number, self._operations, self._chosen_keys = -1, list[int](), list[int]()
        self._tenants = _Drawn(load.tenants, seed, _TENANTS) if load.tenants else None
        self._regions = _Drawn(load.regions, seed, _REGIONS) if load.regions else None
        self._split = _Split(load.regions, seed) if load.control is not None and load.regions else None

    def choose(self, index: int) -> tuple[int, int]:
        """The operation (its index in `load.operations`) and the key of the arrival with this index, from 0.

        Of a journey it is the operation that it begins with.
        """
        number, offset = divmod(index, BLOCK)
        if number != self._number:
            self._number, (self._operations, self._chosen_keys, _) = number, self._block(number)
        return self._operations[offset], self._chosen_keys[offset]

    def journey(self, index: int) -> int:
        """The journey of the arrival with this index (its index in `load.journeys`); -1 for a single operation."""
        number, offset = divmod(index, BLOCK)
        return self._block(number)[2][offset]

    def segment(self, index: int) -> tuple[int, int]:
        """The tenant and the region of the arrival with this index, as indices; -1 if the load has none.

        The groups of a load with a control group are its regions: then a key is always in the same.
        """
        tenant = -1 if self._tenants is None else self._tenants.choose(index)
        if self._split is not None:
            return tenant, self._split.choose(self.choose(index)[1])
        return tenant, -1 if self._regions is None else self._regions.choose(index)

    def _draw(self, number: int) -> tuple[list[int], list[int], list[int]]:
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self._seed, _STREAM, number])))
        for_operation, for_key = generator.random((2, BLOCK))
        chosen = np.searchsorted(self._shares, for_operation, side="right")
        keys = self._keys(for_key, number * BLOCK)
        journeys = np.maximum(chosen - self._journeys, -1)
        return self._begins[chosen].tolist(), keys.tolist(), journeys.tolist()


class _Drawn:
    """A weighted choice for each arrival, from a stream of its own."""

    def __init__(self, segments: Sequence[Segment], seed: int, stream: int) -> None:
        self._seed, self._stream = seed, stream
        self._shares = shares(np.array([segment.weight for segment in segments], dtype=np.float64))
        self._block = lru_cache(maxsize=4)(self._draw)

    def choose(self, index: int) -> int:
        number, offset = divmod(index, BLOCK)
        return self._block(number)[offset]

    def _draw(self, number: int) -> list[int]:
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self._seed, self._stream, number])))
        chosen: list[int] = np.searchsorted(self._shares, generator.random(BLOCK), side="right").tolist()
        return chosen


class _Split:
    """A weighted choice for each key, whoever asks for it and whenever."""

    def __init__(self, segments: Sequence[Segment], seed: int) -> None:
        self._key = seed.to_bytes(16, "little", signed=True)
        self._shares = shares(np.array([segment.weight for segment in segments], dtype=np.float64))
        self._of = lru_cache(maxsize=1 << 16)(self._draw)

    def choose(self, key: int) -> int:
        return self._of(key)

    def _draw(self, key: int) -> int:
        digest = hashlib.blake2b(key.to_bytes(8, "little", signed=True), digest_size=8, key=self._key).digest()
        return int(np.searchsorted(self._shares, int.from_bytes(digest, "little") / 2**64, side="right"))
