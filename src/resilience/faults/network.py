"""Faults of the network between a part and whoever talks to it: packets lost, doubled, cut off, answered with a reset.

By the packet filter of the kernel (nftables), see `packets`. Faults that keep packets waiting are in `shaping`.
"""

import math
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from resilience.errors import FaultError
from resilience.faults import canary, effects, packets
from resilience.faults.effects import Seen
from resilience.faults.kinds import Kind, Setting, Settings, kind_of
from resilience.faults.packets import DIRECTION, NEEDS, PacketFault, Target, leftovers
from resilience.host import nftables
from resilience.model import Json, Place, Problem

PARTS_OF = 100_000
"""Shares are given to the packet filter in parts of this."""
NORMAL_95 = 1.96
SYSTEM = "system"
SILENCE_S = 0.15
"""A connection that would be made takes far less on this machine."""

__all__ = ["KINDS", "leftovers"]


class Loss(PacketFault):
    """That share of the packets to and from the part's port is dropped, each on its own, at random.

    How it is undone: the table of rules is removed; after the lease it does nothing any more. What it needs: nftables
    and the right to change the network. When it fails: packets of the port are held by one of these already.
    """

    kind = "network.loss"

    def _more(self) -> Mapping[str, Json]:
        return {"share": self._share()}

    def _rules(self, data: Mapping[str, Any]) -> tuple[str, ...]:
        return (f'{_chance(data["share"])} counter name "hit" drop',)

    def _met(self, data: Mapping[str, Any]) -> bool:
        share = data["share"]
        trial = packets.tries(data, canary.packets_for(share)) or packets.counted(data)
        self.proof = f"{trial.lost} of {trial.sent} packets were lost, {100 * trial.lost / trial.sent:.1f} %"
        return _as_asked(trial, trial.lost, share, self.proof)


class Partition(Loss):
    """All packets to the part's port, from it, or both are dropped: nobody is told, connections hang.

    How it is undone, what it needs, when it fails: as `network.loss`.
    """

    kind = "network.partition"

    def _share(self) -> float:
        return 1.0

    def _met(self, data: Mapping[str, Any]) -> bool:
        if not super()._met(data):
            return False
        look = effects.ask(_first(data), b"", SILENCE_S)
        self.proof += f"; a connection was {look}"
        if look.seen is not Seen.SILENT:
            raise FaultError(Problem(str(data["part"]), f"it is not cut off: {self.proof}"))
        return True


class Reset(PacketFault):
    """Every packet to and from the part's port is answered with a TCP reset, in its receiver's name.

    New connections are refused; open ones are reset for whoever sends first. How it is undone, what it needs, when it
    fails: as `network.loss`.
    """

    kind = "network.reset"

    def _rules(self, data: Mapping[str, Any]) -> tuple[str, ...]:  # noqa: ARG002 - as declared
        return ("meta l4proto udp accept", "tcp flags & rst == rst accept", 'counter name "hit" reject with tcp reset')

    def _met(self, data: Mapping[str, Any]) -> bool:
        before = nftables.counters(data["family"], data["table"])["hit"]
        look = effects.ask(_first(data), data["words"].encode("latin-1"))
        hits = nftables.counters(data["family"], data["table"])["hit"] - before
        self.proof = f"{hits} packets of a connection were answered with a reset: {look}"
        return hits > 0 and look.seen in {Seen.REFUSED, Seen.CLOSED}

    def _more(self) -> Mapping[str, Json]:
        return {"words": effects.question(self._place).decode("latin-1") if self._place else ""}


class Duplicate(PacketFault):
    """That share of the packets to and from the part's port comes twice.

    Only over the loopback interface. How it is undone, what it needs, when it fails: as `network.loss`.
    """

    kind = "network.duplicate"

    def _targets(self, place: Place) -> tuple[Target, ...]:
        found = super()._targets(place)
        version = ip_address(found[0][0]).version
        return tuple(target for target in found if ip_address(target[0]).version == version)

    def _family(self, targets: tuple[Target, ...]) -> str:
        return "ip6" if ":" in targets[0][0] else "ip"

    def _hooks(self) -> tuple[tuple[str, str], ...]:
        return (("output", ""),)

    def _more(self) -> Mapping[str, Json]:
        return {"share": self._share()}

    def _rules(self, data: Mapping[str, Any]) -> tuple[str, ...]:
        return (f'{_chance(data["share"])} counter name "hit" dup to {data["targets"][0][0]} device "lo"',)

    def _met(self, data: Mapping[str, Any]) -> bool:
        share = data["share"]
        trial = packets.tries(data, canary.packets_for(share))
        if trial is None:
            raise FaultError(Problem(str(data["part"]), "its port is not free for UDP on this machine: not measured"))
        doubled = -trial.lost
        self.proof = f"{doubled} of {trial.sent} packets came twice, {100 * doubled / trial.sent:.1f} %"
        return _as_asked(trial, doubled, share, self.proof)


