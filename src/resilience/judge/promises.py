"""What an experiment may promise besides objectives, each a part of the verdict only if it is asked for."""

from collections.abc import Callable, Collection, Mapping

from resilience.judge.balance import check_balance
from resilience.judge.case import Case
from resilience.judge.limits import check_limits
from resilience.judge.scaling import check_scaling
from resilience.judge.soak import check_soak
from resilience.model import Experiment, Part

PROMISES: Mapping[str, Callable[[Case], Part]] = {
    "soak": check_soak,
    "limits": check_limits,
    "balance": check_balance,
    "scaling": check_scaling,
}


def promised(experiment: Experiment) -> Collection[str]:
    """Which of them an experiment asks for."""
    asked = {
        "soak": experiment.soak is not None,
        "limits": bool(experiment.rate_limits),
        "balance": experiment.balance is not None,
        "scaling": experiment.scaling is not None,
    }
    return [name for name, wanted in asked.items() if wanted]
