"""The process that runs somebody's script: `python -m resilience.load.scripts.process DRIVER PROGRAM SCRIPT MORE`.

It is started and ended by `load.drivers.script`, and speaks as `load.process` does: an order on standard input, later
the word `stop`; `idle`, `ready`, slices and the account on standard output. It starts the program at the run's zero, so
that nothing is sent before; reads what it tells as it tells it; and writes samples as the engine does.

At `stop` the load goes on until what began before has ended, or `PATIENCE_S` have passed: only then is the program told
to end. So what is cut off by ending it began after the last phase, or is known to have been under way.
"""

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from resilience.codec import decode
from resilience.errors import LoadError, ResilienceError
from resilience.host.processes import TAG
from resilience.load.health import Health, Reading
from resilience.load.scripts.programs import Program, program_for
from resilience.load.scripts.tally import Tally
from resilience.model import Json, LoadOrder
from resilience.record.samples import warm_up

SLICE_S = 0.25
FLUSH_S = 1.0
PATIENCE_S = 10.0
LEAST_S = 1.0
"""What was begun before the end takes a moment to be told of: k6 writes what it has five times a second."""

ORPHANED = 3
_CHUNK = 1 << 18
_TAIL = 2000
_TOGETHER_NS = 1_000_000
_TRIES = 5
_DATA, _OUT, _ERRORS, _INPUT = "data", "out", "errors", "input"


class Lines:
    """Cuts what comes by a pipe into lines."""

    def __init__(self) -> None:
        self.rest = b""

    def take(self, data: bytes) -> list[bytes]:
        """The lines that are complete now."""
        *lines, self.rest = (self.rest + data).split(b"\n")
        return lines


