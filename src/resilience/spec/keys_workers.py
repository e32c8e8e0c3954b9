"""Keys of the workers that carry a load, and how their short form is read."""

from collections.abc import Mapping
from typing import Any

from resilience.model import Json, Workers
from resilience.spec.findings import Findings
from resilience.spec.key import Key, block
from resilience.spec.shapes import LENGTH, UNREAD, Shape, count

AUTO = "auto"
_MOST = 64


def _written(local: int | None) -> int | str:
    return AUTO if local is None else local


def _local(value: Any, _path: str, _findings: Findings) -> int | None:  # noqa: ANN401 - as Shape.read
    return None if value == AUTO else int(value)


def _workers(value: Any, path: str, findings: Findings) -> Any:  # noqa: ANN401 - as Shape.read
    if isinstance(value, Mapping):
        return block(Workers).read(value, path, findings)
    if not findings.clean(path):
        return UNREAD
    return Workers(local=_local(value, path, findings))


_COUNT: dict[str, Json] = {
    "type": ["integer", "string"],
    "minimum": 0,
    "maximum": _MOST,
    "pattern": f"^{AUTO}$",
    "title": f"number of workers, or {AUTO}",
    "examples": [AUTO],
}
WORKERS = Shape(
    {
        "title": "workers",
        "if": {"type": "object"},
        "then": {"$ref": "#/$defs/Workers"},
        "else": {**_COUNT, "minimum": 1},
        "examples": [AUTO],
    },
    _workers,
    lambda value: _written(value.local),
    whole=False,
)

WORKER_KEYS: Mapping[type, tuple[Key, ...]] = {
    Workers: (
        Key(
            "local",
            "local",
            Shape({**_COUNT}, _local, _written),
            "Processes on this machine; auto is as many as the planned rate needs.",
        ),
        Key("remote", "remote", count(0, _MOST), "Workers on other hosts: `resilience worker --connect` there."),
        Key("wait", "wait_s", LENGTH, "How long all of them are waited for before anything begins."),
        Key(
            "listen",
            "listen",
            Shape(
                {
                    "type": "string",
                    "pattern": r"^(\[[0-9a-fA-F:.]+\]|[^\s:\[\]]+):[0-9]{1,5}$",
                    "title": "address with a port",
                    "examples": ["10.0.0.1:5557"],
                }
            ),
            "Where they join: an address of this machine, and a port. Not encrypted: tunnel it.",
        ),
    ),
}
