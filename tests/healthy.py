"""One short run against the healthy target, with what only someone who looks while it runs can know."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resilience.host import processes
from tests.program import Done, Program, left_of, short, words_of


@dataclass(frozen=True)
class Healthy:
    """A run that is over.

    Attributes:
        secrets: passwords of its stack, as they were on disk while it ran.
        seen: what others could see while it ran: command lines of its processes, and its debt book.
        left: what is left of it on this machine.
    """

    program: Program
    done: Done
    record: Path
    secrets: tuple[str, ...]
    seen: bytes
    left: tuple[str, ...]

    def json(self, name: str) -> Any:
        """A JSON document of the record."""
        return json.loads((self.record / name).read_bytes())


def run_healthy(program: Program) -> Healthy:
    """Run it."""
    started = program.run(short())
    started.until_event("fault-confirmed", "service-killed", within_s=90)
    owed = started.owed()
    folder = Path(owed["stack.embedded"]["folder"])
    lines = [line for path in folder.glob("*.pgpass") for line in path.read_text().split()]
    secrets = {line.rpartition(":")[2] for line in lines}
    secrets.add((folder / "redis.password").read_text().strip())
    tags = [str(owed[kind]["tag"]) for kind in ("stack.embedded", "load.process")]
    seen = [words_of(one) for tag in tags for one in processes.tagged(tag)]
    seen += [path.read_bytes() for path in (program.state / "debts").iterdir()]
    done = started.done(90)
    return Healthy(program, done, started.record, tuple(secrets), b"\n".join(seen), tuple(left_of(owed)))
