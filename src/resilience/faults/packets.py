"""What faults of the network have in common: the packets of a part's port, named by address, port and direction.

A part's port is here the one by which its clients come. Where a proxy of the stack stands there, the proxy's way to the
part behind it is left alone, as the stack's own: the service's TCP meets the fault, not the proxy's.

The rules stand in a table of the packet filter that is ours alone. A packet that crosses the loopback interface is met
where it arrives, any other where it leaves or arrives: each exactly once. Connections that are open already are met as
new ones are. The set of addresses and ports empties itself when the lease is over.
"""

import ipaddress
import math
import secrets
import socket
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from resilience.errors import FaultError
from resilience.faults import canary
from resilience.faults.canary import Trial
from resilience.faults.kinds import LEASE, Setting, Settings
from resilience.host import namespace, nftables
from resilience.model import Json, Place, Problem, Undo

DIRECTION = Setting(
    default="both", meaning="Which packets: those to the part, those from it, or both.", choices=("both", "to", "from")
)
PRIORITY = -300
"""Before anything else sees the packets, translation of addresses included."""

NEEDS = {"host": "an address", "port": "a port"}

Target = tuple[str, int]


class PacketFault:
    """A table of rules for the packets of some addresses and ports.

    Args:
        settings: of the kind.
        place: the part; None to revert.
    """

    kind: ClassVar[str]

    def __init__(self, settings: Settings | None = None, place: Place | None = None) -> None:
        """Nothing is looked at yet."""
        self._settings, self._place = settings or {}, place
        self.proof = ""

    def prepare(self) -> Undo:
        """Find the addresses; nothing of ours may be at them yet.

        Raises:
            FaultError: they cannot be found, or something is.
        """
        if self._place is None:
            raise FaultError(Problem(self.kind, "needs a part of a stack"))
        targets = self._targets(self._place)
        family = self._family(targets)
        for name in nftables.names(family):
            taken = {*nftables.elements(family, name, "to4"), *nftables.elements(family, name, "to6")} & set(targets)
            if taken:
                message = f"the packets of {min(taken)} are held by the table {name} already"
                raise FaultError(Problem(self._place.name, message, "`resilience reap` removes what is left"))
        data: dict[str, Json] = {
            "part": self._place.name,
            "table": f"{nftables.PREFIX}{secrets.token_hex(6)}",
            "family": family,
            "namespace": namespace.current(),
            "targets": [list(target) for target in targets],
            "direction": self._settings.get("direction", "to"),
            "expires_s": math.ceil(float(str(self._settings[LEASE]))),
        }
        return Undo(kind=self.kind, data={**data, **self._more()})

    def inject(self, undo: Undo, /) -> None:
        """Load the rules, all at once."""
        nftables.add(self._table(undo.data))

    def revert(self, undo: Undo, /) -> None:
        """Remove the table."""
        nftables.remove(str(undo.data["family"]), str(undo.data["table"]), str(undo.data["namespace"]))

    def active(self, undo: Undo, /) -> bool:
        """Whether packets of ours by that way meet the fault.

        Raises:
            FaultError: it is there, and does something else than what was asked.
        """
        data: Mapping[str, Any] = undo.data
        if not nftables.exists(data["family"], data["table"], data["namespace"]):
            self.proof = "the table of the packet filter is not there"
            return False
        if data["namespace"] != namespace.current():
            self.proof = "the table of the packet filter is there, in another network namespace"
            return True
        return self._met(data)

    @abstractmethod
    def _met(self, data: Mapping[str, Any]) -> bool:
        """Whether packets meet the fault, with the proof."""

    @abstractmethod
    def _rules(self, data: Mapping[str, Any]) -> tuple[str, ...]:
        """What is done to the packets, as rules."""

    def _more(self) -> Mapping[str, Json]:
        """What else the undo must hold."""
        return {}

    def _targets(self, place: Place) -> tuple[Target, ...]:
        return addresses(place.host, place.via_port)

    def _family(self, targets: tuple[Target, ...]) -> str:  # noqa: ARG002 - for those that must choose
        return "inet"

    def _share(self) -> float:
        return float(str(self._settings["percent"])) / 100

    def _table(self, data: Mapping[str, Any]) -> str:
        """The whole table in the packet filter's language."""
        goto = "\n".join(f"    {match} goto act" for match in matches(data, data["direction"]))
        chains = "\n".join(
            f"  chain at_{hook} {{\n    type filter hook {hook} priority {PRIORITY}; policy accept;\n"
            f"    {let_pass}\n{goto}\n  }}"
            for hook, let_pass in self._hooks()
        )
        rules = "\n".join(f"    {rule}" for rule in ('counter name "seen"', *self._rules(data)))
        counters = "".join(f"  counter {name} {{ packets 0 bytes 0 }}\n" for name in ("seen", "hit"))
        return (
            f"table {data['family']} {data['table']} {{\n"
            + "".join(f"  {line}\n" for line in sets(data))
            + f"{counters}  chain act {{\n{rules}\n  }}\n{chains}\n}}\n"
        )

    def _hooks(self) -> tuple[tuple[str, str], ...]:
        """Where packets are met, and which are let pass there because they are met elsewhere."""
        return (("input", ""), ("output", 'oifname "lo" accept'))


