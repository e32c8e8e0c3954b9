"""The live display: a picture in a terminal, log lines without one.

Whoever runs the experiment only folds news into `State` or puts a line into a queue. Painting and writing are done by a
thread of their own, so a slow, stopped or vanished terminal holds nobody up.
"""

import contextlib
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable

from rich.console import Console, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.style import Style
from rich.text import Text

from resilience.live import strip, words
from resilience.live.figures import fold
from resilience.live.picture import Picture
from resilience.live.state import Snapshot, State
from resilience.model import Event, Experiment, Plan, Slice, Verdict
from resilience.ports import Display
from resilience.text import ABSENT, printable

REFRESH_PER_S = 4
PLAIN_EVERY_S = 5.0
_PATIENCE_S = 2.0

_STYLES = {
    "": Style.null(),
    "head": Style(bold=True),
    "dim": Style(dim=True),
    "good": Style(color="green"),
    "warn": Style(color="yellow"),
    "bad": Style(color="red", bold=True),
    "fault": Style(color="red"),
    "done": Style(color="green"),
    "planned": Style(dim=True),
    "latency": Style(color="cyan"),
    "now": Style(bold=True),
}


def open_display(experiment: Experiment, plan: Plan, *, console: Console | None = None) -> Display:
    """The display that fits the console: a live picture if it is a terminal that can move its cursor, else log lines.

    Args:
        experiment: what is run.
        plan: how it is meant to go.
        console: where to show it; by default standard error, so that standard output stays free for results.
    """
    console = console or Console(stderr=True, highlight=False)
    if console.is_terminal and not console.is_dumb_terminal:
        return TerminalDisplay(experiment, plan, console)
    return PlainDisplay(console)


class TerminalDisplay:
    """A picture of the run that is painted over itself a few times a second, and stays when the run is over."""

    def __init__(self, experiment: Experiment, plan: Plan, console: Console) -> None:
        self._state = State(experiment, plan)
        self._picture = Picture(experiment, plan)
        self._title = experiment.title
        self._console = console
        self._verdict: Verdict | None = None
        self._live = Live(
            get_renderable=self._render,
            console=console,
            refresh_per_second=REFRESH_PER_S,
            vertical_overflow="crop",
        )
        with contextlib.suppress(OSError):  # a terminal that is gone must not keep the experiment from running
            self._live.start()

    def on_event(self, event: Event) -> None:
        """Fold it in; the next painting shows it."""
        _quietly(lambda: self._state.on_event(event, time.monotonic()))

    def on_slice(self, piece: Slice) -> None:
        """Fold it in; the next painting shows it."""
        _quietly(lambda: self._state.on_slice(piece, time.monotonic()))

    def close(self, verdict: Verdict | None) -> None:
        """Paint once more, leave the picture where it is and give the cursor back. Idempotent."""
        self._verdict = verdict
        # A terminal that was stopped (Ctrl-S) blocks whoever writes to it: then we leave without.
        _run_briefly(lambda: _quietly(self._live.stop))

    def _render(self) -> RenderableType:
        try:
            return self._paint(self._state.snapshot(time.monotonic()))
        except Exception as error:  # noqa: BLE001 - a mistake in the picture must not end the painting, nor the run
            return Text(f"the display cannot be painted: {printable(repr(error), 200)}")

    def _paint(self, snapshot: Snapshot) -> RenderableType:
        """Never wider than the console, and at least one line less high, where the cursor stands."""
        console = self._console
        plain = console.options.ascii_only
        glyphs = strip.PLAIN if plain else strip.FINE
        width = max(10, console.width - 4)
        lines = []
        for runs in self._picture.paint(snapshot, width, max(1, console.height - 3), glyphs, self._verdict):
            line = Text.assemble(*((_ascii(text) if plain else text, _STYLES[style]) for text, style in runs))
            line.truncate(width, overflow="crop" if plain else "ellipsis")
            lines.append(line)
        body = Text("\n", no_wrap=True).join(lines)
        name = printable(self._title, max(4, width - 4))
        title = Text(_ascii(name) if plain else name, style="bold")
        return Panel(body, title=title, title_align="left", width=width + 4)


class PlainDisplay:
    """One line per event and one line of load figures every five seconds, each with the time since the run's start."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._pieces: deque[Slice] = deque()
        self._closed = False
        self._writer = threading.Thread(target=self._write, name="display", daemon=True)
        self._writer.start()

    def on_event(self, event: Event) -> None:
        """Say it in words."""
        _quietly(lambda: self._say(event.at_s, words.event_line(event)))

    def on_slice(self, piece: Slice) -> None:
        """Count it; say the sum when five seconds are full."""
        _quietly(lambda: self._count(piece))

    def close(self, verdict: Verdict | None) -> None:
        """Say the rest and the verdict, and wait a moment until it is written. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if verdict is not None:
            self._lines.put(words.verdict_line(verdict))
        self._lines.put(None)
        self._writer.join(_PATIENCE_S)

    def _count(self, piece: Slice) -> None:
        self._pieces.append(piece)
        if math.floor(piece.end_s / PLAIN_EVERY_S) > math.floor(self._pieces[0].start_s / PLAIN_EVERY_S):
            self._say(piece.end_s, words.load_line(fold(self._pieces)))
            self._pieces.clear()

    def _say(self, at_s: float, text: str) -> None:
        if text and not self._closed:
            self._lines.put(f"{words.stamp(at_s)} {text}")

    def _write(self) -> None:
        encoding = self._console.encoding
        while (line := self._lines.get()) is not None:
            known = line.encode(encoding, "backslashreplace").decode(encoding)
            try:
                self._console.out(known, highlight=False)
            except (OSError, ValueError, SystemExit):  # nobody listens any more: rich leaves by SystemExit then
                return


def _ascii(text: str) -> str:
    """What a console can show that knows nothing but ASCII."""
    return text.replace(ABSENT, "-").replace("…", "...").encode("ascii", "backslashreplace").decode("ascii")


def _quietly(deed: Callable[[], None]) -> None:
    """Do it; whatever a view gets wrong, and a console that is gone, is nobody's business but the view's."""
    with contextlib.suppress(Exception, SystemExit):  # rich leaves by SystemExit when its pipe is closed
        deed()


def _run_briefly(deed: Callable[[], None]) -> None:
    """Do it in a thread, and wait for it only for a while."""
    thread = threading.Thread(target=deed, name="display-close", daemon=True)
    thread.start()
    thread.join(_PATIENCE_S)
