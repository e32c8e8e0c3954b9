"""One run: brings the stack up, keeps load and phases going, holds faults, and leaves a record that can be judged.

The session knows ports only; who stands behind them is decided where things are wired (`ctk.wiring`). Order of a run:

    open()           stack → load → warm-up and baseline
    hold_fault(name), strike(name), …   steps of the method      observe(phase)   time passes under load
    finish()         load drained and sealed → truth read → record closed → judged      close()  everything given back

Whatever happens in between, `close()` gives everything back; if this process dies, the reaper does.
"""

import time
from contextlib import ExitStack
from pathlib import Path

from resilience.errors import EnvironmentNotReady, Interrupted, ResilienceError
from resilience.model import (
    Answer,
    EventKind,
    Experiment,
    Json,
    LoadOrder,
    Part,
    Phase,
    PhaseName,
    Plan,
    Problem,
    Undo,
    Verdict,
)
from resilience.ports import Driver, LoadHandle
from resilience.record import documents
from resilience.record import folder as names
from resilience.record.events import EventLog
from resilience.record.reader import read_record
from resilience.record.redact import Redactor
from resilience.runtime.clock import MonotonicClock
from resilience.runtime.collaborators import Collaborators
from resilience.runtime.debts import DebtBook
from resilience.runtime.guard import Guard
from resilience.runtime.header import header_of
from resilience.runtime.heartbeat import Held, heartbeat_of
from resilience.runtime.method import Means, Method
from resilience.runtime.signals import signals_wait
from resilience.runtime.steering import Steering
from resilience.runtime.stores import Stores
from resilience.runtime.watch import Watch, watched
from resilience.runtime.way import expect_users, ways_of
from resilience.runtime.written import written
from resilience.spec.resolve import resolve
from resilience.spec.stages import method_s
from resilience.spec.stores import asked

START_MARGIN_S = 2.0
"""From the decision when the run begins until its zero: the load generator, already running, takes its order in it."""

NOT_BEGUN = "the run has not begun"

DRAIN_S = 30.0
"""The generator is given its longest timeout plus this long to drain and seal."""


