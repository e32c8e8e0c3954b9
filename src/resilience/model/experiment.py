"""An experiment and its plan."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from resilience.model.basics import Json
from resilience.model.events import PhaseName
from resilience.model.ledgers import Account, Ledger
from resilience.model.load import Load
from resilience.model.observing import Observing
from resilience.model.promises import Degradation, Objective, Recovery, ServiceLevel
from resilience.model.regression import Regression
from resilience.model.safety import Safety
from resilience.model.searches import Capacity, Search
from resilience.model.serving import Balance, RateLimit, Scaling
from resilience.model.soak import Soak
from resilience.model.stacks import StackSpec
from resilience.model.steps import FaultSpec, Step, faults_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """An experiment file, parsed and checked.

    Attributes:
        digest: SHA-256 of the file's bytes, hexadecimal.
        folder: absolute path of the folder that relative names in the file start from.
        steps: what the method does, in order.
        accounts: of the write ledger, beside `ledger` itself.
        degradation: what it must look like.
        service_level: what is promised over a month.
        observing: what is read of resources, and what must hold of them.
        regression: how it is compared with earlier runs; None says nothing of that.
        search, capacity: what `resilience search` and `resilience capacity` do with it; None if it does not say.
        chaos: the whole file as chaostoolkit wants it, JSON only.
        soak, rate_limits, balance, scaling: what must not grow, what must be let in, how load is spread; if asked for.
    """

    title: str
    name: str
    digest: str
    folder: str
    target: str
    stack: StackSpec
    load: Load
    objectives: tuple[Objective, ...]
    ledger: Ledger | None
    recovery: Recovery
    safety: Safety
    steps: tuple[Step, ...]
    chaos: Mapping[str, Json]
    accounts: tuple[Account, ...] = ()
    degradation: Degradation = Degradation()
    service_level: ServiceLevel = ServiceLevel()
    observing: Observing = Observing()
    soak: Soak | None = None
    rate_limits: tuple[RateLimit, ...] = ()
    balance: Balance | None = None
    scaling: Scaling | None = None
    regression: Regression | None = None
    search: Search | None = None
    capacity: Capacity | None = None

    @property
    def truths(self) -> Mapping[str, Ledger]:
        """Whatever has a truth to be read: `ledger` itself without a name, each account as a ledger by its name."""
        found = {} if self.ledger is None else {"": self.ledger}
        read = [account for account in self.accounts if not account.truth.subscription]
        return found | {account.name: Ledger(truth=account.truth) for account in read}

    @property
    def faults(self) -> tuple[FaultSpec, ...]:
        """The faults and strikes of all steps, each time by itself, in the order in which they are done."""
        return tuple(fault for step in self.steps for fault in faults_of(step))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPhase:
    """A phase as planned, before anything ran: instants are exact if every fault takes no time to come and go."""

    name: PhaseName
    start_s: float
    end_s: float
    fault: str = ""
    called: tuple[str, ...] = ()

    def about(self, fault: str) -> bool:
        """Whether a name stands for the fault of this phase; no name stands for every fault."""
        return fault in {"", self.fault, *self.called}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be done, without having touched anything.

    Attributes:
        run: eight hexadecimal characters, in every id that the run writes into the target.
        arrivals: planned number of arrivals in the planned length; 0 of a closed load, which has none.
        undo: fault name → one sentence that says how it is taken back.
        parts: fault name → the part it is done to, drawn where the file names several.
    """

    run: str
    seed: int
    phases: tuple[PlannedPhase, ...]
    duration_s: float
    arrivals: int
    undo: Mapping[str, str]
    parts: Mapping[str, str] = field(default_factory=dict)
