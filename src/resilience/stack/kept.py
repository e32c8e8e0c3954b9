"""An embedded stack that is kept running between experiments: `resilience up`, `status` and `down`.

There is at most one per state folder. It is written down before it is started, so that `down` ends it even if `up` was
killed half way. A lock, which the kernel gives back if its holder dies, keeps two runs from using it at once.
"""

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from resilience.errors import EnvironmentNotReady
from resilience.host import files, processes
from resilience.model import Json, Place, Problem
from resilience.stack import health, parts, postgres
from resilience.stack.embedded import EmbeddedStack, read_places
from resilience.stack.loopback import Hopeless, proxies_ready
from resilience.stack.programs import Notify
from resilience.stack.settle import settle
from resilience.stack.starting import REDIS_PASSWORD, read_secrets
from resilience.stack.wanted import Wanted


@dataclass(frozen=True, slots=True)
class Status:
    """How a kept stack is.

    Attributes:
        folder: its private folder; empty if there is no kept stack.
        bugs: planted bugs it was started with.
        parts: part → what is wrong with it, empty if it is well.
        complete: whether `up` came to its end.
    """

    folder: str = ""
    bugs: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    complete: bool = False

    @property
    def healthy(self) -> bool:
        """Whether every part serves."""
        return self.complete and not any(self.parts.values())

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong, part by part."""
        hint = "`resilience up` starts it anew, `resilience down` removes what is left"
        found = [
            Problem(where=f"kept stack, {name}", message=why, hint=hint) for name, why in self.parts.items() if why
        ]
        if self.folder and not self.complete:
            found.append(Problem(where="kept stack", message="`resilience up` did not come to its end", hint=hint))
        return tuple(found)


def up(
    wanted: Wanted,
    *,
    folder_root: Path | None = None,
    environment: Mapping[str, str] | None = None,
    notify: Notify = lambda _: None,
) -> dict[str, Place]:
    """Start a stack that stays; nothing to do if it runs and is well, and a broken one is started anew.

    Returns:
        The parts of the stack.

    Raises:
        EnvironmentNotReady: it is in use, or runs something else, or cannot be started.
    """
    with claim():
        record = _read()
        if record is not None:
            if status().healthy:
                _refuse_others(wanted, record)
                return read_places(Path(str(record["folder"])))
            _remove(record)
        stack = EmbeddedStack(
            wanted.service,
            programs=wanted.programs,
            wired=wanted.wired,
            postgres_disk_mb=wanted.postgres_disk_mb,
            postgres_replica=wanted.postgres_replica,
            regions=wanted.regions,
            tag=f"kept-{secrets.token_hex(6)}",
            experiment_folder=wanted.project,
            bugs=wanted.bugs,
            folder_root=folder_root,
            environment=environment,
            notify=notify,
        )
        begun: dict[str, Json] = {
            **wanted.as_json(),
            "parts": parts.names(
                wanted.service, wanted.programs, wanted.wired, wanted.regions, replica=wanted.postgres_replica
            ),
            **stack.debt_data(),
        }
        _write({**begun, "complete": False})
        try:
            stack.start()
        except BaseException:
            if not stack.folder.exists():  # else `down` must still be able to find it
                _file().unlink(missing_ok=True)
            raise
        stack.leave()
        _write({**begun, "found": dict(stack.found), "complete": True})
        return stack.places()


def down() -> bool:
    """End the kept stack and remove what is left of it.

    Returns:
        Whether there was one.

    Raises:
        EnvironmentNotReady: a run uses it.
        DebtsOutstanding: something cannot be ended.
    """
    with claim():
        record = _read()
        if record is not None:
            _remove(record)
        return record is not None


def status() -> Status:
    """How the kept stack is, part by part; takes a few seconds if parts hang."""
    record = _read()
    if record is None:
        return Status()
    folder = Path(str(record["folder"]))
    places = read_places(folder)
    expected: list[str] = record.get("parts") or list(places)  # type: ignore[assignment] # ours: a list of names
    state = {name: _wrong(places, name, folder) for name in expected}
    return Status(str(folder), str(record["bugs"]), state, complete=record["complete"] is True)


def places() -> dict[str, Place]:
    """The parts of the kept stack, whether they run or not; nothing without one."""
    record = _read()
    return {} if record is None else read_places(Path(str(record["folder"])))


def running() -> bool:
    """Whether any process of a kept stack runs: then a run must use it, or say why it cannot."""
    record = _read()
    if record is None:
        return False
    places = read_places(Path(str(record["folder"]))).values()
    return any(place.identity is not None and processes.alive(place.identity) for place in places)


@contextlib.contextmanager
def claim() -> Iterator[None]:
    """Have the kept stack to oneself.

    Raises:
        EnvironmentNotReady: another process has it.
    """
    with (_folder() / "embedded.lock").open("a+b") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read(20).decode(errors="replace").strip() or "unknown"
            raise EnvironmentNotReady(
                Problem(
                    where="kept stack",
                    message=f"process {owner} is using it, and only one may",
                    hint="wait until that one has ended",
                )
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()).encode())
        lock.flush()
        yield


class KeptStack:
    """The kept stack as a run sees it: claimed at start, given back at stop, and left running.

    Attributes:
        found: as `EmbeddedStack` has it: what `up` found when it started the stack.
    """

    name: ClassVar[str] = "embedded"

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._claim = contextlib.ExitStack()
        self._at: Path | None = None
        self.found: Mapping[str, str] = {}

    def debt_data(self) -> None:
        """Nothing: nobody ends a kept stack but `down`."""
        return

    def start(self) -> None:
        """Claim the stack.

        Raises:
            EnvironmentNotReady: it is in use, is gone, runs something else, or is not well.
        """
        with contextlib.ExitStack() as claimed:
            claimed.enter_context(claim())
            record = _read()
            if record is None:
                raise EnvironmentNotReady(
                    Problem(where="kept stack", message="it was ended just now", hint="start the run again")
                )
            _refuse_others(self._wanted, record)
            if problems := status().problems:
                raise EnvironmentNotReady(problems)
            self._at = Path(str(record["folder"]))
            self.found = record.get("found") or {}  # type: ignore[assignment] # ours: text → text
            self._claim = claimed.pop_all()

    def places(self) -> dict[str, Place]:
        """The parts of the stack by name, read anew."""
        return {} if self._at is None else read_places(self._at)

    def secrets(self) -> tuple[str, ...]:
        """The passwords of the stack."""
        return () if self._at is None else read_secrets(self._at)

    def stop(self) -> None:
        """Give the stack back. Idempotent."""
        self._claim.close()


def _refuse_others(wanted: Wanted, record: Mapping[str, Json]) -> None:
    hint = "`resilience down` ends the kept stack; then `resilience up` or the run starts what is wanted"
    if found := wanted.differences(record):
        raise EnvironmentNotReady(Problem(where="kept stack", message=text, hint=hint) for text in found)


def _wrong(places: Mapping[str, Place], name: str, folder: Path) -> str:
    """What is wrong with a part; empty if it serves."""
    if name not in places:
        return "was not started"
    place = places[name]
    # The front of the load balancer, or the way of a region: their processes are other parts.
    if place.launch is None and (name == parts.SERVICE or name.startswith(f"{parts.SERVICE}-")):
        return health.service_ready(place.via_port, place.ready)
    if place.identity is None or not processes.alive(place.identity):
        number = place.identity.pid if place.identity else "unknown"
        return f"is down: its process {number} has ended; {health.last_lines(str(folder / place.name) + '.log')}"
    if processes.state_of(place.identity) == "T":
        return f"is stopped: its process {place.identity.pid} was sent SIGSTOP"
    if place.name == "postgres":
        return postgres.answers(place.port, passfile=place.passfile)
    if place.name == "redis":
        return health.redis_answers(place.via_port, (folder / REDIS_PASSWORD).read_text())
    if place.name in {"toxiproxy", parts.WIRE}:
        wire = place.name == parts.WIRE
        proxies = [each.wire_proxy if wire else each.proxy for each in places.values()]
        try:
            return proxies_ready(place.port, [proxy for proxy in proxies if proxy])
        except Hopeless as error:
            return str(error)
    return health.service_ready(place.port, place.ready) if place.ready else ""


def _folder() -> Path:
    folder = files.state_folder() / "stacks"
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder


def _file() -> Path:
    return _folder() / "embedded.json"


def _write(record: Mapping[str, Json]) -> None:
    files.write_json(_file(), record)


def _read() -> dict[str, Json] | None:
    try:
        record: dict[str, Json] = json.loads(_file().read_bytes())
    except FileNotFoundError:
        return None
    return record


def _remove(record: Mapping[str, Json]) -> None:
    settle({"folder": record["folder"], "tag": record["tag"]})
    _file().unlink(missing_ok=True)
