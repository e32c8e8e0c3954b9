"""The kernel's packet filter: tables of ours, each with a name of its own, so that nothing of others is ever touched.

What a table does is bound to a set of addresses and ports whose elements expire by themselves, so a table that nobody
removes does nothing any more.
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from typing import Any

from resilience.errors import EnvironmentNotReady, FaultError
from resilience.host import commands, namespace
from resilience.model import Problem

PREFIX = "resilience-fault-"
"""What the names of tables of ours begin with."""

LIMIT_S = 3.0


def lacking() -> Problem | None:
    """Why tables cannot be made from here; None if they can."""
    if shutil.which("nft") is None:
        return Problem("nft", "the program is not installed", "apt install nftables")
    return namespace.lacking()


def add(script: str) -> None:
    """Load rules into the kernel, all or none.

    Raises:
        FaultError: the kernel does not take them.
    """
    _nft((), script)


def names(family: str = "inet") -> tuple[str, ...]:
    """The tables of ours that are there."""
    tables = (entry["table"] for entry in _listed((), "list", "tables", family) if "table" in entry)
    return tuple(table["name"] for table in tables if table["name"].startswith(PREFIX))


def exists(family: str, name: str, within: str) -> bool:
    """Whether a table is there.

    Args:
        family: `inet`, `ip`, `ip6`.
        name: of the table.
        within: the network namespace, see `namespace.current`; gone with everything in it, it has no tables.
    """
    before = namespace.within(within)
    if before is None:
        return False
    tables = [entry["table"] for entry in _listed(before, "list", "tables", family) if "table" in entry]
    return name in [table["name"] for table in tables]


def remove(family: str, name: str, within: str) -> None:
    """Remove a table. Harmless if it, or its namespace, is not there.

    Raises:
        FaultError: it is there, and the kernel does not remove it.
    """
    before = namespace.within(within)
    if before is None or not exists(family, name, within):
        return
    try:
        _nft(before, f"delete table {family} {name}")
    except FaultError:
        if exists(family, name, within):  # somebody else was not faster
            raise


def elements(family: str, table: str, of: str) -> tuple[tuple[str, int], ...]:
    """What is in a set of addresses and ports now; empty if table or set are not there."""
    try:
        entries = _listed((), "list", "set", family, table, of)
    except FaultError:
        return ()
    found = (entry["set"].get("elem", ()) for entry in entries if "set" in entry)
    return tuple(_pair(element) for each in found for element in each)


def text_of(family: str, name: str) -> str:
    """A table as the packet filter writes it."""
    return _nft((), "--numeric", "list", "table", family, name)


def counters(family: str, name: str) -> dict[str, int]:
    """The packets that each counter of a table counted so far."""
    entries = _listed((), "list", "counters", "table", family, name)
    return {entry["counter"]["name"]: entry["counter"]["packets"] for entry in entries if "counter" in entry}


def _pair(element: Mapping[str, Any]) -> tuple[str, int]:
    address, port = element["elem"]["val"]["concat"]
    return str(address), int(port)


def _listed(before: tuple[str, ...], *words: str) -> Iterable[Mapping[str, Any]]:
    listed = json.loads(_nft(before, "--json", *words))["nftables"]
    return list(listed)


def _nft(before: tuple[str, ...], *words: str) -> str:
    try:
        done = commands.run([*before, "nft", *words], timeout_s=LIMIT_S)
    except EnvironmentNotReady as error:
        raise FaultError(Problem("nft", str(error))) from error
    if done.code:
        raise FaultError(Problem("nft", done.err.strip()[-500:] or f"ended with code {done.code}"))
    return done.out
