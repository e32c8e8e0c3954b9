"""Many runs of one experiment in order of time: where figures changed for good. Pure.

One run beside another tells little where runs differ by themselves; a change point is a place from which on they are
different. Candidates come from a segmentation (`ruptures.KernelCPD`: Z. Harchaoui, O. Cappé, 2007; on normal scores, so
that one odd run is one odd run). Whether a candidate is more than chance is asked of the values themselves: how often
does a random order of the runs between its neighbours hold a split as clear as the clearest of them? That is a
permutation test of the maximum, so having looked for the place costs nothing. (Apache Otava tests its candidates by
Student's t, which takes no account of that search: see the ADR.)

A change is told if its probability is below `FAMILY` / number of series, and it is at least half the margin. If the
last one is for the worse by the margin or more, that is a regression alert.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from resilience.columns import Float64
from resilience.model import Json

FAMILY = 0.05
"""Probability that anything is told of all series of an experiment in which nothing changed."""

SHORTEST = 3
"""Runs on each side of a change."""

FEWEST = 8
"""With fewer runs nothing can be told."""

PERMUTATIONS = 4999
_PENALTY = 2.0


@dataclass(frozen=True, slots=True)
class Point:
    """A change: from run `index` on, means of the runs since the change before and until the next."""

    index: int
    before: float
    after: float
    share: float
    probability: float


@dataclass(frozen=True, slots=True)
class Trend:
    """One figure over all runs.

    Attributes:
        name: `baseline read-item p95_ms`.
        more_is_worse: which way is bad.
        values: one for each run, in order of time.
        points: changes, in order.
        alert: whether the last change is a regression.
        because: one sentence.
    """

    name: str
    more_is_worse: bool
    values: tuple[float, ...]
    points: tuple[Point, ...]
    alert: bool
    because: str


@dataclass(frozen=True, slots=True)
class History:
    """The runs of one experiment.

    Attributes:
        experiment: its name.
        digests: how many versions of the file there were among them.
        runs: (folder, answer) in order of time.
        left_out: runs that were not fit to be judged; they are in no trend.
        trends: of each figure that all the others have.
    """

    experiment: str
    digests: int
    runs: tuple[tuple[str, str], ...]
    left_out: tuple[str, ...]
    trends: tuple[Trend, ...]

    @property
    def alerts(self) -> list[Trend]:
        """Figures that are worse since their last change, by the margin or more."""
        return [trend for trend in self.trends if trend.alert]

    def json(self) -> dict[str, Json]:
        """As a document."""
        return {
            "experiment": self.experiment,
            "digests": self.digests,
            "runs": [{"folder": folder, "answer": answer} for folder, answer in self.runs],
            "left_out": list(self.left_out),
            "alert": bool(self.alerts),
            "trends": [_document(trend) for trend in self.trends],
        }


def trends(series: Mapping[str, Sequence[float]], margin: float, seed: int) -> list[Trend]:
    """Where each of several figures of one experiment changed.

    Args:
        series: name → values of runs in order of time, each at least 0; names that end in `per_s` are better if more.
        margin: share by which a figure may be worse without an alert.
        seed: of the random orders.

    Raises:
        ImportError: ruptures, of the extra `analysis`, is not installed.
    """
    level = FAMILY / max(len(series), 1)
    return [_trend(name, values, margin, level, seed) for name, values in series.items()]


def _trend(name: str, values: Sequence[float], margin: float, level: float, seed: int) -> Trend:
    worse_up = not name.endswith("per_s")
    if len(values) < FEWEST:
        return Trend(name, worse_up, tuple(values), (), alert=False, because=f"{len(values)} runs, {FEWEST} are needed")
    x = np.asarray(values, dtype=np.float64)
    points = _confirmed(x, _candidates(x), level, margin / 2, seed)
    if not points:
        return Trend(name, worse_up, tuple(values), (), alert=False, because="no change is shown")
    last = points[-1]
    wide = last.share >= margin if worse_up else last.share <= -margin / (1 + margin)
    word = "worse" if (last.share > 0) is worse_up else "better"
    because = (
        f"{word} since run {last.index + 1} of {len(values)}: {last.before:.4g} → {last.after:.4g} "
        f"({last.share * 100:+.3g} %, p = {last.probability:.2g})"
    )
    return Trend(name, worse_up, tuple(values), tuple(points), wide, because)


def _candidates(x: Float64) -> list[int]:
    """Places of a segmentation; generous, as each is still to be confirmed."""
    import ruptures  # noqa: PLC0415 - heavy, and needed only here

    scores = _normal_scores(x)
    found = ruptures.KernelCPD(kernel="linear", min_size=SHORTEST).fit(scores.reshape(-1, 1))
    return [int(place) for place in found.predict(pen=_PENALTY * np.log(len(x)))[:-1]]


def _normal_scores(x: Float64) -> Float64:
    """Van der Waerden's: ranks as quantiles of the normal distribution; ties share their mean rank."""
    from scipy.special import ndtri  # noqa: PLC0415 - as above
    from scipy.stats import rankdata  # noqa: PLC0415 - as above

    scores: Float64 = ndtri(rankdata(x) / (len(x) + 1))
    return scores


def _confirmed(x: Float64, places: Sequence[int], level: float, least: float, seed: int) -> list[Point]:
    """Candidates that hold; the weakest that does not is taken out, and its neighbours are asked again."""
    left = list(places)
    while True:
        found = [_point(x, left, index, seed) for index in range(len(left))]
        weak = [index for index, point in enumerate(found) if point.probability > level or abs(point.share) < least]
        if not weak:
            return found
        del left[max(weak, key=lambda index: (found[index].probability, -abs(found[index].share)))]


def _point(x: Float64, places: Sequence[int], index: int, seed: int) -> Point:
    edges = [0, *places, len(x)]
    first, place, last = edges[index : index + 3]
    before, after = float(x[first:place].mean()), float(x[place:last].mean())
    share = after / before - 1 if before > 0 else float(after > 0)
    return Point(place, before, after, share, _probability(_normal_scores(x[first:last]), seed))


def _probability(scores: Float64, seed: int) -> float:
    """How likely a split as clear as the clearest is, if the order of the runs means nothing."""
    generator = np.random.Generator(np.random.PCG64(seed))
    orders = generator.permuted(np.tile(scores, (PERMUTATIONS, 1)), axis=1)
    beyond = int(np.count_nonzero(_clearest(orders) >= _clearest(scores[None, :])[0] - 1e-9))
    return (beyond + 1) / (PERMUTATIONS + 1)


def _clearest(rows: npt.NDArray[np.float64]) -> Float64:
    """Of each row the largest standardised difference of means over all splits."""
    count = rows.shape[1]
    sizes = np.arange(SHORTEST, count - SHORTEST + 1)
    sums = np.cumsum(rows, axis=1)[:, sizes - 1]
    centred = np.abs(sums - rows.sum(axis=1, keepdims=True) * sizes / count)
    found: Float64 = (centred / np.sqrt(sizes * (count - sizes) / count)).max(axis=1)
    return found


def _document(trend: Trend) -> Json:
    return {
        "name": trend.name,
        "values": list(trend.values),
        "alert": trend.alert,
        "because": trend.because,
        "changes": [
            {
                "run": point.index,
                "before": point.before,
                "after": point.after,
                "share": point.share,
                "probability": point.probability,
            }
            for point in trend.points
        ],
    }
