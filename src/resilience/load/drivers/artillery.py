"""Artillery as the driver: an existing script, run as it is, with a plugin of ours that tells of every request.

See `load.scripts.artillery` for what the plugin tells. Only requests by Artillery's HTTP engine are seen.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import yaml

from resilience.load.drivers.script import WHERE, ScriptDriver, find_program
from resilience.model import Json, Problem

VARIABLE = "RESILIENCE_ARTILLERY"
NODE_VARIABLE = "RESILIENCE_NODE"
HINT = "npm install artillery beside the script, or npm install -g artillery, or set RESILIENCE_ARTILLERY to its path"
NODE_HINT = "install Node.js 20 or later, or set RESILIENCE_NODE to its path"
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|msecs?|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)?")
_SEEN = frozenset({"http"})


class ArtilleryDriver(ScriptDriver):
    """Runs a script with Artillery."""

    name: ClassVar[str] = "artillery"

    def look(self) -> tuple[str, Mapping[str, Json], tuple[Problem, ...]]:
        """Find Artillery and Node.js, and read the script: which engines it uses, how long it takes."""
        folders = tuple(folder / "node_modules/.bin" for folder in self._script.parents)
        program = find_program(VARIABLE, "artillery", beside=folders)
        node = find_program(NODE_VARIABLE, "node")
        problems = []
        if not program:
            problems.append(Problem("load.driver", "artillery was not found", HINT))
        if not node:
            problems.append(Problem("load.driver", "node, which runs artillery, was not found", NODE_HINT))
        problems += self._problems()
        path = Path(program).resolve() if program else None
        told: dict[str, Json] = {"node": node, "version": _version(path) if path is not None else ""}
        return str(path or ""), told, tuple(problems)

    def _problems(self) -> list[Problem]:
        try:
            script = yaml.safe_load(self._script.read_bytes())
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            return [Problem(WHERE, f"{self._script} cannot be read: {error}")]
        if not isinstance(script, Mapping):
            return [Problem(WHERE, f"{self._script} is no script of Artillery: it is no mapping")]
        problems = [
            Problem(WHERE, f"its scenarios by the engine {engine} would not be seen", "use engine: http, or driver: k6")
            for engine in engines(script)
            if engine not in _SEEN
        ]
        lasts_s = lasts(script)
        if lasts_s is not None and lasts_s < self._needed_s:
            message = f"the script's phases are over after {lasts_s:g} s, and the experiment takes {self._needed_s:g} s"
            problems.append(Problem(WHERE, message, "let them last longer: what they do beyond the end is cut off"))
        return problems


def _version(program: Path) -> str:
    """What the package says of itself that the program belongs to; empty if it says nothing."""
    try:
        package = json.loads((program.parents[1] / "package.json").read_bytes())
        return f"artillery {package['version']}"
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return ""


def engines(script: Mapping[str, Any]) -> list[str]:
    """The engines of a script's scenarios."""
    scenarios = script.get("scenarios")
    config = script.get("config")
    usual = str(config.get("engine", "http")) if isinstance(config, Mapping) else "http"
    listed = scenarios if isinstance(scenarios, list) else []
    found = [str(one.get("engine", usual)) for one in listed if isinstance(one, Mapping)]
    return list(dict.fromkeys(found))


def lasts(script: Mapping[str, Any]) -> float | None:
    """How long new virtual users arrive, in seconds; None if that cannot be read from the script."""
    config = script.get("config")
    phases = config.get("phases") if isinstance(config, Mapping) else None
    if not isinstance(phases, list) or not phases:
        return None
    total_s = 0.0
    for phase in phases:
        length = phase.get("duration", phase.get("pause")) if isinstance(phase, Mapping) else None
        found = _LENGTH.fullmatch(str(length).strip().lower()) if length is not None else None
        if found is None:
            return None
        total_s += float(found[1]) * _unit_s(found[2] or "s")
    return total_s


def _unit_s(unit: str) -> float:
    if unit.startswith(("ms", "milli")):
        return 1e-3
    return {"s": 1.0, "m": 60.0, "h": 3600.0}[unit[0]]