class Dns(PacketFault):
    """Questions to those resolvers are dropped or refused: names cannot be resolved, by anybody on this network.

    Not the part's questions alone: everything in the network namespace is concerned. How it is undone, what it needs,
    when it fails: as `network.loss`.
    """

    kind = "network.dns"

    QUESTION = b"\x52\x65\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01"
    """Who serves the root? Answered by every resolver."""

    def _targets(self, place: Place) -> tuple[Target, ...]:  # noqa: ARG002 - whichever part
        port = int(str(self._settings["port"]))
        return tuple((address, port) for address in resolvers(self._settings))

    def _more(self) -> Mapping[str, Json]:
        return {"how": self._settings["how"]}

    def _rules(self, data: Mapping[str, Any]) -> tuple[str, ...]:
        if data["how"] == "drop":
            return ('counter name "hit" drop',)
        return (
            'meta l4proto tcp counter name "hit" reject with tcp reset',
            'counter name "hit" reject with icmpx type port-unreachable',
        )

    def _met(self, data: Mapping[str, Any]) -> bool:
        before = nftables.counters(data["family"], data["table"])["hit"]
        said = [canary.question(address, port, self.QUESTION, SILENCE_S) for address, port in data["targets"]]
        hits = nftables.counters(data["family"], data["table"])["hit"] - before
        self.proof = f"{hits} packets to {len(said)} resolvers were stopped; their answers: {', '.join(said)}"
        return hits >= len(said) and "answered" not in said


def _chance(share: float) -> str:
    return "" if share >= 1 else f"numgen random mod {PARTS_OF} < {round(share * PARTS_OF)}"


def _as_asked(trial: canary.Trial, hit: int, share: float, proof: str) -> bool:
    """Whether the share that was hit is the one that was asked for; not at all if none was.

    Raises:
        FaultError: it is another one.
    """
    if hit > 0 and not canary.plausible(trial, hit, share):
        raise FaultError(Problem("percent", f"{proof}, expected {100 * share:g} %"))
    return hit > 0


def _first(data: Mapping[str, Any]) -> Target:
    address, port = data["targets"][0]
    return address, port


def resolvers(settings: Settings) -> tuple[str, ...]:
    """The addresses of the setting `resolvers`, each once.

    Raises:
        ValueError: one of them is no address.
    """
    named = str(settings["resolvers"])
    if named == SYSTEM:
        lines = [line.split() for line in Path("/etc/resolv.conf").read_text().splitlines()]
        named = " ".join(line[1] for line in lines if line[:1] == ["nameserver"] and line[1:])
    return tuple(dict.fromkeys(str(ip_address(word)) for word in named.replace(",", " ").split()))


def _named(settings: Settings) -> tuple[Problem, ...]:
    try:
        found = resolvers(settings)
    except (ValueError, OSError) as error:
        return (Problem("resolvers", str(error), "addresses, separated by commas"),)
    return () if found else (Problem("resolvers", "none is named", "addresses, separated by commas"),)


def _right(_settings: Settings, _place: Place) -> tuple[Problem, ...]:
    problem = nftables.lacking()
    return (problem,) if problem else ()


def _loopback(settings: Settings, place: Place) -> tuple[Problem, ...]:
    problems = _right(settings, place)
    if problems:
        return problems
    try:
        found = packets.addresses(place.host, place.via_port)
    except FaultError as error:
        return error.problems
    away = [address for address, _ in found if not ip_address(address).is_loopback]
    hint = "choose network.loss or toxiproxy.latency"
    return tuple(Problem(address, "packets are doubled on the loopback interface only", hint) for address in away[:1])


OF_PACKETS = 1000


def _how(settings: Settings, _place: Place) -> str:
    """By nftables, and how far a share may be from what was asked: a binomial's, by its normal approximation."""
    share = float(str(settings.get("percent", 100.0))) / 100
    if share >= 1:
        return "nftables, every packet; connections that are open already are met, too"
    off = round(NORMAL_95 * math.sqrt(share * (1 - share) * OF_PACKETS))
    exact = f"of {OF_PACKETS} packets {share * OF_PACKETS:g} ± {off} (95 %)"
    return f"nftables, each packet on its own, at random: {exact}; connections that are open already are met, too"


_UNDO = "the table of rules for {on} that this run added to the packet filter is removed"

KINDS: tuple[Kind, ...] = (
    kind_of(
        Loss,
        _UNDO,
        NEEDS,
        {
            "percent": Setting(default=10.0, minimum=0.1, maximum=100, meaning="Share of the packets that is lost."),
            "direction": DIRECTION,
        },
        preflight=_right,
        mechanism=_how,
    ),
    kind_of(Partition, _UNDO, NEEDS, {"direction": DIRECTION}, preflight=_right, mechanism=_how),
    kind_of(Reset, _UNDO, NEEDS, {"direction": DIRECTION}, preflight=_right, mechanism=_how),
    kind_of(
        Duplicate,
        _UNDO,
        NEEDS,
        {
            "percent": Setting(
                default=10.0, minimum=0.1, maximum=100, meaning="Share of the packets that comes twice."
            ),
            "direction": DIRECTION,
        },
        preflight=_loopback,
        mechanism=_how,
    ),
    kind_of(
        Dns,
        _UNDO,
        {},
        {
            "resolvers": Setting(
                default=SYSTEM, meaning="Addresses, separated by commas; `system` is those of /etc/resolv.conf."
            ),
            "port": Setting(default=53, minimum=1, maximum=65_535, meaning="Port of the resolvers."),
            "how": Setting(default="refuse", meaning="What becomes of questions.", choices=("refuse", "drop")),
        },
        together=_named,
        preflight=_right,
        mechanism=lambda _settings, _place: "nftables, every packet to those resolvers, whoever sends it",
    ),
)
"""The kinds of this mechanism."""
