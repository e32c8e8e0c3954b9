"""Steps are carried out as planned, and whatever happens nothing stays in place. Requirements F1, F2, F7.

Faults are switches in memory; leases, debts, phases and the clock are real.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from resilience.errors import DebtsOutstanding, FaultError, Interrupted
from resilience.model import (
    BeginFault,
    EndFault,
    Event,
    EventKind,
    Experiment,
    FaultGroup,
    FaultSpec,
    Json,
    Load,
    Observe,
    PhaseName,
    Place,
    Recovery,
    Safety,
    StackSpec,
    Step,
    Undo,
)
from resilience.runtime.clock import MonotonicClock
from resilience.runtime.debts import DebtBook
from resilience.runtime.method import Means, Method

KIND = EventKind
PARTS = {name: Place(name=name, host="127.0.0.1", port=1, via_port=1) for name in ("redis", "postgres")}


@dataclass
class Switch:
    """A fault over a switch in memory."""

    name: str
    done: list[str]
    dead: bool = False
    on: bool = False
    kind = "switch"

    def prepare(self) -> Undo:
        """Nothing to note."""
        return Undo(kind="switch", data={})

    def inject(self, _undo: Undo, /) -> None:
        """On, unless dead."""
        self.done.append(f"+{self.name}")
        self.on = not self.dead

    def revert(self, _undo: Undo, /) -> None:
        """Off."""
        if self.on:
            self.done.append(f"-{self.name}")
        self.on = False

    def active(self, _undo: Undo, /) -> bool:
        """As it is."""
        return self.on


@dataclass
class Hammer:
    """A strike that says what it did, or that it cannot."""

    name: str
    done: list[str]
    refuses: str = ""
    kind = "hammer"

    def prepare(self) -> None:
        """May refuse."""
        if self.refuses == "prepare":
            raise FaultError("nothing to strike")

    def strike(self) -> str:
        """Done, or not."""
        if self.refuses == "strike":
            raise OSError("the head came off")
        self.done.append(f"!{self.name}")
        return "900 keys, then 0"


@dataclass
class Scene:
    """A method and everything around it."""

    method: Method
    clock: MonotonicClock
    book: DebtBook
    done: list[str]
    events: list[Event] = field(default_factory=list)
    phases: list[tuple[str, str]] = field(default_factory=list)

    def emit(self, kind: EventKind, name: str = "", /, **detail: Json) -> Event:
        """Keep an event."""
        self.events.append(Event(self.clock.now_s(), kind, name, detail))
        return self.events[-1]

    def names(self, kind: EventKind) -> list[str]:
        """The names of the events of a kind."""
        return [event.name for event in self.events if event.kind is kind]

    def owes_nothing(self) -> bool:
        """Whether every debt is settled."""
        return not self.book.read().owed


def fault(name: str, on: str = "redis", duration_s: float = 0.05, **more: object) -> FaultSpec:
    """A fault of a step."""
    return FaultSpec(name=name, kind="switch", on=on, duration_s=duration_s, **more)  # type: ignore[arg-type]


def rest(of: str = "") -> Observe:
    """A rest, or an observation of its own."""
    return Observe(PhaseName.RECOVERY, 0.02, of)


Make = Callable[..., Scene]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Make]:
    """Makes scenes; `dead` names faults that have no effect, `refuses` what a strike does not do."""
    made: list[Scene] = []

    def make(*steps: Step, dead: str = "", refuses: str = "") -> Scene:
        experiment = Experiment(
            title="A scene",
            name="scene",
            digest="0" * 64,
            folder="/",
            target="shop",
            stack=StackSpec(),
            load=Load(rate=1.0, operations=()),
            objectives=(),
            ledger=None,
            recovery=Recovery(),
            safety=Safety(max_at_once=3),
            steps=steps,
            chaos={},
        )
        done: list[str] = []

        def build(spec: FaultSpec, _place: Place) -> Switch | Hammer:
            if spec.kind == "hammer":
                return Hammer(spec.name, done, refuses)
            return Switch(spec.name, done, dead=spec.name == dead)

        book = DebtBook.create(tmp_path, f"{len(made):08x}")
        clock = MonotonicClock()
        one = Scene.__new__(Scene)
        means = Means(
            build=build,
            mechanism=lambda spec, _place: f"by hand on {spec.on}",
            places=lambda: PARTS,
            book=book,
            clock=clock,
            sink=one,
            enter=lambda phase, name, _called: one.phases.append((phase.value, name)),
        )
        one.__init__(Method(experiment, means), clock, book, done)  # type: ignore[misc]
        made.append(one)
        return one

    yield make
    for one in made:
        one.method.release("the test is over")
        one.book.close()


def test_cycles_are_held_one_after_the_other_with_their_rests(scene: Make):
    """Each on the part that was drawn for it, each with its own phases and events; one answer for all."""
    steps = [fault("a-1", of="a"), rest("a"), fault("a-2", "postgres", of="a"), rest("a"), fault("b")]
    run = scene(*steps)
    told = run.method.hold("a")
    assert run.done == ["+a-1", "-a-1", "+a-2", "-a-2"]
    assert run.phases == [("fault", "a-1"), ("recovery", "a-1"), ("fault", "a-2"), ("recovery", "a-2")]
    assert [time["on"] for time in told["times"]] == [["redis"], ["postgres"]]
    assert told["confirmed_s"] < told["times"][0]["clear_s"] < told["times"][1]["confirmed_s"] < told["clear_s"]
    (first, second) = (event for event in run.events if event.kind is KIND.REQUESTED)
    assert first.detail == {"kind": "switch", "on": "redis", "settings": {}, "of": "a", "mechanism": "by hand on redis"}
    assert second.detail["on"] == "postgres"
    assert run.owes_nothing()


def test_a_group_comes_in_order_and_goes_in_reverse(scene: Make):
    """In one phase under the group's name; all are in place together."""
    run = scene(
        FaultGroup(name="g", faults=(fault("a", group="g"), fault("b", "postgres", group="g")), duration_s=0.05)
    )
    run.method.hold("g")
    assert run.done == ["+a", "+b", "-b", "-a"]
    assert run.phases == [("fault", "g"), ("recovery", "g")]
    assert [event.detail["group"] for event in run.events if event.kind is KIND.REQUESTED] == ["g", "g"]
    assert run.owes_nothing()