class Run:
    """One script, from its start to its end.

    Args:
        order: what to do.
        program: which runs it.
        say: takes slices.
        about: what the account says besides of the program and the script.
    """

    def __init__(self, order: LoadOrder, program: Program, say: "Say", about: Mapping[str, Json]) -> None:
        self._order, self._program, self._say, self._about = order, program, say, about
        given = (os.environ.get(source, "") for source in order.load.environment.values())
        self._tally = Tally(Path(order.folder), given)
        self._reader = program.reader(order, self._tally.take)
        self._selector = selectors.DefaultSelector()
        self._lines = {name: Lines() for name in (_DATA, _OUT, _INPUT)}
        self._errors = b""
        self._process: subprocess.Popen[bytes] | None = None
        self._open: set[str] = set()
        self._stop_ns: int | None = None
        self._told_ns: int | None = None
        self._health: Health | None = None
        self._cores = len(os.sched_getaffinity(0))
        self._cpu_s = 0.0
        self._sliced_s = 0.0
        self._clock_gap_ns = 0

    def run(self) -> dict[str, Json]:
        """Start the script at zero, see it through, seal everything, and return the account.

        Raises:
            LoadError: it was ready too late, or the program died, hung, or told what cannot be understood.
            RecordError: something could not be written down.
        """
        if self._now_ns() >= 0:
            msg = (
                f"the generator was ready {self._now_ns() / 1e9:.3f} s after the run's zero; a later zero was expected"
            )
            raise LoadError(msg)
        self._say("ready", {"ready_ns": time.monotonic_ns()})
        os.set_blocking(0, False)
        self._selector.register(0, selectors.EVENT_READ, _INPUT)
        while not self._program.waits and (left_ns := -self._now_ns()) > 0:
            self._look(left_ns / 1e9)
        try:
            self._start()
            self._follow()
        finally:
            self._kill()
        self._reader.finish()
        now_s = self._now_ns() / 1e9
        self._slice(now_s)
        account = self._account(now_s)
        self._tally.close()
        if failed := self._failed():
            raise LoadError(failed)
        return account

    def _now_ns(self) -> int:
        return time.monotonic_ns() - self._order.zero_ns

    # ------------------------------------------------------------------------------------------------------- begin

    def _start(self) -> None:
        data, write_end = os.pipe()
        environment = {**self._program.environment(self._order, write_end), TAG: os.environ.get(TAG, "")}
        argv = self._program.argv(self._order, write_end)
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd=Path(argv[-1]).parent,
                pass_fds=(write_end,),
            )
        except OSError as error:
            raise LoadError(f"{self._program.name} cannot be started with {argv[0]}: {error}") from error
        finally:
            os.close(write_end)
        assert self._process.stdout is not None and self._process.stderr is not None  # noqa: S101, PT018 - both are pipes
        for handle, name in (
            (data, _DATA),
            (self._process.stdout.fileno(), _OUT),
            (self._process.stderr.fileno(), _ERRORS),
        ):
            os.set_blocking(handle, False)
            self._selector.register(handle, selectors.EVENT_READ, name)
            self._open.add(name)
        self._health = Health(self._read_clocks())

    # ------------------------------------------------------------------------------------------------- while it runs

    def _follow(self) -> None:
        """Until the program has ended and all it told was read."""
        number, flushed_s = 1, 0.0
        while self._open:
            due_s = number * SLICE_S
            self._look(max(due_s - self._now_ns() / 1e9, 0.0))
            now_s = self._now_ns() / 1e9
            if now_s >= due_s:
                self._slice(now_s)
                self._reader.age(self._now_ns())
                number = int(now_s / SLICE_S) + 1
            if now_s >= flushed_s + FLUSH_S:
                self._tally.flush()
                flushed_s = now_s
            self._end_when_due()
        assert self._process is not None  # noqa: S101 - it was started
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self._program.end_s)

    def _look(self, timeout_s: float) -> None:
        """Read whatever there is; wait for it at most so long."""
        for key, _ in self._selector.select(timeout_s):
            try:
                content = os.read(key.fd, _CHUNK)
            except BlockingIOError:
                continue
            if not content:
                self._selector.unregister(key.fd)
                self._open.discard(key.data)
                if key.data == _INPUT:
                    self._orphaned()
                continue
            self._take(key.data, content)

    def _take(self, name: str, content: bytes) -> None:
        if name == _ERRORS:
            self._errors = (self._errors + content)[-_TAIL:]
            return
        for line in self._lines[name].take(content):
            if name == _DATA:
                self._reader.take(line)
            elif name == _OUT:
                self._reader.say(line.decode(errors="replace"))
            elif line.strip() == b"stop":
                self._stop_ns = self._now_ns() if self._stop_ns is None else self._stop_ns
            else:
                raise LoadError(f"{line!r} was read on standard input; stop was expected")

    def _end_when_due(self) -> None:
        """Tell the program to end when what began before `stop` has ended; a program that then goes on is killed."""
        now_ns = self._now_ns()
        if self._told_ns is not None:
            if now_ns - self._told_ns > self._program.end_s * 1e9:
                if not self._program.killed_then:
                    raise LoadError(f"{self._program.name} did not end within {self._program.end_s:g} s{self._tail()}")
                self._kill()
            return
        late = now_ns > self._order.max_s * 1e9
        if late and self._stop_ns is None:
            self._stop_ns = now_ns
        if self._stop_ns is None or self._process is None:
            return
        waited_s = (now_ns - self._stop_ns) / 1e9
        if waited_s > PATIENCE_S or (waited_s > LEAST_S and not self._reader.waiting(self._stop_ns)):
            self._told_ns = now_ns
            self._process.send_signal(self._program.stop_by)

    def _slice(self, now_s: float) -> None:
        piece = self._tally.slice(self._sliced_s, now_s, self._reader.in_flight)
        if self._health is not None:
            piece["cpu_share"] = self._health.look(self._read_clocks())
        self._sliced_s = now_s
        self._say("slice", piece)

    def _read_clocks(self) -> Reading:
        """The clocks, and the processor time of the program; what the reader maps the wall clock by."""
        wall_s = None
        for _ in range(_TRIES):
            before_ns, wall_ns, after_ns = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
            if after_ns - before_ns < _TOGETHER_NS:
                middle_ns = (before_ns + after_ns) // 2
                wall_s = (wall_ns - middle_ns) / 1e9
                self._reader.wall_ns = wall_ns - middle_ns + self._order.zero_ns
                self._clock_gap_ns = max(self._clock_gap_ns, after_ns - before_ns)
                break
        with contextlib.suppress(OSError, IndexError, ValueError):  # it has ended: what it had used stands
            fields = (
                Path(f"/proc/{self._process.pid if self._process else 0}/stat").read_bytes().rpartition(b")")[2].split()
            )
            self._cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") / self._cores
        asleep_s = time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
        return Reading(at_s=self._now_ns() / 1e9, late_s=0.0, cpu_s=self._cpu_s, wall_s=wall_s, asleep_s=asleep_s)

    # --------------------------------------------------------------------------------------------------------- end

    def _account(self, now_s: float) -> dict[str, Json]:
        if self._told_ns is not None and self._stop_ns is not None:
            problems = self._reader.problems(self._stop_ns, self._told_ns)
        else:
            problems = self._reader.problems(0, 0)  # it ended by itself: nothing of it was cut off by us
        code = self._process.returncode if self._process is not None else None
        ended: dict[str, Json] = {}
        if self._told_ns is None:
            ended = {"ended_s": now_s, "ended_because": self._program.ended.get(code or 0, "")}
        stalls: list[Json] = [list[Json](each) for each in self._reader.beats.stalls]
        stalled_s = sum(length_s for _, length_s in self._reader.beats.stalls)
        health = self._health.account() if self._health is not None else {}
        return {
            **self._tally.account(),
            "attempted": 0,
            "acknowledged": 0,
            "unsettled": 0,
            "stopped_by": "itself" if self._told_ns is None else "stop",
            "cpu_s": self._cpu_s * self._cores,
            "wall_s": now_s,
            "generator": {**health, "cores": self._cores, "stalls": stalls, "stalled_s": stalled_s},
            "script": {
                "program": self._program.name,
                **self._about,
                "exit_code": code,
                "first_s": None if self._tally.first_ns is None else self._tally.first_ns / 1e9,
                "wall_clock": self._program.wall_clock,
                "clock_uncertainty_s": self._clock_gap_ns / 1e9 if self._program.wall_clock else 0.0,
                "problems": problems,
                **ended,
                **self._reader.account(),
            },
        }

    def _failed(self) -> str:
        """Why the load cannot be believed; empty if it can."""
        code = self._process.poll() if self._process is not None else None
        known = self._program.stopped if self._told_ns is not None else self._program.ended
        if code is None or code not in known:
            how = (
                "did not end" if code is None else f"died of signal {-code}" if code < 0 else f"ended with code {code}"
            )
            return f"{self._program.name} {how}{self._tail()}"
        if rest := self._lines[_DATA].rest:
            return f"what {self._program.name} told was cut short after {len(rest)} bytes of a line"
        return ""

    def _tail(self) -> str:
        text = self._errors.decode(errors="replace").strip()
        return f"; it wrote:\n{text}" if text else ""

    def _kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _orphaned(self) -> None:
        """The runner is gone: the load must not go on without it. Nothing is sealed, and that will be seen."""
        self._kill()
        os._exit(ORPHANED)


