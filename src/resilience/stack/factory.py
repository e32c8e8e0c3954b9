"""The stack that an experiment asks for."""

from pathlib import Path

from resilience.errors import EnvironmentNotReady
from resilience.model import Problem, Region, StackSpec
from resilience.stack import kept, programs
from resilience.stack.embedded import EmbeddedStack
from resilience.stack.wanted import Wanted


def open_stack(
    spec: StackSpec,
    *,
    tag: str,
    experiment_folder: Path,
    bugs: str = "",
    folder_root: Path | None = None,
    wired: tuple[str, ...] = (),
    regions: tuple[Region, ...] = (),
    notify: programs.Notify = lambda _: None,
) -> EmbeddedStack | kept.KeptStack:
    """The stack of an experiment, not started yet: the kept one if it runs, else one of our own.

    Its `debt_data()` is what `settle` must be told, or None if the stack stays.

    Args:
        spec: which stack.
        tag: names a stack of our own, new for each.
        experiment_folder: the folder of the experiment's file.
        bugs: as in `TARGET_BUGS`.
        folder_root: where the private folder is made; the system's temporary folder unless given.
        wired: parts that need a proxy that understands protocols before them; a kept stack without one is refused.
        regions: of the load; those with a latency need a way of their own to the service.
        notify: told about something that takes a while.

    Raises:
        EnvironmentNotReady: this version has no such stack.
    """
    if spec.use != EmbeddedStack.name:
        message = f"stack {spec.use!r} is not available in this version"
        raise EnvironmentNotReady(Problem(where="stack.use", message=message, hint="use embedded"))
    if kept.running():
        return kept.KeptStack(Wanted.of(spec, bugs, experiment_folder, wired, regions))
    return EmbeddedStack(
        spec.service,
        programs=spec.programs,
        postgres_disk_mb=spec.postgres_disk_mb,
        postgres_replica=spec.postgres_replica,
        tag=tag,
        bugs=bugs,
        experiment_folder=experiment_folder,
        folder_root=folder_root,
        wired=wired,
        regions=regions,
        notify=notify,
    )
