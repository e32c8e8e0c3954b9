"""Journeys: several operations one after another on one slot, and what became of each journey.

A journey keeps its slot, and with it its connections and its writer in the ledger, while it thinks: a load with
journeys needs as many slots as there are journeys under way. Its first step is due when the journey arrives, every
other one a think time after the answer before it. Only steps that are begun are offered; where a journey ended stands
in its account, which closes: arrived = dropped + completed + broken off + unfinished + errors.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from resilience.errors import ResilienceError
from resilience.load.captures import taken
from resilience.load.meter import bucket_of, quantile_s
from resilience.load.secrets import fit_for_header, in_headers
from resilience.load.visitor import JourneyOver, Script, Visitor, drive, function_of
from resilience.model import Journey, JourneyStep, Json, LoadOrder, Outcome, Role
from resilience.spec.journeys import CAPTURED, names_used
from resilience.spec.users import Thinks

if TYPE_CHECKING:
    from resilience.load.operate import Attempt, Ended, Operator, Slot
    from resilience.load.writes import Entry

COMPLETED = "completed"
FORGONE = "its journey did not begin with it"
_ERROR = "error"


class Tally:
    """What became of the journeys of one name."""

    def __init__(self) -> None:
        self.arrived = self.dropped = self.completed = self.unfinished = 0
        self.broken: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.lengths: Counter[int] = Counter()
        self.spent_ns = 0

    def account(self) -> dict[str, Json]:
        """As JSON; lengths in seconds, of completed journeys, with their think times; `spent_s` is that of all."""
        return {
            "arrived": self.arrived,
            "dropped": self.dropped,
            "completed": self.completed,
            "broken_off": dict(sorted(self.broken.items())),
            "unfinished": self.unfinished,
            "errors": dict(sorted(self.errors.items())),
            "spent_s": round(self.spent_ns / 1e9, 3),
            "p50_s": quantile_s(self.lengths, 0.50),
            "p95_s": quantile_s(self.lengths, 0.95),
        }


class Prepared:
    """A journey made ready to be gone through many times.

    Raises:
        LoadError: its function cannot be had.
    """

    def __init__(self, journey: Journey, place: int, order: LoadOrder) -> None:
        self.journey = journey
        self.tally = Tally()
        self.seed = order.seed
        operations = order.load.operations
        self.numbers = {operation.name: number for number, operation in enumerate(operations)}
        self.operations = operations
        self.function = None if journey.function is None else function_of(journey.function, order.home)
        count, seed = max(len(journey.steps), 1), order.seed + place + 1
        thinks = [step.think or journey.think for step in journey.steps]
        drawn = [None if one is None else Thinks(one, seed) for one in thinks]
        self.think_ns: Callable[[int, int], int] = lambda index, step: (
            0 if (one := drawn[step]) is None else one.after_ns(index * count + step)
        )
        headers = in_headers(operations)
        self.in_header = frozenset(name.removeprefix(CAPTURED) for name in headers if name.startswith(CAPTURED))
        self.needs = [
            frozenset(name for name in names_used(operation) if name.startswith(CAPTURED)) for operation in operations
        ]


class Journeys:
    """The journeys of a load.

    Args:
        order: its load's journeys.
        operator: carries out their steps.

    Raises:
        LoadError: a function cannot be had; every reason.
    """

    def __init__(self, order: LoadOrder, operator: "Operator") -> None:
        self._operator = operator
        self._prepared = [Prepared(journey, place, order) for place, journey in enumerate(order.load.journeys)]

    def flow(self, number: int, first: "Attempt") -> "Walk":
        """A journey that begins with an operation, which was offered, as a flow."""
        prepared = self._prepared[number]
        prepared.tally.arrived += 1
        return Walk(self._operator, prepared, first)

    def account(self) -> dict[str, Json]:
        """What became of the journeys, by name."""
        return {one.journey.name: one.tally.account() for one in self._prepared}


class Walk:
    """One journey: a flow."""

    def __init__(self, operator: "Operator", prepared: Prepared, first: "Attempt") -> None:
        self._operator = operator
        self._prepared = prepared
        self._first: Attempt | None = first
        self._arrival = first
        self._due_ns = first.arrival_ns
        self._captured: dict[str, str] = {}
        self._acked: dict[str, Entry] = {}
        self._step = 0
        self._slot: Slot | None = None

    @property
    def arrival(self) -> "Attempt":
        """Key, tenant, region and index of the journey are those of its first operation."""
        return self._arrival

    def hold(self, slot: "Slot") -> None:
        """It has this slot."""
        self._arrival.hold(slot)

    def drop(self) -> None:
        """There is no slot for it: its first operation is dropped."""
        self._prepared.tally.dropped += 1
        self._operator.drop(self._arrival)

    def run(self, slot: "Slot") -> None:
        """Go through it, to its end or until it is broken off."""
        self._slot = slot
        tally, over = self._prepared.tally, ""
        try:
            over = self._go()
        except JourneyOver as end:
            over = end.reason
        except Exception as error:
            if self._prepared.function is None or isinstance(error, ResilienceError):
                raise
            tally.errors[type(error).__name__] += 1
            over = _ERROR
            self._forgo_first()
        finally:
            length_ns = self._operator.now_ns() - self._arrival.arrival_ns
            tally.spent_ns += length_ns
            if over == COMPLETED:
                tally.completed += 1
                tally.lengths[bucket_of(length_ns)] += 1
            elif over not in {"", _ERROR}:
                tally.broken[over] += 1
            elif not over:
                tally.unfinished += 1

    def step(
        self, number: int, capture: Mapping[str, str], *, go_on: bool, more: Mapping[str, str] | None = None
    ) -> "Ended":
        """Carry out one step.

        Args:
            number: of its operation.
            capture: what is kept of its answer, name → place.
            go_on: whether the journey goes on if it is not ok.
            more: names that its operation may hold from here on.

        Raises:
            JourneyOver: it is broken off here, or the run is over.
        """
        operation, slot = self._prepared.operations[number], self._slot
        assert slot is not None  # noqa: S101 - for the type checker
        for name, text in (more or {}).items():
            self._keep(name, text)
        self._step += 1
        place = f"{self._step} {operation.name}"
        if missing := sorted(self._prepared.needs[number] - set(self._captured)):
            raise JourneyOver(f"{place}: nothing captured as {missing[0].removeprefix(CAPTURED)}")
        attempt = self._next(number, place)
        ended = self._operator.tokens.operate(attempt, slot, self._captured)
        self._due_ns = self._operator.now_ns()
        if ended is None:
            raise JourneyOver("")
        if ended.finding.outcome is not Outcome.OK:
            if not go_on:
                raise JourneyOver(place)
            return ended
        if operation.role is Role.WRITE and attempt.entry is not None:
            self._acked[operation.account] = attempt.entry
        for name, where in capture.items():
            found = taken(ended.happened, where)
            if found is None or not self._keep(name, found):
                raise JourneyOver(f"{place}: nothing to capture as {name}")
        return ended

    def think(self, length_ns: int) -> None:
        """Let time pass before the next step.

        Raises:
            JourneyOver: the run is over.
        """
        self._due_ns += length_ns
        if not self._operator.begins(self._due_ns):
            raise JourneyOver("")

    def _next(self, number: int, place: str) -> "Attempt":
        """The operation of a step, offered now; the first one was when the journey arrived."""
        operator, arrival = self._operator, self._arrival
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if not operator.begins(self._due_ns):
            raise JourneyOver("")
        operation = self._prepared.operations[number]
        acked = None
        if operation.role is Role.READ_BACK:
            acked = self._acked.get(operation.account) or operator.writers.of(operation).pick()
            if acked is None:
                raise JourneyOver(f"{place}: nothing to read back")
        return operator.attempt(
            number, self._due_ns, arrival.key, arrival.tenant, arrival.region, arrival.index, acked=acked
        )

    def _keep(self, name: str, text: str) -> bool:
        """Keep a captured value, unless it could not be sent where it is used."""
        if name in self._prepared.in_header and not fit_for_header(text):
            return False
        self._captured[f"{CAPTURED}{name}"] = text
        return True

    def _forgo_first(self) -> None:
        """A function ended before its first operation, which was offered: it is ended without being sent."""
        if self._first is not None:
            first, self._first = self._first, None
            self._operator.refuse(first, FORGONE)

    def _go(self) -> str:
        prepared = self._prepared
        if prepared.function is not None:
            script = Script(prepared.journey, prepared.numbers, prepared.seed)
            drive(prepared.function, Visitor(self, script), prepared.journey)
            if self._first is not None:
                self._forgo_first()
                return FORGONE
            return COMPLETED
        for place, step in enumerate(prepared.journey.steps):
            if place:
                self.think(prepared.think_ns(self._arrival.index, place))
            self._carry_out(step)
        return COMPLETED

    def _carry_out(self, step: JourneyStep) -> None:
        number = self._prepared.numbers[step.operation]
        self.step(number, step.capture, go_on=step.after_failure == "go-on")
