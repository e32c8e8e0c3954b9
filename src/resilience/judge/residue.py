"""A few operations that keep failing after recovery: too few for any bin, too many for all together.

Operations do not fail one by one. A machine that is held up for a twentieth of a second loses ten in a row, and that is
one mishap, not ten. So not operations are counted but *blocks* of about a quarter of a second: those of the baseline,
and those of what was watched after recovery. A block is bad if more of its operations were not served than in the
median of all blocks. If recovery was complete, blocks of both times are alike, and which of them are bad is a matter of
chance; then Fisher's exact test (with this cut: Mood's median test) says how likely so many bad ones afterwards are.
That holds whatever the target's usual failures look like, as long as blocks do not depend on each other.

A residue is told, and fails the cycle, if all of this holds:

* so many bad blocks are less likely than `UNLIKELY`;
* of the second half of what was watched, too, less likely than `STILL`: what dies away is no residue;
* the share of operations that were not served is at least `LEAST` higher than in the baseline: what is smaller no
  client would mind, however many samples prove it.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from resilience.columns import Bool, Int64
from resilience.judge.statistics import binomial_tail, fisher_more

UNLIKELY = 1e-4
"""How seldom a target that is well may be said to have a residue, for each cycle."""

STILL = 0.05
LEAST = 0.001
BLOCK_S = 0.25
MIN_PER_BLOCK = 20
"""Operations in a block, at least; of a low rate, a block takes longer."""

POWER = 0.95
_SHARES = tuple(float(share) for share in np.geomspace(LEAST, 0.5, 91))


@dataclass(frozen=True, slots=True)
class Residue:
    """What was found.

    Attributes:
        found: whether something remained.
        bad, blocks: after recovery; usual_bad, usual_blocks: in the baseline.
        failed, count: operations that were not served after recovery, and all.
        sees: the smallest share of operations, failing at random for ever, that would be found with `POWER`; None if
            not even half of all operations would.
    """

    found: bool
    bad: int
    blocks: int
    usual_bad: int
    usual_blocks: int
    failed: int
    count: int
    sees: float | None


def per_block(rate: float) -> int:
    """How many operations make a block, at a rate per second."""
    return max(MIN_PER_BLOCK, round(rate * BLOCK_S))


def find_residue(baseline: Bool, after: Bool, size: int, unlikely: float = UNLIKELY) -> Residue:
    """Compare two rows of operations, in order of arrival; true is one that was not served."""
    usual, seen = _blocks(baseline, size), _blocks(after, size)
    cut = float(np.median(np.concatenate((usual, seen)))) if len(usual) + len(seen) else 0.0
    bad, usual_bad = int(np.count_nonzero(seen > cut)), int(np.count_nonzero(usual > cut))
    late = seen[len(seen) // 2 :]
    share = float(np.mean(after)) if len(after) else 0.0
    usual_share = float(np.mean(baseline)) if len(baseline) else 0.0
    found = (
        share - usual_share >= LEAST
        and fisher_more(bad, len(seen), usual_bad, len(usual)) < unlikely
        and fisher_more(int(np.count_nonzero(late > cut)), len(late), usual_bad, len(usual)) < STILL
    )
    return Residue(
        found=found,
        bad=bad,
        blocks=len(seen),
        usual_bad=usual_bad,
        usual_blocks=len(usual),
        failed=int(np.count_nonzero(after)),
        count=len(after),
        sees=_sees(usual, len(seen), size, unlikely),
    )


def _blocks(bad: Bool, size: int) -> Int64:
    """How many are bad in each whole block; what is left over at the beginning, nearest the fault, is left out."""
    whole = len(bad) // size * size
    counts: npt.NDArray[np.int64] = bad[len(bad) - whole :].reshape(-1, size).sum(axis=1, dtype=np.int64)
    return counts


def _sees(usual: Int64, blocks: int, size: int, unlikely: float) -> float | None:
    """The smallest share of failing operations that would be found with `POWER`, given the baseline as it was."""
    cut = float(np.median(usual)) if len(usual) else 0.0
    usual_bad = int(np.count_nonzero(usual > cut))
    kinds, times = np.unique(usual, return_counts=True)

    def told(bad: int) -> bool:
        return fisher_more(bad, blocks, usual_bad, len(usual)) < unlikely

    needed = bisect_left(range(blocks + 1), 1, key=told)

    def seen(share: float) -> bool:
        # A block has what the baseline's blocks have, each as often as there, and the failing share besides.
        passes = [binomial_tail(math.floor(cut) + 1 - int(kind), size, share) for kind in kinds]
        return binomial_tail(needed, blocks, float(np.average(passes, weights=times))) >= POWER

    if needed > blocks or not len(usual):
        return None
    place = bisect_left(_SHARES, 1, key=seen)
    return None if place == len(_SHARES) else _SHARES[place]
