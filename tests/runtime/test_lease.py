"""A lease gives back whatever happens, and never claims what was not seen (Requirement F7)."""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from resilience.errors import DebtsOutstanding, FaultError, Interrupted
from resilience.model import Event, EventKind, FaultSpec, Place, Undo
from resilience.runtime.clock import MonotonicClock
from resilience.runtime.debts import DebtBook
from resilience.runtime.lease import Limits, lease
from resilience.runtime.radius import Radius

SPEC = FaultSpec(name="broken", kind="switch", on="redis", duration_s=1.0, settings={"hard": 1})
QUICK = Limits(confirm_s=0.15, clear_s=0.3, grace_s=1.0)


@dataclass
class Switch:
    """A fault over a switch in memory, with a hook before every step."""

    hook: Callable[[str], None] = lambda _: None
    dead: bool = False
    stuck: bool = False
    on: bool = False
    steps: list[str] = field(default_factory=list)
    kind = "switch"

    def _step(self, name: str) -> None:
        self.steps.append(name)
        self.hook(name)

    def prepare(self) -> Undo:
        """Nothing to note."""
        self._step("prepare")
        return Undo(kind="switch", data={})

    def inject(self, _undo: Undo, /) -> None:
        """On, unless dead."""
        self._step("inject")
        self.on = not self.dead

    def revert(self, _undo: Undo, /) -> None:
        """Off, unless stuck."""
        self._step("revert")
        self.on = self.on and self.stuck

    def active(self, _undo: Undo, /) -> bool:
        """As it is."""
        self._step("active")
        return self.on


@dataclass
class Sink:
    """Keeps events; refuses one kind if told to."""

    refuse: EventKind | None = None
    events: list[Event] = field(default_factory=list)
    hook: Callable[[str], object] = lambda _: None

    def emit(self, kind: EventKind, name: str = "", /, **detail) -> Event:
        """Keep it."""
        if kind is self.refuse:
            raise OSError("no space left on device")
        self.events.append(Event(0.0, kind, name, detail))
        self.hook(kind.value)
        return self.events[-1]

    def kinds(self) -> list[str]:
        """Kinds of events, in order."""
        return [event.kind.value for event in self.events]

    def problems(self) -> list[str]:
        """Steps that had problems."""
        return [event.detail["step"] for event in self.events if event.kind is EventKind.FAULT_PROBLEM]


@pytest.fixture
def book(tmp_path: Path) -> DebtBook:
    return DebtBook.create(tmp_path, "r1")


def hold(fault: Switch, book: DebtBook, sink: Sink, clock: MonotonicClock | None = None):
    return lease(fault, SPEC, book=book, sink=sink, clock=clock or MonotonicClock(), limits=QUICK)


def test_order(book: DebtBook):
    """Debt before inject, confirmed only once observed, debt closed only once observed to be gone."""
    owed_at = {}
    sink = Sink()
    fault = Switch()
    fault.hook = lambda step: owed_at.setdefault(step, bool(book.owed()))
    with hold(fault, book, sink):
        assert fault.on
        assert sink.kinds() == ["fault-requested", "fault-confirmed"]
    assert fault.steps == ["prepare", "inject", "active", "active", "revert", "active"]
    assert owed_at == {"prepare": False, "inject": True, "active": True, "revert": True}
    assert sink.kinds() == ["fault-requested", "fault-confirmed", "fault-reverting", "fault-clear"]
    assert sink.events[0].detail == {"kind": "switch", "on": "redis", "settings": {"hard": 1}}
    assert book.owed() == ()


def test_a_fault_that_is_aimed_at_another_part_is_not_injected(book: DebtBook):
    """It would be seen active there and survived by anything here: so it is refused, and the record says why."""

    class Astray(Switch):
        def prepare(self) -> Undo:
            return Undo(kind="switch", data={"part": "redis-of-somebody-else"})

    fault, sink = Astray(), Sink()
    place = Place(name="redis", host="127.0.0.1", port=1, via_port=2)
    astray = lease(fault, SPEC, book=book, sink=sink, clock=MonotonicClock(), limits=QUICK, place=place)
    with pytest.raises(FaultError, match="done to something else than redis"), astray:
        pytest.fail("it was held")
    assert (fault.steps, sink.problems(), book.owed()) == ([], ["prepare"], ())


