"""What is wrong with the kinds of fault and the settings that a file names: whoever parses files does not know them."""

from resilience.errors import FaultError
from resilience.faults import registry
from resilience.model import FaultSpec, Problem, Safety


def check_fault(spec: FaultSpec, safety: Safety) -> tuple[Problem, ...]:
    """Everything that is wrong with a fault's kind, settings and way of being done; each at `kind` or `settings.…`."""
    begin = f"{spec.name}."
    found = [
        Problem(problem.where.removeprefix(begin), problem.message, problem.hint) for problem in registry.check(spec)
    ]
    try:
        kind = registry.find(spec.kind)
    except FaultError:
        return tuple(found)
    if kind.is_strike and not spec.strike:
        found.append(Problem("kind", f"{spec.kind} is a strike, which is not given back", "use the action strike"))
    if spec.strike and not kind.is_strike:
        found.append(Problem("kind", f"{spec.kind} is held and given back, it is no strike", "use hold_fault"))
    if kind.removes_data:
        for part in spec.parts:
            if part not in safety.data_removal:
                message = f"{spec.kind} removes data of {part} for good, and nothing here allows it"
                found.append(Problem("kind", message, f"add safety: {{data_removal: [{part}]}} if it may go"))
    return tuple(found)
