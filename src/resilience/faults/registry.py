"""All kinds of fault: how each is built, what it can be told, what it needs of a part, and how it is taken back.

Further kinds come from installed packages: an entry point in the group `resilience.faults`, named like the kind
(`acme.brownout`), that is a `Kind`. It is loaded when an experiment or a debt names it.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from resilience.errors import FaultError
from resilience.faults import process, toxics
from resilience.model import FaultSpec, Json, Place, Problem, Undo
from resilience.ports import Fault, FaultBuilder

GROUP = "resilience.faults"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One thing that a kind of fault can be told.

    Attributes:
        default: its value if the file says nothing; its type is the setting's type (text, whole number).
        meaning: one sentence.
        minimum, maximum: bounds of a number.
        choices: what a text may be.
    """

    default: int | str
    meaning: str
    minimum: int = 0
    maximum: int = 600_000
    choices: tuple[str, ...] = ()

    def schema(self) -> dict[str, Json]:
        """The JSON Schema of the value."""
        schema: dict[str, Json] = {"description": self.meaning, "default": self.default}
        if self.choices:
            schema |= {"type": "string", "enum": list(self.choices)}
        else:
            schema |= {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}
        return schema

    def wrong(self, value: Json) -> str:
        """What is wrong with a value; empty if nothing is."""
        if self.choices:
            expected = "one of " + ", ".join(self.choices)
            return "" if value in self.choices else f"{value!r} is not known, expected {expected}"
        if isinstance(value, bool) or not isinstance(value, int):
            return f"{value!r} is no whole number"
        if not self.minimum <= value <= self.maximum:
            return f"{value} is out of range, expected {self.minimum} to {self.maximum}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of fault.

    Attributes:
        build: complete settings and a part → the fault.
        revive: an undo → a fault that can revert it and look at it, from any process.
        undo: how it is taken back, one sentence; `{on}` is the part.
        needs: attributes of `Place` that a part must have, with how to say so.
        settings: by name, with units in the names.
    """

    name: str
    build: FaultBuilder
    revive: Callable[[Undo], Fault]
    undo: str
    needs: Mapping[str, str]
    settings: Mapping[str, Setting] = field(default_factory=dict)

    def schema(self) -> dict[str, Json]:
        """The JSON Schema of the settings."""
        properties = {name: setting.schema() for name, setting in self.settings.items()}
        return {"type": "object", "additionalProperties": False, "properties": properties}

    def complete(self, settings: Mapping[str, Json]) -> dict[str, Json]:
        """The settings with defaults filled in."""
        return {name: settings.get(name, setting.default) for name, setting in self.settings.items()}


_LINK = {"proxy": "a toxiproxy proxy in front of it", "control": "the address of a toxiproxy server"}
_STREAM = Setting(
    default="downstream",
    meaning="Direction: downstream is from the part to the service.",
    choices=("downstream", "upstream", "both"),
)


def _kind(
    fault: Any,  # noqa: ANN401 - a class of fault, built with (settings, place) or with nothing
    undo: str,
    needs: Mapping[str, str],
    settings: Mapping[str, Setting] | None = None,
) -> Kind:
    return Kind(name=fault.kind, build=fault, revive=lambda _: fault(), undo=undo, needs=needs, settings=settings or {})


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        _kind(toxics.Down, "the proxy in front of {on} is switched on again, as it was", _LINK),
        _kind(
            toxics.Timeout,
            "the timeout toxic that this run added to the proxy in front of {on} is removed",
            _LINK,
            {
                "timeout_ms": Setting(default=0, meaning="Connections are closed after this long; 0 is never."),
                "stream": _STREAM,
            },
        ),
        _kind(
            toxics.Latency,
            "the latency toxic that this run added to the proxy in front of {on} is removed",
            _LINK,
            {
                "latency_ms": Setting(default=500, minimum=1, maximum=60_000, meaning="Added to every answer."),
                "jitter_ms": Setting(default=0, maximum=60_000, meaning="The latency varies by up to this."),
                "stream": _STREAM,
            },
        ),
        _kind(
            toxics.Reset,
            "the reset toxic that this run added to the proxy in front of {on} is removed",
            _LINK,
            {
                # More would delay the removal: the server does not interrupt a connection that waits for its reset.
                "timeout_ms": Setting(default=0, maximum=500, meaning="Connections are reset this long after bytes."),
                "stream": _STREAM,
            },
        ),
        _kind(
            process.Pause,
            "the processes of {on} are continued (SIGCONT)",
            {"identity": "a process that the stack knows"},
        ),
        _kind(
            process.Kill,
            "{on} is started again as the stack started it",
            {
                "identity": "a process that the stack knows",
                "launch": "a stack that can start it again",
                "state": "a stack with a state file",
            },
        ),
    )
}
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
        raise FaultError(Problem("kind", f"{kind!r} from {offered.value} is no resilience.faults.registry.Kind"))
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
    whole = kind.complete(spec.settings)
    latency, jitter = whole.get("latency_ms"), whole.get("jitter_ms")
    if not problems and isinstance(latency, int) and isinstance(jitter, int) and jitter > latency:
        where = f"{spec.name}.settings.jitter_ms"
        problems.append(Problem(where, f"{jitter} is more than latency_ms {latency}", "latency cannot be negative"))
    return tuple(problems)


def fits(spec: FaultSpec, place: Place) -> tuple[Problem, ...]:
    """What the part lacks that the fault needs."""
    return tuple(
        Problem(f"{spec.name}.on", f"{spec.kind} needs {what}, which {place.name} does not have", "choose another part")
        for attribute, what in find(spec.kind).needs.items()
        if not getattr(place, attribute)
    )


def build(spec: FaultSpec, place: Place) -> Fault:
    """The fault, ready to prepare.

    Raises:
        FaultError: with everything that `check` and `fits` find.
    """
    problems = check(spec) or fits(spec, place)
    if problems:
        raise FaultError(problems)
    kind = find(spec.kind)
    return kind.build(kind.complete(spec.settings), place)


def from_undo(undo: Undo) -> Fault:
    """A fault that can revert what an undo says, and look at it; it needs nothing else."""
    return find(undo.kind).revive(undo)


def undo_sentence(spec: FaultSpec) -> str:
    """How a fault is taken back, in one sentence."""
    return find(spec.kind).undo.format(on=spec.on)


def _installed() -> dict[str, EntryPoint]:
    """The kinds that installed packages offer, not loaded. Ours cannot be replaced."""
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in KINDS}
