"""What every fault that is held must do, whatever its mechanism; on a whole stack of real servers.

"As found" is looked at from outside: `drill.found` asks nothing of the faults.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import pytest

from resilience.drill import found
from resilience.drill.examples import EXAMPLES, VARIANTS
from resilience.errors import FaultError
from resilience.faults import registry
from resilience.faults.toxiproxy import Toxic, Toxiproxy
from resilience.model import FaultSpec, Undo
from resilience.ports import Fault, Strike
from tests.faults.parts import eventually, over_json
from tests.faults.reasons import reason_of
from tests.faults.world import World, queue_of_loopback

pytestmark = pytest.mark.stack

HELD = sorted(name for name, kind in registry.KINDS.items() if not kind.is_strike)
STRIKES = sorted(name for name, kind in registry.KINDS.items() if kind.is_strike)
OTHERWISE = {f"{one.kind}, {one.settings['mechanism']}": one for one in VARIANTS}
"""Kinds by other means than the example's."""
KINDS = pytest.mark.parametrize("kind", [*HELD, *OTHERWISE])

Made = Callable[[], Fault]


def spec_of(kind: str) -> FaultSpec:
    return (EXAMPLES | OTHERWISE)[kind].spec(30.0)


def possible(whole: World, kind: str) -> None:
    """Skip, by name and with the reason, what this machine cannot do; preflight must say so, too, and only then."""
    reason = reason_of(kind)
    spec = spec_of(kind)
    problems = registry.check(spec) or registry.fits(spec, whole.place(spec.on))
    if reason:
        assert problems, f"{kind} cannot be done here ({reason}), and preflight does not say so"
        pytest.skip(f"{kind}: {reason}; preflight: {problems[0]}")
    assert problems == ()


@pytest.fixture
def make(whole: World, request: pytest.FixtureRequest) -> Iterator[Made]:
    """Makes the fault of the test's kind, on the part as it is now."""
    kind = request.node.callspec.params["kind"]
    possible(whole, kind)

    def made() -> Fault:
        fault = registry.build(spec_of(kind), whole.place(spec_of(kind).on))
        assert isinstance(fault, Fault)
        return fault

    with queue_of_loopback() if kind in {"network.bandwidth", "network.delay"} else nullcontext():
        yield made


def as_found(whole: World, before: found.Found, within_s: float = 20.0) -> None:
    """Everything is as it was, or comes to be."""
    left: list[tuple[str, ...]] = []

    def same() -> bool:
        left[:] = [found.differences(before, found.look(whole.stack.places()))]
        return left[0] == ()

    try:
        eventually(same, within_s)
    except AssertionError as error:
        raise AssertionError(f"not as found: {left[0]}") from error


def put_back(fault: Fault, undo: Undo) -> None:
    """Revert as the lease does: again, until it is seen gone."""
    eventually(lambda: fault.revert(undo) is None and fault.active(undo) is False, 20.0)


def test_every_kind_is_tried():
    """A kind that is added must have an example: the contract is not optional."""
    assert set(EXAMPLES) == set(registry.KINDS)


@KINDS
def test_prepare_changes_nothing(whole: World, make: Made, kind: str):
    """Preparing looks only, and what it returns says the same after a round trip through JSON."""
    before = found.settled(whole.stack.places)
    undo = make().prepare()
    assert undo.kind == spec_of(kind).kind
    assert json.loads(json.dumps(over_json(undo).data)) == json.loads(json.dumps(undo.data))
    as_found(whole, before, 2.0)


@KINDS
def test_comes_and_goes(whole: World, make: Made, kind: str):
    """Absent, injected, observed, reverted, absent; reverting again changes nothing (Requirement F7)."""
    before = found.settled(whole.stack.places)
    fault = make()
    undo = fault.prepare()
    assert fault.active(undo) is False
    fault.inject(undo)
    try:
        eventually(lambda: fault.active(undo), 3.0)
        said = getattr(fault, "proof", "")
        changed = found.differences(before, found.look(whole.stack.places()))
    finally:
        put_back(fault, undo)
    assert changed, f"{kind}: nothing that can be seen from outside changed"
    assert said, "the record's proof is a measurement in words, not a claim"
    fault.revert(undo)
    assert fault.active(undo) is False
    as_found(whole, before)