@pytest.mark.parametrize("step", ["prepare", "inject", "active"])
def test_an_error_on_any_step_ends_in_the_revert(book: DebtBook, step: str):
    """Whatever raises, and whatever it raises: off, nothing owed, and the record says which step failed."""
    armed = [True]

    def raise_once(now: str) -> None:
        if now == step and armed:
            armed.pop()
            raise RuntimeError("broken pipe or so")

    fault, sink = Switch(raise_once), Sink()
    with pytest.raises(FaultError, match="broken pipe"), hold(fault, book, sink):
        raise AssertionError("the block must not be entered")
    assert not fault.on
    assert book.owed() == ()
    assert sink.problems() == [step]
    assert ("revert" in fault.steps) == (step != "prepare")


def test_never_observed(book: DebtBook):
    """An injection that has no effect is given back and is an error: nothing may be concluded from such a fault."""
    fault, sink = Switch(dead=True), Sink()
    with pytest.raises(FaultError, match="not observed active"), hold(fault, book, sink):
        raise AssertionError("the block must not be entered")
    assert EventKind.CONFIRMED not in [event.kind for event in sink.events]
    assert sink.problems() == ["active"]
    assert book.owed() == ()


def test_gone_before_its_end(book: DebtBook):
    """A fault that somebody else healed meanwhile was not held for as long as the record would say."""
    fault, sink = Switch(), Sink()
    with pytest.raises(FaultError, match="gone before it was given back"), hold(fault, book, sink):
        fault.on = False
    assert sink.problems() == ["active"]
    assert sink.kinds()[-1] == "fault-clear"


def test_cannot_be_reverted(book: DebtBook):
    """What is still there after the revert stays owed, with its reason, and no further lease begins."""
    fault, sink = Switch(stuck=True), Sink()
    with pytest.raises(DebtsOutstanding, match="broken: not given back"), hold(fault, book, sink):
        pass
    assert [debt.fault for debt in book.owed()] == ["broken"]
    assert sink.problems() == ["clear"]
    assert fault.steps.count("revert") > 1, "it is tried again"
    other = Switch()
    with pytest.raises(DebtsOutstanding, match="not begun"), hold(other, book, Sink()):
        pass
    assert other.steps == []


def test_revert_that_fails_at_first_is_tried_again(book: DebtBook):
    """One failure of the revert is a problem in the record, not a target left broken."""
    failures = [1]

    def fail_once(step: str) -> None:
        if step == "revert" and failures:
            failures.pop()
            raise FaultError("no answer within 1 s")

    fault, sink = Switch(fail_once), Sink()
    with hold(fault, book, sink):
        pass
    assert not fault.on
    assert sink.problems() == ["revert"]
    assert book.owed() == ()


@pytest.mark.parametrize("error", [KeyboardInterrupt, Interrupted("stop"), SystemExit, ValueError("bug")])
def test_interrupted_while_it_holds(book: DebtBook, error):
    """Whatever ends the block ends in the revert, and goes on as it is."""
    fault, sink = Switch(), Sink()
    kind = error if isinstance(error, type) else type(error)
    with pytest.raises(kind), hold(fault, book, sink):
        raise error
    assert not fault.on
    assert book.owed() == ()


def test_signals_do_not_cut_the_revert_short(book: DebtBook):
    """An impatient second Ctrl-C during the revert is heard after it."""
    fault, sink = Switch(), Sink()

    def slow(step: str) -> None:
        if step == "revert":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)

    fault.hook = slow
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), hold(fault, book, sink):
            raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, before)
    assert not fault.on
    assert book.owed() == ()
    assert sink.kinds()[-1] == "fault-clear"


