"""The truth about writes as a user's Python function yields it, in a process of its own: `asked` is what runs there."""

import json
import sys
from collections.abc import Generator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from resilience.errors import EnvironmentNotReady, RecordError
from resilience.host import commands
from resilience.model import FunctionTruth, Json, Place, Problem

PROGRAM = "resilience.observe.asked"

Row = tuple[str, str, int]


class FunctionReader:
    """Reads entries row by row.

    Args:
        source: which function.
        place: the part that it is to read, if the file names one.
        folder: that the experiment's file is in; modules are looked for there, and in the project's folder.
    """

    def __init__(self, source: FunctionTruth, place: Place | None, folder: str) -> None:
        self._source = source
        self._place = place
        self._folder = Path(folder)

    def facts(self) -> dict[str, str]:
        """What is known of the store without the function: nothing but by what it is read."""
        return {"store": "function", "function": f"{self._source.module}.{self._source.name}"}

    def read(self, prefix: str) -> Generator[Row, None, None]:
        """All entries whose id starts with the prefix.

        Raises:
            RecordError: the function is not there, raises, takes too long, or yields something else.
        """
        argv = (sys.executable, "-m", PROGRAM)
        said, count = json.dumps(self._order(prefix)).encode(), 0
        try:
            with closing(commands.lines(argv, said=said, timeout_s=self._source.timeout_s)) as lines:
                for line in lines:
                    found = json.loads(line)
                    if isinstance(found, list):
                        count += 1
                        if found[0].startswith(prefix):
                            yield found[0], found[1], found[2]
                    elif "error" in found:
                        raise self._problem(str(found["error"]), "the truth is what it yields: (id, body, position)")
                    elif found.get("rows") == count:
                        return
            raise self._problem(f"ended after {count:,} rows without saying that they are all", "does it exit?")
        except EnvironmentNotReady as error:
            raise self._problem(str(error), "raise timeout if it needs longer") from None
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise self._problem(f"said something that is no row: {error}", "") from None

    def _order(self, prefix: str) -> Mapping[str, Json]:
        above = [self._folder, *self._folder.parents]
        project = next((each for each in above if (each / "pyproject.toml").exists()), self._folder)
        return {
            "module": self._source.module,
            "name": self._source.name,
            "arguments": self._source.arguments,
            "prefix": prefix,
            "place": None if self._place is None else _addresses(self._place),
            "folders": [str(self._folder), str(project)],
            "timeout_s": self._source.timeout_s,
        }

    def _problem(self, message: str, hint: str) -> RecordError:
        return RecordError(Problem(f"{self._source.module}.{self._source.name}", message, hint))


def _addresses(place: Place) -> dict[str, Any]:
    """Where the part is itself, not the proxy in front of it; passwords are in the files that it names."""
    return {
        "name": place.name,
        "host": place.host,
        "port": place.port,
        "url": place.url,
        "dsn": place.dsn,
        "passfile": place.passfile,
    }
