"""Whether the clients of the load sent each operation once, as far as that was tried.

A client that tries again by itself hides failures from every figure, and a write that it repeats is the client's doing.
The load process tries its own clients against servers that fail (`load.selfcheck`), and tells of it in its account. The
header of a record says whether that was promised: older records, and those of somebody's script, promise nothing.
"""

from collections.abc import Iterator, Mapping

from resilience.judge.case import Case
from resilience.judge.generator import account_of
from resilience.model import EventKind, Json

PROMISE = "self_check"
WHO = "the generator, not the target:"


def once_problems(case: Case) -> Iterator[str]:
    """What keeps the load from being believed."""
    if not _promised(case):
        return
    told = account_of(case).get(PROMISE)
    for protocol in _protocols(case):
        found = told.get(protocol) if isinstance(told, Mapping) else None
        counts = _counts(found)
        if counts is None:
            yield f"{WHO} it was not shown that its {protocol} client sends each operation once"
            continue
        asked, once, again = counts
        if again:
            yield f"{WHO} its {protocol} client tries again by itself, {again} of {asked} times{_example(found)}"
        elif once < asked:
            yield f"{WHO} of {asked} calls by which its {protocol} client was tried, {asked - once} were never sent"


def once_words(case: Case) -> list[str]:
    """Of which clients it is known that they send once, and of which it is not."""
    if not _promised(case):
        return []
    told = account_of(case).get(PROMISE)
    known = {name: _counts(told.get(name) if isinstance(told, Mapping) else None) for name in _protocols(case)}
    tried = [f"{name} ({counts[0]} calls)" for name, counts in known.items() if counts and counts[0]]
    untried = [name for name, counts in known.items() if counts and not counts[0]]
    words = [f"each operation was sent once by the clients of {', '.join(tried)} when they were tried"] if tried else []
    return [*words, *(f"whether the client of {name} sends each operation once was not tried" for name in untried)]


def _promised(case: Case) -> bool:
    headers = [event.detail for event in case.record.events if event.kind is EventKind.HEADER]
    promises = headers[0].get("promises", ()) if headers else ()
    return isinstance(promises, list | tuple) and PROMISE in promises


def _protocols(case: Case) -> list[str]:
    return sorted({operation.protocol for operation in case.record.experiment.load.operations})


def _counts(found: object) -> tuple[int, int, int] | None:
    """Calls made, sent once, sent more than once; None if they cannot be read."""
    if not isinstance(found, Mapping):
        return None
    counts = [found.get(name) for name in ("asked", "once", "again")]
    asked, once, again = (
        one if isinstance(one, int) and not isinstance(one, bool) and one >= 0 else -1 for one in counts
    )
    return None if min(asked, once, again) < 0 or once + again > asked else (asked, once, again)


def _example(found: object) -> str:
    examples: Json = found.get("examples") if isinstance(found, Mapping) else None
    return f" ({examples[0]})" if isinstance(examples, list | tuple) and examples else ""
