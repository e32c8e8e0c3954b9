"""Whether the program that an undo is about still runs: what was only in its memory is gone with it."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from resilience.faults import process
from resilience.host import processes
from resilience.model import Identity, Json, Place


def known(place: Place) -> dict[str, Json]:
    """What an undo must say about a part for `gone`."""
    return {
        "part": place.name,
        "state": place.state,
        "identity": None if place.identity is None else asdict(place.identity),
    }


def gone(data: Mapping[str, Any]) -> bool:
    """Whether it is known not to run any more: its stack was taken down, or its process has ended."""
    if data["state"]:
        now = process.recorded(data["state"], data["part"])
        return now is None or not processes.alive(now)
    return data["identity"] is not None and not processes.alive(Identity(**data["identity"]))