@KINDS
def test_revert_without_inject_is_harmless(whole: World, make: Made, kind: str):
    """The runner may die between writing the debt and injecting; then the revert finds nothing to do."""
    before = found.settled(whole.stack.places)
    processes = {name: place.identity for name, place in whole.stack.places().items()}
    fault = make()
    fault.revert(fault.prepare())
    assert {name: place.identity for name, place in whole.stack.places().items()} == processes, kind
    as_found(whole, before, 2.0)


REVERT = """
import json, sys, time
from resilience.errors import FaultError
from resilience.faults import registry
from resilience.model import Undo
undo = Undo(**json.loads(sys.argv[1]))
fault = registry.from_undo(undo)
deadline = time.monotonic() + 20
while time.monotonic() < deadline:
    try:
        fault.revert(undo)
        if not fault.active(undo):
            print("gone")
            break
    except FaultError as error:
        print(error)
    time.sleep(0.02)
"""


@KINDS
def test_another_process_can_revert(whole: World, make: Made, kind: str):
    """The undo, as JSON, is all that a process which knows nothing else needs."""
    before = found.settled(whole.stack.places)
    fault = make()
    undo = fault.prepare()
    fault.inject(undo)
    try:
        eventually(lambda: fault.active(undo), 3.0)
        words = json.dumps({"kind": undo.kind, "data": undo.data})
        done = subprocess.run(
            [sys.executable, "-c", REVERT, words], capture_output=True, text=True, timeout=60, check=False
        )
    finally:
        put_back(fault, undo)
    assert done.stdout.endswith("gone\n"), f"{kind}: {done.stdout} {done.stderr}"
    as_found(whole, before)


@KINDS
@pytest.mark.parametrize("order", ["first in, first out", "last in, first out"])
def test_two_on_one_part_do_not_clash(whole: World, make: Made, kind: str, order: str):  # noqa: ARG001 - `make` reads it
    """A second fault of the kind on the same part is refused, or both go, each with its own revert, in any order."""
    before = found.settled(whole.stack.places)
    one, two = make(), make()
    first = one.prepare()
    one.inject(first)
    try:
        eventually(lambda: one.active(first), 3.0)
        try:
            second = two.prepare()
        except FaultError:
            assert one.active(first)
            return
        two.inject(second)
        turns = [(one, first), (two, second)]
        for fault, undo in turns if order.startswith("first") else reversed(turns):
            eventually(lambda fault=fault, undo=undo: fault.revert(undo) is None, 20.0)
    finally:
        put_back(one, first)
        as_found(whole, before)


@pytest.mark.parametrize("kind", [kind for kind in HELD if kind.startswith(("toxiproxy.", "process."))])
def test_somebody_elses_toxic_survives(whole: World, make: Made, kind: str):
    """Only what this run added is removed: another team's toxic stays, through it all."""
    place = whole.place(EXAMPLES[kind].on)
    server = Toxiproxy(place.control)
    server.add_toxic(place.proxy, Toxic("somebody", "latency", "downstream", 1.0, {"latency": 1, "jitter": 0}))
    try:
        fault = make()
        undo = fault.prepare()
        fault.inject(undo)
        try:
            eventually(lambda: fault.active(undo), 3.0)
        finally:
            put_back(fault, undo)
        assert set(server.toxics(place.proxy)) == {"somebody"}
    finally:
        server.remove_toxic(place.proxy, "somebody")


@pytest.mark.parametrize("kind", STRIKES)
def test_a_strike_looks_first_and_says_what_it_did(whole: World, kind: str):
    """A strike changes nothing before it is struck, and then says what was measured."""
    possible(whole, kind)
    strike = registry.build(spec_of(kind), whole.place(EXAMPLES[kind].on))
    assert isinstance(strike, Strike)
    before = found.settled(whole.stack.places)
    strike.prepare()
    as_found(whole, before, 2.0)
    assert strike.strike()
    eventually(lambda: well(whole), 20.0)


def well(whole: World) -> bool:
    """Whether every part answers again."""
    return not [
        what
        for what, answer in found.look(whole.stack.places()).items()
        if what.endswith(": answers") and answer != "well"
    ]
