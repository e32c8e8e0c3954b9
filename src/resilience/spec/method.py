"""The parts of a file that chaostoolkit carries out: our steps among them, and whose code the rest may name.

chaostoolkit imports any Python module that a file names and runs the arguments of a program through a shell if they are
one text. Here modules must be on a list (`ALLOWED`, and `safety.allow_modules`), and a text is refused.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from resilience.model import BeginFault, EndFault, Json, Observe, PhaseName, Step
from resilience.spec.actions import ACTIONS, MOST_CYCLES, STEPS, is_step
from resilience.spec.expand import expand, numbered
from resilience.spec.findings import Findings, did_you_mean, show
from resilience.spec.phases import lasting_s
from resilience.spec.text import join

PROBES = "resilience.ctk.probes"
"""The module of the probes that give the verdict."""

ALLOWED = ("resilience.ctk.*", "probes.*", "chaosk8s.*")
"""Modules that every file may name. A pattern that ends in `.*` also stands for the package itself."""


def read_steps(chaos: Mapping[str, Json], findings: Findings) -> list[tuple[str, Step]]:
    """Our steps in the method, each with its activity's path, in order; what is wrong is left out and noted.

    What an activity repeats is there once for each time. The rest after a fault inside another that was begun is no
    recovery, but time with that other.
    """
    steps: list[tuple[str, Step]] = []
    begun: list[str] = []
    for path, activity in _items(chaos.get("method"), "method"):
        if is_step(activity):
            for step in _read_step(activity, path, findings):
                if isinstance(step, BeginFault):
                    begun.append(step.begun.name)
                elif isinstance(step, EndFault):
                    begun = [name for name in begun if name != step.ended]
                elif begun and isinstance(step, Observe) and step.of:
                    step = replace(step, phase=PhaseName.FAULT)  # noqa: PLW2901 - what it is here
                steps.append((path, step))
        elif "ref" in activity:
            _check_ref(activity["ref"], path, chaos, findings)
    return [(path, _with_length(step, steps[index + 1 :])) for index, (path, step) in enumerate(steps)]


def _with_length(step: Step, later: Sequence[tuple[str, Step]]) -> Step:
    """A step that begins a fault, with the time until the fault's end as its planned length."""
    if not isinstance(step, BeginFault):
        return step
    length_s = 0.0
    for _, each in later:
        if isinstance(each, EndFault) and each.ended == step.begun.name:
            break
        length_s += lasting_s(each)
    return BeginFault(replace(step.begun, duration_s=length_s))


def fault_names(chaos: Mapping[str, Json]) -> list[str]:
    """The names that faults and groups of the method have or may have, as far as they are there, right or wrong."""
    found = []
    for _, activity in _items(chaos.get("method"), "method"):
        arguments = activity["provider"].get("arguments") if is_step(activity) else None
        if isinstance(arguments, Mapping) and activity["provider"].get("func") in STEPS:
            members = arguments.get("faults")
            listed = members if isinstance(members, Sequence) else ()
            named = [arguments.get("name"), *(each.get("name") for each in listed if isinstance(each, Mapping))]
            texts = [name for name in named if isinstance(name, str)]
            several = "cycles" in arguments or not isinstance(arguments.get("part", ""), str)
            found += [*texts, *(each for name in texts if several for each in numbered(name, MOST_CYCLES))]
    return found


def faults_known(chaos: Mapping[str, Json], findings: Findings) -> bool:
    """Whether `fault_names` has all of them: no step is wrong in what makes it a fault or in its name."""
    naming = ("", ".provider", ".provider.func", ".provider.module", ".provider.arguments", ".provider.arguments.name")
    activities = [path for path, _ in _items(chaos.get("method"), "method")]
    return not any(findings.has(path) for path in ("method", *(f"{at}{part}" for at in activities for part in naming)))


def check_providers(chaos: Mapping[str, Json], own: str, allow: Sequence[str], findings: Findings) -> None:
    """Note every module that is not allowed, every text for a shell, and our actions outside the method.

    Args:
        chaos: the file.
        own: path of our own block, which holds no providers.
        allow: patterns besides `ALLOWED`.
        findings: where problems go.
    """
    for path, provider in _providers(chaos, "", own):
        module = provider.get("module")
        if isinstance(module, str) and not is_allowed(module, allow):
            hint = f"allowed are {', '.join((*ALLOWED, *allow))}; add others to safety.allow_modules"
            findings.add(join(path, "module"), f"the module {module!r} is not allowed", hint)
        if module == ACTIONS and not path.startswith("method["):
            findings.add(join(path, "module"), "faults and observations belong into the method", "move it there")
        if provider.get("type") == "process" and isinstance(provider.get("arguments"), str):
            message = f"{show(provider['arguments'])} is one text, which would be run by a shell"
            findings.add(join(path, "arguments"), message, "write a list of words")


