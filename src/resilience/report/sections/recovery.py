"""How soon full service was back after each fault."""

from resilience.report.document import Row, rows, table, words
from resilience.report.markup import fill
from resilience.report.material import Definition, Material, Section


def section(of: Material) -> Section:
    """The mean with its bounds, and every cycle."""
    recovery = table(of.document, "recovery")
    cycles = rows(recovery, "cycles")
    body = fill("sections/recovery.html.j2", recovery=recovery, cycles=cycles)
    return Section("recovery", "Recovery", body, definitions=_definitions(recovery, len(cycles)) if cycles else ())


def _definitions(recovery: Row, cycles: int) -> tuple[Definition, ...]:
    window = "from each fault's request until the next one's, or the end of the run"
    bounds = words(recovery, "interval")
    return (
        Definition(
            "Full service",
            "An operation has it if it was ok, not degraded, and as quick as the baseline's p95 times a factor (or a "
            "floor). It is back at the beginning of the first stretch in which as many have it as in the baseline, "
            "as far as chance allows, that holds and is not followed by a relapse.",
            "bins of about 50 operations, refined to single operations",
            "all operations offered, dropped ones included",
        ),
        Definition(
            "Without full service",
            "Recovered − degraded. The time for which the fault was held is part of it.",
            window,
            "each cycle by itself",
        ),
        Definition(
            "Mean time without full service",
            "Mean over the cycles in which anybody noticed; not known if one did not recover."
            + (f" Its bounds: {bounds}." if bounds else ""),
            window,
            f"{cycles} {'cycle' if cycles == 1 else 'cycles'}",
        ),
        Definition("After the fault was clear", "Recovered − seen to be gone, at least 0.", window, "each cycle"),
        Definition(
            "Known to within",
            "Half the width of the range that holds the true time with 99 %, from the operations around both ends.",
            "around both ends",
            "the operations there",
        ),
    )
