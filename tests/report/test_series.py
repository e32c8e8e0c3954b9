"""The run over time, aggregated."""

import numpy as np
import pytest

from resilience.judge.quantiles import Traffic, stats
from resilience.model import OUTCOMES, Event, EventKind
from resilience.report.series import MOST_BINS, bin_length, find_series


def test_nothing_offered_is_lost(record):
    """Every sample is in exactly one bin, under its outcome: the sums are those of the record."""
    series = find_series(record)
    for index, values in enumerate((series.ok, series.failed, series.unknown, series.dropped)):
        assert values.sum() == np.count_nonzero(record.samples.outcome == index), OUTCOMES[index]
    assert series.offered.sum() == len(record.samples)
    assert (series.degraded <= series.ok).all()
    assert series.lengths_s.sum() == pytest.approx(69.0)


def test_bins_are_measured_as_the_judge_measures(record):
    """A bin's figures equal those the judge's own statistics give for that second."""
    series = find_series(record)
    traffic = Traffic(record.samples)
    for second in (0, 20, 38, 53, 54, 68):
        judged = stats(traffic.between(second, second + 1), 1.0)
        assert (series.offered[second], series.ok[second], series.degraded[second]) == (
            judged.count,
            judged.ok,
            judged.degraded,
        )
        assert (series.p50_ms[second], series.p95_ms[second], series.p99_ms[second]) == (
            judged.p50_ms,
            judged.p95_ms,
            judged.p99_ms,
        )


def test_heat_counts_everything_that_was_sent(record):
    """The heat map holds every operation that was sent, and no dropped one."""
    series = find_series(record)
    assert sum(count for _, _, count in series.heat) == len(record.samples) - series.dropped.sum()


def test_order_of_samples_does_not_matter(record, make):
    """Samples come in no particular order; the pictures are the same."""
    mixed = np.random.default_rng(1).permutation(len(record.samples))
    other = make.record(samples=record.samples.where(mixed))
    assert find_series(other).p99_ms == find_series(record).p99_ms
    assert find_series(other).heat == find_series(record).heat


def test_empty_record(record, make):
    """A record without samples has empty bins and no quantiles."""
    nothing = record.samples.where(np.zeros(len(record.samples), bool))
    series = find_series(make.record(samples=nothing))
    assert series.offered.sum() == 0
    assert set(series.p95_ms) == {None}
    assert find_series(make.record(samples=nothing, events=())).bin_s == 1.0


@pytest.mark.parametrize("length_s", [1.0, 69.0, 600.0, 601.0, 3600.0, 86400.0, 1e7])
def test_pictures_stay_small(length_s):
    """However long the run, there are at most as many bins as a screen can show."""
    assert length_s / bin_length(length_s) <= MOST_BINS


def test_late_samples_lengthen_the_picture(record, make):
    """What arrived after the last phase is shown, not folded into it."""
    early = tuple(event for event in record.events if event.kind is not EventKind.END)
    series = find_series(make.record(events=(*early, Event(60.0, EventKind.END))))
    assert len(series) == 69
