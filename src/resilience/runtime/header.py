"""The header of a record: which run this is, by what it was made, and what its record promises to hold."""

import platform
from datetime import UTC, datetime
from importlib.metadata import version

from resilience.host.machine import describe
from resilience.model import Experiment, Json, Plan
from resilience.runtime.collaborators import Collaborators

VERSIONS = ("resilience", "chaostoolkit", "chaostoolkit-lib", "locust")
"""Packages whose versions stand in the record."""

SELF_CHECK = "self_check"
"""What our own clients promise: the account of the load says whether they send each operation once."""


def header_of(experiment: Experiment, plan: Plan, collaborators: Collaborators, zero_ns: int) -> dict[str, Json]:
    """The fields of the header; `zero_ns` is the run's zero by the monotonic clock."""
    return {
        "run": plan.run,
        "experiment": experiment.name,
        "digest": experiment.digest,
        "seed": plan.seed,
        "stack": collaborators.stack.name,
        "zero_ns": zero_ns,
        "wall_clock": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in VERSIONS},
            **collaborators.stack.found,
        },
        "promises": [SELF_CHECK] if experiment.load.driver == "locust" else [],
        "machine": {**describe()},
        **collaborators.header,
    }