class Say:
    """Writes JSON lines to standard output, whose reader always reads."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def __call__(self, kind: str, document: Mapping[str, Json]) -> None:
        """One line."""
        line = json.dumps({"type": kind, **document}, separators=(",", ":")).encode() + b"\n"
        while line:
            line = line[os.write(self._handle, line) :]


def _first_line() -> bytes:
    """The first line of standard input, unbuffered: what follows is read by its number."""
    line = b""
    while not line.endswith(b"\n"):
        if not (content := os.read(0, _CHUNK)):
            os._exit(ORPHANED)
        line += content
    return line


def main() -> None:
    """Read an order, carry it out, and end."""
    out = os.dup(1)
    os.dup2(2, 1)
    say = Say(out)
    driver, program, script, more = sys.argv[1:]
    known = json.loads(more)
    try:
        warm_up()
        say("idle", {})
        order = decode(LoadOrder, json.loads(_first_line()))
        about = {"version": known.get("version", ""), "sha256": sha256(Path(script).read_bytes()).hexdigest()}
        say("done", Run(order, program_for(driver, program, script, known), say, about).run())
    except Exception as error:  # noqa: BLE001 - it is passed on whole
        if not isinstance(error, ResilienceError):
            traceback.print_exc()
        say("error", {"message": str(error) if isinstance(error, ResilienceError) else repr(error)})
        sys.exit(1)


if __name__ == "__main__":
    main()
