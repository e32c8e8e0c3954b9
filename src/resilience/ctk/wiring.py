"""Who does what in a run: the one place where ports meet their implementations."""

import os
from pathlib import Path

from resilience.ctk.drivers import driver_of, script_secrets
from resilience.ctk.given import load_secrets
from resilience.ctk.observing import collect, tokens_of
from resilience.ctk.truths import count_entries, know_store, read_cache, read_truth, secrets_of
from resilience.ctk.workers import say, staff_of
from resilience.faults import registry
from resilience.host.network import connections_to
from resilience.judge.verdict import judge, judge_baseline
from resilience.model import Experiment, Place, Undo
from resilience.ports import Display
from resilience.runtime.collaborators import Collaborators
from resilience.stack.factory import open_stack
from resilience.stack.variants import varied


def collaborators(experiment: Experiment, run: str, displays: tuple[Display, ...]) -> Collaborators:
    """Everything that a session of this experiment needs.

    Raises:
        EnvironmentNotReady: the stack is not available here, or a kept one is in use or differs.
    """
    stack = open_stack(
        varied(experiment.stack, os.environ),
        tag=f"stack-{run}",
        bugs=os.environ.get("TARGET_BUGS", ""),
        experiment_folder=Path(experiment.folder),
        wired=wired(experiment),
        regions=experiment.load.regions,
    )
    data = stack.debt_data()
    staff = staff_of(experiment)
    if staff is not None and staff.warning:
        say(staff.warning)
    return Collaborators(
        stack=stack,
        stack_undo=None if data is None else Undo(kind=f"stack.{stack.name}", data=data),
        driver=driver_of(experiment, staff),
        build_fault=registry.build,
        fits=registry.fits,
        mechanism=registry.mechanism,
        users=connections_through_proxy,
        read_truth=read_truth,
        know_store=know_store,
        count_entries=count_entries,
        read_cache=read_cache,
        collect=collect,
        judge=judge,
        judge_baseline=judge_baseline,
        displays=displays,
        secrets=(
            *secrets_of(experiment),
            *script_secrets(experiment),
            *load_secrets(experiment),
            *tokens_of(experiment.observing).values(),
        ),
        header={} if staff is None else {"workers": staff.document},
    )


def wired(experiment: Experiment, *, any_seed: bool = False) -> tuple[str, ...]:
    """The parts that need the protocol proxy before them: as they were drawn, or whichever a seed may draw."""
    specs = [spec for spec in experiment.faults if spec.kind.startswith("protocol.")]
    return tuple(dict.fromkeys(part for spec in specs for part in (spec.on, *(spec.among if any_seed else ()))))


def connections_through_proxy(place: Place) -> int | None:
    """Connections to the proxy in front of a part; None without a proxy, or if it is not on this machine.

    The proxy's own count of bytes would not do: toxiproxy adds a connection's bytes when it ends.
    """
    if not place.proxy or place.host not in {"127.0.0.1", "::1", "localhost"}:
        return None
    return connections_to(place.via_port)
