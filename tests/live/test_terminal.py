"""The live display as a user gets it, in a terminal and without one."""

import io
import time

import pytest
from rich.console import Console

from resilience.live.terminal import PlainDisplay, TerminalDisplay, open_display
from resilience.model import Answer, Event, EventKind, Outcome, Verdict

VERDICT = Verdict(Answer.FAIL, "2 of 512 acknowledged writes are lost", (), {})


def make_console(width=80, height=24, encoding="utf-8", **more):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    environment = {"TERM": "xterm", **more.pop("environment", {})}
    console = Console(file=stream, width=width, height=height, _environ=environment, **{"force_terminal": True, **more})
    return console, lambda: raw.getvalue().decode(encoding)


def play(display, news):
    for item in news:
        (display.on_event if isinstance(item, Event) else display.on_slice)(item)


def last_frame(text):
    return [line for line in text[text.rindex("╭") :].splitlines() if line[:1] in {"╭", "│", "╰"}]


def test_terminal_gets_a_picture_and_a_pipe_gets_lines(experiment, plan):
    """The display fits the console: a pipe and a terminal that cannot move its cursor get plain lines."""
    for console, kind in (
        (make_console()[0], TerminalDisplay),
        (make_console(force_terminal=False)[0], PlainDisplay),
        (make_console(environment={"TERM": "dumb"})[0], PlainDisplay),
    ):
        display = open_display(experiment, plan, console=console)
        display.close(None)
        assert isinstance(display, kind)


def test_picture_says_what_the_run_is_doing(experiment, plan, story):
    """Issue part 1, item 10: phase, throughput, errors, quantiles, sparkline, writes at risk, time left; 80 x 24."""
    console, shown = make_console(color_system=None)
    display = open_display(experiment, plan, console=console)
    play(display, story(42.0))
    display.close(VERDICT)
    lines = last_frame(shown())
    frame = "\n".join(lines)
    for words in (
        "Redis fails, the service degrades gracefully",
        "target shop (embedded)",
        "fault redis-hung",
        "ok 250/s of 250/s offered",
        "p50 12 ms, p95 240 ms, p99 417 ms",
        "live estimate",
        "80 % of ok answers",
        "996 attempted, 995 acknowledged, 1 at risk",
        "00:26 left",
        "▓▓▓▓",
        "F2 redis-hung      active",
        "F3 service-killed  planned",
        "FAIL 2 of 512",
    ):
        assert words in frame
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("size", [(1, 1), (10, 5), (20, 8), (40, 12), (80, 24), (200, 60)])
@pytest.mark.parametrize("until", [-1.0, 0.0, 30.0, 69.0])
def test_picture_fits_any_console(experiment, plan, story, size, until):
    """No console is too small, with slices and without any; the picture is never wider nor higher than the console."""
    width, height = size
    console, shown = make_console(width, height, color_system=None)
    display = open_display(experiment, plan, console=console)
    play(display, story(until))
    display.close(None)
    assert "cannot be painted" not in shown()
    if width >= 20 and height >= 8:
        lines = last_frame(shown())
        assert max(map(len, lines)) <= width
        assert len(lines) <= height - 1


def test_hostile_names_cannot_command_the_terminal(titled, plan, piece):
    """Control characters in a title, a name, a reason or a message are shown escaped, in both displays."""
    evil = "\x1b]0;owned\x07\x1b[2J\u202e\r\n\x9b31m"
    for force in (True, False):
        console, shown = make_console(200, 40, force_terminal=force, color_system=None)
        display = open_display(titled(evil), plan, console=console)
        for kind in EventKind:
            detail = dict.fromkeys(("message", "reason", "proof", "kind", "on", "step", "fault", "text", "run"), evil)
            display.on_event(Event(1.0, kind, evil, detail))
        display.on_slice(piece(0.0, counts={evil: {Outcome.OK: 1}}))
        display.close(Verdict(Answer.UNKNOWN, evil, (), {}))
        text = shown()
        assert "\x1b]0" not in text
        assert "\x1b[2J\u202e" not in text
        assert "\u202e" not in text
        assert "\x9b" not in text
        assert "\\x1b[2J" in text


