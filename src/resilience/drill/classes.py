"""What a verdict complains of, as classes: `lost`, `not-recovered`, `objective`, …; pure, from `verdict.json` alone.

A planted bug must be told by its class and by no other than those allowed beside it: a run that fails for another
reason has not noticed the bug. So whatever makes a part fail is in some class here, and what no class explains is in
one of its own, `unexplained`. Only parts that fail are asked; what a part tells beside a pass is no complaint.

A class is a function of `CLASSES`: the document in, sentences out, none if it is not complained of. A new one that is a
count of `writes` or of an account needs a line in `WRITTEN`; another one a function that reads its figures.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Final

from resilience.model import Json

Row = Mapping[str, Json]

UNEXPLAINED: Final = "unexplained"
"""The class of what made a part fail and is in no other."""

WRITTEN: Final = {
    "lost": "lost",
    "under_applied": "lost",
    "lost_updates": "lost",
    "duplicated": "duplicated",
    "over_applied": "over-applied",
    "total_off": "partial",
    "partial": "partial",
    "phantom": "phantom",
    "corrupted": "corrupted",
    "index": "index",
    "stale": "stale",
    "out_of_order": "out-of-order",
    "misattributed": "misattributed",
    "resurrected": "resurrected",
    "rejected_present": "failed-but-present",
}
"""What `broken` of `writes` and of an account may name → the class."""

DELIVERED: Final = {"lost": "missed-not-recovered", "history_lost": "missed-not-recovered"}
"""The same, where it differs, of an account whose truth is what subscribers were given."""

SUFFERED: Final = {
    "critical": "degraded",
    "wrong": "wrong",
    "attribution": "misattributed",
    "shedding": "shedding",
    "amplification": "amplification",
    "breakers": "breakers",
    "health": "disagreement",
}
"""What `broken` of `degradation` may name → the class."""


def reported(document: Row) -> dict[str, tuple[str, ...]]:
    """The classes that a verdict complains of, each with the sentences that say so; empty unless it fails.

    Args:
        document: `verdict.json`; what is missing or of another shape complains of nothing, and is then unexplained.
    """
    if document.get("answer") != "fail":
        return {}
    found = {name: tuple(look(document)) for name, look in CLASSES.items()}
    found = {name: told for name, told in found.items() if told}
    for name in _strangers(document):
        found[UNEXPLAINED] = (*found.get(UNEXPLAINED, ()), name)
    failed = [part for part in _rows(document, "parts") if part.get("answer") == "fail"]
    for part in failed:
        if not any(name in found for name in PARTS.get(str(part.get("name")), ())):
            found[UNEXPLAINED] = (*found.get(UNEXPLAINED, ()), f"{part.get('name')}: {part.get('because')}")
    if not failed:
        found[UNEXPLAINED] = (*found.get(UNEXPLAINED, ()), f"no part fails: {document.get('because')}")
    return found


def missed(document: Row) -> dict[str, str]:
    """The objectives that were missed, as they stand in the file, each with its sentence."""
    if not _fails(document, "objectives"):
        return {}
    rows = [row for row in _rows(document, "objectives") if row.get("answer") == "fail"]
    return {str(row.get("expression")): str(row.get("because") or row.get("expression")) for row in rows}


def _fails(document: Row, part: str) -> bool:
    return any(row.get("name") == part and row.get("answer") == "fail" for row in _rows(document, "parts"))


def _rows(row: Row, key: str) -> tuple[Row, ...]:
    value = row.get(key)
    return tuple(one for one in value if isinstance(one, Mapping)) if isinstance(value, list | tuple) else ()


def _row(row: Row, key: str) -> Row:
    value = row.get(key)
    return value if isinstance(value, Mapping) else {}


def _number(row: Row, key: str) -> float:
    value = row.get(key)
    return value if isinstance(value, int | float) else 0.0


def _names(row: Row) -> tuple[str, ...]:
    value = row.get("broken")
    return tuple(str(one) for one in value) if isinstance(value, list | tuple) else ()


def _ledgers(document: Row) -> Iterator[tuple[str, Row, Mapping[str, str]]]:
    """The ledger and the failing accounts: how they are called, their figures, and the classes of their names."""
    if not _fails(document, "writes"):
        return
    yield "ledger", _row(document, "writes"), WRITTEN
    for account in _rows(document, "accounts"):
        if account.get("answer") == "fail":
            subscribers = "subscribers" in account
            yield f"account {account.get('name')}", account, {**WRITTEN, **DELIVERED} if subscribers else WRITTEN


def _written(name: str, document: Row) -> Iterable[str]:
    """What ledger and accounts complain of, of one class."""
    for who, figures, classes in _ledgers(document):
        for key in _names(figures):
            if classes.get(key) == name:
                yield f"{who}: {figures.get(key, '')} {key}"


def _suffered(name: str, document: Row) -> Iterable[str]:
    """What degradation complains of, of one class."""
    if _fails(document, "degradation"):
        because = next(str(row.get("because")) for row in _rows(document, "parts") if row.get("name") == "degradation")
        yield from (because for key in _names(_row(document, "degradation")) if SUFFERED.get(key) == name)


def _named(name: str, document: Row) -> Iterable[str]:
    """What either complains of: an answer, and a row in the store, can both be somebody else's."""
    yield from _written(name, document)
    yield from _suffered(name, document)


