"""What the load process is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from resilience.model.ledgers import Account
from resilience.model.load import Load
from resilience.model.stacks import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering:
    """Which workers a master waits for before it says that it is ready (see `load.workers.master`).

    Attributes:
        local: how many it starts itself. remote: how many join from elsewhere.
        listen: `host:port`; port 0 is any that is free.
        wait_s: how long it waits for all of them.
        token: what a worker must know to join.
        silence_s: a worker that nothing was heard of for so long is lost. One of another host that has not heard of
            its master for half as long ends.
    """

    local: int
    remote: int
    listen: str
    wait_s: float
    token: str = field(repr=False)
    silence_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Share:
    """What one of several workers carries: the arrivals whose index leaves `index` when divided by `of`."""

    index: int = 0
    of: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOrder:
    """What the load process is told, as JSON on its standard input (see `load.process`).

    Attributes:
        zero_ns: the run's zero on the host's monotonic clock; arrivals are counted from it.
        base_url: where the target is.
        folder: the run folder; samples and ledger are written there.
        max_s: the generator stops by itself after this long, whatever happens.
        accounts: of the write ledger, in the order in which their writers are numbered.
        home: the experiment's folder, in which the feeder's file and the modules of journeys are looked for.
        places: the parts of the stack that operations ask directly, by name; no secret is in them, only where it is.
        share: which of several workers this is for.
        ways: region → the address at which its operations reach the target; the others use `base_url`.
        steered: the level is told while the load goes on (see `load.steering`); by one process, without stages.
        boot: the boot by whose clock instants are counted, if that is not this machine's (see `load.workers`).
    """

    run: str
    seed: int
    zero_ns: int
    base_url: str
    folder: str
    load: Load
    max_s: float
    accounts: tuple[Account, ...] = ()
    home: str = ""
    places: Mapping[str, Place] = field(default_factory=dict)
    share: Share = Share()
    boot: str = ""
    ways: Mapping[str, str] = field(default_factory=dict)
    steered: bool = False