@pytest.mark.parametrize("refused", [EventKind.REQUESTED, EventKind.CONFIRMED, EventKind.REVERTING, EventKind.CLEAR])
def test_full_disk(book: DebtBook, refused: EventKind):
    """If an event cannot be written the fault is given back all the same, and the run hears of it."""
    fault = Switch()
    with pytest.raises((OSError, FaultError), match="no space left"), hold(fault, book, Sink(refused)):
        pass
    assert not fault.on
    assert book.owed() == ()


def test_cancelled_run_begins_nothing(book: DebtBook):
    """After an abort no lease begins: nothing is even looked at."""
    clock = MonotonicClock()
    clock.cancel("told to stop")
    fault = Switch()
    with pytest.raises(Interrupted), hold(fault, book, Sink(), clock):
        pass
    assert fault.steps == []


def test_cancel_ends_the_hold(book: DebtBook):
    """An abort while the fault is held gives it back at once, not at its end."""
    clock, fault = MonotonicClock(), Switch()
    timer = threading.Timer(0.1, clock.cancel, args=("told to stop",))
    timer.start()
    with pytest.raises(Interrupted), hold(fault, book, Sink(), clock):
        clock.sleep_until(30.0)
    timer.join()
    assert not fault.on
    assert clock.now_s() < 1.0


def test_nested_leases_are_given_back_in_reverse(book: DebtBook):
    """The inner fault goes before the outer one, also on an error."""
    order = []
    outer = Switch(lambda step: order.append(f"outer {step}") if step == "revert" else None)
    inner = Switch(lambda step: order.append(f"inner {step}") if step == "revert" else None)
    with pytest.raises(ValueError, match="bug"), hold(outer, book, Sink()), hold(inner, book, Sink()):
        raise ValueError("bug")
    assert order == ["inner revert", "outer revert"]
    assert book.owed() == ()


def test_ended_by_the_reaper(book: DebtBook):
    """If the reaper had to end the lease, the fault was not in place for as long as planned: an error, not a pass."""
    fault, sink = Switch(), Sink()
    with pytest.raises(FaultError, match="the reaper ended the lease"), hold(fault, book, sink):
        book.settle(book.owed()[0].id, by="reaper")
    assert sink.problems() == ["active"]


@pytest.mark.parametrize("step", ["inject", "active"])
def test_told_to_stop_while_a_step_hangs(book: DebtBook, step: str):
    """A run that is stopped while injecting or looking hangs does not wait for it: given back within a second."""
    release, began = threading.Event(), threading.Event()
    hung: list[bool] = []

    def hang(name: str) -> None:
        if name == step and not hung:
            hung.append(True)
            began.set()
            release.wait(10.0)

    fault, sink, clock = Switch(hook=hang), Sink(), MonotonicClock()
    limits = Limits(confirm_s=5.0, clear_s=3.0)
    stopped: list[float] = []

    def stop() -> None:
        began.wait(5.0)
        clock.cancel("enough")
        stopped.append(time.monotonic())
        time.sleep(0.7)
        stopped.append(float(fault.steps.count("revert")))
        release.set()

    stopper = threading.Thread(target=stop)
    stopper.start()
    with (
        pytest.raises(Interrupted, match="enough"),
        lease(fault, SPEC, book=book, sink=sink, clock=clock, limits=limits),
    ):
        raise AssertionError("never begun")
    stopper.join()
    assert stopped[1] >= 1, "reverting began while the step still hung"
    assert not fault.on, "what the step did when it went on is given back, too"
    assert book.owed() == ()
    assert sink.kinds()[-1] == "fault-clear"


