"""Objectives that ended their run: what was seen live, checked against the record.

The watch ends a run as soon as an objective with `abort` does not hold over what had ended by then. That is looked at
once more when the run is judged, over the operations on record that ended in the same stretch: if they miss it, or the
phase as far as it went does, the objective has failed and the moment is named. If neither does, what was seen live is
not borne out, and the answer is unknown: the phase was cut short, so nothing passes either.
"""

from dataclasses import dataclass

from resilience.columns import Samples
from resilience.judge.case import Case
from resilience.judge.quantiles import to_ns
from resilience.model import EventKind, Objective


@dataclass(frozen=True, slots=True)
class Ended:
    """That an objective ended the run.

    Attributes:
        value: what was seen live.
        from_s, until_s: when the operations ended that it was seen over.
    """

    value: float
    from_s: float
    until_s: float

    def seen(self, samples: Samples) -> Samples:
        """The operations that ended in that stretch."""
        return samples.where((samples.end_ns >= to_ns(self.from_s)) & (samples.end_ns < to_ns(self.until_s)))


def ended_by(case: Case, objective: Objective, phase: str) -> Ended | None:
    """How an objective ended the run in a phase, which goes by its label; None if it did not."""
    if not objective.abort:
        return None
    for event in case.record.events:
        told = event.detail
        if (
            event.kind is EventKind.INTERRUPTED
            and told.get("objective") == objective.expression
            and told.get("operation") == objective.operation
            and told.get("phase") == phase
        ):
            numbers = [told.get(name) for name in ("value", "from_s", "until_s")]
            if all(isinstance(number, int | float) for number in numbers):
                return Ended(*(float(str(number)) for number in numbers))
    return None
