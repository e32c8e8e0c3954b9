"""Experiment files → experiments: everything that is wrong is found and told at once, before anything is touched."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from resilience.errors import SpecError
from resilience.model import (
    Account,
    Capacity,
    Degradation,
    Experiment,
    FaultSpec,
    Ledger,
    Load,
    Observing,
    Operation,
    Problem,
    Recovery,
    Regression,
    Safety,
    Search,
    ServiceLevel,
    StackSpec,
)
from resilience.model.serving import Balance, RateLimit, Scaling
from resilience.model.soak import Soak
from resilience.spec.chaos import NAME
from resilience.spec.checks import Draft, check
from resilience.spec.control import grouped
from resilience.spec.findings import Findings, show
from resilience.spec.k6 import expand, read_thresholds
from resilience.spec.keys import read_block
from resilience.spec.method import check_hypothesis, check_providers, fault_names, faults_known, read_steps
from resilience.spec.schema import validator
from resilience.spec.searches import check_capacity, check_search
from resilience.spec.shapes import ABORT, OBJECTIVE, UNREAD
from resilience.spec.stages import laid_out
from resilience.spec.steps import CheckFault, Placed, names_of
from resilience.spec.subscriptions import with_operations
from resilience.spec.text import join, read_text


def carries_extension(data: object) -> bool:
    """Whether an experiment, as plain data, carries our extension; other files are none of our business."""
    return bool(_own_places(data))


def _any_fault(_spec: FaultSpec, _safety: Safety) -> tuple[Problem, ...]:
    return ()


def parse(content: bytes, name: str, folder: str, check_fault: CheckFault = _any_fault) -> Experiment:
    """Read and check an experiment file.

    Args:
        content: its bytes.
        name: its file name; the ending says whether it is YAML or JSON.
        folder: absolute path of the folder that relative names in it start from.
        check_fault: what is wrong with a fault's kind and settings; who reads files does not know them.

    Raises:
        SpecError: with every problem: path, line, value, what was expected, and what to do.
    """
    source = read_text(content, name)
    if not isinstance(source.data, Mapping):
        raise SpecError(Problem(name, f"{show(source.data)} is not an experiment, which is a mapping", "add title: …"))
    places = _own_places(source.data)
    if not places:
        hint = f"add extensions: [{{name: {NAME}, target: …, load: …}}]"
        raise SpecError(Problem(name, f"carries no extension {NAME!r}, so there is nothing to judge", hint))
    findings = Findings(source)
    findings.add_errors(validator().iter_errors(source.data))
    for path, _ in places[1:]:
        findings.add(path, f"there is an extension {NAME!r} already", "keep one")
    path, own = places[0]
    draft = _draft(source.data, own, path, findings, check_fault)
    check(draft, findings)
    check_providers(source.data, path, draft.safety.allow_modules if draft.safety else (), findings)
    check_hypothesis(source.data, own, path, findings)
    search, capacity = _read_searches(own, path, findings)
    check_search(search, draft.load, [step for _, step in draft.steps], join(path, "search"), findings)
    check_capacity(capacity, draft.load, join(path, "capacity"), findings)
    if findings.problems:
        raise SpecError(findings.problems)
    if draft.load is None or draft.stack is None or draft.recovery is None or draft.safety is None:
        raise AssertionError("a block could not be read, and no problem says why")
    return Experiment(
        title=str(source.data["title"]),
        name=name_of(name),
        digest=hashlib.sha256(content).hexdigest(),
        folder=folder,
        target=str(own["target"]),
        stack=draft.stack,
        load=with_operations(draft.load) or draft.load,
        objectives=tuple(objective for _, objective in draft.objectives),
        ledger=draft.ledger,
        recovery=draft.recovery,
        safety=draft.safety,
        steps=tuple(step for _, step in draft.steps),
        chaos=source.data,
        accounts=tuple(account for _, account in draft.accounts),
        degradation=draft.degradation,
        service_level=draft.service_level,
        regression=draft.regression,
        soak=draft.soak,
        rate_limits=tuple(limit for _, limit in draft.rate_limits),
        balance=draft.balance,
        scaling=draft.scaling,
        search=search,
        capacity=capacity,
        observing=draft.observing,
    )


def _read_searches(own: Mapping[str, Any], path: str, findings: Findings) -> tuple[Search | None, Capacity | None]:
    """The blocks of a search and of a capacity run, if they are there and can be read."""
    read = {
        key: read_block(kind, own[key], join(path, key), findings)
        for key, kind in (("search", Search), ("capacity", Capacity))
        if key in own
    }
    found = {key: value for key, value in read.items() if value is not UNREAD}
    return found.get("search"), found.get("capacity")


def name_of(file_name: str) -> str:
    """An experiment's name: its file's name without folder and ending, as `model.is_name` wants it."""
    stem = file_name.rpartition("/")[2].rpartition(".")[0]
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:63].strip("-") or "experiment"


def _own_places(data: object) -> list[tuple[str, Mapping[str, Any]]]:
    """Our blocks with their paths: one, if all is well."""
    listed = data.get("extensions") if isinstance(data, Mapping) else None
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        return []
    return [
        (join("extensions", index), each)
        for index, each in enumerate(listed)
        if isinstance(each, Mapping) and each.get("name") == NAME
    ]


def _draft(
    chaos: Mapping[str, Any], own: Mapping[str, Any], path: str, findings: Findings, check_fault: CheckFault
) -> Draft:
    """Read whatever can be read."""

    def block(kind: type, key: str) -> Any:  # noqa: ANN401 - a block of that kind, or None
        found = read_block(kind, own[key], join(path, key), findings) if key in own else UNREAD
        return None if found is UNREAD else found

    def inside(key: str, name: str) -> tuple[Any, str]:
        holder = own.get(key)
        return (holder.get(name) if isinstance(holder, Mapping) else None), join(join(path, key), name)

    operations = list(_each(*inside("load", "operations")))
    safety = block(Safety, "safety") if "safety" in own else Safety()
    steps = read_steps(chaos, findings)
    draft = Draft(
        own=own,
        path=path,
        load=grouped(laid_out(block(Load, "load"))),
        stack=block(StackSpec, "stack") if "stack" in own else StackSpec(),
        recovery=block(Recovery, "recovery") if "recovery" in own else Recovery(),
        safety=safety,
        ledger=block(Ledger, "ledger"),
        degradation=block(Degradation, "degradation") or Degradation(),
        service_level=block(ServiceLevel, "service_level") or ServiceLevel(),
        regression=block(Regression, "regression"),
        soak=block(Soak, "soak"),
        rate_limits=_read(
            _each(own.get("rate_limits"), join(path, "rate_limits")),
            lambda value, where: read_block(RateLimit, value, where, findings),
        ),
        balance=block(Balance, "balance"),
        observing=block(Observing, "observe") or Observing(),
        scaling=block(Scaling, "scaling"),
        accounts=_read(
            _each(own.get("accounts"), join(path, "accounts")),
            lambda value, where: read_block(Account, value, where, findings),
        ),
        operations=_read(operations, lambda value, where: read_block(Operation, value, where, findings)),
        objectives=_read(
            _each(own.get("objectives"), join(path, "objectives")),
            lambda value, where: OBJECTIVE.take(value, where, findings),
        ),
        aborts=_read(
            _alone_or_each(*inside("safety", "abort")), lambda value, where: ABORT.take(value, where, findings)
        ),
        names=[str(each.get("name")) for _, each in operations if isinstance(each, Mapping)],
        faults=_names(steps, chaos, findings),
        steps=steps,
        complete=findings.clean("method"),
        check_fault=check_fault,
        chaos=chaos,
    )
    thresholds = read_thresholds(own.get("thresholds"), join(path, "thresholds"), findings)
    there = [phase.name for phase in draft.planned()]
    return replace(draft, objectives=(*draft.objectives, *expand(thresholds, there)))


def _names(steps: Placed, chaos: Mapping[str, Any], findings: Findings) -> tuple[str, ...] | None:
    """The names of faults, if they can be known: from steps that are right, else as far as they stand in the file."""
    if findings.clean("method"):
        return names_of(steps)
    return tuple(dict.fromkeys([*fault_names(chaos), *names_of(steps)])) if faults_known(chaos, findings) else None


def _each(value: Any, path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any JSON
    if isinstance(value, Sequence) and not isinstance(value, str):
        for index, each in enumerate(value):
            yield join(path, index), each


def _alone_or_each(value: Any, path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any JSON
    return iter([(path, value)]) if isinstance(value, str) else _each(value, path)


def _read(items: Any, read: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - items and what reads them
    found = [(where, read(value, where)) for where, value in items]
    return [(where, value) for where, value in found if value is not UNREAD]
