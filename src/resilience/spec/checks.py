"""What a JSON Schema cannot say: whether the parts of an experiment fit together.

Each check notes what it finds and goes on, with whatever could be read of a file that is partly wrong.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from resilience.model import (
    COMPARED_S,
    AbortWhen,
    Account,
    Degradation,
    Json,
    Ledger,
    Load,
    Objective,
    Observing,
    Operation,
    PhaseName,
    PlannedPhase,
    Recovery,
    Regression,
    Role,
    Safety,
    ServiceLevel,
    StackSpec,
    Step,
)
from resilience.model.serving import Balance, RateLimit, Scaling
from resilience.model.soak import Soak
from resilience.spec.accounts import account_of, check_accounts, may_hold, met, needed
from resilience.spec.control import check_control
from resilience.spec.degradation import About, check_degradation, check_marks
from resilience.spec.durations import format_duration
from resilience.spec.findings import Findings, did_you_mean, show
from resilience.spec.journeys import check_journeys
from resilience.spec.lasting import check_lasting, check_measure
from resilience.spec.levels import check_levels, check_profile
from resilience.spec.method import texts_in
from resilience.spec.observing import check_observing
from resilience.spec.overlaps import check_overlaps
from resilience.spec.phases import phases
from resilience.spec.scripts import ENDINGS, check_script, check_told, known_operation
from resilience.spec.segments import check_about, check_segments, check_ways, placeholders, ways
from resilience.spec.serving import check_balance, check_rate_limits, check_scaling
from resilience.spec.soak import check_soak
from resilience.spec.steps import (
    CheckFault,
    check_judged,
    check_kinds,
    check_lengths,
    check_names,
    check_order,
    check_parts,
    check_programs,
)
from resilience.spec.stores import check_sent, check_stores, stored
from resilience.spec.subscriptions import check_exchange, check_subscriptions, exchanged
from resilience.spec.subscriptions import names_of as names_of_subscriptions
from resilience.spec.text import join
from resilience.spec.truths import check_ledger
from resilience.spec.workers import check_workers

PLACEHOLDERS: Mapping[Role, tuple[str, ...]] = {
    Role.READ: ("key",),
    Role.WRITE: ("key", "write_id", "write_body"),
    Role.READ_BACK: ("key", "acked_id"),
}
"""What the templates of an operation may hold."""

NEEDED: Mapping[Role, Mapping[str, str]] = {
    Role.READ: {},
    Role.WRITE: {
        "write_id": "without it nothing that is stored can be told from anything else",
        "write_body": "without it nobody could tell whether what is stored is intact",
    },
    Role.READ_BACK: {"acked_id": "it reads what was acknowledged"},
}
"""What the request of an operation must hold, and why."""

_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}?")
_ROUNDING_S = 1e-6  # sums of lengths are floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An experiment file as far as it could be read.

    Attributes:
        own: our block as it stands in the file.
        path: where it stands.
        load, stack, recovery, safety, ledger: None if unreadable, or not there.
        operations, objectives, aborts: those that are right, with their paths.
        names: the names of all operations, right or wrong.
        faults: every name by which a fault may be spoken of; None if some could not be read.
        check_fault: knows kinds of fault and their settings.
        steps: those that are right, with their paths.
        complete: whether all steps could be read.
        accounts: of the ledger, those that are right, with their paths.
        degradation, service_level, regression: as far as they could be read.
        chaos: the whole file.
    """

    own: Mapping[str, Any]
    path: str
    load: Load | None
    stack: StackSpec | None
    recovery: Recovery | None
    safety: Safety | None
    ledger: Ledger | None
    operations: Sequence[tuple[str, Operation]]
    objectives: Sequence[tuple[str, Objective]]
    aborts: Sequence[tuple[str, AbortWhen]]
    names: Sequence[str]
    faults: Sequence[str] | None
    steps: Sequence[tuple[str, Step]]
    complete: bool
    check_fault: CheckFault
    chaos: Mapping[str, Json]
    accounts: Sequence[tuple[str, Account]] = ()
    degradation: Degradation = field(default_factory=Degradation)
    service_level: ServiceLevel = field(default_factory=ServiceLevel)
    observing: Observing = field(default_factory=Observing)
    regression: Regression | None = None
    soak: Soak | None = None
    rate_limits: Sequence[tuple[str, RateLimit]] = ()
    balance: Balance | None = None
    scaling: Scaling | None = None

    def at(self, *keys: str) -> str:
        """A path inside our block."""
        path = self.path
        for key in keys:
            path = join(path, key)
        return path

    def planned(self) -> tuple[PlannedPhase, ...]:
        """The phases, if enough could be read to know them; else nothing."""
        if self.load is None or not self.complete:
            return ()
        return phases(self.load, [step for _, step in self.steps], self.chaos)