class Session:
    """One run, see the module.

    Args:
        experiment: what to do, already parsed and checked.
        plan: its run id, seed and phases.
        folder: the run folder, already made.
        book: where debts are written down; `guard` is the reaper that settles them if we cannot.
        collaborators: who does what.

    Attributes:
        answered: what `answers` has said, one after the other.
    """

    def __init__(
        self,
        experiment: Experiment,
        plan: Plan,
        *,
        folder: Path,
        book: DebtBook,
        guard: Guard,
        collaborators: Collaborators,
    ) -> None:
        """Nothing is touched before `open`."""
        self.experiment = resolve(experiment, plan.seed)
        self.plan = plan
        self.folder = folder
        self._book = book
        self._guard = guard
        self._with = collaborators
        self._debts: dict[str, str] = {}
        self._stores = Stores(self.experiment, collaborators, folder)
        self._clock = MonotonicClock()
        self._log: EventLog | None = None
        self.redactor = Redactor(collaborators.secrets)
        self._driver: Driver | None = None
        self._load: LoadHandle | None = None
        self._beside = ExitStack()
        self._watch: Watch | None = None
        self._phase: Phase | None = None
        self._held = Held()
        self._method: Method | None = None
        self._method_began = False
        self._baseline: tuple[Part, ...] | None = None
        self._verdict: Verdict | None = None
        self.answered: list[bool] = []

    @property
    def began(self) -> bool:
        """Whether the first phase was entered: from then on there is a record worth keeping."""
        return self._phase is not None

    # ------------------------------------------------------------------------------------------------------- begin

    def open(self) -> None:
        """Start the stack and the load; return when the baseline is over.

        Raises:
            EnvironmentNotReady: the stack, the load generator or a fault cannot work here; `close` leaves nothing.
            Interrupted: told to stop.
        """
        driver = self._launch_driver()
        self._start_stack()
        self._stores.know(self.plan.run)
        self._start_load(driver)
        load = self.experiment.load
        self._clock.sleep_until(0.0)
        self._enter(PhaseName.WARM_UP)
        self._clock.sleep_until(load.warm_up_s)
        self._enter(PhaseName.BASELINE)
        self._clock.sleep_until(load.warm_up_s + load.baseline_s)
        self._expect_users()

    def _launch_driver(self) -> Driver:
        """Start the load generator's program; it imports while the stack starts."""
        tag = f"load-{self.plan.run}"
        self._debts["load"] = self._book.owe("load", Undo(kind="load.process", data={"tag": tag}))
        self._driver = self._with.driver(tag)
        self._driver.launch()
        return self._driver

    def _start_stack(self) -> None:
        documents.save_experiment(self.folder, self.experiment, self.redactor)
        documents.save_plan(self.folder, self.plan, self.redactor)
        if self._with.stack_undo is not None:
            self._debts["stack"] = self._book.owe("stack", self._with.stack_undo)
        self._with.stack.start()
        self.redactor = Redactor((*self._with.secrets, *self._with.stack.secrets()))
        places = self._with.stack.places()
        problems: list[Problem] = []
        for spec in self.experiment.faults:
            place = places.get(spec.on)
            if place is None:
                known = ", ".join(sorted(places))
                problems.append(Problem(spec.name, f"the stack has no part {spec.on!r}; it has {known}"))
            else:
                problems.extend(self._with.fits(spec, place))
        if problems:
            raise EnvironmentNotReady(problems)

    def _start_load(self, driver: Driver) -> None:
        ways = ways_of(self.experiment.load.regions, self._with.stack.places())
        driver.prepare()
        zero_ns = time.monotonic_ns() + round(START_MARGIN_S * 1e9)
        self._clock = MonotonicClock(zero_ns)
        sinks = [self._held.note, *(display.on_event for display in self._with.displays)]
        header = header_of(self.experiment, self.plan, self._with, zero_ns)
        header["documents"] = documents.digests(self.folder)
        self._log = EventLog(self.folder / names.EVENTS, self._clock, sinks, header=header, redactor=self.redactor)
        places = self._with.stack.places()
        self._load = driver.start(
            LoadOrder(
                run=self.plan.run,
                seed=self.plan.seed,
                zero_ns=zero_ns,
                base_url=places["service"].url,
                folder=str(self.folder),
                load=self.experiment.load,
                max_s=self.experiment.safety.max_duration_s + DRAIN_S,
                accounts=self.experiment.accounts,
                home=self.experiment.folder,
                ways=ways,
                places=asked(self.experiment.load, places),
                steered=self._with.steered,
            )
        )
        self._beside.callback(self._with.collect(self.experiment, places, self.folder, self.redactor, self._now_ns))
        safety = self.experiment.safety
        self._watch = Watch(
            clock=self._clock,
            load=self._load,
            guard_alive=self._guard.alive,
            phase=lambda: self._phase,
            displays=self._with.displays,
            folder=self.folder,
            limits=watched(
                safety,
                self.experiment.objectives,
                (self.folder, self._book.path.parent),
                heartbeat_of(safety, places["service"], self._held),
            ),
            interrupt=self.interrupt,
            note=lambda text: self.problem("load", text),
        )
        self._watch.start()
        self._method = Method(
            self.experiment,
            Means(
                build=self._with.build_fault,
                mechanism=self._with.mechanism,
                places=self._with.stack.places,
                book=self._book,
                clock=self._clock,
                sink=self._log,
                enter=self._enter,
            ),
        )

    def _expect_users(self) -> None:
        """A fault on a way that nobody uses would be survived by anything: that must not pass."""
        faulted = {spec.on for spec in self.experiment.faults}
        expect_users(faulted, self._with.stack.places(), self._with.users, clock=self._clock, sink=self._events)

    # ----------------------------------------------------------------------------------------------------- in between

    def hold_fault(self, name: str) -> dict[str, Json]:
        """Hold a fault, or a group of faults, of the experiment; afterwards the phase is *recovery*.

        This and the other steps raise:
            Interrupted: the run was told to stop; the fault was reverted or not begun.
            FaultError: it could not be injected, observed or reverted; the record says so and the verdict cannot pass.
            DebtsOutstanding: it could not be verified that it is gone.
        """
        return self._steps.hold(name)

    def begin_fault(self, name: str) -> dict[str, Json]:
        """Put a fault in place that stays until `end_fault`."""
        return self._steps.begin(name)

    def end_fault(self, name: str) -> dict[str, Json]:
        """Give a fault back that was begun."""
        return self._steps.end(name)

    def strike(self, name: str) -> dict[str, Json]:
        """Do a strike of the experiment, and watch its consequences; afterwards the phase is *recovery*."""
        return self._steps.strike(name)

    def observe(self, phase: PhaseName, duration_s: float) -> dict[str, Json]:
        """Let time pass under load; says when that began and ended."""
        return self._steps.observe(phase, duration_s)

    def steering(self) -> Steering:
        """What a search is conducted by, instead of steps; from now on the phase is *after*."""
        if self._load is None or self._method is None:
            raise Interrupted(NOT_BEGUN)
        self._enter(PhaseName.AFTER)
        return Steering(self._clock, self._load, self._events, self._method)

    def interrupt(self, reason: str, /, **detail: Json) -> None:
        """Stop as soon as possible: leases revert, later faults are refused, it cannot pass (see `watch.Interrupt`)."""
        if self._verdict is not None:
            return
        with ExitStack() as after:  # a full disk must not keep a fault in place
            after.callback(self._release, reason)
            if self._clock.cancelled is None:
                self._clock.cancel(reason)
                if self._log is not None:
                    self._log.emit(EventKind.INTERRUPTED, "run", reason=reason, **detail)

    def problem(self, source: str, message: str) -> None:
        """Note something that keeps the verdict from passing."""
        if self._log is not None and self._verdict is None:
            self._log.emit(EventKind.PROBLEM, source, message=message)

    def answers(self, part: str) -> bool:
        """Whether a part of the verdict is *pass*: of the baseline before the method, of the whole run after it."""
        parts = {known.name: known for known in self.finish().parts} if self._method_began else self._judge_baseline()
        self.answered.append(parts[part].answer is Answer.PASS)
        return self.answered[-1]

    def baseline_failures(self) -> tuple[Part, ...]:
        """The parts of the baseline's judgement that did not pass; empty if it was never asked for."""
        return tuple(part for part in self._baseline or () if part.answer is not Answer.PASS)

    def _judge_baseline(self) -> dict[str, Part]:
        if self._baseline is None:
            self._baseline = self._with.judge_baseline(written(self.folder, self._clock))
            for part in self.baseline_failures():
                self.problem("baseline", f"{part.name} is {part.answer.value} before any fault: {part.because}")
        return {part.name: part for part in self._baseline}

    # --------------------------------------------------------------------------------------------------------- end

    def finish(self) -> Verdict:
        """End the load, read the truth, close the record, judge it. The second call returns the same verdict.

        Raises:
            ResilienceError: there is nothing to judge because the run never began.
        """
        if self._verdict is None:
            if not self.began:
                raise ResilienceError("the run did not begin, so there is nothing to judge")
            with signals_wait():
                self._release("the method is over")
                self._events.emit(EventKind.END)
                self._stop_load()
                self._beside.close()
                self._stores.read(self.plan.run, self._now_ns, self.redactor, self.problem)
                if not self._guard.alive():
                    self.problem("reaper", "the reaper was not there until the end")
                self._events.close()
                self._verdict = self._with.judge(read_record(self.folder))
                documents.save_verdict(self.folder, self._verdict, self.redactor)
        return self._verdict

    def _stop_load(self) -> None:
        if self._load is None:
            return
        longest_s = max((operation.timeout_s for operation in self.experiment.load.operations), default=0.0)
        if self._watch is not None:
            self._watch.stop()
        try:
            account = self._load.stop(longest_s + DRAIN_S)
        except ResilienceError as error:
            self.problem("load", str(error))
        else:
            self._events.emit(EventKind.LOAD, self.experiment.load.driver, **account)
        self._load = None
        self._settle("load")

    def close(self) -> None:
        """Give everything back: load, stack, debts, reaper. Idempotent.

        Raises:
            DebtsOutstanding: something is still owed; the book is left for `resilience reap`.
        """
        with signals_wait():
            self._release("the run is over")
            self._close()

    def _close(self) -> None:
        if self._watch is not None:
            self._watch.stop()
        self._beside.close()
        if self._driver is not None:
            self._driver.close()
        self._settle("load")
        if self._log is not None:
            self._log.close()
        for display in self._with.displays:
            display.close(self._verdict)
        self._with.stack.stop()
        self._settle("stack")
        self._guard.close()
        self._book.close()

    # ------------------------------------------------------------------------------------------------------- helpers

    def _now_ns(self) -> int:
        return time.monotonic_ns() - self._clock.zero_ns

    @property
    def _events(self) -> EventLog:
        if self._log is None:
            raise Interrupted(NOT_BEGUN)
        return self._log

    @property
    def _steps(self) -> Method:
        """What carries out the steps; from the first of them on, probes ask about the whole run."""
        if self._method is None:
            raise Interrupted(NOT_BEGUN)
        if not self._method_began:
            self._clock.sleep_until(method_s(self.experiment.load))  # the shape of the load begins with the method
            self._method_began = True
        return self._method

    def _release(self, reason: str) -> None:
        """Give back what was begun and not ended; that it had to be is a problem of the run."""
        for name in self._method.release(reason) if self._method is not None else ():
            self.problem("lease", f"{name} was not ended by the method, and given back: {reason}")

    def _enter(self, phase: PhaseName, fault: str = "", called: tuple[str, ...] = ()) -> None:
        event = self._events.emit(EventKind.PHASE, phase.value, fault=fault, **({"called": called} if called else {}))
        self._phase = Phase(phase, event.at_s, float("inf"), fault, called)

    def _settle(self, name: str) -> None:
        if name in self._debts:
            self._book.settle(self._debts.pop(name))