def _disagreed(document: Row) -> Iterable[str]:
    """The target said that it was well while clients failed."""
    if any(_suffered("disagreement", document)):
        for row in _rows(document, "health"):
            if row.get("disagrees") is True:
                well, asked, what = row.get("well"), row.get("asked"), row.get("operation")
                yield f"the target said {well} times of {asked} that all was well while {what} failed"


def _strangers(document: Row) -> Iterable[str]:
    """What is named as broken and is in no class."""
    for who, figures, classes in _ledgers(document):
        yield from (f"{who}: {key}" for key in _names(figures) if key not in classes)
    if _fails(document, "degradation"):
        yield from (f"degradation: {key}" for key in _names(_row(document, "degradation")) if key not in SUFFERED)


def _divergent(document: Row) -> Iterable[str]:
    count = _row(document, "cache").get("divergent")
    if count and _fails(document, "cache"):
        yield f"{count} copies in the cache differ from the store"


def _foreign(document: Row) -> Iterable[str]:
    count = _row(document, "isolation").get("foreign")
    if count and _fails(document, "isolation"):
        yield f"{count} answers held what belongs to another tenant"


def _cycles(document: Row) -> Iterator[Row]:
    """The cycles that fail: of everything, and of each critical operation that fails by itself."""
    if not _fails(document, "recovery"):
        return
    recovery = _row(document, "recovery")
    operations = _row(recovery, "operations")
    critical = [_row(operations, name) for name in operations]
    lists = [recovery, *(one for one in critical if one.get("critical") and one.get("answer") == "fail")]
    yield from (cycle for one in lists for cycle in _rows(one, "cycles") if cycle.get("answer") == "fail")


def _too_slow(document: Row, cycle: Row) -> bool:
    limit_s = _number(_row(document, "recovery"), "limit_s")
    return cycle.get("recovered_s") is not None and _number(cycle, "outage_s") >= limit_s > 0


def _not_recovered(document: Row) -> Iterable[str]:
    """Service did not come back, or something went on failing when it seemed to be back."""
    return (str(cycle.get("because")) for cycle in _cycles(document) if not _too_slow(document, cycle))


def _slow(document: Row) -> Iterable[str]:
    """Service came back, later than the limit: after a fault, or on average."""
    yield from (str(cycle.get("because")) for cycle in _cycles(document) if _too_slow(document, cycle))
    recovery = _row(document, "recovery")
    mean_s, limit_s = _number(recovery, "mttr_s"), _number(recovery, "limit_s")
    if _fails(document, "recovery") and mean_s >= limit_s > 0:
        yield f"on average it took {mean_s:.3g} s, and the limit is {limit_s:g} s"


def _relapsed(document: Row) -> Iterable[str]:
    for cycle in _cycles(document):
        if count := cycle.get("relapses"):
            yield f"{cycle.get('fault')}: lost again {count} times after it had been back"


def _longer(document: Row) -> Iterable[str]:
    if _fails(document, "recovery"):
        for trend in _rows(_row(document, "recovery"), "trends"):
            if trend.get("longer_each_time") is True:
                yield f"it took longer each time after {trend.get('like')}"


CLASSES: Final[Mapping[str, Callable[[Row], Iterable[str]]]] = {
    **{name: partial(_named, name) for name in (*WRITTEN.values(), *DELIVERED.values(), *SUFFERED.values())},
    "disagreement": _disagreed,
    "cache-divergent": _divergent,
    "isolation": _foreign,
    "objective": lambda document: missed(document).values(),
    "not-recovered": _not_recovered,
    "slow-recovery": _slow,
    "relapse": _relapsed,
    "trend": _longer,
}
"""Class → what a document says of it. A class of the self-test that no function finds cannot be asked for."""

PARTS: Final[Mapping[str, frozenset[str]]] = {
    "writes": frozenset((*WRITTEN.values(), *DELIVERED.values())),
    "degradation": frozenset(SUFFERED.values()),
    "cache": frozenset({"cache-divergent"}),
    "isolation": frozenset({"isolation"}),
    "objectives": frozenset({"objective"}),
    "recovery": frozenset({"not-recovered", "slow-recovery", "relapse", "trend"}),
}
"""Part → the classes that explain why it fails."""
