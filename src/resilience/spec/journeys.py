"""Whether journeys and tokens fit together with operations and tenants, and what they let operations hold. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from resilience.model import Journey, Load, Operation, Segment, Token
from resilience.spec.findings import Findings, did_you_mean, show
from resilience.spec.method import is_allowed, texts_in
from resilience.spec.text import join

CAPTURED, TOKEN = "captured.", "token."
"""What names of captured values and of tokens begin with."""

_NAME = re.compile(r"\$\{([^}]*)\}|%\(([^)]*)\)s")


def names_used(operation: Operation) -> frozenset[str]:
    """The names that an operation holds anywhere, by whatever protocol it is sent."""
    found = (match for _, text in texts_in(asdict(operation), "") for match in _NAME.finditer(text))
    return frozenset(match[1] or match[2] or "" for match in found)


def journey_names(load: Load | None) -> tuple[str, ...]:
    """What templates may hold because of the load's journeys and tokens."""
    if load is None:
        return ()
    captured = dict.fromkeys(f"{CAPTURED}{name}" for journey in load.journeys for name in journey.captures)
    return (*captured, *(f"{TOKEN}{token.name}" for token in load.tokens))


def token_variables(token: Token, tenants: Sequence[Segment]) -> list[tuple[int, str]]:
    """(owner, environment variable) of a token that is in the environment: −1 for all together, or place of tenant."""
    if not token.env:
        return []
    if token.per != "tenant":
        return [(-1, token.env)]
    return [(place, f"{token.env}_{one.name.upper().replace('-', '_')}") for place, one in enumerate(tenants)]


def first_operations(load: Load) -> Iterator[int]:
    """The number of the operation that each journey begins with."""
    numbers = {operation.name: number for number, operation in enumerate(load.operations)}
    return (numbers[journey.first] for journey in load.journeys)


def shares(load: Load) -> dict[str, float]:
    """The share of the arrivals that each journey has."""
    total = sum(one.weight for one in load.operations) + sum(one.weight for one in load.journeys)
    return {journey.name: journey.weight / total for journey in load.journeys}


def operations_per_arrival(load: Load) -> float:
    """How many operations an arrival has in the mean, if all goes well; of a function's journey only one is known."""
    share = shares(load)
    return 1.0 + sum(share[one.name] * (len(one.steps) - 1) for one in load.journeys if one.steps)


def check_journeys(load: Load, path: str, allow: Sequence[str], findings: Findings) -> None:
    """Note what does not fit.

    Args:
        load: as read.
        path: where it stands.
        allow: further modules that the file may name.
        findings: takes what is wrong.
    """
    operations = {operation.name: operation for operation in load.operations}
    used = {name: names_used(operation) for name, operation in operations.items()}
    taken = set(operations)
    for index, journey in enumerate(load.journeys):
        where = f"{join(path, 'journeys')}[{index}]"
        if journey.name in taken:
            message = f"there is an operation or journey {journey.name!r} already"
            findings.add(join(where, "name"), message, "choose another name")
        taken.add(journey.name)
        _check_journey(journey, where, used, allow, findings)
    for index, token in enumerate(load.tokens):
        _check_token(token, load, f"{join(path, 'tokens')}[{index}]", used, findings)
        if any(token.name == other.name for other in load.tokens[:index]):
            where = join(f"{join(path, 'tokens')}[{index}]", "name")
            findings.add(where, f"there is a token {token.name!r} already", "choose another name")
    _check_weights(load, path, used, findings)


def _check_journey(
    journey: Journey, path: str, used: Mapping[str, frozenset[str]], allow: Sequence[str], findings: Findings
) -> None:
    if (journey.function is None) == (not journey.steps):
        message = "a journey has steps, or a function that decides on them"
        findings.add(path, message, "write one of the two")
    captured: set[str] = set()
    for place, step in enumerate(journey.steps):
        where = f"{join(path, 'steps')}[{place}]"
        _check_known(step.operation, used, join(where, "operation"), findings)
        for name in sorted(used.get(step.operation, ())):
            if name.startswith(CAPTURED) and name.removeprefix(CAPTURED) not in captured:
                message = f"{step.operation!r} holds ${{{name}}}, which no step before it captures"
                hint = f"write capture: {{{name.removeprefix(CAPTURED)}: 'json:…'}} at an earlier step"
                findings.add(where, message, hint)
        captured |= set(step.capture)
    if journey.steps and journey.steps[0].think is not None:
        findings.add(join(f"{join(path, 'steps')}[0]", "think"), "nothing is before the first step", "remove it")
    if (function := journey.function) is not None:
        where = join(path, "function")
        _check_known(function.first, used, join(where, "first"), findings)
        if not function.name.isidentifier():
            message = f"{show(function.name)} is no name of a function"
            findings.add(join(where, "name"), message, "write its name alone")
        if not is_allowed(function.module, allow):
            message = f"the module {function.module!r} is not allowed"
            findings.add(join(where, "module"), message, "add it to safety.allow_modules")
        if "client" in function.arguments:
            findings.add(join(where, "arguments"), "client is given by us", "use another name")


def _check_known(name: str, used: Mapping[str, frozenset[str]], path: str, findings: Findings) -> None:
    if name not in used:
        findings.add(path, f"{name!r} is no operation of this file", did_you_mean(name, list(used)))


def _check_token(token: Token, load: Load, path: str, used: Mapping[str, frozenset[str]], findings: Findings) -> None:
    if bool(token.operation) == bool(token.env):
        message = "a token is got by an operation, or is in an environment variable"
        findings.add(path, message, "write operation and take, or env")
    if bool(token.operation) != bool(token.take):
        findings.add(
            path, "operation and take, which says where its answer has the token, need each other", "write both"
        )
    if token.operation:
        _check_known(token.operation, used, join(path, "operation"), findings)
        needs = [name for name in used.get(token.operation, ()) if name.startswith((TOKEN, CAPTURED))]
        if needs:
            message = f"{token.operation!r} gets a token and holds ${{{needs[0]}}} itself"
            findings.add(join(path, "operation"), message, "name one that needs nothing but what the file has")
    if token.per == "tenant" and not load.tenants:
        findings.add(join(path, "per"), "there are no tenants", "add tenants to load")
    if token.per == "key" and token.env:
        findings.add(join(path, "per"), "a variable for each key is too many", "write per: tenant or per: run")


def _check_weights(load: Load, path: str, used: Mapping[str, frozenset[str]], findings: Findings) -> None:
    sent = {step.operation for journey in load.journeys for step in journey.steps}
    sent |= {token.operation for token in load.tokens}
    free = any(journey.function is not None for journey in load.journeys)
    if not load.journeys and not any(operation.weight > 0 for operation in load.operations):
        findings.add(join(path, "operations"), "no operation has a weight above 0", "give one a weight")
        return
    for index, operation in enumerate(load.operations):
        where = f"{join(path, 'operations')}[{index}]"
        if operation.weight == 0 and operation.name not in sent and not free and not operation.subscription:
            message = f"{operation.name!r} is never sent: its weight is 0, and no journey has it"
            findings.add(join(where, "weight"), message, "give it a weight, or make it a step of a journey")
        alone = [name for name in used[operation.name] if name.startswith(CAPTURED)]
        if operation.weight > 0 and alone:
            message = f"{operation.name!r} holds ${{{alone[0]}}}, which only journeys have"
            findings.add(join(where, "weight"), message, "write weight: 0, and make it a step of a journey")
