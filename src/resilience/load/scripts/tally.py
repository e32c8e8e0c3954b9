"""Takes the operations that another program told of: samples for the record, counts for live views, the account.

`offered` is counted as operations are told of, so the identity offered = ok + failed + unknown + dropped holds for what
was told; what was begun and never told of is the reader's to find out.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from resilience.load.meter import bucket_of
from resilience.load.scripts.seen import MAX_NAMES, OTHER, Seen
from resilience.model import OUTCOMES, Json, Outcome
from resilience.record.redact import Redactor
from resilience.record.samples import SampleWriter

_NUMBERS: Mapping[Outcome, int] = {outcome: index for index, outcome in enumerate(OUTCOMES)}


class Tally:
    """See the module.

    Args:
        folder: of the run; samples are written there.
        secrets: appear in no detail of a sample.
    """

    def __init__(self, folder: Path, secrets: Iterable[str] = ()) -> None:
        self._samples = SampleWriter(folder, "load", [], Redactor(secrets))
        self._numbers: dict[str, int] = {}
        self._outcomes: Counter[tuple[str, Outcome]] = Counter()
        self._named: set[str] = set()
        self.first_ns: int | None = None
        self._begin_slice()

    def _begin_slice(self) -> None:
        self._slice: Counter[tuple[str, Outcome]] = Counter()
        self._histogram: Counter[int] = Counter()

    def take(self, seen: Seen) -> None:
        """One operation."""
        name = seen.name
        number = self._numbers.get(name)
        if number is None:
            if len(self._numbers) >= MAX_NAMES:
                self._named.add(name) if len(self._named) < MAX_NAMES else None
                name = OTHER
            number = self._numbers.get(name)
            if number is None:
                number = self._numbers[name] = self._samples.learn(name)
        outcome = seen.outcome
        self._samples.add(
            seen.start_ns,
            seen.start_ns,
            seen.end_ns,
            number,
            _NUMBERS[outcome],
            seen.status,
            detail=seen.detail,
        )
        if self.first_ns is None or seen.start_ns < self.first_ns:
            self.first_ns = seen.start_ns
        self._outcomes[name, outcome] += 1
        self._slice[name, outcome] += 1
        if outcome is not Outcome.DROPPED:
            self._histogram[bucket_of(seen.end_ns - seen.start_ns)] += 1

    def flush(self) -> None:
        """Write what was taken since the last time.

        Raises:
            RecordError: as `SampleWriter.flush`.
        """
        self._samples.flush()

    def close(self) -> None:
        """Write and seal.

        Raises:
            RecordError: as `SampleWriter.close`.
        """
        self._samples.close()

    def slice(self, start_s: float, end_s: float, in_flight: int) -> dict[str, Json]:
        """What was told since the last slice, as the JSON of a `model.Slice`."""
        counts: dict[str, dict[str, Json]] = {}
        for (name, outcome), count in self._slice.items():
            counts.setdefault(name, {})[outcome.value] = count
        piece: dict[str, Json] = {
            "start_s": start_s,
            "end_s": end_s,
            "counts": counts,
            "histogram": {str(bucket): count for bucket, count in self._histogram.items()},
            "offered": sum(self._slice.values()),
            "in_flight": in_flight,
        }
        self._begin_slice()
        return piece

    def account(self) -> dict[str, Json]:
        """Offered and every outcome, in all and per operation."""
        per_operation: dict[str, Json] = {}
        for name in self._numbers:
            counts = {outcome.value: self._outcomes[name, outcome] for outcome in OUTCOMES}
            per_operation[name] = {"offered": sum(counts.values()), **counts}
        totals = {
            outcome.value: sum(count for (_, one), count in self._outcomes.items() if one is outcome)
            for outcome in OUTCOMES
        }
        return {"offered": sum(totals.values()), **totals, "per_operation": per_operation}
