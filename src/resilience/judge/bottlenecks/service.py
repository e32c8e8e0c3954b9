"""What a service itself shows: processor time, pools of connections, calls of what it depends on."""

from collections.abc import Iterator

from resilience.judge.bottlenecks.evidence import REACHED, Evidence
from resilience.judge.bottlenecks.places import Place, place_of
from resilience.judge.bottlenecks.roles import Calls, Pool, calls_of, pools_of
from resilience.judge.bottlenecks.signs import AT_LEAST, PART, SLOWER, Sign, View
from resilience.text import percent

ONE_CORE, FLAT = 1.0, 0.1
"""A program with one thread of work is at its limit with a whole core, and stays there: within a tenth of it."""


def processors(view: View) -> Iterator[Sign]:
    """Parts at the limit of their processor time, or held back there by their quota."""
    for series, seen in view.named("process.cpu"):
        place = place_of(series.of) or Place.CPU
        if seen.at_limit:
            words = f"{series.of} used {seen.during:.2f} of {seen.limit:.2g} cores{view.since(seen)}"
            yield Sign(place, series.of, 1.0, words, seen)
        elif _one_core(view, series.of, seen):
            words = (
                f"{series.of}, a single process, used {seen.during:.2f} of a core{view.since(seen)}: all that one "
                "thread of work can"
            )
            yield Sign(place, series.of, 0.8, words, seen)
    for series, seen in view.named("cgroup.throttled", absent=0.0):
        if seen.rose and seen.during >= PART:
            words = (
                f"{series.of} was held back by its quota of processor time in {percent(seen.during)} of all periods"
                f"{view.since(seen)}"
            )
            yield Sign(place_of(series.of) or Place.CPU, series.of, min(1.0, 0.4 + 0.6 * seen.during), words, seen)


def _one_core(view: View, of: str, seen: Evidence) -> bool:
    """Whether a part with one process used a whole core, no less and no more, and had not before."""
    count = view.get("process.count", of)
    flat = abs(seen.during - ONE_CORE) <= FLAT and seen.most <= ONE_CORE + 2 * FLAT
    return count is not None and count.most == 1 and flat and seen.rose and seen.before < REACHED * ONE_CORE


def machine(view: View) -> Iterator[Sign]:
    """The processors of the machine, all busy: a weak sign, because whatever is tested runs there."""
    for series, seen in view.named("host.cpu"):
        if seen.at_limit and seen.rose:
            words = f"all processors of the machine were busy ({percent(seen.share)}){view.since(seen)}"
            yield Sign(Place.HOST, series.of, 0.5, words, seen)


def memory(view: View) -> Iterator[Sign]:
    """Memory at its limit: what it is of, or the machine."""
    for name, place in (("process.memory", Place.MEMORY), ("host.memory.used", Place.HOST)):
        for series, seen in view.named(name):
            if seen.at_limit and seen.rose:
                words = f"{series.of} used {percent(seen.share)} of its memory{view.since(seen)}"
                yield Sign(place, series.of, 0.6, words, seen)


def pools(view: View) -> Iterator[Sign]:
    """Pools all of whose connections were in use while requests waited."""
    statements = {one.of: one for one in calls_of(view.resources) if place_of(one.dependency) is Place.DATABASE}
    for pool in pools_of(view.resources):
        seen, waiting = view.seen(pool.used), view.seen(pool.waiting)
        if seen is None or not seen.at_limit or (waiting is not None and waiting.during < AT_LEAST):
            continue
        longer = _held_longer(view, pool, statements.get(pool.of))
        words = f"{seen.during:.3g} of {seen.limit:g} connections of {_named(pool)} were in use{view.since(seen)}"
        if waiting is not None:
            words += f", and {waiting.during:.3g} requests waited for one"
        if longer is not None:
            words += f"; each was kept {longer:.1f} times as long as in the baseline"
        own = longer is not None and longer < SLOWER
        yield Sign(Place.POOL, pool.of, 1.0 if own else 0.6, words, seen, symptom=not own)


def calls(view: View) -> Iterator[Sign]:
    """Dependencies in whose calls a large part was of what was under way more than in the baseline."""
    for one in calls_of(view.resources):
        seen, slow = view.seen(one.at_once), view.slower(one)
        if seen is None or seen.during < AT_LEAST or not seen.rose:
            continue
        more = seen.during - seen.before
        part = min(1.0, more / view.more_under_way) if view.more_under_way > 0 else 0.0
        full = one.limit is not None and seen.during >= REACHED * one.limit
        slower = slow is not None and slow >= SLOWER
        if not (full or slower) or (part < PART and not full):
            continue
        words = (
            f"{seen.during:.3g} calls of {one.dependency} were under way, in the baseline {seen.before:.2g}"
            f"{view.since(seen)}: {percent(part)} of what was under way more"
        )
        if full and one.limit is not None:
            words += f", and no more than {one.limit:g} may be"
        if slow is not None:
            words += f"; each took {slow:.1f} times as long"
        strength = min(1.0, 0.4 + 0.5 * part + (0.2 if full else 0.0))
        yield Sign(place_of(one.dependency) or Place.DEPENDENCY, one.dependency, strength, words, seen, symptom=True)


def _held_longer(view: View, pool: Pool, statements: Calls | None) -> float | None:
    """How many times as long a connection was kept as in the baseline: those in use per statement a second (Little)."""
    if statements is None or statements.each_second is None:
        return None
    kept = []
    for stretch in (view.baseline, (view.window.start_s, view.window.end_s)):
        used, done = pool.used.between(*stretch).value, statements.each_second.between(*stretch).value
        if not len(used) or not len(done) or not done.mean() > 0:
            return None
        kept.append(float(used.mean() / done.mean()))
    return kept[1] / kept[0] if kept[0] > 0 else None


def _named(pool: Pool) -> str:
    return f"the pool {pool.name!r} of {pool.of}" if pool.name else f"the pool of {pool.of}"


RULES = (processors, machine, memory, pools, calls)