def test_injecting_that_never_ends_stays_owed(book: DebtBook):
    """Reverted, but whoever injects is still at it: that is not over, and is left to the reaper."""
    began = threading.Event()

    def hang(name: str) -> None:
        if name == "inject":
            began.set()
            time.sleep(4.0)

    fault, sink, clock = Switch(hook=hang), Sink(), MonotonicClock()
    threading.Thread(target=lambda: (began.wait(5.0), clock.cancel("enough"))).start()
    with pytest.raises(Interrupted) as raised, lease(fault, SPEC, book=book, sink=sink, clock=clock, limits=QUICK):
        raise AssertionError("never begun")
    assert any("has not come to its end" in note for note in raised.value.__notes__)
    assert [debt.fault for debt in book.owed()] == ["broken"]


def settled_at(book: DebtBook, step: str) -> Switch:
    """A fault whose debt the reaper settles at that step, as if the runner had been stopped there for too long."""
    fault = Switch()

    def lapse(name: str) -> None:
        if name == step:
            for debt in book.owed():
                book.settle(debt.id, by="reaper")

    fault.hook = lapse
    return fault


def test_a_lease_that_is_over_before_the_inject_is_not_begun(book: DebtBook):
    """Stopped between debt and inject until the reaper settled it: nobody would give it back, so there is none."""
    sink, fault = Sink(), Switch()
    sink.hook = lambda kind: [book.settle(debt.id, by="reaper") for debt in book.owed() if kind == "fault-requested"]
    with (
        pytest.raises(FaultError, match="ended the lease"),
        lease(fault, SPEC, book=book, sink=sink, clock=MonotonicClock(), limits=QUICK),
    ):
        raise AssertionError("never begun")
    assert "inject" not in fault.steps
    assert not fault.on


def test_a_lease_that_is_over_during_the_inject_is_given_back_at_once(book: DebtBook):
    """Stopped inside inject: the fault is there without a debt, so it is not held for a moment longer."""
    fault, sink = settled_at(book, "inject"), Sink()
    with (
        pytest.raises(FaultError, match="ended the lease"),
        lease(fault, SPEC, book=book, sink=sink, clock=MonotonicClock(), limits=QUICK),
    ):
        raise AssertionError("held without a debt")
    assert "fault-confirmed" not in sink.kinds()
    assert not fault.on


def test_a_fault_that_met_nothing_proves_nothing(book: DebtBook):
    """In place all the time, and nothing of the target's came its way: given back, and no pass can come of it."""
    fault, sink = Switch(), Sink()
    fault.idle = lambda _undo: "no statement matched"
    with (
        pytest.raises(FaultError, match="it proves nothing: no statement matched"),
        lease(fault, SPEC, book=book, sink=sink, clock=MonotonicClock(), limits=QUICK),
    ):
        pass
    assert "fault-problem" in sink.kinds()
    assert sink.kinds()[-1] == "fault-clear"
    assert not fault.on
    assert book.owed() == ()


def test_outside_the_blast_radius(book: DebtBook):
    """No lease for a part that the plan does not name: nothing is looked at, nothing is owed."""
    fault, sink = Switch(), Sink()
    radius = Radius(frozenset({"postgres"}), max_at_once=1, max_fault_s=60.0)
    with (
        pytest.raises(FaultError, match="does not name 'redis'"),
        lease(fault, SPEC, book=book, sink=sink, clock=MonotonicClock(), limits=QUICK, radius=radius),
    ):
        raise AssertionError("never begun")
    assert fault.steps == []
    assert book.owed() == ()


def test_room_is_given_back_with_the_fault(book: DebtBook):
    """What is gone no longer counts; what is still there does."""
    radius = Radius(frozenset({"redis"}), max_at_once=1, max_fault_s=60.0)
    paused = replace(SPEC, kind="process.pause")
    for stuck in (False, True):
        fault = Switch(stuck=stuck)
        with (
            suppress(DebtsOutstanding),
            lease(fault, paused, book=book, sink=Sink(), clock=MonotonicClock(), limits=QUICK, radius=radius),
        ):
            assert fault.on
    with pytest.raises(FaultError, match="while broken"):
        radius.enter(replace(paused, name="next", kind="process.kill"))
