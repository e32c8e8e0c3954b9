"""The clock of a part's process is wrong: all that it is told of the time of day is ahead or behind.

The process must have been started so that this can be done (`own_clock: true`, see `host.clocks`); clocks of others,
and the machine's, are not touched. What is looked at is the header `Date` of the part's answers (RFC 9110, 6.6.1).
"""

import email.utils
import http.client
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from resilience.errors import FaultError
from resilience.faults.kinds import Kind, Setting, Settings, kind_of
from resilience.faults.process import ProcessFault
from resilience.host import clocks
from resilience.model import Json, Place, Problem, Undo

LEAST_S = 10
"""Less could not be told: `Date` has whole seconds, and servers make it once a second."""
_NEAR_S = 4.0
_PATIENCE_S = 1.0


class Clock(ProcessFault):
    """The part's wall clock is `ahead_s` ahead, or behind if that is negative. Its monotonic clock is not concerned.

    How it is undone: the file that moves the clock says again what it said before. What it needs: a part that answers
    by HTTP with the header `Date`, started with a clock of its own. When it fails: its clock is wrong already.
    """

    kind = "process.clock"

    def prepare(self) -> Undo:
        """Note the file and what it says; the clock must be right."""
        place, root = self._root()
        file = clocks.file_of(root)
        if file is None:
            hint = "write own_clock: true where the file says how it is started"
            raise FaultError(Problem(place.name, "it was not started with a clock of its own", hint))
        before = file.read_text()
        off_s = offset_s(place.host, place.port)
        if abs(off_s) > _NEAR_S:
            raise FaultError(Problem(place.name, f"its clock is {off_s:+.0f} s off already", "set it right first"))
        data: dict[str, Json] = {
            "part": place.name,
            "root": asdict(root),
            "file": str(file),
            "before": before,
            "after": f"{self._settings['ahead_s']:+d}\n",
            "ahead_s": self._settings["ahead_s"],
            "address": [place.host, place.port],
        }
        return Undo(kind=self.kind, data=data)

    def inject(self, undo: Undo, /) -> None:
        """Write the file."""
        clocks.move(Path(str(undo.data["file"])), str(undo.data["after"]))

    def revert(self, undo: Undo, /) -> None:
        """Write what was there, if what we wrote still is; a stack that is gone has no clocks."""
        file = Path(str(undo.data["file"]))
        try:
            if file.read_text() == undo.data["after"]:
                clocks.move(file, str(undo.data["before"]))
        except FileNotFoundError:
            return

    def active(self, undo: Undo, /) -> bool:
        """Whether its answers are dated as asked for. Not, if they are dated as ours, or the stack is gone.

        Raises:
            FaultError: it does not answer, or its clock is neither right nor as wrong as it should be.
        """
        data: Mapping[str, Any] = undo.data
        if not Path(data["file"]).exists():
            self.proof = "the stack is gone"
            return False
        off_s = offset_s(*data["address"])
        self.proof = f"its answers are dated {off_s:+.0f} s from this machine's time"
        if abs(off_s - data["ahead_s"]) <= _NEAR_S:
            return True
        if abs(off_s) <= _NEAR_S:
            return False
        raise FaultError(Problem(str(data["part"]), f"{self.proof}, {data['ahead_s']:+d} s or none was expected"))


def offset_s(host: str, port: int) -> float:
    """How far the clock of an HTTP server is ahead of ours, seconds, to about one.

    Raises:
        FaultError: it does not answer, or without a date.
    """
    where = f"{host}:{port}"
    try:
        with closing(http.client.HTTPConnection(host, port, timeout=_PATIENCE_S)) as connection:
            connection.request("GET", "/")
            dated = connection.getresponse().getheader("Date")
    except (OSError, http.client.HTTPException) as error:
        raise FaultError(Problem(where, f"it cannot be asked for the time: {error}")) from error
    if not dated:
        raise FaultError(Problem(where, "its answers have no header Date", "choose a part that dates its answers"))
    try:
        return email.utils.parsedate_to_datetime(dated).timestamp() + 0.5 - time.time()
    except ValueError as error:
        raise FaultError(Problem(where, f"its header Date is {dated[:60]!r}")) from error


def _together(settings: Settings) -> tuple[Problem, ...]:
    ahead_s = settings["ahead_s"]
    if isinstance(ahead_s, int) and abs(ahead_s) < LEAST_S:
        return (Problem("ahead_s", f"{ahead_s} cannot be told from a clock that is right", f"at least ±{LEAST_S}"),)
    return ()


def _lacking(_: Settings, place: Place) -> tuple[Problem, ...]:
    problem = clocks.lacking()
    if problem is not None:
        return (problem,)
    root = place.identity
    if root is not None and clocks.file_of(root) is None:
        hint = "write own_clock: true where the file says how it is started"
        return (Problem(place.name, "it was not started with a clock of its own", hint),)
    return ()


KINDS: tuple[Kind, ...] = (
    kind_of(
        Clock,
        "the clock of {on} is right again",
        {"identity": "a process that the stack knows", "url": "an address at which it answers by HTTP"},
        {
            "ahead_s": Setting(
                default=300, meaning="How far ahead; negative is behind.", minimum=-86_400, maximum=86_400
            )
        },
        together=_together,
        preflight=_lacking,
    ),
)
"""The kinds of this mechanism."""
