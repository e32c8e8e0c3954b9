"""What must appear in nothing that is written: tokens and passwords that a load uses. Pure.

Captured values count as secret if an operation sends them in a header, or if they are called like one; so do columns
and fields of test data, and members of answers that are checked, which are called like one; tokens always do.
"""

import re
from collections.abc import Iterable, Sequence

from resilience.load.captures import JSON
from resilience.model import Load, Operation
from resilience.record.redact import INSTEAD, SHORTEST, Redactor
from resilience.spec.journeys import CAPTURED, TOKEN
from resilience.spec.segments import placeholders

_CALLED = re.compile(r"token|secret|passw|credential|session|cookie|auth|api.?key|bearer|jwt", re.IGNORECASE)
_HELD = re.compile(r"\$\{([^}]*)\}")


def secret_names(load: Load) -> frozenset[str]:
    """The names of a load whose values are secret."""
    in_headers = {name for operation in load.operations for name in _in_headers(operation)}
    return frozenset(
        name
        for name in placeholders(load)
        if name.startswith(TOKEN)
        or (name.startswith(CAPTURED) and name in in_headers)
        or ("." in name and _CALLED.search(name.partition(".")[2]))
    )


def secret_places(load: Load) -> tuple[tuple[str, ...], ...]:
    """Where the answers to each operation hold what is secret: what is captured as such, and what is called so."""
    names = secret_names(load)
    found: dict[str, dict[str, None]] = {operation.name: {} for operation in load.operations}
    for operation in load.operations:
        called = (path for path in operation.expect.json if _CALLED.search(path))
        found[operation.name] |= dict.fromkeys(f"{JSON}{path}" for path in called)
    for token in load.tokens:
        if token.operation:
            found[token.operation][token.take] = None
    for journey in load.journeys:
        for step in journey.steps:
            secret = (place for name, place in step.capture.items() if f"{CAPTURED}{name}" in names)
            found[step.operation] |= dict.fromkeys(secret)
    return tuple(tuple(places) for places in found.values())


def concealed(detail: str, secrets: Sequence[str]) -> str:
    """A detail without secrets, and without the beginning of one where it was cut."""
    if not secrets:
        return detail
    detail = Redactor(secrets).text(detail)
    if any(len(secret) >= SHORTEST and secret[:SHORTEST] in detail for secret in secrets):
        return f"{detail.partition(':')[0]}: {INSTEAD}"
    return detail


def in_headers(operations: Iterable[Operation]) -> frozenset[str]:
    """The names that are sent in headers."""
    return frozenset(name for operation in operations for name in _in_headers(operation))


def fit_for_header(text: str) -> bool:
    """Whether a text can stand in a header: printable ASCII, and something of it."""
    return bool(text) and text.isascii() and text.isprintable()


def _in_headers(operation: Operation) -> Iterable[str]:
    return (name for text in operation.headers.values() for name in _HELD.findall(text))
