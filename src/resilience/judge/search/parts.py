"""Which parts the verdict of a search, or of a capacity run, has, instead of those of an ordinary run."""

from collections.abc import Callable, Mapping

from resilience.judge.case import Case
from resilience.judge.search.checks import check_break_point, check_hysteresis, check_leases, check_writes_in
from resilience.judge.search.throughput import check_little, check_scalability, check_throughput
from resilience.judge.validity import check_validity
from resilience.judge.writes import check_writes
from resilience.model import Part

PARTS: Mapping[str, Mapping[str, Callable[[Case], Part]]] = {
    "search": {
        "break-point": check_break_point,
        "hysteresis": check_hysteresis,
        "writes": check_writes_in,
        "faults": check_leases,
        "validity": check_validity,
    },
    "capacity": {
        "throughput": check_throughput,
        "little": check_little,
        "scalability": check_scalability,
        "writes": check_writes,
        "faults": check_leases,
        "validity": check_validity,
    },
}
"""By purpose, as a record's header has it; the gravest first, as in `judge.verdict.CHECKERS`."""
