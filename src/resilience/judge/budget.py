"""The service level that clients saw: availability, Apdex, burn rate and error budget.

Definitions, with o operations offered, of which g were ok, and a promised availability S (0.999 for 99.9 %):

* availability = g / o. What was dropped counts as offered and not ok (Google, *The Site Reliability Workbook*, ch. 2:
  good events / valid events).
* burn rate = ((o - g) / o) / (1 - S): 1 uses the budget up exactly at the end of its period (ibid., ch. 5).
* budget used = (o - g) / (r · 30 days · (1 - S)): the share of a 30-day error budget that these operations used, with
  r the usual rate, that of the baseline. For a full outage of m minutes it is m / (43,200 · (1 - S)): 5 minutes at
  99.9 % are 11.6 %.
* Apdex(T) = (satisfied + tolerating / 2) / o. Satisfied: ok within T; tolerating: ok within 4 T; everything else is
  frustrated, errors however quick among it (Apdex Alliance, *Technical Specification* 1.1).
"""

import numpy as np

from resilience.columns import Samples
from resilience.judge.quantiles import MS, OK

DAYS = 30
"""Length of the period of an error budget."""
DAY_S = 86_400
TOLERABLE = 4
"""An answer is tolerable up to so many times T."""


def bad(samples: Samples) -> int:
    """How many operations were not ok."""
    return len(samples) - int(np.count_nonzero(samples.outcome == OK))


def availability(samples: Samples) -> float | None:
    """The share of what was offered that was ok; None without samples."""
    return (len(samples) - bad(samples)) / len(samples) if len(samples) else None


def burn_rate(samples: Samples, promise: float) -> float | None:
    """How many times too fast the budget of a promise (0 < promise < 1) was used; None without samples."""
    return bad(samples) / len(samples) / (1 - promise) if len(samples) else None


def budget_used(failures: float, rate: float, promise: float, days: float = DAYS) -> float:
    """The share of the budget of `days` that so many failures use, at so many operations per second, which is above 0.

    The promise is above 0 and below 1.
    """
    return failures / (rate * days * DAY_S * (1 - promise))


def apdex(samples: Samples, satisfied_ms: float) -> float | None:
    """Apdex of the operations, satisfied up to so many milliseconds; None without samples."""
    if len(samples) == 0:
        return None
    times = (samples.end_ns - samples.arrival_ns)[samples.outcome == OK]
    limit_ns = satisfied_ms * MS
    satisfied = int(np.count_nonzero(times <= limit_ns))
    tolerable = int(np.count_nonzero(times <= TOLERABLE * limit_ns))
    return (satisfied + (tolerable - satisfied) / 2) / len(samples)