def check(draft: Draft, findings: Findings) -> None:
    """Note everything that does not fit together."""
    _check_load(draft, findings)
    for path, operation in draft.operations:
        _check_operation(path, operation, draft, findings)
        check_marks(path, operation, findings)
    about = About([operation for _, operation in draft.operations], draft.stack, draft.faults)
    check_degradation(draft.degradation, draft.at("degradation"), about, findings)
    _check_ledger(draft, findings)
    _check_steps(draft, findings)
    _check_lengths(draft, findings)
    for path, objective in draft.objectives:
        _check_objective(path, objective, draft, findings)
    for path, condition in draft.aborts:
        _check_objective(path, condition, draft, findings)
    _check_promises(draft, findings)
    given = draft.own.get("stack", {})
    if draft.stack is not None:
        check_programs(draft.stack, draft.at("stack", "programs"), findings)
    if draft.stack is not None and draft.stack.use == "embedded" and "service" not in given:
        hint = "add service: {command: [python, -m, …]}"
        findings.add(draft.at("stack", "service"), "is missing: an embedded stack starts the target itself", hint)


def _check_promises(draft: Draft, findings: Findings) -> None:
    planned = draft.planned()
    check_observing(draft.observing, draft.at("observe"), (draft.stack, draft.faults, planned), findings)
    check_soak(draft.soak, draft.at("soak"), draft.names, planned, findings)
    check_rate_limits(draft.rate_limits, draft.load, planned, findings)
    check_balance(draft.balance, draft.at("balance"), (draft.load, draft.stack), planned, findings)
    check_scaling(draft.scaling, draft.at("scaling"), draft.load, findings)


def repeated(names: Sequence[str]) -> Iterator[int]:
    """The places at which a name stands that stood before."""
    seen = set()
    for index, name in enumerate(names):
        if name in seen:
            yield index
        seen.add(name)


def _check_load(draft: Draft, findings: Findings) -> None:
    load = draft.load
    check_script(draft.own, load, draft.path, findings)
    check_told(load, (*draft.objectives, *draft.aborts), findings)
    if load is not None and load.driver not in ENDINGS:
        given: Any = draft.own.get("load")
        check_levels(load, given if isinstance(given, Mapping) else {}, draft.at("load"), findings)
        check_profile(load, draft.planned(), draft.at("load"), findings)
        check_segments(load, draft.at("load"), findings)
        check_workers(load, [account for _, account in draft.accounts], draft.at("load"), findings)
        check_ways(load, draft.stack, draft.at("load"), findings)
        own = isinstance(given, Mapping) and bool(given.get("regions"))
        check_control(load, draft.at("load"), findings, own_regions=own)
        allow = draft.safety.allow_modules if draft.safety is not None else ()
        check_journeys(load, draft.at("load"), allow, findings)
    check_subscriptions(load, draft.accounts, draft.operations, draft.at("load"), findings)
    for index in repeated(draft.names):
        path = join(f"{draft.at('load', 'operations')}[{index}]", "name")
        findings.add(path, f"there is an operation {draft.names[index]!r} already", "choose another name")


def _check_operation(path: str, operation: Operation, draft: Draft, findings: Findings) -> None:
    if operation.name == "all":
        findings.add(join(path, "name"), "'all' stands for all operations", "choose another name")
    request: dict[str, Json] = {
        "path": operation.path,
        "headers": operation.headers,
        "json": operation.json,
    }
    account = account_of(operation, [one for _, one in draft.accounts]) if operation.role is not Role.READ else None
    allowed = (*may_hold(operation.role, account, PLACEHOLDERS[operation.role]), *placeholders(draft.load))
    sent = set(_placeholders(request, join(path, "request"), operation.role, allowed, findings))
    sent |= _sent_to_store(path, operation, draft, allowed, findings)
    check_exchange(path, operation, findings)
    check_lasting(path, operation, draft.stack, allowed, findings)
    sent |= set(_placeholders(exchanged(operation), join(path, "websocket"), operation.role, allowed, findings))
    answers: dict[str, Json] = {
        "expect": {"json": operation.expect.json},
        "degraded": {"json": operation.degraded.json},
    }
    for key, answer in answers.items():
        list(_placeholders(answer, join(path, key), operation.role, allowed, findings))
    for name, why in (needed(operation, account) if account else NEEDED[operation.role]).items():
        if not met(name, sent):
            message = f"the {operation.role} {operation.name!r} does not send ${{{name}}}"
            findings.add(join(path, "request"), message, f"put it in: {why}")
    if operation.role is Role.WRITE and not operation.account and "ledger" not in draft.own:
        message = f"the operation {operation.name!r} writes, but nothing says where the truth about writes is"
        findings.add(draft.at("ledger"), message, "add ledger: {truth: …}")


def _sent_to_store(
    path: str, operation: Operation, draft: Draft, allowed: Sequence[str], findings: Findings
) -> set[str]:
    """The names that what a store is asked directly holds; whatever is wrong with it is noted."""
    check_sent(path, operation, findings)
    sent = check_stores(path, operation, draft.load.tenants if draft.load else None, allowed, findings)
    for one, where in stored(operation, path):
        list(_placeholders(one, where, operation.role, allowed, findings))
    command: dict[str, Json] = {"command": operation.redis.command} if operation.redis is not None else {}
    return sent | set(_placeholders(command, join(path, "redis"), operation.role, allowed, findings))


