"""What objectives measure instead of response time: of streamed answers and of jobs. Pure.

* `ttft`: from the intended start to the first token, in milliseconds, over everything that was sent. As with response
  times, what ended without one counts with the time until it ended, so a stream that hung does not vanish.
* `queue`, `processing`: of jobs, in milliseconds. A job of which it is not known (nobody saw its end, or its service
  did not say) counts against the objective: as longer than any limit where little is wanted, as 0 where much is. If the
  value then depends on such a job it is not known. What certainly did not become a job that is done, and has no such
  time, is left out: how much of that there was is the error rate.
* `tokens`: per second, from the first token to the end, of answers with two tokens at least.
"""

import numpy as np

from resilience.columns import Float64, Samples
from resilience.judge.quantiles import DROPPED, FAILED, MS, NS, nearest_of
from resilience.model import Comparison, Load, Objective

_AT_MOST = (Comparison.LT, Comparison.LE)
_QUANTILES = {"min": 0.0, "med": 0.5, "max": 1.0}


def those(objective: Objective, load: Load) -> frozenset[str]:
    """The operations of a load that have what an objective measures."""
    streamed = objective.measure in {"ttft", "tokens"}
    return frozenset(one.name for one in load.operations if (one.stream if streamed else one.job) is not None)


def measured(objective: Objective, samples: Samples) -> float | None:
    """The value of an objective that is not about response time; None if it is not known.

    Args:
        objective: with a measure.
        samples: of operations that have it.
    """
    values = _values(objective, samples)
    if values is None or not len(values):
        return None
    if objective.aggregate == "avg":
        value = float(np.mean(values))
    else:
        quantile = _QUANTILES.get(objective.aggregate, (objective.quantile or 0.0) / 100)
        value = nearest_of(np.sort(values), quantile)
    return value if np.isfinite(value) else None


def _values(objective: Objective, samples: Samples) -> Float64 | None:
    sent = samples.outcome != DROPPED
    match objective.measure:
        case "ttft" if samples.first_ns is not None:
            until = np.where(samples.first_ns >= 0, samples.first_ns, samples.end_ns)
            times: Float64 = (until - samples.arrival_ns)[sent] / MS
            return times
        case "queue" | "processing":
            column = samples.queue_ns if objective.measure == "queue" else samples.processing_ns
            if column is None:
                return None
            known = column >= 0
            about = sent & (known | (samples.outcome != FAILED))
            worst = np.inf if objective.comparison in _AT_MOST else -np.inf
            spans: Float64 = np.where(known, column / MS, worst)[about]
            return spans
        case "tokens" if samples.tokens is not None and samples.first_ns is not None:
            about = sent & (samples.tokens > 1) & (samples.end_ns > samples.first_ns)
            rates: Float64 = (samples.tokens[about] - 1) / ((samples.end_ns - samples.first_ns)[about] / NS)
            return rates
        case _:
            return None
