"""What stores show of themselves: sessions of a database and what they wait for, disks, the way there, a cache."""

from collections.abc import Iterator

from resilience.judge.bottlenecks.evidence import Evidence
from resilience.judge.bottlenecks.places import Place, place_of
from resilience.judge.bottlenecks.roles import calls_of, pools_of
from resilience.judge.bottlenecks.signs import AT_LEAST, PART, SLOWER, Sign, View
from resilience.text import percent

MOST_OF = 0.5
"""Of the sessions at work, or of the calls under way: more than half are what it is about."""

LESS_FOUND = 0.1
"""So much less of what is looked up is found in the cache."""


def locks(view: View) -> Iterator[Sign]:
    """Sessions of the database that wait for locks of others."""
    for series, seen in view.named("postgres.waits.lock"):
        share = _of_active(view, seen)
        if _more(seen) and share >= PART:
            words = f"{seen.mean:.2g} sessions of {series.of} waited for locks of others, in the baseline "
            words += f"{seen.mean_before:.2g}{view.since(seen)}: {percent(share)} of those at work"
            yield Sign(Place.DATABASE, series.of, min(1.0, 0.5 + 0.5 * share), words, seen)


def disks(view: View) -> Iterator[Sign]:
    """Sessions that wait for the disk, and behind them those that wait for the log to be written; busy disks."""
    for series, seen in view.named("postgres.waits.io"):
        queue = view.get("postgres.waits.lwlock", series.of)
        behind = queue.mean if queue is not None and _more(queue) else 0.0
        share = _of_active(view, seen, behind)
        if _more(seen) and share >= MOST_OF:
            words = f"{seen.mean:.2g} sessions of {series.of} waited for the disk, in the baseline "
            words += f"{seen.mean_before:.2g}{view.since(seen)}"
            if behind:
                words += f", and {behind:.2g} behind them for the log to be written"
            words += f": {percent(share)} of those at work"
            yield Sign(Place.DISK, series.of, min(1.0, 0.5 + 0.5 * share), words, seen)
    for series, seen in view.named("host.disk.busy"):
        if seen.at_limit and seen.rose:
            words = f"the busiest disk was busy for {percent(seen.during)} of the time{view.since(seen)}"
            yield Sign(Place.DISK, series.of, 0.6, words, seen)


def connections(view: View) -> Iterator[Sign]:
    """All the connections that the database allows."""
    for series, seen in view.named("postgres.connections"):
        if seen.at_limit:
            words = f"{seen.during:.3g} of {seen.limit:g} connections of {series.of} were in use{view.since(seen)}"
            yield Sign(Place.DATABASE, series.of, 0.8, words, seen)


def way(view: View) -> Iterator[Sign]:
    """Calls of the database that are under way while few of its sessions are at work: they are on the way."""
    active = view.resources.named("postgres.connections.active")
    for one in calls_of(view.resources):
        seen, slow = view.seen(one.at_once), view.slower(one)
        if place_of(one.dependency) is not Place.DATABASE or seen is None:
            continue
        if not active or not seen.rose or slow is None or slow < SLOWER:
            continue
        at_work = [found.mean for found in (view.seen(series) for series in active) if found is not None]
        away = seen.during - sum(at_work)
        if not at_work or away < AT_LEAST or away < MOST_OF * seen.during or not _explains(view, one.of, seen, away):
            continue
        words = (
            f"{seen.during:.3g} calls of {one.dependency} were under way{view.since(seen)}, each {slow:.1f} times as "
            f"long as in the baseline, while {sum(at_work):.2g} of its sessions were at work: the rest was on the way"
        )
        yield Sign(Place.NETWORK, one.dependency, min(1.0, 0.4 + 0.6 * away / seen.during), words, seen)


def _explains(view: View, of: str, seen: Evidence, away: float) -> bool:
    """Whether calls on the way explain what is under way more, together with who waits for the pool behind them.

    Connections that are in use without a call under way are kept by the service itself: then it is not the way.
    """
    pools = [pool for pool in pools_of(view.resources) if pool.of == of]
    used = [found.mean for found in (view.seen(pool.used) for pool in pools) if found is not None]
    waiting = [found.mean for found in (view.seen(pool.waiting) for pool in pools) if found is not None]
    return seen.mean >= MOST_OF * sum(used) and away + sum(waiting) >= PART * view.more_under_way


def cache(view: View) -> Iterator[Sign]:
    """A cache that finds less, throws away, or has reached a limit."""
    for series, seen in view.named("redis.cpu"):
        if seen.rose and seen.during >= 0.9:  # noqa: PLR2004 - of the one core that its one thread can use
            words = f"{series.of} used {seen.during:.2f} of the one core that it can{view.since(seen)}"
            yield Sign(Place.CACHE, series.of, 1.0, words, seen)
    for series, seen in view.named("redis.hit_ratio"):
        if seen.fell and seen.before - seen.during >= LESS_FOUND:
            words = f"{percent(seen.during)} of look-ups in {series.of} found their key, in the baseline "
            words += f"{percent(seen.before)}{view.since(seen)}"
            yield Sign(Place.CACHE, series.of, min(1.0, 0.5 + seen.before - seen.during), words, seen)
    for series, seen in view.named("redis.evictions"):
        if seen.rose and seen.during > 1:
            words = f"{series.of} threw away {seen.during:.3g} keys a second{view.since(seen)}"
            yield Sign(Place.CACHE, series.of, 0.6, words, seen)
    for series, seen in view.named("redis.clients"):
        if seen.at_limit:
            words = f"{seen.during:.3g} of {seen.limit:g} connections of {series.of} were in use{view.since(seen)}"
            yield Sign(Place.CACHE, series.of, 0.8, words, seen)


def _more(seen: Evidence) -> bool:
    """Whether there were clearly more than in the baseline, on average: at an instant such numbers are mostly 0."""
    return seen.mean >= AT_LEAST and seen.mean >= 3 * seen.mean_before


def _of_active(view: View, seen: Evidence, more: float = 0.0) -> float:
    """Which part of the sessions at work some that wait are."""
    active = view.get("postgres.connections.active", seen.series.of)
    waiting = seen.mean + more
    return 0.0 if active is None or active.mean <= 0 else min(1.0, waiting / active.mean)


RULES = (locks, disks, connections, way, cache)
