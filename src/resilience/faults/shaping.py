"""Faults of the network that keep packets waiting: bandwidth, delay; by queues of the kernel (tc).

The interface gets a root queue of ours (htb) that all packets pass at once, but those that the packet filter sorts into
a class of ours, see `packets`. When the filter's rules expire, the queue does nothing any more. Only a root that the
kernel put there by itself is replaced; when ours is removed, the kernel brings that back.
"""

import json
import re
import secrets
import shutil
from collections.abc import Mapping
from functools import cache
from typing import Any

from resilience.errors import EnvironmentNotReady, FaultError
from resilience.faults import canary, effects, packets
from resilience.faults.kinds import Kind, Setting, Settings, kind_of
from resilience.faults.packets import DIRECTION, NEEDS, PacketFault
from resilience.host import commands, namespace, nftables
from resilience.model import Json, Place, Problem, Undo

LIMIT_S = 3.0
FAST = "40gbit"
CLASSES = {"to": "10", "from": "20"}
HANDLES = range(0xF100, 0xF1FF)
"""Major numbers of our queues: this is how they are known to be ours."""
CANARIES = 2


class ShapingFault(PacketFault):
    """Packets of the part's port are sorted into a class of a queue of ours, one for each direction."""

    def prepare(self) -> Undo:
        """Find the interface; its root must be one that may be replaced.

        Raises:
            FaultError: it is somebody else's, or one of ours.
        """
        undo = super().prepare()
        data: Mapping[str, Any] = undo.data
        device = device_to(data["targets"][0][0])
        root = _root(device, ())
        if root["handle"] != "0:":
            message = f"its root queue is {root['kind']} {root['handle']}, which somebody put there"
            raise FaultError(Problem(device, message, "remove it first; `resilience reap` if it is ours"))
        return Undo(kind=undo.kind, data={**data, "device": device, "handle": f"{secrets.choice(HANDLES):x}:"})

    def inject(self, undo: Undo, /) -> None:
        """The queue first, then the rules that sort packets into it."""
        data: Mapping[str, Any] = undo.data
        device, handle = data["device"], data["handle"]
        _tc((), "qdisc", "add", "dev", device, "root", "handle", handle, "htb")
        for direction in _directions(data):
            name = f"{handle}{CLASSES[direction]}"
            limit = ("rate", data["rate"], "quantum", "60000")
            _tc((), "class", "add", "dev", device, "parent", handle, "classid", name, "htb", *limit)
            if data["leaf"]:
                _tc((), "qdisc", "add", "dev", device, "parent", name, *data["leaf"])
        super().inject(undo)

    def revert(self, undo: Undo, /) -> None:
        """Both are removed; the kernel puts the root back that was there."""
        super().revert(undo)
        data: Mapping[str, Any] = undo.data
        before = namespace.within(data["namespace"])
        if before is None or not _is_there(data, before):
            return
        try:
            _tc(before, "qdisc", "del", "dev", data["device"], "root", "handle", data["handle"])
        except FaultError:
            if _is_there(data, before):  # somebody else was not faster
                raise

    def active(self, undo: Undo, /) -> bool:
        """Whether the queue is there, and packets of ours by that way come into its class.

        Raises:
            FaultError: the rules are there without the queue.
        """
        data: Mapping[str, Any] = undo.data
        before = namespace.within(data["namespace"])
        queue = before is not None and _is_there(data, before)
        rules = super().active(undo)
        if rules and not queue:
            raise FaultError(Problem(data["device"], "the rules are there, but the queue is not"))
        return rules

    def _more(self) -> Mapping[str, Json]:
        return {"rate": self._rate(), "leaf": list(self._leaf())}

    def _rules(self, data: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(
            f'{match} counter name "hit" meta priority set {data["handle"]}{CLASSES[direction]}'
            for direction in _directions(data)
            for match in packets.matches(data, direction)
        )

    def _hooks(self) -> tuple[tuple[str, str], ...]:
        return (("output", ""),)

    def _rate(self) -> str:
        return FAST

    def _leaf(self) -> tuple[str, ...]:
        return ()


class Bandwidth(ShapingFault):
    """Packets to and from the part's port wait so that each direction has no more than `kbit_per_s`.

    How it is undone: rules and queue are removed. What it needs: nftables, tc and the right to change the network. When
    it fails: the interface has a root queue that somebody put there.
    """

    kind = "network.bandwidth"

    def _rate(self) -> str:
        return f"{self._settings['kbit_per_s']}kbit"

    def _met(self, data: Mapping[str, Any]) -> bool:
        before = nftables.counters(data["family"], data["table"])["hit"]
        if packets.tries(data, CANARIES) is None:
            canary.knock(*data["targets"][0])
        sorted_ = nftables.counters(data["family"], data["table"])["hit"] - before
        self.proof = f"{sorted_} packets of ours were sorted; {_classes(data)}"
        return sorted_ > 0


class Delay(ShapingFault):
    """Packets to and from the part's port wait for `delay_ms`, give or take `jitter_ms`, in each direction asked for.

    What it needs: a kernel with netem. How it is undone, when it fails: as `network.bandwidth`.
    """

    kind = "network.delay"

    def _leaf(self) -> tuple[str, ...]:
        return (
            "netem",
            "limit",
            "100000",
            "delay",
            f"{self._settings['delay_ms']}ms",
            f"{self._settings['jitter_ms']}ms",
        )

    def _more(self) -> Mapping[str, Json]:
        return {**super()._more(), "delay_s": int(str(self._settings["delay_ms"])) / 1e3}

    def _met(self, data: Mapping[str, Any]) -> bool:
        # Half of the delay is evidence enough, and jitter may take some of it away.
        bound_s = min(data["delay_s"], effects.PATIENCE_S) / 2
        address, port = data["targets"][0]
        look = effects.ask((address, port), b"", bound_s)
        self.proof = f"a connection was {look}, {1e3 * data['delay_s']:g} ms were asked for"
        return bool(look.took_s >= bound_s)


def device_to(address: str) -> str:
    """The interface by which packets to an address leave.

    Raises:
        FaultError: there is none.
    """
    routes = json.loads(_run(("ip", "-json", "route", "get", address)))
    if not routes:
        raise FaultError(Problem(address, "there is no route to it"))
    return str(routes[0]["dev"])


def leftovers() -> tuple[str, ...]:
    """Queues of ours that are still there in this network namespace, whoever made them."""
    if shutil.which("tc") is None:
        return ()
    return tuple(
        f"queue {queue['handle']} of {queue['dev']}, {_sorted_into(queue['handle'])}"
        for queue in json.loads(_tc((), "-json", "qdisc", "show") or "[]")
        if queue.get("root") and int(queue["handle"].rstrip(":"), 16) in HANDLES
    )


def _sorted_into(handle: str) -> str:
    """Which table of the packet filter sorts packets into a queue: by its name the debt is found."""
    if not nftables.lacking():
        for name in nftables.names():
            if f"set {handle}" in nftables.text_of("inet", name):
                return f"into which the table {name} sorts packets"
    return "into which no table sorts packets"


def _directions(data: Mapping[str, Any]) -> tuple[str, ...]:
    return ("to", "from") if data["direction"] == "both" else (str(data["direction"]),)


def _root(device: str, before: tuple[str, ...]) -> Mapping[str, Any]:
    queues: list[Mapping[str, Any]] = json.loads(_tc(before, "-json", "qdisc", "show", "dev", device) or "[]")
    return next(queue for queue in queues if queue.get("root"))


def _is_there(data: Mapping[str, Any], before: tuple[str, ...]) -> bool:
    return bool(_root(data["device"], before)["handle"] == data["handle"])


def _classes(data: Mapping[str, Any]) -> str:
    """What the kernel counts in our classes."""
    said = _tc((), "-statistics", "class", "show", "dev", data["device"])
    found = re.findall(
        rf"class htb {data['handle']}(\w+) .*?rate (\w+).*?Sent (\d+) bytes.*?overlimits (\d+)", said, re.DOTALL
    )
    ways = {number: way for way, number in CLASSES.items()}
    return ", ".join(
        f"{ways[number]} the part at most {rate}/s, {sent} bytes so far, waited {over} times"
        for number, rate, sent, over in found
    )


def _tc(before: tuple[str, ...], *words: str) -> str:
    return _run((*before, "tc", *words))


def _run(words: tuple[str, ...]) -> str:
    try:
        done = commands.run(words, timeout_s=LIMIT_S)
    except EnvironmentNotReady as error:
        raise FaultError(Problem(words[0], str(error))) from error
    if done.code:
        raise FaultError(Problem(" ".join(words), done.err.strip()[-500:] or f"ended with code {done.code}"))
    return done.out


@cache
def has_queue(kind: str) -> bool:
    """Whether the kernel has that kind of queue: tried in a network namespace that is gone at once."""
    alone = ("unshare", "--net", "--") if namespace.may_change_network() else (*namespace.UNSHARE, "--")
    try:
        return commands.run((*alone, "tc", "qdisc", "add", "dev", "lo", "root", kind), timeout_s=LIMIT_S).code == 0
    except EnvironmentNotReady:
        return False


def _right(settings: Settings, place: Place) -> tuple[Problem, ...]:
    problem = nftables.lacking()
    if problem:
        return (problem,)
    missing = [name for name in ("ip", "tc") if shutil.which(name) is None]
    if missing:
        return (Problem(missing[0], "the program is not installed", "apt install iproute2"),)
    if not has_queue("htb"):
        return (Problem("tc", "this kernel has no queue htb", "choose toxiproxy.bandwidth"),)
    try:
        device = device_to(packets.addresses(place.host, place.via_port)[0][0])
    except FaultError as error:
        return error.problems
    if device != "lo" and settings["direction"] != "to":
        return (Problem("direction", f"what comes in by {device} cannot be kept waiting", "use direction: to"),)
    return ()


def _netem(settings: Settings, place: Place) -> tuple[Problem, ...]:
    problems = _right(settings, place)
    if problems or has_queue("netem"):
        return problems
    return (Problem("tc", "this kernel has no netem, and nothing else delays packets", "choose toxiproxy.latency"),)


def _jitter(settings: Settings) -> tuple[Problem, ...]:
    delay, jitter = int(str(settings["delay_ms"])), int(str(settings["jitter_ms"]))
    if jitter > delay / 2:
        return (Problem("jitter_ms", f"{jitter} is more than half of delay_ms {delay}", "give it less"),)
    return ()


_UNDO = (
    "the queue and the rules for {on} that this run added are removed; the kernel puts back the queue that was there"
)

KINDS: tuple[Kind, ...] = (
    kind_of(
        Bandwidth,
        _UNDO,
        NEEDS,
        {
            "kbit_per_s": Setting(default=1000, minimum=8, maximum=10_000_000, meaning="The most in each direction."),
            "direction": DIRECTION,
        },
        preflight=_right,
        mechanism=lambda _settings, _place: "tc htb: packets wait; up to one segment of 64 KiB may go at once",
    ),
    kind_of(
        Delay,
        _UNDO,
        NEEDS,
        {
            "delay_ms": Setting(default=100, minimum=1, maximum=10_000, meaning="Each packet waits for this long."),
            "jitter_ms": Setting(default=0, maximum=5_000, meaning="The delay varies by up to this."),
            "direction": DIRECTION,
        },
        together=_jitter,
        preflight=_netem,
        mechanism=lambda _settings, _place: "tc netem, to the millisecond",
    ),
)
"""The kinds of this mechanism."""