def _placeholders(value: Json, path: str, role: Role, allowed: Sequence[str], findings: Findings) -> Iterator[str]:
    """The names of the placeholders inside a value; those that are not allowed are noted."""
    for where, text in texts_in(value, path):
        for found in _PLACEHOLDER.finditer(text):
            if not found[0].endswith("}"):
                findings.add(where, f"{show(text)} has a placeholder that is not closed", "write ${key}")
            elif found[1] not in allowed:
                near = did_you_mean(found[1], [name for names in PLACEHOLDERS.values() for name in names])
                known = f"a {role} may hold {', '.join(f'${{{name}}}' for name in allowed)}"
                hint = known if found[1] in near else f"{known}; {near}" if near.startswith("did") else known
                hint = f"add {found[1]}s to load" if found[1] in {"tenant", "region"} else hint
                findings.add(where, f"{found[0]} is not known to a {role}", hint)
            else:
                yield found[1]


def _check_ledger(draft: Draft, findings: Findings) -> None:
    operations: Any = draft.own.get("load")
    listed = operations.get("operations") if isinstance(operations, Mapping) else None
    mixed = [
        (each.get("role"), str(each.get("account", ""))) if isinstance(each, Mapping) else (None, "")
        for each in (listed if isinstance(listed, Sequence) else ())
    ]
    if "ledger" in draft.own and (Role.WRITE, "") not in mixed:
        findings.add(draft.at("ledger"), "there is no operation with role: write", "add one, or remove the ledger")
    for index, (role, account) in enumerate(mixed):
        if role == Role.READ_BACK and (Role.WRITE, account) not in mixed:
            path = join(f"{draft.at('load', 'operations')}[{index}]", "role")
            findings.add(path, "there is no operation with role: write to read back from", "add one")
    allow = draft.safety.allow_modules if draft.safety is not None else ()
    check_accounts(draft.accounts, draft.operations, allow, findings)
    if draft.ledger is None:
        return
    check_ledger(draft.ledger, draft.at("ledger"), allow, findings)


def _check_steps(draft: Draft, findings: Findings) -> None:
    check_names(draft.steps, findings)
    if draft.stack is not None:
        check_parts(draft.steps, draft.stack, findings, ways(draft.load))
    if draft.safety is not None:
        check_lengths(draft.steps, draft.safety, findings)
        check_kinds(draft.steps, draft.safety, draft.check_fault, findings)
        check_overlaps(draft.steps, draft.safety.max_at_once, findings)
    if draft.complete:
        check_order(draft.steps, findings)
    if findings.clean("method"):
        check_judged(draft.steps, draft.recovery.hold_s if draft.recovery else 0.0, findings)


def _check_lengths(draft: Draft, findings: Findings) -> None:
    planned = draft.planned()
    if draft.safety is not None and planned and planned[-1].end_s > draft.safety.max_duration_s + _ROUNDING_S:
        message = f"the phases take {format_duration(planned[-1].end_s)} in all, which is longer than "
        limit = format_duration(draft.safety.max_duration_s)
        findings.add(draft.at("safety", "max_duration"), message + limit, "shorten them or raise the limit")


def _check_objective(path: str, objective: Objective | AbortWhen, draft: Draft, findings: Findings) -> None:
    text, names = show(objective.expression), (*draft.names, *names_of_subscriptions(draft.load))
    if not known_operation(draft.load, objective.operation, names):
        message = f"{text} is about {objective.operation!r}, which is no operation of this file"
        findings.add(join(path, "operation"), message, did_you_mean(objective.operation, names))
    if isinstance(objective, Objective):
        check_about(objective, path, draft.load, findings)
        check_measure(path, objective, [operation for _, operation in draft.operations], findings)
    if objective.phase is None:
        return
    if "@" not in objective.expression:
        findings.add(path, f"{text} does not say when it must hold", f"write {objective.expression} @ fault")
        return
    if objective.fault and draft.faults is not None and objective.fault not in draft.faults:
        message = f"{text} is about {objective.fault!r}, which is no fault of this file"
        findings.add(path, message, did_you_mean(objective.fault, draft.faults))
        return
    planned = draft.planned()
    judged = [
        phase.end_s - phase.start_s
        for phase in planned
        if phase.name is objective.phase and phase.about(objective.fault)
    ]
    if planned and not judged:
        findings.add(path, f"{text} could never be judged: there is no such phase", "add the phase to the method")
    elif judged and objective.window_s is not None and objective.window_s > min(judged) + _ROUNDING_S:
        message = f"{text} could not be judged: the phase takes {format_duration(min(judged))}"
        findings.add(path, message, "shorten the window or lengthen the phase")
    elif judged and isinstance(objective, Objective) and objective.relation:
        before = [phase.end_s - phase.start_s for phase in planned if phase.name is PhaseName.BASELINE]
        shortest = min(*judged, *before)
        if shortest < COMPARED_S - _ROUNDING_S:
            needed = f"{format_duration(COMPARED_S)} are needed of the baseline and of the phase each"
            message = f"{text} could not be judged: there are {format_duration(shortest)} of one, and {needed}"
            findings.add(path, message, "lengthen load.baseline or the phase")
