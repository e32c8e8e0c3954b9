"""When users of a closed load come and go, and how long they think: the arithmetic of the closed model.

Let u(t) be the level of the profile in users, which goes in straight lines (see `spec.profile`). User k (1, 2, …) is
there while u(t) >= k. So floor(u(t)) users are there at any instant at which none comes or goes, whoever comes last
leaves first, and on a ramp of n users a second one comes every 1/n s. Who is there at the very beginning comes at 0.
"""

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from resilience.model import Load, Think
from resilience.spec.profile import courses, exact

BLOCK = 4096
_STREAM = 5
"""Keeps think times apart from other streams of random numbers of the same seed."""
_SECOND = 1_000_000_000


class Change(NamedTuple):
    """A user comes (`there`) or goes, at so many nanoseconds since the run began."""

    at_ns: int
    user: int
    there: bool


def changes(load: Load, until_s: float) -> Iterator[Change]:
    """Every user that comes or goes before an instant, in order; a later `until_s` only appends to them."""
    until = exact(until_s)
    if until <= 0:
        return
    yield from (Change(0, user, there=True) for user in range(1, math.floor(exact(load.level)) + 1))
    for start, end, begin, goal in courses(load, until):
        slope = (goal - begin) / (end - start) if end > start else Fraction(0)
        rises = goal > begin
        moving = range(math.floor(begin) + 1, math.floor(goal) + 1) if rises else _leaving(begin, goal)
        for user in moving:
            at = start + (user - begin) / slope if slope else start
            if at >= until:
                return
            yield Change(math.floor(at * _SECOND), user, there=rises)


def _leaving(begin: Fraction, goal: Fraction) -> range:
    """Who goes when the level falls, the last one first: those above the level that it falls to."""
    return range(math.floor(begin), math.floor(goal), -1)


def most_users(load: Load, until_s: float) -> int:
    """The most users that are there at once before an instant."""
    until = exact(until_s)
    levels = [exact(load.level), *(max(begin, goal) for _, _, begin, goal in courses(load, until))]
    return math.floor(max(levels)) if load.closed else 0


class Thinks:
    """Think times, fixed by seed and index alone, drawn in blocks like everything else (see `spec.mix`)."""

    def __init__(self, think: Think, seed: int) -> None:
        self._think, self._seed = think, seed
        self._constant_ns = int(think.mean_s * _SECOND) if think.distribution == "constant" else None
        self._block = lru_cache(maxsize=4)(self._draw)

    def after_ns(self, index: int) -> int:
        """How long is thought after the operation with this index, in nanoseconds."""
        if self._constant_ns is not None:
            return self._constant_ns
        number, offset = divmod(index, BLOCK)
        return self._block(number)[offset]

    def before_ns(self, user: int) -> int:
        """How long a user who comes thinks before the first operation.

        A part of a think time, evenly drawn, so that users who come together do not go on together. The golden ratio
        spreads the parts of any number of users as evenly as can be.
        """
        share = (user * 0.6180339887498949) % 1.0
        return int(share * self._think.usual_s * _SECOND)

    def _draw(self, number: int) -> list[int]:
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self._seed, _STREAM, number])))
        think = self._think
        match think.distribution:
            case "uniform":
                drawn = generator.uniform(think.least_s, think.most_s, BLOCK)
            case "exponential":
                drawn = generator.exponential(think.mean_s, BLOCK)
            case "lognormal":  # its mean is exp(mu + sigma²/2)
                mu = math.log(think.mean_s) - think.sigma**2 / 2 if think.mean_s > 0 else -math.inf
                drawn = generator.lognormal(mu, think.sigma, BLOCK)
            case _:
                drawn = np.full(BLOCK, think.mean_s)
        found: list[int] = (drawn * _SECOND).astype(np.int64).tolist()
        return found