def check_hypothesis(chaos: Mapping[str, Json], own: Mapping[str, Any], path: str, findings: Findings) -> None:
    """Note a hypothesis that asks for no verdict, accepts a bad one, or asks what nobody could answer.

    Args:
        chaos: the file.
        own: our block of it.
        path: of our block.
        findings: where problems go.
    """
    hypothesis: Any = chaos.get("steady-state-hypothesis")
    where = "steady-state-hypothesis.probes"
    asked = set()
    for place, probe in _items(hypothesis.get("probes") if isinstance(hypothesis, Mapping) else None, where):
        provider = probe.get("provider")
        if not isinstance(provider, Mapping) or provider.get("module") != PROBES:
            continue
        asked.add(provider.get("func"))
        if probe.get("tolerance") is not True and "tolerance" in probe:
            message = f"{show(probe['tolerance'])} would accept another answer than yes"
            findings.add(join(place, "tolerance"), message, "write true")
    if (dry := chaos.get("dry")) is not None:
        findings.add("dry", f"{show(dry)} leaves out what is to be judged", "remove it; `resilience plan` shows it")
    if not asked and findings.clean("steady-state-hypothesis"):
        hint = f"add a probe of {PROBES}: objectives_met, degraded_gracefully, recovered or no_data_lost"
        findings.add(where, "nobody asks for the verdict", hint)
    if "no_data_lost" in asked and not {"ledger", "accounts"} & set(own):
        findings.add(join(path, "ledger"), "is missing, but a probe asks whether data was lost", "add ledger: …")
    observe = own.get("observe")
    limits = observe.get("limits") if isinstance(observe, Mapping) else None
    if "objectives_met" in asked and not own.get("objectives") and not limits:
        findings.add(join(path, "objectives"), "there is none, but a probe asks for them", "add objectives: …")


def _read_step(activity: Mapping[str, Any], path: str, findings: Findings) -> tuple[Step, ...]:
    provider = activity["provider"]
    func, arguments = provider.get("func"), provider.get("arguments")
    place = join(join(path, "provider"), "arguments")
    if func not in STEPS and isinstance(func, str):
        findings.add(join(join(path, "provider"), "func"), f"{ACTIONS} has no {func!r}", did_you_mean(func, STEPS))
    if activity.get("background"):
        findings.add(join(path, "background"), "steps of ours come one after another", "remove background")
    if activity.get("dry"):
        findings.add(join(path, "dry"), "a step that is not carried out cannot be judged", "remove dry")
    if activity.get("type") == "probe":
        findings.add(join(path, "type"), f"{func} is an action", "write type: action")
    for where, text in texts_in(arguments, place):
        if "${" in text:
            findings.add(where, f"{show(text)} is not known before the run", "write the value itself")
    if func not in STEPS or not isinstance(arguments, Mapping) or not findings.clean(place):
        return ()
    return expand(func, arguments)


def _check_ref(ref: Any, path: str, chaos: Mapping[str, Json], findings: Findings) -> None:  # noqa: ANN401 - any JSON
    hypothesis: Any = chaos.get("steady-state-hypothesis")
    sources: list[Any] = [
        hypothesis.get("probes") if isinstance(hypothesis, Mapping) else None,
        chaos.get("method"),
        chaos.get("rollbacks"),
    ]
    named = {str(each.get("name")): each for source in sources for _, each in _items(source, "") if "ref" not in each}
    if not isinstance(ref, str) or ref not in named:
        findings.add(join(path, "ref"), f"there is no activity {show(ref)}", did_you_mean(str(ref), named))
    elif is_step(named[ref]):
        findings.add(join(path, "ref"), f"{show(ref)} is a step, which happens once", "write it out under a new name")


def texts_in(value: Any, path: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON
    """All texts inside a value, with their paths; keys are not among them."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from texts_in(each, join(path, key))
    elif isinstance(value, Sequence):
        for index, each in enumerate(value):
            yield from texts_in(each, join(path, index))


def _items(value: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:  # noqa: ANN401 - any JSON
    """The mappings of a list with their paths."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        for index, each in enumerate(value):
            if isinstance(each, Mapping):
                yield join(path, index), each


def _providers(value: Any, path: str, own: str) -> Iterator[tuple[str, Mapping[str, Any]]]:  # noqa: ANN401 - any JSON
    """Whatever stands under a key `provider`: of activities, controls, dynamic configuration, other extensions."""
    if path == own:
        return
    if isinstance(value, Mapping):
        for key, each in value.items():
            place = join(path, key)
            if key == "provider" and isinstance(each, Mapping):
                yield place, each
            if key != "arguments":  # those are data
                yield from _providers(each, place, own)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, each in enumerate(value):
            yield from _providers(each, join(path, index), own)


def is_allowed(module: str, allow: Sequence[str]) -> bool:
    """Whether a file may name a module: it is on our list, or matches one of its own patterns."""
    return any(fnmatchcase(module, pattern) or pattern == f"{module}.*" for pattern in (*ALLOWED, *allow))
