"""What an embedded stack is asked to run, and how one that runs differs from it; pure but for finding the project."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from resilience.codec import encode
from resilience.model import Json, Program, Region, Service, StackSpec
from resilience.stack import parts
from resilience.stack.embedded import project_folder

_NAMES = {
    "service": "its service",
    "bugs": "its TARGET_BUGS",
    "project": "its project folder",
    "programs": "its list of programs",
    "postgres_disk_mb": "its stack.postgres_disk_mb",
    "postgres_replica": "its stack.postgres_replica",
}
"""What must be the same → how it is called."""

_BEFORE: Mapping[str, Json] = {"postgres_disk_mb": 0, "postgres_replica": False}
"""What a stack has that was written down before these keys were."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a stack is asked to run; a kept one serves only who asks for the same, and for no protocol proxy it lacks.

    Attributes:
        service, programs, postgres_disk_mb, postgres_replica: as in `model.StackSpec`.
        bugs: as in `TARGET_BUGS`.
        project: the folder in which commands run.
        wired: parts that need the protocol proxy before them.
        regions: those that need a way of their own to the service.
    """

    service: Service | None
    bugs: str
    project: str
    programs: tuple[Program, ...] = ()
    wired: tuple[str, ...] = ()
    postgres_disk_mb: int = 0
    regions: tuple[Region, ...] = ()
    postgres_replica: bool = False

    @classmethod
    def of(
        cls,
        spec: StackSpec,
        bugs: str,
        experiment_folder: Path | str,
        wired: Sequence[str] = (),
        regions: Sequence[Region] = (),
    ) -> "Wanted":
        """As `EmbeddedStack` takes it."""
        project = str(project_folder(Path(experiment_folder)))
        known = tuple(name for name in parts.WIRED if name in wired)
        far = tuple(region for region in regions if region.latency_s is not None)
        asked = (spec.service, bugs, project, spec.programs, known, spec.postgres_disk_mb, far, spec.postgres_replica)
        return cls(*asked)

    def as_json(self) -> dict[str, Json]:
        """As it stands in the record of a kept stack."""
        mine: dict[str, Json] = json.loads(json.dumps(encode(self)))
        return mine

    def differences(self, record: Mapping[str, Json]) -> list[str]:
        """How the kept stack differs from this, one sentence each."""
        return list(self._differences({**_BEFORE, **record}))

    def _differences(self, record: Mapping[str, Json]) -> Iterator[str]:
        mine = self.as_json()
        for key, named in _NAMES.items():
            if record.get(key) != mine[key]:
                yield f"{named} is {json.dumps(record.get(key))}, but {json.dumps(mine[key])} is wanted"
        # A protocol proxy that nobody gives a rule passes everything on: a run that needs none may have it.
        there = record.get("wired")
        for name in self.wired:
            if not isinstance(there, list) or name not in there:
                yield f"it has no protocol proxy before {name}, and faults of its protocol need one"
        # So does a way that no region uses.
        led = record.get("regions")
        for region in mine["regions"] if isinstance(mine["regions"], list) else ():
            if not isinstance(led, list) or region not in led:
                yield f"it has no such way to the service for a region: {json.dumps(region)}"
