"""What must be alike for two runs to be comparable, and what of it differs.

A comparison of runs under different conditions answers another question than the one asked: what looks like a slower
service was a heavier load, or another machine. So what differs is either a reason to refuse, or told beside the answer;
it is never left out.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from resilience.codec import encode
from resilience.columns import Record
from resilience.model import EventKind, Experiment, FaultSpec, Json

_TOLD = ("file", "versions.")
"""What may differ and is told: what the file says else, and versions of what is between."""

_OF_LOAD = (
    *("rate", "users", "think", "stages", "arrivals", "max_in_flight", "keys", "zipf", "skew", "data", "feeder"),
    *("tenants", "regions", "journeys", "tokens", "subscriptions", "script", "driver"),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two runs.

    Attributes:
        what: name of the condition: `load.rate`, `machine.cores`.
        before, after: as they were, in words.
        refused: whether a comparison means nothing because of it.
    """

    what: str
    before: str
    after: str
    refused: bool

    def __str__(self) -> str:
        """For people."""
        return f"{self.what}: {self.before} before, {self.after} after"


def conditions(record: Record) -> dict[str, Json]:
    """Everything that comparing depends on, in short: plain values as they are, everything else as a digest."""
    experiment = record.experiment
    header = next((event.detail for event in record.events if event.kind is EventKind.HEADER), {})
    found: dict[str, Json] = {
        "experiment": experiment.name,
        "target": experiment.target,
        "stack": record.stack,
        "service": digest(encode(experiment.stack)),
        "file": experiment.digest[:12],
    }
    found |= {f"load.{name}": _short(encode(getattr(experiment.load, name))) for name in _OF_LOAD}
    found |= {f"operation.{one.name}": f"{one.weight:g} · {digest(encode(one))}" for one in experiment.load.operations}
    found |= {f"fault.{one.of or one.name}": digest(_of_fault(one)) for one in experiment.faults}
    found["method"] = ", ".join(_lengths(experiment))
    for group in ("machine", "versions"):
        told = header.get(group)
        if isinstance(told, Mapping):
            found |= {f"{group}.{name}": _short(value) for name, value in sorted(told.items())}
    return found


def _of_fault(fault: FaultSpec) -> Json:
    return {"kind": fault.kind, "on": fault.on, "settings": encode(fault.settings), "duration": fault.duration_s}


def _lengths(experiment: Experiment) -> list[str]:
    load = experiment.load
    held = [f"{fault.name} {fault.duration_s:g} s" for fault in experiment.faults]
    return [f"baseline {load.baseline_s:g} s", *held]


def digest(value: Json) -> str:
    """Twelve hexadecimal characters that differ if the value does."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _short(value: Json) -> Json:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return digest(value) if value else ""


def differences(before: Mapping[str, Json], after: Mapping[str, Json]) -> list[Difference]:
    """What differs, refusals first. A condition that only one of them knows differs, too: nothing is known of it."""
    found = [
        Difference(name, _words(before, name), _words(after, name), refused=not name.startswith(_TOLD))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name) or (name in before) != (name in after)
    ]
    return sorted(found, key=lambda one: (not one.refused, one.what))


def _words(where: Mapping[str, Json], name: str) -> str:
    value = where.get(name)
    return "not known" if name not in where else "none" if value in (None, "") else str(value)