@pytest.mark.parametrize("force", [True, False])
def test_display_never_raises_into_the_run(experiment, plan, piece, force):
    """Whatever comes in, and even when its console is gone, the display keeps its troubles to itself."""
    console, _ = make_console(force_terminal=force)
    display = open_display(experiment, plan, console=console)
    display.on_event(Event(float("nan"), EventKind.PHASE, "warm-up"))
    display.on_event(None)
    display.on_slice(None)
    display.on_slice(piece(float("nan")))
    display.on_slice(piece(5.0, length_s=-7.0, offered=-3))
    console.file.close()
    display.on_event(Event(2.0, EventKind.PROBLEM, "x", {"message": "y"}))
    display.close(VERDICT)
    display.close(VERDICT)


class Stuck(io.StringIO):
    """A terminal that was stopped: whoever writes to it waits."""

    def __init__(self):
        super().__init__()
        self.stopped = False

    def write(self, text):
        """Wait while stopped."""
        while self.stopped:
            time.sleep(0.01)
        return super().write(text)


@pytest.mark.parametrize("force", [True, False])
def test_stopped_terminal_holds_nobody_up(experiment, plan, story, force):
    """While the terminal takes nothing, taking news in stays quick, and so does the end (2 s of patience)."""
    stream = Stuck()
    display = open_display(experiment, plan, console=Console(file=stream, force_terminal=force, width=80, height=24))
    stream.stopped = True
    time.sleep(0.3)  # longer than one refresh: the painter is stuck by now
    began = time.monotonic()
    news = list(story())
    play(display, news)
    per_item_s = (time.monotonic() - began) / len(news)
    display.close(VERDICT)
    whole_s = time.monotonic() - began
    stream.stopped = False
    display.close(VERDICT)
    assert per_item_s < 0.005
    assert whole_s < 4.0


def test_no_color_is_respected(experiment, plan, story):
    """With NO_COLOR there is no colour in the output; the words are all there."""
    console, shown = make_console(environment={"NO_COLOR": "1"}, color_system="standard")
    display = open_display(experiment, plan, console=console)
    play(display, story(42.0))
    display.close(None)
    assert "\x1b[31m" not in shown()
    assert "active" in shown()


def test_ascii_terminal_gets_ascii(experiment, plan, story):
    """A terminal that knows only ASCII gets the whole picture in ASCII."""
    console, shown = make_console(encoding="ascii", color_system=None)
    display = open_display(experiment, plan, console=console)
    play(display, story(42.0))
    display.close(None)
    assert "FFFFFF" in shown()
    assert "cannot be painted" not in shown()


def test_plain_lines(experiment, plan, story):
    """Without a terminal: one line per event, one line of figures per five seconds, each with the run's time."""
    console, shown = make_console(force_terminal=False)
    display = open_display(experiment, plan, console=console)
    play(display, story())
    display.close(VERDICT)
    lines = shown().splitlines()
    assert lines[0] == "[   0.0 s] run 1a2b3c4d begins, seed 7"
    assert "[  19.0 s] phase fault (redis-down)" in lines
    assert "[  19.0 s] fault redis-down requested: toxiproxy.down on redis" in lines
    assert "[  19.1 s] fault redis-down confirmed active: connection refused" in lines
    assert "[  27.0 s] fault redis-down is clear: PONG" in lines
    assert "[  69.0 s] the last phase is over" in lines
    assert lines[-1] == "verdict fail: 2 of 512 acknowledged writes are lost"
    loads = [line for line in lines if "load: " in line]
    assert [line[:10] for line in loads] == [f"[{at:6.1f} s]"[:10] for at in range(5, 70, 5)]
    assert loads[1] == (
        "[  10.0 s] load: offered 250/s; ok 250/s; errors 0 % (0 failed, 0 unknown, 0 dropped); degraded 0 %; "
        "p50 2.19 ms, p95 5.04 ms, p99 14.1 ms (live estimate); in flight 2; "
        "writes 228 attempted, 227 acknowledged, 1 at risk"
    )
    assert len(lines) == 12 + 12 + len(loads)


def test_taking_news_in_is_cheap(experiment, plan, story):
    """An event or a slice costs the run less than a millisecond each."""
    console, _ = make_console()
    display = open_display(experiment, plan, console=console)
    news = list(story())
    began = time.monotonic()
    play(display, news)
    took_s = time.monotonic() - began
    display.close(None)
    assert took_s / len(news) < 0.001
