"""From what a file says of resources to what reads them beside the run."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from resilience.model import Experiment, Observing, Place
from resilience.observe.collector import Collector
from resilience.observe.profile import profilers
from resilience.observe.resources import Collectors, watchers_of
from resilience.record.redact import Redactor


def tokens_of(observing: Observing) -> dict[str, str]:
    """The bearer tokens that the file names, by the environment variables that hold them."""
    named = [*(one.token for one in observing.metrics), *(one.token for one in observing.prometheus)]
    return {name: os.environ.get(name, "") for name in named if name}


def collect(
    experiment: Experiment,
    places: Mapping[str, Place],
    folder: Path,
    redactor: Redactor,
    now_ns: Callable[[], int],
) -> Callable[[], None]:
    """Begin to read resources, and to count the calls of the experiment's dependencies; return what ends that."""
    observing = experiment.observing
    watchers, missing = watchers_of(observing, places, experiment.stack.use, folder, tokens_of(observing))
    resources = Collectors(
        watchers,
        folder,
        now_ns,
        redactor,
        period_s=observing.period_s,
        missing=missing,
        more=(lambda writer: profilers(observing.profile, places, folder, now_ns, writer))
        if observing.profile
        else None,
    )
    calls = Collector(experiment.degradation.dependencies, places, folder, now_ns, redactor)
    resources.start()
    calls.start()

    def stop() -> None:
        calls.stop()
        resources.stop()

    return stop
