"""What a program shows to Prometheus: the metrics that the file names, each as a series."""

from collections.abc import Mapping, Sequence

from resilience.model import Json, Metrics
from resilience.model.resources import Reading, Unit
from resilience.observe.exposition import Sample, Selector, is_counter, matches, samples_of, selector
from resilience.observe.watcher import Partly, get

_STARTED = "process_start_time_seconds"
_ENDS = {
    "_bytes": (Unit.BYTES, Unit.BYTES_PER_S),
    "_seconds": (Unit.SECONDS, Unit.CORES),
    "_ratio": (Unit.RATIO, Unit.PER_S),
}
"""How a name ends that says its unit, and the units of it and of its rate: seconds per second are cores."""


class Endpoint:
    """Reads one program.

    Args:
        asked: what is asked of it.
        url: its base address.
        of: what the series are of.
        token: a bearer token; empty for none.

    Raises:
        ValueError: a metric's name is none.
    """

    collector = "metrics"

    def __init__(self, asked: Metrics, url: str, of: str, token: str = "") -> None:
        self.of = of
        self._url, self._path, self._token = url, asked.path, token
        self._wanted = [
            (taken, selector(taken.metric), selector(taken.limit_metric) if taken.limit_metric else None)
            for taken in asked.take
        ]
        self._epoch = ""

    def read(self) -> Sequence[Reading]:
        """What it shows now.

        Raises:
            Partly: a metric that was asked for is not there.
        """
        samples = list(samples_of(get(self._url, self._path, token=self._token).decode()))
        kinds = {sample.name: sample.kind for sample in samples if sample.kind}
        started = next((sample.text for sample in samples if sample.name == _STARTED and not sample.kind), "")
        anew, self._epoch = self._epoch not in {"", started}, started
        found: list[Reading] = []
        absent: list[str] = []
        for taken, wanted, most in self._wanted:
            value = _sum(wanted, samples, kinds)
            limit = taken.limit if most is None else _sum(most, samples, {})
            absent += [taken.metric] if value is None else []
            absent += [taken.limit_metric] if most is not None and limit is None else []
            if value is not None:
                counter = is_counter(wanted[0], kinds)
                unit = unit_of(wanted[0], counter=counter)
                found.append(Reading(taken.name, self.of, unit, value, limit, counter, anew))
        if absent:
            raise Partly(f"{self._path} shows no {', no '.join(absent)}", found)
        return found

    def close(self) -> Mapping[str, Json]:
        """Nothing is open."""
        return {}


def _sum(wanted: Selector, samples: Sequence[Sample], kinds: Mapping[str, str]) -> float | None:
    """The sum of the samples; 0 of a metric that is declared and has none yet, None of one that is not there."""
    values = [sample.value for sample in samples if not sample.kind and matches(sample, wanted)]
    declared = wanted[0] in kinds or wanted[0].removesuffix("_total") in kinds
    return sum(values) if values or declared else None


def unit_of(name: str, *, counter: bool) -> Unit:
    """The unit of a metric, by what its name ends with; of a counter, that of its rate."""
    bare = name.removesuffix("_total").removesuffix("_sum")
    gauge, rate = next((units for end, units in _ENDS.items() if bare.endswith(end)), (Unit.COUNT, Unit.PER_S))
    return rate if counter else gauge