def test_if_one_of_a_group_cannot_be_held_none_is(scene: Make):
    """What was injected before it is given back, and the phase is recovery."""
    members = (fault("a", group="g"), fault("b", "postgres", group="g"))
    run = scene(FaultGroup(name="g", faults=members, duration_s=0.05), dead="b")
    with pytest.raises(FaultError, match="not observed active"):
        run.method.hold("g")
    assert run.done == ["+a", "+b", "-a"]
    assert run.phases[-1] == ("recovery", "g")
    assert run.owes_nothing()


def test_a_fault_that_was_begun_stays_until_its_end(scene: Make):
    """Others come and go inside it; phases say which came last."""
    slow = fault("slow", "postgres", duration_s=0.1, at_most_s=5.0)
    steps = [BeginFault(slow), Observe(PhaseName.FAULT, 0.02), fault("a"), Observe(PhaseName.FAULT, 0.02)]
    run = scene(*steps, EndFault("slow"), rest())
    run.method.begin("slow")
    run.method.observe(PhaseName.FAULT, 0.02)
    run.method.hold("a")
    run.method.observe(PhaseName.FAULT, 0.02)
    run.method.end("slow")
    run.method.observe(PhaseName.RECOVERY, 0.02)
    assert run.done == ["+slow", "+a", "-a", "-slow"]
    assert run.phases == [("fault", "slow"), ("fault", "a"), ("fault", "slow"), ("recovery", "slow")]
    assert run.owes_nothing()
    assert run.method.release("nothing is left") == ()
    with pytest.raises(FaultError, match="slow: is not in place"):
        run.method.end("slow")


