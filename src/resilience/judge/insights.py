"""What is told beside the verdict and never changes it: bottlenecks and anomalies; if one breaks, that is told."""

from collections.abc import Callable, Mapping

from resilience.judge.anomalies import anomalies
from resilience.judge.bottlenecks.found import UNKNOWN, bottlenecks, said
from resilience.judge.case import Case
from resilience.model import Json


def insights(case: Case) -> Mapping[str, Json]:
    """The keys `bottlenecks` and `anomalies` of `verdict.json`."""
    return {
        "bottlenecks": _guarded(lambda: bottlenecks(case), lambda why: said(UNKNOWN, why)),
        "anomalies": _guarded(lambda: list(anomalies(case)), lambda _: None),
    }


def _guarded(find: Callable[[], Json], broken: Callable[[str], Json]) -> Json:
    try:
        return find()
    except Exception as error:  # noqa: BLE001 - an answer must not depend on what only explains it
        return broken(f"it cannot be told: {type(error).__name__}: {error}")
