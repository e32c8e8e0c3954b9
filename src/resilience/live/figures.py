"""Figures of a short stretch of load, folded from slices. Estimates for the eye; the judge reads the samples."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from resilience.model import HISTOGRAM_BASE, Outcome, Slice

_LAST_BUCKET = 1500
"""Response times of months: whatever lies beyond is counted here, so that no bucket number can overflow a float."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What happened in a stretch of load.

    Attributes:
        length_s: how long the stretch was; 0 if there was no slice.
        outcomes: how many operations ended (or were dropped), by outcome.
        offered, degraded: sums; `degraded` counts ok answers.
        in_flight, attempted, acknowledged, unsettled: as the last slice said.
        histogram: bucket → operations that ended, as in `model.Slice`.
    """

    length_s: float = 0.0
    outcomes: Mapping[Outcome, int] = field(default_factory=dict)
    offered: int = 0
    degraded: int = 0
    in_flight: int = 0
    attempted: int = 0
    acknowledged: int = 0
    unsettled: int = 0
    histogram: Mapping[int, int] = field(default_factory=dict)

    def count(self, *outcomes: Outcome) -> int:
        """How many ended in one of these ways."""
        return sum(self.outcomes.get(outcome, 0) for outcome in outcomes)

    @property
    def errors(self) -> int:
        """Everything that did not end ok: failed, unknown and dropped."""
        return self.count(Outcome.FAILED, Outcome.UNKNOWN, Outcome.DROPPED)

    @property
    def error_share(self) -> float | None:
        """Errors as a share of all that ended; None if nothing did."""
        total = self.count(*Outcome)
        return self.errors / total if total else None

    @property
    def degraded_share(self) -> float | None:
        """Degraded answers as a share of the ok ones; None if there was none."""
        good = self.count(Outcome.OK)
        return self.degraded / good if good else None

    def per_second(self, number: int) -> float | None:
        """A number as a rate over the stretch; None if there was no stretch."""
        return number / self.length_s if self.length_s > 0 else None

    def quantile_ms(self, share: float) -> float | None:
        """A quantile of the response time in milliseconds; None if nothing ended."""
        return quantile_ms(self.histogram, share)


def fold(pieces: Iterable[Slice]) -> Figures:
    """The figures of some slices together, in order of time."""
    outcomes: Counter[Outcome] = Counter()
    histogram: Counter[int] = Counter()
    length_s, offered, degraded = 0.0, 0, 0
    last: Slice | None = None
    for piece in pieces:
        for counts in piece.counts.values():
            outcomes.update(counts)
        histogram.update(piece.histogram)
        length_s += max(0.0, piece.end_s - piece.start_s)
        offered += piece.offered
        degraded += piece.degraded
        last = piece
    if last is None:
        return Figures()
    return Figures(
        length_s if math.isfinite(length_s) else 0.0,
        outcomes,
        offered,
        degraded,
        last.in_flight,
        last.attempted,
        last.acknowledged,
        last.unsettled,
        histogram,
    )


def quantile_ms(histogram: Mapping[int, int], share: float) -> float | None:
    """The response time in milliseconds that a share of the operations did not exceed, within 1 %; None if empty.

    The smallest bucket at which the running count reaches `ceil(share * n)`; its geometric middle stands for it, so the
    error is at most half a bucket: a factor of the square root of `HISTOGRAM_BASE`.
    """
    total = sum(histogram.values())
    rank = max(1, math.ceil(share * total))
    seen = 0
    for bucket in sorted(histogram):
        seen += histogram[bucket]
        if seen >= rank:
            return float(HISTOGRAM_BASE ** (max(0, min(bucket, _LAST_BUCKET)) + 0.5)) / 1000.0
    return None
