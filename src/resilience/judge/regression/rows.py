"""One compared figure, and how it is told."""

from dataclasses import dataclass

from resilience.model import Change, Json
from resilience.text import ABSENT, milliseconds, percent, rate, seconds


@dataclass(frozen=True, slots=True)
class Row:
    """A figure before and after.

    Attributes:
        phase: its label; empty of what belongs to the run.
        operation: or what it is of.
        metric: `p95_ms`, `ok_per_s`, `error_rate`, `outage_s`, …
        before, after: in the metric's unit.
        change, low, high: of times and rates as a share of the one before, of shares and outages as they are.
        because: what else is to be said.
        required: whether it is demanded that this can be told.
        beyond: whether the difference itself is beyond the margin.
    """

    phase: str
    operation: str
    metric: str
    answer: Change
    before: float | None = None
    after: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    because: str = ""
    required: bool = False
    beyond: bool = False

    def json(self) -> dict[str, Json]:
        """As in `verdict.json`."""
        return {name: getattr(self, name) for name in self.__slots__} | {"answer": self.answer.value}

    def figure(self, value: float | None) -> str:
        """A value in words."""
        if value is None:
            return ABSENT
        if self.metric.endswith("_ms"):
            return milliseconds(value)
        if self.metric == "ok_per_s":
            return f"{rate(value)}/s"
        return seconds(value) if self.metric.endswith("_s") else percent(value)

    def difference(self, value: float | None) -> str:
        """A difference in words."""
        if value is None:
            return ABSENT
        if self.metric == "outage_s":
            return f"{value:+.3g} s"
        if self.metric.endswith("_ms") or self.metric == "ok_per_s":
            return f"{value * 100:+.3g} %"
        return f"{value * 100:+.3g} pt"

    @property
    def interval(self) -> str:
        """The bounds of the difference in words."""
        return ABSENT if self.low is None else f"{self.difference(self.low)} to {self.difference(self.high)}"

    @property
    def name(self) -> str:
        """`p95 of read-item in baseline`."""
        metric = {"ok_per_s": "throughput", "error_rate": "error rate", "degraded": "degraded share"}.get(
            self.metric, self.metric.removesuffix("_ms").removesuffix("_s")
        )
        return f"{metric} of {self.operation}" + (f" in {self.phase}" if self.phase else "")

    def words(self) -> str:
        """The whole row as one sentence."""
        if self.change is None:
            return f"{self.name}: {self.because}"
        told = f"{self.name} {self.figure(self.before)} → {self.figure(self.after)}"
        more = f"; {self.because}" if self.because else ""
        return f"{told} ({self.difference(self.change)}, {self.interval}){more}"
