"""A session of a run among fakes, as its tests need it: stack, load and faults say what they were asked."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from resilience.columns import Record, Truth
from resilience.errors import EnvironmentNotReady, LoadError
from resilience.host import processes
from resilience.judge.verdict import judge, judge_baseline
from resilience.model import (
    Event,
    Experiment,
    FaultSpec,
    LoadOrder,
    Part,
    Place,
    Problem,
    Region,
    Slice,
    Step,
    Undo,
    Verdict,
)
from resilience.runtime.collaborators import Collaborators
from resilience.runtime.debts import DebtBook
from resilience.runtime.guard import Guard
from resilience.runtime.session import Session
from resilience.spec.parse import parse
from resilience.spec.plan import plan
from tests.program import SHIPPED

REDIS = Place(name="redis", host="127.0.0.1", port=1, via_port=2, proxy="redis", control="http://127.0.0.1:3")
SERVICE = Place(name="service", host="127.0.0.1", port=4, via_port=4, url="http://127.0.0.1:4")
ACCOUNT = dict.fromkeys(("offered", "ok", "failed", "unknown", "dropped", "attempted", "acknowledged"), 0)

Steps = list[str]


@dataclass
class FakeStack:
    """A stack that only says when it is asked."""

    steps: Steps
    fail: str = ""
    found: Mapping[str, str] = field(default_factory=lambda: {"redis-server": "7.0.15, PATH"})
    name = "fake"

    def start(self) -> None:
        """Started."""
        self.steps.append("stack start")
        if self.fail == "stack":
            raise EnvironmentNotReady("no stack today")

    def places(self) -> Mapping[str, Place]:
        """Redis and the service."""
        return {"redis": REDIS, "service": SERVICE}

    def secrets(self) -> tuple[str, ...]:
        """One."""
        return ("hunter2-and-longer",)

    def stop(self) -> None:
        """Stopped."""
        self.steps.append("stack stop")


@dataclass
class FakeLoad:
    """A driver and its handle at once; nothing is sent."""

    steps: Steps
    fail: str = ""
    running: bool = True
    order: LoadOrder | None = None

    def launch(self) -> None:
        """Launched."""
        self.steps.append("load launch")
        if self.fail == "launch":
            raise LoadError("no program")

    def prepare(self) -> None:
        """Prepared."""
        self.steps.append("load prepare")
        if self.fail == "prepare":
            raise LoadError("not ready")

    def start(self, order: LoadOrder) -> "FakeLoad":
        """Begun."""
        self.steps.append("load start")
        if self.fail == "start":
            raise LoadError("order refused")
        self.order = order
        return self

    def close(self) -> None:
        """Ended."""
        self.steps.append("load close")

    def slices(self) -> Iterator[Slice]:
        """None."""
        return iter(())

    def alive(self) -> bool:
        """As long as it is told."""
        return self.running

    def stop(self, _timeout_s: float) -> Mapping[str, int]:
        """Drained."""
        self.steps.append("load stop")
        if self.fail == "stop":
            raise LoadError("its account does not close")
        return ACCOUNT

    def abort(self) -> None:
        """Ended."""


@dataclass
class FakeFault:
    """A switch; one that is dead does nothing."""

    steps: Steps
    dead: bool = False
    on: bool = False
    kind = "toxiproxy.down"

    def prepare(self) -> Undo:
        """Nothing to note."""
        return Undo(kind=self.kind, data={})

    def inject(self, _undo: Undo, /) -> None:
        """On, unless dead."""
        self.steps.append("inject")
        self.on = not self.dead

    def revert(self, _undo: Undo, /) -> None:
        """Off."""
        self.steps.append("revert")
        self.on = False

    def active(self, _undo: Undo, /) -> bool:
        """As it is."""
        return self.on


@dataclass
class FakeDisplay:
    """Keeps what it is shown."""

    steps: Steps
    events: list[Event] = field(default_factory=list)

    def on_event(self, event: Event) -> None:
        """Keep it."""
        self.events.append(event)

    def on_slice(self, piece: Slice) -> None:
        """There are none."""

    def close(self, verdict: Verdict | None) -> None:
        """Closed."""
        self.steps.append(f"display {verdict.answer.value if verdict else 'no verdict'}")


@dataclass
class Scene:
    """A session and everything around it."""

    session: Session
    steps: Steps
    load: FakeLoad
    fault: FakeFault
    display: FakeDisplay
    guard: Guard
    folder: Path
    state: Path
    records: list[Record] = field(default_factory=list)

    def events(self) -> list[tuple[str, str]]:
        """Kinds and names of what is in the record."""
        lines = (self.folder / "events.jsonl").read_text().splitlines()
        return [(event["kind"], event.get("name", "")) for event in map(json.loads, lines)]

    def given_back(self) -> bool:
        """Whether nothing is owed, no reaper is left and the stack was stopped last."""
        books = list((self.state / "debts").iterdir())
        reaper = self.guard.identity
        return not books and reaper is not None and not processes.alive(reaper) and "stack stop" in self.steps


def experiment() -> Experiment:
    """The shipped one with one fault, and no time to lose."""
    whole = parse(SHIPPED.read_bytes(), SHIPPED.name, str(SHIPPED.parent))
    load = replace(whole.load, warm_up_s=0.05, baseline_s=0.1)
    return replace(whole, load=load, steps=whole.steps[:2])


def rows(record_experiment: Experiment, *_: object) -> Truth:
    """The truth of a run that wrote nothing."""
    assert record_experiment.ledger is not None
    none = np.zeros(0, dtype=np.int64)
    small = none.astype(np.int32)
    return Truth(small, small, none, none.astype(np.bool_), none, (), {"fsync": "on"}, 1)


@contextlib.contextmanager
def scenes(tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    """Makes scenes; `fail` names the step that fails."""
    made: list[Scene] = []

    def make(  # noqa: PLR0913 - the ways in which scenes differ
        fail: str = "",
        *,
        dead: bool = False,
        users: int | None = 3,
        fits: tuple[Problem, ...] = (),
        truth: Callable[..., Truth] = rows,
        on_part: str = "redis",
        held_s: float = 0.1,
        method: Callable[[FaultSpec], tuple[Step, ...]] | None = None,
        regions: tuple[Region, ...] = (),
    ) -> Scene:
        steps: Steps = []
        folder = tmp_path / "run"
        folder.mkdir()
        ours = experiment()
        ours = replace(ours, load=replace(ours.load, regions=regions))
        only = replace(ours.faults[0], on=on_part, duration_s=held_s)
        ours = replace(ours, steps=method(only) if method else (only, *ours.steps[1:]))
        load, fault, display = FakeLoad(steps, fail), FakeFault(steps, dead), FakeDisplay(steps)
        records: list[Record] = []

        def judged(record: Record) -> Verdict:
            steps.append("judge")
            records.append(record)
            return judge(record)

        def read_truth(*about: object) -> Truth:
            steps.append("truth")
            return truth(*about)

        def build(_spec: FaultSpec, _place: Place) -> FakeFault:
            return fault

        def baseline(record: Record) -> tuple[Part, ...]:
            steps.append("judge baseline")
            return judge_baseline(record)

        def collect(_experiment, _places, _folder, _redactor, _now_ns):
            steps.append("collect")
            return lambda: steps.append("collected")

        (tmp_path / "state").mkdir()
        book = DebtBook.create(tmp_path / "state", "abcdef01")
        guard = Guard.start(book)
        session = Session(
            ours,
            plan(ours, seed=1, run="abcdef01", undo={}),
            folder=folder,
            book=book,
            guard=guard,
            collaborators=Collaborators(
                stack=FakeStack(steps, fail),
                stack_undo=Undo(kind="stack.embedded", data={"tag": "none", "folder": "none"}),
                driver=lambda _tag: load,
                build_fault=build,
                fits=lambda _spec, _place: fits,
                users=lambda _place: users,
                read_truth=read_truth,
                judge=judged,
                judge_baseline=baseline,
                displays=(display,),
                collect=collect,
            ),
        )
        made.append(Scene(session, steps, load, fault, display, guard, folder, tmp_path / "state", records))
        return made[-1]

    yield make
    for one in made:
        one.session.close()
