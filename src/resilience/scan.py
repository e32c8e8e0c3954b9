"""Looks for what carries our marks and stands in no book: processes, toxics, and what mechanisms say they left.

A book may be lost, or be in another state folder, which belongs to somebody else's run. So what is found is shown, and
removed only when it is named. What lives under a living parent is at work and no stray.

A module of faults offers `leftovers() -> tuple[str, ...]`: one sentence for each thing of ours that is there, whoever
made it, with its name (`control group /sys/fs/cgroup/resilience-fault-0badcafe`).
"""

import contextlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from resilience.errors import FaultError, ResilienceError
from resilience.faults import registry
from resilience.faults.toxiproxy import Toxiproxy
from resilience.host import processes
from resilience.model import Identity, Problem
from resilience.reaper import end_tagged
from resilience.runtime.debts import read_book
from resilience.stack import kept

MARK = "resilience-"
_MARKED = re.compile(rf"{MARK}[\w-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """One thing that nobody owes.

    Attributes:
        name: by which it can be removed; empty if nothing says any more how it was before.
        what: one sentence.
    """

    name: str
    what: str

    def problem(self) -> Problem:
        """To be shown."""
        hint = f"remove it with `resilience reap --scan --remove {self.name}`, if it is nobody's"
        by_hand = "look at it and remove it by hand: nothing says any more what was there before"
        return Problem("", f"{self.what} is in no debt book of this user", hint if self.name else by_hand)


def strays(state_folder: Path) -> tuple[Stray, ...]:
    """Everything on this machine, and in the kept stack, that carries our marks and is in no book. Changes nothing."""
    known = _known(state_folder)
    found = [*_processes(known), *_toxics(known)]
    found += [
        Stray(name="", what=sentence)
        for sentence in registry.leftovers()
        if not any(mark in known for mark in _MARKED.findall(sentence))
    ]
    return tuple(found)


def remove(state_folder: Path, names: tuple[str, ...]) -> None:
    """Remove strays by name.

    Raises:
        FaultError: one of them is no stray, or would not go. The others are removed.
    """
    there = {stray.name for stray in strays(state_folder)}
    problems: list[Problem] = []
    for name in names:
        try:
            if not name or name not in there:
                raise FaultError(
                    Problem(name, "is no stray that can be removed", "`resilience reap --scan` lists them")
                )
            if not _remove_toxic(name):
                end_tagged({"tag": name})
        except ResilienceError as error:
            problems += error.problems
    if problems:
        raise FaultError(problems)


def _known(state_folder: Path) -> str:
    """Everything that books and kept stacks name, as one text."""
    texts = []
    for path in (state_folder / "debts").glob("*.jsonl"):
        with contextlib.suppress(FileNotFoundError):
            texts += [json.dumps(dict(debt.undo.data)) for debt in read_book(path).owed]
    for path in (state_folder / "stacks").glob("*.json"):
        with contextlib.suppress(FileNotFoundError):
            texts.append(path.read_text())
    return "\n".join(texts)


def _processes(known: str) -> Iterator[Stray]:
    by_tag: dict[str, list[Identity]] = defaultdict(list)
    for identity, tag in processes.all_tagged():
        by_tag[tag].append(identity)
    for tag, identities in sorted(by_tag.items()):
        starters = [processes.parent_of(identity) for identity in identities]
        if tag not in known and not any(_is_starter(one) for one in starters if one not in identities):
            numbers = ", ".join(str(identity.pid) for identity in identities)
            yield Stray(name=tag, what=f"{tag} (process {numbers}), whose starter is gone,")


def _is_starter(parent: Identity | None) -> bool:
    """Whether a parent is who started the process, rather than who takes in orphans."""
    if parent is None or parent.pid == 1:
        return False
    with contextlib.suppress(OSError):
        return Path(f"/proc/{parent.pid}/comm").read_text().strip() not in {"systemd", "init"}
    return False


def _toxics(known: str) -> Iterator[Stray]:
    for server in _servers():
        for proxy in server.proxies().values():
            for toxic in proxy.toxics:
                if toxic.name.startswith(MARK) and toxic.name not in known:
                    yield Stray(name=toxic.name, what=f"the toxic {toxic.name} on the proxy {proxy.name}")


def _remove_toxic(name: str) -> bool:
    """Whether there was one of that name; it is gone."""
    for server in _servers():
        for proxy in server.proxies().values():
            if any(toxic.name == name for toxic in proxy.toxics):
                server.remove_toxic(proxy.name, name)
                return True
    return False


def _servers() -> tuple[Toxiproxy, ...]:
    """The proxy servers of the kept stack that answer."""
    addresses = {place.control for place in kept.places().values() if place.control}
    servers = []
    for address in sorted(addresses):
        server = Toxiproxy(address)
        with contextlib.suppress(FaultError):
            server.proxies()
            servers.append(server)
    return tuple(servers)
