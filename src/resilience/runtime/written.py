"""The record of a run that goes on, read once what was asked for is on disk."""

from pathlib import Path
from typing import Final

from resilience.columns import Record
from resilience.record.reader import read_record
from resilience.runtime.clock import MonotonicClock

FLUSH_S: Final = 1.6
"""After this long, what the generator saw is usually on disk: it flushes about every second."""
LONGEST_S: Final = 6.0
"""On a busy machine it takes longer. After this long the record is taken as it is: what it lacks, its judge says."""
SILENCE_S: Final = 0.25
"""Operations come so close together, or so few that nobody can tell whether one is missing."""
AGAIN_S: Final = 0.2


def written(folder: Path, clock: MonotonicClock) -> Record:
    """The record up to now.

    It is read again until it has operations that were due a moment ago, because a generator that is late with its
    flush would look like one that sent nothing.

    Raises:
        Interrupted: the run was told to stop.
        RecordError: this is no run folder.
    """
    until_s = clock.now_s()
    clock.sleep_until(until_s + FLUSH_S)
    record = read_record(folder, finished=False)
    while _last_s(record) < until_s - SILENCE_S and clock.now_s() < until_s + LONGEST_S:
        clock.sleep_until(clock.now_s() + AGAIN_S)
        record = read_record(folder, finished=False)
    return record


def _last_s(record: Record) -> float:
    """When the last operation on record was due; infinity where there is none at all: nothing is late with nothing."""
    arrivals = record.samples.arrival_ns
    return float(arrivals.max()) / 1e9 if len(arrivals) else float("inf")