def addresses(host: str, port: int) -> tuple[Target, ...]:
    """The addresses of a host, each with the port.

    Raises:
        FaultError: it has none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise FaultError(Problem(host, f"its address cannot be found: {error.strerror}")) from error
    texts = dict.fromkeys(str(ipaddress.ip_address(str(address[0]).partition("%")[0])) for *_, address in found)
    return tuple((text, port) for text in texts)


def sets(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The sets of addresses and ports, as text; their elements are gone when the lease is over."""
    found = []
    for version in (4, 6):
        elements = ", ".join(
            f"{address} . {port} timeout {data['expires_s']}s"
            for address, port in data["targets"]
            if (":" in address) == (version == 6)  # noqa: PLR2004 - versions of IP
        )
        if elements:
            kind = f"type ipv{version}_addr . inet_service; flags timeout;"
            found.append(f"set to{version} {{ {kind} elements = {{ {elements} }} }}")
    return tuple(found)


def matches(data: Mapping[str, Any], direction: str) -> tuple[str, ...]:
    """The conditions that the packets in question meet, one for each version of IP and direction."""
    ways = {"to": ("daddr", "dport"), "from": ("saddr", "sport")}
    wanted = ways.values() if direction == "both" else (ways[direction],)
    versions = dict.fromkeys("6" if ":" in address else "4" for address, _ in data["targets"])
    return tuple(
        f"meta l4proto {{ tcp, udp }} ip{'6' if version == '6' else ''} {address} . th {port} @to{version}"
        for version in versions
        for address, port in wanted
    )


def tries(data: Mapping[str, Any], count: int) -> Trial | None:
    """Packets by each way that is faulted; the trials together. None if they were only counted by the rules."""
    trials = []
    for back in (False, True):
        if data["direction"] in {"both", "from" if back else "to"}:
            address, port = data["targets"][0]
            trial = canary.burst(address, port, count, back=back)
            if trial is None:
                return None
            trials.append(trial)
    return Trial(sum(trial.sent for trial in trials), sum(trial.came for trial in trials))


def counted(data: Mapping[str, Any]) -> Trial:
    """As `tries`, where the port is not on this machine: connections are begun, and the rules count.

    Raises:
        FaultError: no packet met the rules.
    """
    address, port = data["targets"][0]
    canary.knock(address, port)
    found = nftables.counters(data["family"], data["table"])
    if not found["seen"]:
        raise FaultError(Problem(f"{address}:{port}", "no packet has met the rules yet"))
    return Trial(found["seen"], found["seen"] - found["hit"])


def leftovers() -> tuple[str, ...]:
    """Tables of ours that are still there in this network namespace, whoever made them."""
    if nftables.lacking():
        return ()
    return tuple(
        f"table {name} ({family}) of the packet filter"
        for family in ("inet", "ip", "ip6")
        for name in nftables.names(family)
    )
