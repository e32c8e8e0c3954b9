"""A part's program profiled by py-spy while a phase lasts: its stacks, collapsed, in `resources/profiles/`.

py-spy reads the memory of the program from outside and stops it for a moment at each sample. It is a process of its own
with an end of its own, so it outlives nobody for long. Where it is not installed or may not attach, that is a gap.
"""

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from resilience.errors import RecordError
from resilience.model import EventKind, Identity, Phase, PhaseName, Place, ProfileOf
from resilience.observe.system import Roots
from resilience.record.events import read_events
from resilience.record.folder import EVENTS, RESOURCES
from resilience.record.profiles import PROFILES, profile_name
from resilience.record.resources import ResourcesWriter

LOOK_S = 0.25
"""So often it is looked whether the phase has begun or ended."""
WRITE_S = 5.0
"""So long py-spy may take to write what it has after its time is over."""
COLLECTOR = "profile"


def program() -> str | None:
    """Where py-spy is: beside this Python, else on the path."""
    return shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")


class Profiler:
    """Profiles one part in one phase.

    Args:
        asked: which, and when.
        roots: the first process of each part, as it is now.
        folder: the run folder, whose events say which phase it is.
        now_ns: nanoseconds since the run began.
        writer: where gaps are noted.
        find: finds py-spy.
    """

    def __init__(
        self,
        asked: ProfileOf,
        roots: Roots,
        folder: Path,
        now_ns: Callable[[], int],
        writer: ResourcesWriter,
        *,
        find: Callable[[], str | None] = program,
    ) -> None:
        self._asked, self._roots, self._folder = asked, roots, folder
        self._now_ns, self._writer, self._find = now_ns, writer, find

    def __call__(self, ended: threading.Event) -> None:
        """Wait for the phase, and profile while it lasts."""
        with suppress(RecordError):  # there is nowhere to say it
            while not ended.is_set():
                label = self._phase()
                if label is not None:
                    self._profile(label, ended)
                    return
                ended.wait(LOOK_S)
            self._miss("the phase did not come")

    def _phase(self) -> str | None:
        """The label of the phase that is now, if it is the one."""
        events, _ = read_events(self._folder / EVENTS, finished=False)
        now = next((event for event in reversed(events) if event.kind in {EventKind.PHASE, EventKind.END}), None)
        if now is None or now.kind is EventKind.END:
            return None
        called = now.detail.get("called")
        names = tuple(str(name) for name in called) if isinstance(called, list | tuple) else ()
        phase = Phase(PhaseName(now.name), now.at_s, now.at_s, str(now.detail.get("fault") or ""), names)
        return phase.label if phase.name is self._asked.phase and phase.about(self._asked.fault) else None

    def _profile(self, label: str, ended: threading.Event) -> None:
        found, root = self._find(), self._roots.now().get(self._asked.part)
        if found is None:
            self._miss("py-spy is not installed: install resilience[profile]")
            return
        if root is None:
            self._miss("it is no process of this machine that the stack knows")
            return
        path = self._folder / RESOURCES / PROFILES / profile_name(self._asked.part, label)
        path.parent.mkdir(parents=True, exist_ok=True)
        began_ns = self._now_ns()
        why = self._record(found, root, path, lambda: ended.is_set() or self._phase() != label)
        if why:
            self._miss(why, began_ns)

    def _record(self, found: str, root: Identity, path: Path, over: Callable[[], bool]) -> str:
        """Run py-spy until it is over; why there is nothing, or nothing at all."""
        asked = self._asked
        told = ("-d", str(max(1, round(asked.duration_s))), "-r", str(asked.rate), "-f", "raw", "-o", str(path))
        try:
            process = subprocess.Popen(
                (found, "record", "-p", str(root.pid), *told),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
        except OSError as error:
            return f"py-spy cannot be started: {error}"
        said: list[str] = []
        # Somebody must read what it says, or it would wait for that at some point.
        reading = threading.Thread(target=lambda: said.extend(process.stderr or ()), daemon=True)
        reading.start()
        while process.poll() is None and not over():
            with suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_S)
        if process.poll() is None:
            process.send_signal(2)  # as Ctrl-C: it writes what it has
        try:
            code = process.wait(WRITE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return f"py-spy did not end within {WRITE_S:g} s"
        finally:
            reading.join(1.0)
            if process.stderr is not None and not reading.is_alive():
                process.stderr.close()
        if code == 0 and path.is_file():
            return ""
        lines = [line.strip() for line in said if line.strip() and not line.startswith("py-spy>")]
        return f"py-spy ended with {code}: {' / '.join(lines[-3:]) or 'it said nothing'}"

    def _miss(self, why: str, began_ns: int | None = None) -> None:
        now_ns = self._now_ns()
        self._writer.begin_gap(COLLECTOR, self._asked.part, now_ns if began_ns is None else began_ns, why)
        self._writer.end_gap(COLLECTOR, self._asked.part, now_ns)


def profilers(
    asked: tuple[ProfileOf, ...],
    places: Mapping[str, Place],
    folder: Path,
    now_ns: Callable[[], int],
    writer: ResourcesWriter,
) -> list[tuple[str, Profiler]]:
    """What profiles the parts that a file names, with names for their threads."""
    return [(f"profile-{one.part}", Profiler(one, Roots(places), folder, now_ns, writer)) for one in asked]
