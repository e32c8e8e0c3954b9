"""Probes for the steady-state hypothesis: each asks for one part of the verdict.

Before the method they judge the baseline alone. After it the first of them ends the load, reads the truth and judges
the whole run. A probe answers true only for *pass*: unknown is not a pass.
"""

from resilience.ctk.current import session

__all__ = ["degraded_gracefully", "no_data_lost", "objectives_met", "recovered"]


def objectives_met() -> bool:
    """Whether every objective held in its phase.

    Returns:
        True only if all of them could be judged and were met.
    """
    return session().answers("objectives")


def degraded_gracefully() -> bool:
    """Whether critical operations went on under every fault, with right answers and bounded latency.

    Returns:
        True only if every fault was observed and the degradation was graceful.
    """
    return session().answers("degradation")


def recovered() -> bool:
    """Whether the system came back to its baseline after every fault, soon enough, and stayed there.

    Returns:
        True only if every recovery was seen within the experiment's limit.
    """
    return session().answers("recovery")


def no_data_lost() -> bool:
    """Whether every acknowledged write is in the primary store exactly once, intact, and nothing else is.

    Returns:
        True only if the truth could be read and the ledger agrees with it.
    """
    return session().answers("writes")
