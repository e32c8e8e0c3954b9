"""All kinds of fault: found by name, checked, built, and brought back from a debt.

Further kinds come from installed packages: an entry point in the group `resilience.faults`, named like the kind
(`acme.brownout`), that is a `kinds.Kind`. It is loaded when an experiment or a debt names it.
"""

import difflib
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from resilience.errors import FaultError
from resilience.faults import (
    cgroup,
    clock,
    cpu,
    docker,
    docker_limits,
    kubernetes,
    kubernetes_drain,
    kubernetes_network,
    kubernetes_pods,
    leak,
    network,
    postgres,
    process,
    process_stop,
    protocol,
    provider,
    redis,
    redis_held,
    redis_strikes,
    shaping,
    toxics,
)
from resilience.faults.kinds import LEASE, Kind
from resilience.model import FaultSpec, Place, Problem, Undo
from resilience.ports import Fault, Strike

GROUP = "resilience.faults"

LEASE_MARGIN_S = 30.0
"""Whatever holds a fault ends by itself this long after the fault's planned end, if nobody ended it before."""

_OWN = (
    toxics,
    process,
    process_stop,
    clock,
    docker,
    docker_limits,
    kubernetes,
    kubernetes_drain,
    kubernetes_network,
    kubernetes_pods,
    cgroup,
    cpu,
    network,
    postgres,
    redis,
    redis_held,
    redis_strikes,
    provider,
    shaping,
    protocol,
    leak,
)
"""The mechanisms that come with this package, a module each."""

KINDS: Mapping[str, Kind] = {kind.name: kind for module in _OWN for kind in module.KINDS}
"""The kinds that come with this package."""


def names() -> tuple[str, ...]:
    """All kinds that can be named, built in and installed."""
    return tuple(sorted({*KINDS, *_installed()}))


def find(kind: str) -> Kind:
    """A kind by name.

    Raises:
        FaultError: there is none of that name, or the package that offers it cannot be loaded.
    """
    if kind in KINDS:
        return KINDS[kind]
    offered = _installed().get(kind)
    if offered is None:
        near = difflib.get_close_matches(kind, names(), 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names())}"
        raise FaultError(Problem("kind", f"{kind!r} is no kind of fault", hint))
    try:
        found = offered.load()
    except Exception as error:
        raise FaultError(Problem("kind", f"{kind!r} from {offered.value} cannot be loaded: {error!r}")) from error
    if not isinstance(found, Kind):
        raise FaultError(Problem("kind", f"{kind!r} from {offered.value} is no resilience.faults.kinds.Kind"))
    return found


def check(spec: FaultSpec) -> tuple[Problem, ...]:
    """Everything that is wrong with a fault as it is written: kind, settings and their types."""
    try:
        kind = find(spec.kind)
    except FaultError as error:
        return tuple(
            Problem(f"{spec.name}.{problem.where}", problem.message, problem.hint) for problem in error.problems
        )
    problems = []
    for name, value in spec.settings.items():
        where = f"{spec.name}.settings.{name}"
        setting = kind.settings.get(name)
        if setting is None:
            near = difflib.get_close_matches(name, kind.settings, 1)
            known = f"it has {', '.join(kind.settings)}" if kind.settings else "it has no settings"
            hint = f"did you mean {near[0]!r}?" if near else known
            problems.append(Problem(where, f"{spec.kind} has no setting {name!r}", hint))
        elif message := setting.wrong(value):
            problems.append(Problem(where, message, setting.meaning))
    if not problems:
        problems = [
            Problem(f"{spec.name}.settings.{problem.where}", problem.message, problem.hint)
            for problem in kind.together(kind.complete(spec.settings))
        ]
    return tuple(problems)


def fits(spec: FaultSpec, place: Place) -> tuple[Problem, ...]:
    """What the part, or this machine, lacks that the fault needs. Looks only."""
    kind = find(spec.kind)
    lacking = tuple(
        Problem(f"{spec.name}.on", f"{spec.kind} needs {what}, which {place.name} does not have", "choose another part")
        for attribute, what in kind.needs.items()
        if not getattr(place, attribute)
    )
    return lacking or tuple(
        Problem(f"{spec.name}: {problem.where}".removesuffix(": "), problem.message, problem.hint)
        for problem in kind.preflight(kind.complete(spec.settings), place)
    )


def mechanism(spec: FaultSpec, place: Place) -> str:
    """By which means a fault is done here and how exact that is; empty where there is only one."""
    kind = find(spec.kind)
    return kind.mechanism(kind.complete(spec.settings), place)


def build(spec: FaultSpec, place: Place) -> Fault | Strike:
    """The fault or strike, ready to prepare.

    Raises:
        FaultError: with everything that `check` and `fits` find.
    """
    problems = check(spec) or fits(spec, place)
    if problems:
        raise FaultError(problems)
    kind = find(spec.kind)
    return kind.build({**kind.complete(spec.settings), LEASE: spec.duration_s + LEASE_MARGIN_S}, place)


def from_undo(undo: Undo) -> Fault:
    """A fault that can revert what an undo says, and look at it; it needs nothing else."""
    revive = find(undo.kind).revive
    if revive is None:
        raise FaultError(Problem(undo.kind, "is a strike, which has nothing to be given back"))
    return revive(undo)


def leftovers() -> tuple[str, ...]:
    """What our mechanisms find of theirs on this machine, one sentence each, whoever made it. Looks only."""
    found: list[str] = []
    for module in _OWN:
        look = getattr(module, "leftovers", None)
        if look is not None:
            found += look()
    return tuple(found)


def undo_sentence(spec: FaultSpec) -> str:
    """How a fault is taken back, in one sentence."""
    return find(spec.kind).undo.format(on=spec.on)


def _installed() -> dict[str, EntryPoint]:
    """The kinds that installed packages offer, not loaded. Ours cannot be replaced."""
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in KINDS}
