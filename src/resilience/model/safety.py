"""What a run must not do, and when it ends."""

from dataclasses import dataclass

from resilience.model.events import PhaseName
from resilience.model.promises import Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class AbortWhen:
    """When a run is reverted and stopped: as soon as the value of the last full window meets the comparison.

    Attributes:
        expression: as written: `rate>0.5 for 10s`, or as an objective that must hold, `rate<0.5 @ fault over 10s`.
        comparison: what ends the run; of an objective it is the contrary of what was written.
        phase: where it is judged; None is everywhere. `fault` empty means every phase of that name.
    """

    expression: str
    aggregate: str
    comparison: Comparison
    limit: float
    window_s: float
    quantile: float | None = None
    operation: str = "all"
    phase: PhaseName | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Safety:
    """Limits that hold whatever the file asks for.

    Attributes:
        max_duration_s: the whole run is aborted and reverted after this long.
        max_fault_s: no fault may be planned for longer, and no lease lasts longer.
        max_at_once: how many parts of the stack faults may be in place on at the same time.
        abort: when the run is reverted and stopped, judged live.
        heartbeat_s: the target must have answered its ready path within the last so many seconds, whatever the answer,
            except while a fault is in place on the service itself; 0 does not look.
        min_free_disk_bytes: with less space left where the record and the debts are written, the run stops.
        grace_s: how long after the planned end a fault's lease ends by itself.
        allow_modules: further Python modules that the file may name (`shop.chaos`, `shop.*`); see `spec.method`.
        data_removal: parts whose data a strike may remove for good.
    """

    max_duration_s: float = 3600.0
    max_fault_s: float = 600.0
    max_at_once: int = 1
    abort: tuple[AbortWhen, ...] = ()
    heartbeat_s: float = 0.0
    min_free_disk_bytes: int = 100_000_000
    grace_s: float = 5.0
    allow_modules: tuple[str, ...] = ()
    data_removal: tuple[str, ...] = ()
