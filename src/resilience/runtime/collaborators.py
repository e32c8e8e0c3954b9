"""Who does what in a run: the session knows them as ports, `ctk.wiring` chooses them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from resilience.columns import Record, Truth
from resilience.model import Experiment, FaultSpec, Json, Part, Place, Problem, Undo, Verdict
from resilience.ports import Display, Driver, Fault, Stack, Strike
from resilience.record.redact import Redactor


@dataclass(frozen=True, slots=True, kw_only=True)
class Collaborators:
    """Everything that a session needs from outside its layer.

    Attributes:
        stack: not started yet.
        stack_undo: what another process needs to end the stack; None for a stack that stays (kept, external).
        driver: makes the load driver whose processes carry the given tag.
        build_fault: a fault or strike of the plan, done to a part of the stack; `fits` says
            before what speaks against it, `mechanism` by which means it is done here.
        users: how many connections go to a part by the way on which faults meet them; None if it cannot be told.
        secrets: values besides the stack's that must appear in no artefact.
        read_truth: reads the primary store, settled; the callable gives nanoseconds since the run began.
        know_store: what the primary store says of itself, before anything is written.
        count_entries: how many entries of a run the primary store holds, not settled.
        read_cache: reads the copies that a cache holds.
        judge, judge_baseline: the judgement of a record, and of its baseline alone.
        displays: live views.
        header: what the record's header says besides.
        steered: the level of the load is told while it goes on, by a search.
        collect: begins to read the running stack beside the run, for its experiment, of its places, into its folder,
            with what takes secrets out, and nanoseconds since the run began; returns what ends that, in a few seconds
            at the most and again without harm.
    """

    stack: Stack
    stack_undo: Undo | None
    driver: Callable[[str], Driver]
    build_fault: Callable[[FaultSpec, Place], Fault | Strike]
    fits: Callable[[FaultSpec, Place], tuple[Problem, ...]]
    users: Callable[[Place], int | None]
    read_truth: Callable[[Experiment, Mapping[str, Place], str, Callable[[], int]], Truth]
    judge: Callable[[Record], Verdict]
    judge_baseline: Callable[[Record], tuple[Part, ...]]
    displays: tuple[Display, ...]
    know_store: Callable[[Experiment, Mapping[str, Place]], dict[str, str]] = lambda _experiment, _places: {}
    count_entries: Callable[[Experiment, Mapping[str, Place], str], int] = lambda _experiment, _places, _run: 0
    read_cache: Callable[[Experiment, Mapping[str, Place], str, Callable[[], int]], Truth] | None = None
    mechanism: Callable[[FaultSpec, Place], str] = lambda _spec, _place: ""
    secrets: tuple[str, ...] = ()
    header: Mapping[str, Json] = field(default_factory=dict)
    steered: bool = False
    collect: Callable[[Experiment, Mapping[str, Place], Path, Redactor, Callable[[], int]], Callable[[], None]] = (
        lambda _experiment, _places, _folder, _redactor, _now_ns: lambda: None
    )
