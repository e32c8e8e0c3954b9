"""When arrivals are due: the arithmetic of a level that is constant or goes linearly from stage to stage.

The level is a rate, or of a closed load the number of users, of whom `spec.users` says when they come and go.

Let r(t) be the rate and L(t) the integral of r from 0 to t: the number of arrivals expected before t. A unit-rate
sequence y_0 < y_1 < … becomes a sequence with rate r by t_k = L^-1(y_k) (the time change of point processes). Evenly
spaced arrivals take y_k = k, so that exactly ceil(L(T)) of them lie before T. Poisson arrivals take sums of independent
exponentials with mean 1, which gives the inhomogeneous Poisson process of rate r without any thinning.

Within a piece that begins at time a with L(a) = A, rate r and slope s (rate per second), u seconds later
L(a + u) = A + r*u + s*u*u/2. Solved for u, with y = L - A:

    u = (sqrt(r*r + 2*s*y) - r) / s = 2*y / (r + sqrt(r*r + 2*s*y))

The second form has no cancellation, holds for s = 0 and for s < 0, and needs no case distinction.
"""

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from resilience.model import Load

BLOCK = 4096
"""Arrivals that are computed at once: enough to make one cheap, few enough to begin at once and to bound memory."""

_SECOND = 1_000_000_000
_STREAM = 1
"""Keeps this stream of random numbers apart from the mix's, which has the same seed."""


class _Piece(NamedTuple):
    """From `start` on (seconds), after `before` arrivals, the rate is `rate` and grows by `slope` per second."""

    start: Fraction
    before: Fraction
    rate: Fraction
    slope: Fraction


def level_at(load: Load, at_s: float) -> float:
    """Arrivals per second, or users, at an instant; at a jump those after the jump. 0 before the run."""
    if at_s < 0:
        return 0.0
    at = exact(at_s)
    piece = _piece_at(_pieces(load), at)
    return float(piece.rate + piece.slope * (at - piece.start))


def expected_count(load: Load, until_s: float) -> float:
    """How many arrivals are expected from the run's beginning until an instant; 0 of a closed load, which has none."""
    return 0.0 if load.closed else float(_integral(_pieces(load), exact(until_s)))


def user_seconds(load: Load, until_s: float) -> float:
    """How long the users of a closed load are there in all until an instant, in seconds; 0 of an open load."""
    return float(_integral(_pieces(load), exact(until_s))) if load.closed else 0.0


def courses(load: Load, until: Fraction) -> Iterator[tuple[Fraction, Fraction, Fraction, Fraction]]:
    """The stages that begin before an instant: beginning, end (s, exact), level at the beginning and at the end.

    A jump is one that ends when it begins. After the last stage nothing changes.
    """
    start, level = Fraction(0), exact(load.level)
    for stage in load.stages:
        if start >= until:
            return
        end, goal = start + exact(stage.duration_s), exact(stage.rate)
        yield start, end, level, goal
        start, level = end, goal


def arrivals(load: Load, seed: int, until_s: float) -> Iterator[int]:
    """The arrivals before an instant, in nanoseconds since the run began, in order.

    The same load and seed always give the same arrivals; a later `until_s` only appends to them. A closed load has
    none.

    Args:
        load: what it says about rate, stages and kind of arrivals.
        seed: of the plan; evenly spaced arrivals do not depend on it.
        until_s: finite; arrivals at this instant or later are left out.
    """
    if load.closed:
        return
    pieces = _pieces(load)
    total = _integral(pieces, exact(until_s))
    units = _even(math.ceil(total)) if load.arrivals == "constant" else _exponential(seed, float(total))
    inverse = _Inverse(pieces)
    latest = 0
    last = max(math.ceil(exact(until_s) * _SECOND) - 1, 0)
    for block in units:
        # Rounding could put arrivals closer than a nanosecond in the wrong order, or the last one too late.
        instants = np.clip(inverse(block) * _SECOND, latest, last).astype(np.int64)
        yield from np.maximum.accumulate(instants).tolist()
        latest = int(instants.max(initial=latest))


def exact(number: float) -> Fraction:
    """The number as it was written: 0.1 is one tenth, so 0.1 per second for 30 s is three arrivals and not four."""
    return Fraction(repr(float(number)))


def _pieces(load: Load) -> list[_Piece]:
    """The profile as pieces in order of time; after the last stage its level holds."""
    start, before, rate = Fraction(0), Fraction(0), exact(load.level)
    pieces = []
    for stage in load.stages:
        length, goal = exact(stage.duration_s), exact(stage.rate)
        if length > 0:
            pieces.append(_Piece(start, before, rate, (goal - rate) / length))
            start, before = start + length, before + length * (rate + goal) / 2
        rate = goal  # a stage without length is a jump
    pieces.append(_Piece(start, before, rate, Fraction(0)))
    return pieces


def _piece_at(pieces: list[_Piece], at: Fraction) -> _Piece:
    return next(piece for piece in reversed(pieces) if piece.start <= at)


def _integral(pieces: list[_Piece], until: Fraction) -> Fraction:
    if until <= 0:
        return Fraction(0)
    piece = _piece_at(pieces, until)
    length = until - piece.start
    return piece.before + piece.rate * length + piece.slope * length * length / 2


def _even(count: int) -> Iterator[npt.NDArray[np.float64]]:
    for begin in range(0, count, BLOCK):
        yield np.arange(begin, min(begin + BLOCK, count), dtype=np.float64)


def _exponential(seed: int, total: float) -> Iterator[npt.NDArray[np.float64]]:
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, _STREAM])))
    reached = 0.0
    while reached < total:
        block = reached + np.cumsum(generator.standard_exponential(BLOCK))
        reached = float(block[-1])
        yield block if reached < total else block[block < total]


class _Inverse:
    """L^-1, for many values at once."""

    def __init__(self, pieces: list[_Piece]) -> None:
        self._start, self._before, self._rate, self._slope = np.array(pieces, dtype=np.float64).T

    def __call__(self, units: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        # Where the rate is 0, L is flat and several instants have the same L; `right` takes the last of them, at which
        # arrivals begin again.
        piece = np.searchsorted(self._before, units, side="right") - 1
        rate, slope = self._rate[piece], self._slope[piece]
        more = units - self._before[piece]
        # Rounding may push the root's argument just below 0 at the end of a ramp to 0.
        divisor = rate + np.sqrt(np.maximum(rate * rate + 2 * slope * more, 0.0))
        after = np.divide(2 * more, divisor, out=np.zeros_like(more), where=divisor > 0)
        seconds: npt.NDArray[np.float64] = self._start[piece] + after
        return seconds