def test_a_fault_that_cannot_be_begun_is_not_in_place(scene: Make):
    """Its phase is over, and there is nothing to end."""
    run = scene(BeginFault(fault("slow", at_most_s=5.0)), EndFault("slow"), dead="slow")
    with pytest.raises(FaultError, match="not observed active"):
        run.method.begin("slow")
    assert run.phases[-1] == ("recovery", "slow")
    with pytest.raises(FaultError, match="is not in place"):
        run.method.end("slow")
    assert run.owes_nothing()


def test_what_was_never_ended_is_given_back_once_from_whatever_thread(scene: Make):
    """The last first; two who release at once do not both get the same."""
    begun = [BeginFault(fault("a", at_most_s=5.0)), BeginFault(fault("b", "postgres", at_most_s=5.0))]
    run = scene(*begun)
    run.method.begin("a")
    run.method.begin("b")
    released: list[str] = []
    threads = [threading.Thread(target=lambda: released.extend(run.method.release("aborted"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert released == ["b", "a"]
    assert run.done == ["+a", "+b", "-b", "-a"]
    assert run.owes_nothing()


def test_a_run_that_was_told_to_stop_begins_nothing(scene: Make):
    """No fault, no strike, no phase."""
    hammer = FaultSpec(name="h", kind="hammer", on="redis", duration_s=0.0, strike=True)
    run = scene(fault("a"), hammer, BeginFault(fault("b", at_most_s=1.0)))
    run.clock.cancel("enough")
    for step in (run.method.hold, run.method.strike, run.method.begin):
        with pytest.raises(Interrupted, match="enough"):
            step({"hold": "a", "strike": "h", "begin": "b"}[step.__name__])
    with pytest.raises(Interrupted, match="enough"):
        run.method.observe(PhaseName.AFTER, 1.0)
    assert run.done == []
    assert run.phases == []
    assert "requested" not in " ".join(event.kind.value for event in run.events)


def test_a_strike_is_done_once_and_its_consequences_are_watched(scene: Make):
    """Requested, struck with what was measured, then its phase goes on for as long as planned."""
    run = scene(FaultSpec(name="h", kind="hammer", on="redis", duration_s=0.2, strike=True))
    told = run.method.strike("h")
    assert run.done == ["!h"]
    assert told["proof"] == "900 keys, then 0"
    assert run.clock.now_s() - told["struck_s"] >= 0.2
    assert [event.kind for event in run.events] == [KIND.REQUESTED, KIND.STRUCK]
    assert run.events[0].detail["strike"] is True
    assert run.phases == [("fault", "h"), ("recovery", "h")]


@pytest.mark.parametrize("refuses", ["prepare", "strike"])
def test_a_strike_that_was_not_done_says_so(scene: Make, refuses: str):
    """A problem of that step is in the record, nothing is struck, and the phase is over."""
    run = scene(FaultSpec(name="h", kind="hammer", on="redis", duration_s=0.2, strike=True), refuses=refuses)
    with pytest.raises(FaultError):
        run.method.strike("h")
    (problem,) = (event for event in run.events if event.kind is KIND.FAULT_PROBLEM)
    assert problem.detail["step"] == refuses
    assert run.names(KIND.STRUCK) == []
    assert run.phases[-1] == ("recovery", "h")


def test_what_is_held_is_no_strike_and_the_other_way_round(scene: Make):
    """Whoever mixes them up is told the right action."""
    run = scene(
        FaultSpec(name="h", kind="hammer", on="redis", duration_s=0.1),
        FaultSpec(name="s", kind="switch", on="redis", duration_s=0.1, strike=True),
    )
    with pytest.raises(FaultError, match="is a strike, which is not held"):
        run.method.hold("h")
    with pytest.raises(FaultError, match="is no strike"):
        run.method.strike("s")
    with pytest.raises(FaultError, match="is no fault of the experiment"):
        run.method.hold("nothing")


def test_nothing_is_struck_while_something_could_not_be_given_back(scene: Make):
    """As for leases: the target is not touched again."""
    run = scene(FaultSpec(name="h", kind="hammer", on="redis", duration_s=0.1, strike=True))
    run.book.abandoned.add("older-1")
    with pytest.raises(DebtsOutstanding, match="older-1"):
        run.method.strike("h")
    assert run.done == []
    run.book.abandoned.clear()
