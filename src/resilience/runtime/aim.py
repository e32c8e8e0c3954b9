"""Whether what a fault is about to be done to is the part that the plan names. Pure.

A fault says in its undo what will be put back, and so what it will touch; `active` looks at the same. One that prepares
for another target would be seen active there, and survived by anything here: so its undo is compared with the part as
the stack knows it. What an undo does not say cannot be compared.
"""

from collections.abc import Mapping
from typing import Any

from resilience.model import Place, Undo


def missed(place: Place, undo: Undo) -> str:
    """Why a fault would not meet the part; empty if nothing in its undo speaks against it.

    Args:
        place: the part that the plan names.
        undo: as the fault prepared it.
    """
    data: Mapping[str, Any] = undo.data
    compared: dict[str, tuple[object, list[Any]]] = {
        "part": (data.get("part"), [place.name]),
        "address": (_address(data), [(place.host, place.port)]),
        "proxy": (_proxy(data), [(place.control, place.proxy), (place.wire, place.wire_proxy)]),
    }
    wrong = [
        f"its {what} is {_shown(found)}, {_shown(known[0])} was expected"
        for what, (found, known) in compared.items()
        if found is not None and found not in known
    ]
    return f"it would be done to something else than {place.name}: {'; '.join(wrong)}" if wrong else ""


def _address(data: Mapping[str, Any]) -> tuple[object, object] | None:
    """Where the part itself listens, as the undo has it."""
    direct = data.get("direct", (data.get("host"), data.get("port")))
    if not isinstance(direct, list | tuple) or len(direct) != 2 or None in direct:  # noqa: PLR2004 - host and port
        return None
    return (direct[0], direct[1])


def _proxy(data: Mapping[str, Any]) -> tuple[object, object] | None:
    """The proxy in front of it: where that is controlled, and its name."""
    return (data["control"], data["proxy"]) if "control" in data and "proxy" in data else None


def _shown(value: object) -> str:
    return " ".join(str(one) for one in value) if isinstance(value, tuple) else str(value)
