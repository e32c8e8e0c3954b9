"""What a load by a script of k6 or Artillery may say, and what cannot be known of it. Pure.

Such a script decides what is sent and when. What it does not tell cannot be judged, so an experiment that asks for it
is refused here, before anything runs: writes that nobody keeps account of, answers whose headers nobody saw.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from resilience.model import AbortWhen, Load, Objective
from resilience.spec.findings import Findings, show
from resilience.spec.text import join

ENDINGS: Mapping[str, tuple[str, ...]] = {
    "k6": (".js", ".mjs", ".ts", ".tar"),
    "artillery": (".yml", ".yaml", ".json"),
}
"""The programs that run scripts, and how the names of these end."""

ALLOWED = ("driver", "script", "environment", "base_url_as", "warm_up", "baseline")
"""What a block `load` with a script may hold."""

ONLY_WITH_SCRIPT = ("script", "environment", "base_url_as")
UNTOLD = ("degraded", "shed")
"""Metrics for which an answer's headers or body must be known."""

RESERVED = ("K6_", "ARTILLERY_", "NODE_", "RESILIENCE_", "LD_")
"""How variables begin that would change the program rather than reach the script."""


def check_script(own: Mapping[str, Any], load: Load | None, path: str, findings: Findings) -> None:
    """Note what does not fit between a driver, its script, and the rest of our block.

    Args:
        own: our block as it stands in the file.
        load: as it was read; None if it could not be.
        path: of our block.
        findings: take what is wrong.
    """
    given = own.get("load")
    if not isinstance(given, Mapping):
        return
    where = join(path, "load")
    driver = given.get("driver", "locust")
    if driver not in ENDINGS:
        _without(given, where, findings)
        return
    _check_given(given, driver, where, findings)
    if load is not None:
        for name in (*load.environment, load.base_url_as):
            if name.startswith(RESERVED):
                message = f"{show(name)} would change the program and not reach the script"
                findings.add(join(where, "environment"), message, "choose another name")
    for key in ("ledger", "accounts"):
        if own.get(key):
            message = f"nothing keeps account of the writes of a script of {driver}, so no loss could be told"
            findings.add(join(path, key), message, "remove it, or send the writes with driver: locust")
    degradation = own.get("degradation")
    if isinstance(degradation, Mapping) and degradation.get("breakers"):
        message = f"{driver} does not tell which answers were fallbacks, so no circuit breaker could be seen"
        findings.add(join(join(path, "degradation"), "breakers"), message, "remove it, or use driver: locust")


def _check_given(given: Mapping[str, Any], driver: str, where: str, findings: Findings) -> None:
    script = given.get("script")
    if script is None:
        example = f"add script: path/to/script{ENDINGS[driver][0]}"
        findings.add(join(where, "script"), f"is missing: {driver} runs a script", example)
    elif not str(script).endswith(ENDINGS[driver]):
        message = f"{show(script)} is no script of {driver}; its name ends with {' or '.join(ENDINGS[driver])}"
        findings.add(join(where, "script"), message)
    for key in given:
        if key not in ALLOWED:
            message = f"says nothing here: the script of {driver} decides what is sent and when"
            findings.add(join(where, str(key)), message, "remove it, or use driver: locust")


def check_told(load: Load | None, objectives: Iterable[tuple[str, Objective | AbortWhen]], findings: Findings) -> None:
    """Note objectives and abort conditions for which a script's driver has no data."""
    if load is None or load.driver not in ENDINGS:
        return
    for path, objective in objectives:
        if objective.aggregate in UNTOLD:
            message = (
                f"{show(objective.expression)} could never be judged: {load.driver} does not tell which answers "
                f"were {objective.aggregate}"
            )
            findings.add(path, message, "remove it, or use driver: locust")


def known_operation(load: Load | None, name: str, names: Sequence[str]) -> bool:
    """Whether an objective may be about an operation; which ones a script has is known when it has run."""
    return name in {"all", *names} or (load is not None and load.driver in ENDINGS)


def _without(given: Mapping[str, Any], where: str, findings: Findings) -> None:
    for key in ONLY_WITH_SCRIPT:
        if key in given:
            message = "is for the drivers that run scripts"
            findings.add(join(where, key), message, f"add driver: {' or '.join(ENDINGS)}, or remove it")
    if "operations" not in given:
        findings.add(join(where, "operations"), "is missing: nothing says what to send", "add operations: [{name: …}]")
