"""A lease: a fault in place while a `with` block lasts, observed at both ends, given back whatever happens.

In this order: prepare → debt written and fsynced → event *requested* → inject → active? → event *confirmed* → the block
→ still active? → event *reverting* → revert → active? must be no → debt closed → event *clear*. An exception on any
line ends in the revert, which runs in a thread of its own: signal handlers raise in the main thread, so they cannot cut
it short. Injecting and looking run in a thread, too: whatever ends the run need not wait for a step that hangs.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType

from resilience.errors import DebtsOutstanding, FaultError, ResilienceError
from resilience.model import EventKind, FaultSpec, Place, Problem, Undo
from resilience.ports import Clock, EventSink, Fault
from resilience.runtime.aim import missed
from resilience.runtime.debts import DebtBook
from resilience.runtime.radius import Radius, length_of

POLL_S = 0.02
SHIELD_POLL_S = 0.005

PATIENCE_S = 0.5
"""When a run is stopped while a step is under way, it is given so long to end; then reverting begins beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long the ends of a lease may take, seconds.

    Attributes:
        confirm_s: from inject until the effect must be observed; inject itself may take as long. A fault that needs
            longer says so itself, in an attribute `confirm_s`.
        clear_s: from revert until it must be observed to be gone. A fault whose undo takes longer says so itself, in an
            attribute `clear_s`.
        grace_s: the lease ends by itself (the reaper reverts) this long after its planned end.
    """

    confirm_s: float = 2.0
    clear_s: float = 5.0
    grace_s: float = 5.0


def lease(
    fault: Fault,
    spec: FaultSpec,
    *,
    book: DebtBook,
    sink: EventSink,
    clock: Clock,
    limits: Limits = Limits(),
    radius: Radius | None = None,
    place: Place | None = None,
) -> AbstractContextManager[Undo]:
    """Hold a fault for the length of a `with` block; the value of the block is the fault's `Undo`. Leases nest.

    Args:
        fault: what is held. Four attributes are read if it has them: `proof` (what its last look saw, for the events),
            `confirm_s` and `clear_s` (seconds until it may be expected to be there, and gone, if more than the limits),
            and `idle`: a function of the undo that says why the fault, which was there, met nothing of the target's;
            empty if it did.
        spec: its name, place, settings and planned duration, for the events and for the end of the lease. The block
            itself decides how long it is held.
        book: where the debt is written.
        sink: where the events go.
        clock: the run's clock; once cancelled, no lease begins.
        limits: how long the ends may take.
        radius: what may be touched, together with what else is in place; None only where nothing else can be.
        place: the part that is meant, with which the fault's undo is compared; None compares nothing.

    Raises:
        Interrupted: the clock was cancelled; if that was before, nothing was touched.
        FaultError: a step failed, or the fault was not observed, or not all the time; it has been given back.
        DebtsOutstanding: it is not known to be gone (or an earlier one is not). The debt stays open. If the block
            itself raised something other than a FaultError, that goes on instead, with a note: ask the book at the end.
    """
    about = _About(spec, radius or Radius.of_one(spec), place)
    return _Lease(fault, about, book, sink, _Pace(clock, limits))


@dataclass(frozen=True, slots=True)
class _Pace:
    """What says how long things may take."""

    clock: Clock
    limits: Limits


@dataclass(frozen=True, slots=True)
class _About:
    """What is held, and what it may touch."""

    spec: FaultSpec
    radius: Radius
    place: Place | None


class _Lease:
    """The context manager of `lease`."""

    def __init__(self, fault: Fault, about: _About, book: DebtBook, sink: EventSink, pace: _Pace) -> None:
        self._fault, self._book, self._sink = fault, book, sink
        self._spec, self._radius, self._place = about.spec, about.radius, about.place
        self._clock, self._limits = pace.clock, pace.limits
        self._step_under_way: _Step | None = None
        self._debt = book.new_id(about.spec.name)
        self._undo = Undo(kind=fault.kind, data={})
        self._problem: Exception | None = None
        self._outstanding: DebtsOutstanding | None = None

    def __enter__(self) -> Undo:
        """Prepare, write the debt, inject, observe."""
        self._clock.sleep_until(self._clock.now_s())  # raises if the run has been told to stop
        if self._book.abandoned:
            owed = ", ".join(sorted(self._book.abandoned))
            raise DebtsOutstanding(f"{self._spec.name} is not begun: {owed} could not be given back")
        self._radius.enter(self._spec)
        try:
            with self._step("prepare"):
                self._undo = self._aimed(self._fault.prepare())
        except BaseException:
            self._radius.leave(self._spec)
            raise
        try:
            self._take()
        except BaseException as error:
            self._end(error)
            raise
        return self._undo

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Observe once more, revert, observe that it is gone, close the debt."""
        if error is None:
            try:
                self._interruptibly(self._check_still_there)
            except BaseException as late:
                self._end(late)
                raise
        self._end(error)

    def _aimed(self, undo: Undo) -> Undo:
        """The undo, if it is about the part that is meant.

        Raises:
            FaultError: it is about something else.
        """
        if self._place is not None and (wrong := missed(self._place, undo)):
            raise FaultError(Problem(self._spec.name, wrong))
        return undo

    def _end(self, error: BaseException | None) -> None:
        """Give back, then raise what was noted; an error that is under way goes first unless it is a FaultError."""
        _shielded(self._give_back)
        if self._outstanding is None:
            self._radius.leave(self._spec)
        if error is None:
            if self._outstanding is not None:
                raise self._outstanding
            if self._problem is not None:
                raise FaultError(Problem(self._spec.name, f"given back, but: {self._problem}")) from self._problem
        elif self._outstanding is not None:
            if isinstance(error, FaultError):
                raise self._outstanding from error
            error.add_note(str(self._outstanding))

    @contextmanager
    def _step(self, step: str) -> Iterator[None]:
        """Turn an error of a step into an event and a FaultError; interruptions go through."""
        try:
            yield
        except FaultError as error:
            self._report(step, str(error))
            raise
        except (ResilienceError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            if isinstance(error, ResilienceError):
                raise
            self._report(step, f"{type(error).__name__}: {error}")
            raise FaultError(Problem(self._spec.name, f"{step} failed: {error}")) from error

    def _take(self) -> None:
        """Debt, requested, inject, confirmed."""
        spec = self._spec
        lasts_s = 2 * self._confirm_s + length_of(spec) + self._limits.grace_s
        self._book.owe(
            spec.name, self._undo, deadline_ns=time.monotonic_ns() + round(lasts_s * 1e9), debt_id=self._debt
        )
        self._sink.emit(EventKind.REQUESTED, spec.name, **spec.detail)
        self._interruptibly(self._inject)
        self._sink.emit(EventKind.CONFIRMED, spec.name, proof=self._proof("active"))

    def _inject(self) -> None:
        """Inject, and look until it is there.

        A runner that was stopped for long finds its lease over and its debt settled: a fault that came after that would
        be nobody's to give back if the runner died. So it is looked for before and at once after.
        """
        with self._step("inject"):
            self._expect_owed()
            self._fault.inject(self._undo)
            self._expect_owed()
        with self._step("active"):
            doubt = self._until(active=True, within_s=self._confirm_s)
            if doubt:
                message = f"not observed active within {self._confirm_s:g} s of inject: {doubt}"
                raise FaultError(Problem(self._spec.name, message))

    @property
    def _confirm_s(self) -> float:
        return max(self._limits.confirm_s, float(getattr(self._fault, "confirm_s", 0.0)))

    def _interruptibly(self, act: Callable[[], None]) -> None:
        """Do something in a thread; if the run is stopped meanwhile, do not wait for it."""
        step = self._step_under_way = _Step(act)
        step.start()
        while not step.ended.wait(POLL_S):
            self._clock.sleep_until(self._clock.now_s())  # raises if the run has been told to stop
        if step.failure is not None:
            raise step.failure

    def _expect_owed(self) -> None:
        """The debt is what brings the fault back if this process dies.

        Raises:
            FaultError: the reaper has settled it.
        """
        if self._debt in self._book.read().settled:
            raise FaultError(Problem(self._spec.name, "the reaper ended the lease before its planned end"))

    def _check_still_there(self) -> None:
        """A fault that went away by itself was not held for as long as the record would say."""
        with self._step("active"):
            self._expect_owed()
            doubt = self._until(active=True, within_s=1.0)
            if doubt:
                raise FaultError(Problem(self._spec.name, f"it was gone before it was given back: {doubt}"))
            idle: Callable[[Undo], str] | None = getattr(self._fault, "idle", None)
            if idle is not None and (reason := idle(self._undo)):
                raise FaultError(Problem(self._spec.name, f"it proves nothing: {reason}"))

    def _give_back(self) -> None:
        """Revert until it is observed to be gone, then close the debt. Notes problems, raises nothing."""
        self._noting("revert", lambda: self._sink.emit(EventKind.REVERTING, self._spec.name))
        within_s = max(self._limits.clear_s, float(getattr(self._fault, "clear_s", 0.0)))
        if self._step_under_way is not None:
            self._step_under_way.give_up(PATIENCE_S)
        message = self._revert_until_gone(within_s)
        if message:
            self._noting("clear", lambda: self._report("clear", message))
            self._noting("clear", lambda: self._book.failed(self._debt, message))
            self._book.abandoned.add(self._debt)
            self._outstanding = DebtsOutstanding(
                Problem(self._spec.name, f"not given back within {within_s:g} s: {message}", "run `resilience reap`")
            )
            return
        self._noting("clear", lambda: self._book.settle(self._debt))
        self._noting("clear", lambda: self._sink.emit(EventKind.CLEAR, self._spec.name, proof=self._proof("gone")))

    def _revert_until_gone(self, within_s: float) -> str:
        """Why it is not known to be gone; empty if it is."""
        deadline = time.monotonic() + within_s
        message = ""
        reported = False
        while True:
            try:
                step = self._step_under_way
                beside = step is not None and not step.over  # it may still change the target after this revert
                self._fault.revert(self._undo)
                message = self._until(active=False, within_s=min(1.0, within_s / 3))
                message = message or ("injecting has not come to its end" if beside else "")
            except Exception as error:  # noqa: BLE001 - whatever it is, trying again is right; it is reported
                message = f"{type(error).__name__}: {error}"
                if not reported:
                    self._noting("revert", lambda text=message: self._report("revert", text))  # type: ignore[misc]
                    reported = True
            if not message or time.monotonic() >= deadline:
                return message
            time.sleep(POLL_S)

    def _until(self, *, active: bool, within_s: float) -> str:
        """Poll until the fault is (not) active; why not, if it does not come to that in time. Polls at least once."""
        deadline = time.monotonic() + within_s
        while True:
            try:
                if self._fault.active(self._undo) is active:
                    return ""
                doubt = "it is not there" if active else "it is still there"
            except FaultError as error:
                doubt = str(error)
            if time.monotonic() >= deadline or (active and self._given_up):
                return doubt
            time.sleep(POLL_S)

    @property
    def _given_up(self) -> bool:
        return self._step_under_way is not None and self._step_under_way.given_up

    def _proof(self, state: str) -> str:
        """What the fault saw last, in its own words if it has any."""
        return str(getattr(self._fault, "proof", "") or f"{self._spec.kind} looked at {self._spec.on}: {state}")

    def _report(self, step: str, message: str) -> None:
        self._sink.emit(EventKind.FAULT_PROBLEM, self._spec.name, kind=self._spec.kind, step=step, message=message)

    def _noting(self, step: str, act: Callable[[], object]) -> None:
        """Do something that must not keep the revert from going on; what it raises is kept for `raise_problem`."""
        try:
            act()
        except Exception as error:  # noqa: BLE001 - kept and raised at the end
            self._problem = self._problem or error
            with suppress(Exception):
                self._report(step, f"{type(error).__name__}: {error}")


class _Step:
    """Something that runs in a thread, and may be given up while it does."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._turn = threading.Lock()
        self.ended = threading.Event()
        self.given_up = False
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Begin. A signal's exception may cut this short with the thread running, or not."""
        threading.Thread(target=self._run, name="inject", daemon=True).start()

    def give_up(self, patience_s: float) -> None:
        """It is not to be waited for; if it has not begun, it never will."""
        self.given_up = True
        if self._turn.acquire(blocking=False):
            self.ended.set()
        self.ended.wait(patience_s)

    @property
    def over(self) -> bool:
        """Whether it does nothing any more."""
        return self.ended.is_set()

    def _run(self) -> None:
        if not self._turn.acquire(blocking=False):
            return
        try:
            self._act()
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            self.failure = error
        finally:
            self.ended.set()


def _shielded(act: Callable[[], None]) -> None:
    """Run to the end in a thread; an exception that a signal raises in this thread meanwhile is raised afterwards.

    Waiting is polling: `Thread.join`, when a signal's exception goes through it, can take the thread for finished
    although it runs (CPython 3.11). `Thread.start` can be cut short, too, with the thread running or not; so it is
    started until one runs, and only the first does anything.
    """
    turn = threading.Lock()
    failures: list[BaseException] = []
    done: list[bool] = []

    def run() -> None:
        if not turn.acquire(blocking=False):
            return
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            failures.append(error)
        finally:
            done.append(True)

    interrupted: BaseException | None = None
    while not done:
        try:
            if not turn.locked():
                threading.Thread(target=run, name="revert").start()
            time.sleep(SHIELD_POLL_S)
        except BaseException as error:  # noqa: BLE001 - raised below, once the revert is through
            interrupted = interrupted or error
    if failures:
        raise failures[0]
    if interrupted is not None:
        raise interrupted
