"""Whatever the order of events, and wherever the runner dies between two of them, the target is given back.

A state machine drives real faults on real servers: it prepares, writes the debt, injects, looks, reverts and settles in
any order that a run could come to, with several faults at once, and dies between any two steps. After a death only the
book on disk is left, and the reaper's code settles it. After every settling the target is as it was found.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from resilience import reaper
from resilience.drill import found
from resilience.drill.examples import EXAMPLES
from resilience.errors import FaultError
from resilience.faults import registry
from resilience.model import FaultSpec, Place, Undo
from resilience.ports import Fault
from resilience.runtime.debts import DebtBook
from tests.faults.parts import eventually
from tests.faults.world import World

pytestmark = pytest.mark.stack

QUICK = [
    kind
    for kind in sorted(EXAMPLES)
    if EXAMPLES[kind].on == "redis"
    and kind.startswith(("toxiproxy.", "redis.", "process.pause"))
    and not registry.KINDS[kind].is_strike
]
"""Kinds that come and go within milliseconds."""


@dataclass
class Held:
    """A fault on its way through a lease; `step` is how far it came."""

    fault: Fault
    undo: Undo
    step: str = "prepared"
    debt: str = ""


class Machine(RuleBasedStateMachine):
    """The steps of leases, in any order; and death."""

    whole: World
    before: found.Found

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.state = Path(self.folder.name)
        self.number = 0
        self.book = DebtBook.create(self.state, "run0")
        self.held: list[Held] = []

    def _place(self) -> Place:
        return self.whole.place("redis")

    def _as_found(self) -> bool:
        return found.differences(self.before, found.look(self.whole.stack.places())) == ()

    def _some(self, data: st.DataObject, *steps: str) -> Held:
        return data.draw(st.sampled_from([one for one in self.held if one.step in steps]))

    def _any_at(self, *steps: str) -> bool:
        return any(one.step in steps for one in self.held)

    @precondition(lambda self: len(self.held) < 3)
    @rule(kind=st.sampled_from(QUICK))
    def prepare(self, kind: str) -> None:
        """A fault may refuse because of another that is in place: that is its right."""
        spec = FaultSpec(name=kind, kind=kind, on="redis", duration_s=60.0, settings=EXAMPLES[kind].settings)
        fault = registry.build(spec, self._place())
        assert isinstance(fault, Fault)
        try:
            self.held.append(Held(fault, fault.prepare()))
        except FaultError:
            assert self._any_at("owed", "injected", "reverted")

    @precondition(lambda self: self._any_at("prepared"))
    @rule(data=st.data())
    def owe(self, data: st.DataObject) -> None:
        """The debt is on disk before anything is done."""
        one = self._some(data, "prepared")
        one.debt = self.book.owe(one.undo.kind, one.undo)
        one.step = "owed"

    @precondition(lambda self: self._any_at("owed"))
    @rule(data=st.data())
    def inject(self, data: st.DataObject) -> None:
        """The target is changed; or it cannot be, because of what else is in place, and then the lease reverts."""
        one = self._some(data, "owed")
        try:
            one.fault.inject(one.undo)
        except FaultError:
            one.fault.revert(one.undo)
        one.step = "injected"

    @precondition(lambda self: self._any_at("injected", "reverted"))
    @rule(data=st.data())
    def revert(self, data: st.DataObject) -> None:
        """Once, or once more. What somebody else changed meanwhile may be an error; then it stays owed."""
        one = self._some(data, "injected", "reverted")
        try:
            one.fault.revert(one.undo)
        except FaultError:
            return
        one.step = "reverted"

    @precondition(lambda self: self._any_at("reverted"))
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """The debt is closed."""
        one = self._some(data, "reverted")
        self.book.settle(one.debt)
        self.held.remove(one)

    @rule()
    def die(self) -> None:
        """Everything in memory is gone; whoever comes next has the book."""
        self.held.clear()
        problems = reaper.settle(DebtBook(self.book.path), self.book.owed())
        assert problems == ()
        assert self.book.owed() == ()
        eventually(self._as_found, 10.0)  # the rules of another run on this machine go by themselves
        self.book.close()
        self.number += 1
        self.book = DebtBook.create(self.state, f"run{self.number}")

    @invariant()
    def nothing_is_owed_that_was_not_written(self) -> None:
        """The book has what was owed and not settled, no more and no less."""
        assert sorted(debt.id for debt in self.book.owed()) == sorted(one.debt for one in self.held if one.debt)

    def teardown(self) -> None:
        """Whatever happened: settled, and as found."""
        with self.folder:
            self.die()
            self.book.close()


@pytest.mark.timeout(600)
def test_the_target_is_given_back_wherever_the_runner_dies(whole: World):
    """Any order of steps, any number of deaths (Requirement F7)."""
    Machine.whole = whole
    Machine.before = found.settled(whole.stack.places)
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[one for one in Phase if one is not Phase.explain],  # it traces every line, also of libraries
        ),
    )
